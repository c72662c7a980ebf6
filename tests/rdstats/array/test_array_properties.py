"""Properties that hold for any input and belong to no single function.

Those of one function stand with its tests: swapping groups with the t tests, the order of the corrections with the
corrections, scale, weights and cosine with the slope.
"""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rdstats.array import (
    CORRECTIONS,
    balance,
    class_counts,
    correct,
    cosine,
    crossed_interval,
    effect_size,
    fieller_interval,
    image_jackknife,
    independent_ttest,
    normalized_balance,
    paired_ttest,
    pooled_slope,
    recall,
    reference_score,
    seed_instrumented_slope,
    slope,
    slope_expected_shift,
    slope_sampling_corrected,
    slope_terms,
    spread_ratio,
    t_interval,
    tost,
)

PROPERTY = settings(deadline=None, derandomize=True, max_examples=40)
CLOSE = {"rtol": 1e-9, "atol": 1e-11}
CLASSES, SEEDS = 5, 6
RECALLS = hnp.arrays(np.float64, (3, CLASSES), elements=st.floats(0.05, 0.95))
SUPPORT = hnp.arrays(np.int64, (CLASSES,), elements=st.integers(1, 50))
# slopes as they come out of a table, so that equal ones occur
COLUMNS = hnp.arrays(np.float64, (3, SEEDS), elements=st.integers(-40, 60).map(lambda v: v / 20))
REFERENCE = st.sampled_from(["accuracy", "macro"])
ROOT = st.integers(0, 2**32 - 1)


def spread_out(*rows):
    assume(all(np.ptp(row) > 1e-2 for row in rows))


def same(first, second, **tolerance):
    """Fields of two results agree, numbers up to rounding and texts exactly."""
    for one, two in zip(first, second, strict=True):
        if np.asarray(one).dtype.kind in "fi":
            np.testing.assert_allclose(one, two, **(tolerance or CLOSE))
        else:
            np.testing.assert_array_equal(one, two)


def joint_counts(root, seeds, *, equal=False):
    """Images right before, after and both times of several seeds, and support, of classes that differ widely."""
    rng = np.random.default_rng(root)
    support = np.full(CLASSES, 70) if equal else rng.integers(20, 90, CLASSES)
    shares = rng.dirichlet([2, 0.5, 0.5, 1], CLASSES)
    cells = rng.multinomial(support, shares, (seeds, CLASSES))
    both = cells[..., 0]
    return both + cells[..., 1], both + cells[..., 2], both, support


@given(st.integers(3, 12), st.integers(1, 30), st.floats(-2, 2), st.floats(0.01, 3))
@PROPERTY
def test_intervals_shrink_with_n_at_fixed_mean_and_sd(n, more, mean, sd):
    """So does the p-value of a mean that is not 0."""

    def sample(size):
        values = np.arange(size, dtype=float)
        return mean + sd * (values - values.mean()) / values.std(ddof=1)

    few, many = t_interval(sample(n)), t_interval(sample(n + more))
    np.testing.assert_allclose([few.mean, few.sd], [many.mean, many.sd], **CLOSE)
    assert many.upper - many.lower < few.upper - few.lower
    paired = [paired_ttest(sample(size), np.zeros(size)) for size in (n, n + more)]
    assert paired[1].upper - paired[1].lower < paired[0].upper - paired[0].lower
    independent = [independent_ttest(sample(size), -sample(size)) for size in (n, n + more)]
    assert independent[1].upper - independent[1].lower < independent[0].upper - independent[0].lower
    if abs(mean) > 0.1 * sd:
        assert paired[1].p < paired[0].p


@given(COLUMNS, st.floats(0.5, 0.97), st.integers(2, 30))
@PROPERTY
def test_every_interval_widens_with_level_and_family(columns, level, k):
    """All k intervals at level L are those at 1 - (1 - L) / k, and wider than one at L."""
    spread_out(columns[0], columns[1], columns[0] - columns[1])
    first, second = columns[0], 5 + columns[1]
    folds = columns[2][:, None] + np.array([0.1, -0.2, 0.3])
    for interval, name in (
        (lambda **o: t_interval(first, **o), "k"),
        (lambda **o: paired_ttest(first, second, **o), "m"),
        (lambda **o: independent_ttest(first, second, **o), "m"),
        (lambda **o: crossed_interval(first, folds, **o), "k"),
        (lambda **o: fieller_interval(first, second, **o), "k"),
    ):
        one, wide, family = (
            interval(level=level),
            interval(level=1 - (1 - level) / k),
            interval(level=level, **{name: k}),
        )
        np.testing.assert_allclose([family.lower, family.upper], [wide.lower, wide.upper], **CLOSE)
        if np.isfinite([wide.lower, wide.upper]).all() and getattr(wide, "form", "bounded") == "bounded":
            assert wide.lower < one.lower < one.upper < wide.upper


@pytest.mark.parametrize("equal_variance", [None, False, True])
@given(COLUMNS, st.floats(-2, 2), st.floats(0.1, 5))
@PROPERTY
def test_tests_follow_shift_and_scale(equal_variance, columns, shift, scale):
    """Moving both groups changes nothing; a unit changes the estimate and its bounds only."""
    first, second, _ = columns
    spread_out(first, second, first - second)
    test = paired_ttest if equal_variance is None else independent_ttest
    options = {} if equal_variance is None else {"equal_variance": equal_variance}
    plain, moved = test(first, second, **options), test(first + shift, second + shift, **options)
    same(plain, moved, rtol=1e-7, atol=1e-9)
    scaled = test(scale * first, scale * second, **options)
    same(plain, scaled._replace(**{name: getattr(scaled, name) / scale for name in ("estimate", "lower", "upper")}))


@given(COLUMNS, hnp.arrays(np.float64, (SEEDS,), elements=st.floats(-2, 2)))
@PROPERTY
def test_subtracting_a_control_leaves_paired_comparisons_alone(columns, control):
    """Ratio and method families: (a - c) - (b - c) = a - b."""
    first, second, third = columns
    spread_out(first - second, second - third)
    for one, two in ((first, second), (second, third)):
        same(paired_ttest(one, two, m=4), paired_ttest(one - control, two - control, m=4), rtol=1e-6, atol=1e-9)
        gap, moved = (t_interval(part) for part in (one - two, (one - control) - (two - control)))
        same(tost(*gap[:3], k=4), tost(*moved[:3], k=4), rtol=1e-6, atol=1e-9)


@given(RECALLS, SUPPORT, REFERENCE)
@PROPERTY
def test_delta_is_the_slope_of_the_difference_to_the_control(recalls, support, reference):
    """alpha_t - alpha_c = sum Bn (Bn_t - Bn_c) / sum Bn^2, whatever the classes' weights."""
    spread_out(recalls[0])
    before, after, control = normalized_balance(recalls, support, reference)
    delta = slope(before, after) - slope(before, control)
    np.testing.assert_allclose(delta, np.sum(before * (after - control)) / np.sum(before**2), **CLOSE)
    np.testing.assert_allclose(slope(before, after - control), delta, **CLOSE)


@given(RECALLS, SUPPORT, REFERENCE)
@PROPERTY
def test_slope_identities_with_either_reference(recalls, support, reference):
    """alpha = rho s and alpha = (A / A') beta; rho is that of the balances before they are normalised."""
    x, y, _ = recalls
    spread_out(x, y)
    before, after = (normalized_balance(part, support, reference) for part in (x, y))
    plain = [balance(part, support, reference) for part in (x, y)]
    ratio = reference_score(x, support, reference) / reference_score(y, support, reference)
    alpha = slope(before, after)
    np.testing.assert_allclose(alpha, cosine(before, after) * spread_ratio(before, after), **CLOSE)
    np.testing.assert_allclose(alpha, ratio * slope(*plain), **CLOSE)
    np.testing.assert_allclose(cosine(*plain), cosine(before, after), **CLOSE)


@given(RECALLS, SUPPORT, REFERENCE, st.floats(0.05, 1.0))
@PROPERTY
def test_a_factor_on_all_recalls_after_changes_no_slope(recalls, support, reference, factor):
    """Nor spread or cosine; a factor on the balances after scales slope and spread."""
    x, y, _ = recalls
    spread_out(x, y)
    before, after, scaled = (normalized_balance(part, support, reference) for part in (x, y, factor * y))
    for function in (slope, spread_ratio, cosine):
        np.testing.assert_allclose(function(before, scaled), function(before, after), **CLOSE)
    for function in (slope, spread_ratio):
        np.testing.assert_allclose(function(before, factor * after), factor * function(before, after), **CLOSE)


@given(ROOT, st.permutations(range(CLASSES)), st.permutations(range(SEEDS)), REFERENCE)
@PROPERTY
def test_order_of_classes_and_seeds_changes_no_corrected_slope(root, classes, seeds, reference):
    *parts, support = joint_counts(root, SEEDS)
    moved = [part[np.ix_(seeds, classes)] for part in parts]
    terms, again = slope_terms(*parts, support, reference), slope_terms(*moved, support[classes], reference)
    same([part[seeds] for part in terms], again)
    same(pooled_slope(terms), pooled_slope(again), rtol=1e-6, atol=1e-9)
    one = seed_instrumented_slope(*(balance(part / support, support) for part in parts[:2]), np.ones(SEEDS))
    balances = (balance(part / support[classes], support[classes]) for part in moved[:2])
    two = seed_instrumented_slope(*balances, np.ones(SEEDS))
    same([one.value[seeds], one.value_reason[seeds], *one[2:]], two, rtol=1e-6, atol=1e-9)
    found = image_jackknife(*parts, support, reference)
    other = image_jackknife(*moved, support[classes], reference)
    same([part[seeds] for part in found], other, rtol=1e-6, atol=1e-9)


@given(COLUMNS, st.permutations(range(SEEDS)))
@PROPERTY
def test_order_of_seeds_changes_no_test(columns, order):
    first, second, third = columns
    spread_out(first, second, first - second)
    folds = third[:, None] + np.outer(second, [0.1, -0.1])
    for function, rows in (
        (t_interval, (first,)),
        (paired_ttest, (first, second)),
        (independent_ttest, (first, second)),
        (effect_size, (first, second)),
        (fieller_interval, (first, 5 + second)),
        (crossed_interval, (first, folds)),
    ):
        same(function(*rows), function(*(row[order] for row in rows)))
    # groups are not paired: each has its own order
    same(independent_ttest(first, second), independent_ttest(first, second[order]))


@pytest.mark.parametrize("method", CORRECTIONS)
@given(st.lists(st.sampled_from([0.0, 0.01, 0.02, 0.4, 1.0]), min_size=2, max_size=7), st.data())
@PROPERTY
def test_order_of_members_changes_no_correction(method, p, data):
    order = data.draw(st.permutations(range(len(p))))
    values = np.array(p)
    np.testing.assert_allclose(correct(values[order], method), correct(values, method)[order], rtol=1e-14)


@given(ROOT, SUPPORT)
@PROPERTY
def test_order_of_leading_axes_changes_nothing(root, support):
    """Method and ratio may stand in either order, and seeds at any place that `axis` names."""
    recalls = np.random.default_rng(root).uniform(0.05, 0.95, (2, 3, SEEDS, CLASSES))
    before = normalized_balance(recalls[:1, :1], support)
    after = normalized_balance(recalls, support)
    values = slope(before, after)
    turned = slope(before.transpose(1, 0, 2, 3), after.transpose(1, 0, 2, 3))
    np.testing.assert_array_equal(turned, values.transpose(1, 0, 2))
    rows = values.transpose(2, 0, 1)
    same(t_interval(rows, axis=0), t_interval(values))
    same(paired_ttest(rows[:, 0], rows[:, 1], axis=0), paired_ttest(values[0], values[1]), rtol=1e-6, atol=1e-9)
    shift = slope_expected_shift(recalls[0], recalls[1], np.full(CLASSES, 1 / CLASSES))
    turned = slope_expected_shift(*(part.transpose(1, 0, 2) for part in recalls), np.full(CLASSES, 1 / CLASSES))
    np.testing.assert_allclose(turned, shift.T, **CLOSE)


@given(RECALLS, st.integers(1, 80))
@PROPERTY
def test_network_that_predicts_one_class(recalls, images):
    """On a balanced set alpha = C Bn_k / sum Bn^2: positive for the best class, negative for the worst."""
    spread_out(recalls[0])
    support = np.full(CLASSES, images)
    before = normalized_balance(recalls[0], support)
    found = []
    for label in range(CLASSES):
        matrix = np.zeros((CLASSES, CLASSES))
        matrix[:, label] = images
        counts = class_counts(matrix)
        after = normalized_balance(recall(counts.correct, counts.support), counts.support)
        found.append(slope(before, after))
    np.testing.assert_allclose(found, CLASSES * before / np.sum(before**2), **CLOSE)
    assert found[np.argmax(before)] > 0 > found[np.argmin(before)]


@given(ROOT, st.integers(2, 9))
@PROPERTY
def test_correction_falls_with_the_number_of_images(root, times):
    """What N and D lose is in proportion to 1 / (n_c - 1) at equal scores."""
    one, two, both, support = joint_counts(root, 2, equal=True)
    balances = [balance(part / support, support) for part in (one, two)]
    raw = [(balances[0] * part).sum(-1) for part in (balances[1], balances[0])]
    few, many = (slope_terms(*(copies * part for part in (one, two, both, support))) for copies in (1, times))
    lost = [(raw[0] - terms.numerator, raw[1] - terms.denominator) for terms in (few, many)]
    np.testing.assert_allclose(np.multiply(lost[1], times * 70 - 1), np.multiply(lost[0], 70 - 1), **CLOSE)


@given(ROOT, REFERENCE)
@PROPERTY
def test_corrected_slope_of_a_network_with_itself_is_one(root, reference):
    one, _, _, support = joint_counts(root, 1)
    terms = slope_terms(one, one, one, support, reference)
    assume(abs(terms.denominator[0]) > 1e-6)
    np.testing.assert_allclose(slope_sampling_corrected(one, one, one, support, reference), 1.0, rtol=1e-9)
