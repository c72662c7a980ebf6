"""The same figures from other packages: pingouin, statsmodels, scikit-learn, scipy.

Calls are those of pingouin 0.7, statsmodels 0.14 and later, scikit-learn 1.4 and later, scipy 1.12 and later.
"""

import numpy as np
import pingouin as pg
import pytest
from scipy import optimize, stats
from scipy.special import gammaln
from sklearn import metrics
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW, ttost_paired

from rdstats.array import (
    ALTERNATIVES,
    accuracy,
    bca_interval,
    class_counts,
    correct,
    effect_size,
    f1,
    fieller_interval,
    independent_ttest,
    paired_ttest,
    precision,
    recall,
    reference_score,
    t_interval,
    tost,
)

STATSMODELS = {"two-sided": "two-sided", "less": "smaller", "greater": "larger"}
KINDS = {
    "paired": (paired_ttest, {}, {"paired": True}),
    "welch": (independent_ttest, {}, {"correction": True}),
    "pooled": (independent_ttest, {"equal_variance": True}, {"correction": False}),
}


def columns(seed, n=9, m=9):
    """Two columns of seeds with different means and spreads."""
    rng = np.random.default_rng(seed)
    return rng.normal(1.0, 0.1, n), rng.normal(1.05, 0.3, m)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("kind", KINDS)
def test_t_tests_of_pingouin(kind, alternative):
    """pingouin.ttest(x, y, paired, alternative, correction, confidence); it rounds bounds at .95 only."""
    test, ours, theirs = KINDS[kind]
    for seed, m in ((1, 9), (2, 9), (3, 9 if kind == "paired" else 21)):
        first, second = columns(seed, m=m)
        found = test(first, second, alternative=alternative, **ours)
        table = pg.ttest(first, second, alternative=alternative, confidence=0.99, **theirs)
        expected = [float(table.at["T_test", name]) for name in ("T", "dof", "p_val")]
        np.testing.assert_allclose([found.statistic, found.df, found.p], expected, rtol=1e-10)
        # one-sided: the finite end at .99 is one of the two-sided interval at .98
        bounds = test(first, second, level=0.99 if alternative == "two-sided" else 0.98, **ours)
        ends = np.asarray(table.at["T_test", "CI99"], dtype=float)
        shown = np.isfinite(ends)
        np.testing.assert_allclose(np.array([bounds.lower, bounds.upper])[shown], ends[shown], rtol=1e-10)
        assert shown.sum() == (2 if alternative == "two-sided" else 1)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("kind", KINDS)
def test_t_tests_of_statsmodels(kind, alternative):
    """CompareMeans(x, y).ttest_ind and .tconfint_diff, DescrStatsW(x - y).ttest_mean and .tconfint_mean."""
    test, ours, _ = KINDS[kind]
    for seed, m in ((4, 9), (5, 9 if kind == "paired" else 4)):
        first, second = columns(seed, m=m)
        found = test(first, second, alternative=alternative, level=0.95, m=4, **ours)
        if kind == "paired":
            differences = DescrStatsW(first - second)
            expected = differences.ttest_mean(0, STATSMODELS[alternative])
            ends = differences.tconfint_mean(0.05 / 4)
        else:
            pair = CompareMeans(DescrStatsW(first), DescrStatsW(second))
            variance = "unequal" if kind == "welch" else "pooled"
            expected = pair.ttest_ind(STATSMODELS[alternative], variance)
            ends = pair.tconfint_diff(0.05 / 4, usevar=variance)
        np.testing.assert_allclose([found.statistic, found.p, found.df], expected, rtol=1e-10)
        np.testing.assert_allclose([found.lower, found.upper], ends, rtol=1e-10)


def test_interval_of_statsmodels():
    """DescrStatsW(x).tconfint_mean(alpha)."""
    values = np.random.default_rng(6).normal(1, 0.2, (5, 11))
    found = t_interval(values, level=0.9, k=6)
    np.testing.assert_allclose([found.lower, found.upper], DescrStatsW(values.T).tconfint_mean(0.1 / 6), rtol=1e-10)


@pytest.mark.parametrize("n", [3, 9, 30])
def test_effect_sizes_of_pingouin(n):
    """d_av and d_z by pingouin.compute_effsize(paired=True).

    Its "hedges" of two paired columns counts 2 n - 2 degrees of freedom; its correction with n - 1, ours, is that
    of one sample: convert_effsize(d, "cohen", "hedges", nx=n, ny=1).
    """
    first, second = columns(7, n, n)
    found = effect_size(first, second)
    d_av = pg.compute_effsize(first, second, paired=True, eftype="cohen")
    np.testing.assert_allclose(found.g_av, pg.convert_effsize(d_av, "cohen", "hedges", nx=n, ny=1), rtol=1e-10)
    np.testing.assert_allclose(found.d_z, pg.compute_effsize(first, second, paired=True, eftype="cohen_dz"), rtol=1e-10)
    two_columns = pg.compute_effsize(first, second, paired=True, eftype="hedges")
    np.testing.assert_allclose(found.g_av * (1 - 3 / (8 * n - 9)) / (1 - 3 / (4 * n - 5)), two_columns, rtol=1e-10)


@pytest.mark.parametrize(("n", "apart"), [(3, 8e-3), (4, 4e-3), (10, 5e-4), (30, 5e-5)])
def test_effect_size_by_the_exact_correction(n, apart):
    """J approximates gamma(f / 2) / (sqrt(f / 2) gamma((f - 1) / 2)), f = n - 1 (Hedges 1981)."""
    first, second = columns(8, n, n)
    d_av = (first - second).mean() / np.sqrt((first.var(ddof=1) + second.var(ddof=1)) / 2)
    f = n - 1
    exact = np.exp(gammaln(f / 2) - gammaln((f - 1) / 2)) / np.sqrt(f / 2)
    np.testing.assert_allclose(effect_size(first, second).g_av / d_av, exact, atol=apart)


@pytest.mark.parametrize(("method", "theirs"), [("bonferroni", "bonf"), ("holm", "holm"), ("bh", "fdr_bh")])
def test_corrections_of_pingouin_and_statsmodels(method, theirs):
    """pingouin.multicomp(p, method)[1], statsmodels multipletests(p, method)[1]; ties, 0 and 1 included."""
    rng = np.random.default_rng(9)
    for m in (1, 2, 4, 6, 25):
        p = np.round(rng.beta(0.3, 1.0, m), 2)
        np.testing.assert_allclose(correct(p, method), pg.multicomp(p, method=theirs)[1], rtol=1e-10)
        name = "bonferroni" if method == "bonferroni" else theirs
        np.testing.assert_allclose(correct(p, method), multipletests(p, method=name)[1], rtol=1e-10)


@pytest.mark.parametrize("margin", [0.05, 0.1, 0.4])
def test_equivalence_of_pingouin_and_statsmodels(margin):
    """pingouin.tost(x, y, bound, paired=True) and statsmodels ttost_paired(x, y, -margin, margin)[0]."""
    for seed in range(10, 14):
        first, second = columns(seed)
        difference = t_interval(first - second)
        found = tost(difference.mean, difference.sd, difference.n, margin=margin)
        table = pg.tost(first, second, bound=margin, paired=True)
        np.testing.assert_allclose(found.p, table.at["TOST", "pval"], rtol=1e-10)
        np.testing.assert_allclose(found.p, ttost_paired(first, second, -margin, margin)[0], rtol=1e-10)
        about_one = tost(difference.mean + 1, difference.sd, difference.n, margin=margin, null=1.0)
        np.testing.assert_allclose(about_one.p, table.at["TOST", "pval"], rtol=1e-10)


def predictions(seed):
    """300 labels and predictions of 7 classes: class 4 is never predicted, class 5 has no images, 6 has neither."""
    rng = np.random.default_rng(seed)
    truth = rng.choice([0, 1, 2, 3, 4], 300, p=[0.4, 0.3, 0.15, 0.1, 0.05])
    predicted = np.where(rng.random(300) < 0.7, truth, rng.choice([0, 1, 2, 3, 5], 300))
    return truth, np.where(predicted == 4, 0, predicted)


@pytest.mark.parametrize("seed", range(3))
def test_scores_of_sklearn(seed):
    """metrics.precision_recall_fscore_support(zero_division=nan); without images our scores are all NaN."""
    truth, predicted = predictions(seed)
    classes = range(7)
    matrix = metrics.confusion_matrix(truth, predicted, labels=classes)
    counts = class_counts(matrix)
    p, r, f, support = metrics.precision_recall_fscore_support(
        truth, predicted, labels=classes, zero_division=np.nan, average=None
    )
    np.testing.assert_array_equal(counts.support, support)
    np.testing.assert_array_equal(counts.predicted, np.bincount(predicted, minlength=7))
    np.testing.assert_allclose(recall(counts.correct, counts.support), r, rtol=1e-12)
    np.testing.assert_allclose(precision(counts.correct, counts.predicted), p, rtol=1e-12)
    # F1 of class 5, predicted but without images, is 0 there and NaN here
    tested = support > 0
    ours = f1(*counts)
    np.testing.assert_allclose(ours[tested], f[tested], rtol=1e-12)
    assert np.isnan(ours[~tested]).all()
    assert np.isnan(p[[4, 6]]).all()
    assert f[4] == ours[4] == 0
    assert f[5] == 0


@pytest.mark.parametrize("seed", range(3))
def test_accuracies_of_sklearn(seed):
    """metrics.accuracy_score, and recall_score(average="macro") of the classes with images."""
    truth, predicted = predictions(seed)
    counts = class_counts(metrics.confusion_matrix(truth, predicted, labels=range(7)))
    scores = recall(counts.correct, counts.support)
    weighted = metrics.accuracy_score(truth, predicted)
    np.testing.assert_allclose(accuracy(counts.correct, counts.support), weighted, rtol=1e-12)
    np.testing.assert_allclose(reference_score(scores, counts.support), weighted, rtol=1e-12)
    whole = metrics.recall_score(truth, predicted, labels=np.unique(truth), average="macro")
    np.testing.assert_allclose(reference_score(scores, counts.support, "macro"), whole, rtol=1e-12)


@pytest.mark.parametrize("n", [20, 60])
@pytest.mark.parametrize("skew", [0.0, 1.0])
def test_bca_of_scipy_with_other_resamples(n, skew):
    """scipy.stats.bootstrap((x,), np.mean, method="BCa") with 12 generators each: within 4 Monte-Carlo errors."""
    values = np.random.default_rng(20).normal(0, 1, n)
    values = np.exp(skew * values) if skew else values
    ours, theirs = [], []
    for seed in range(12):
        found = bca_interval(values, generator=np.random.default_rng(seed))
        ours.append([found.lower, found.upper])
        options = {"method": "BCa", "n_resamples": 10_000, "random_state": np.random.default_rng(100 + seed)}
        theirs.append(stats.bootstrap((values,), np.mean, **options).confidence_interval)
    error = np.sqrt((np.var(ours, axis=0, ddof=1) + np.var(theirs, axis=0, ddof=1)) / 12)
    apart = np.mean(ours, axis=0) - np.mean(theirs, axis=0)
    assert (abs(apart) < 4 * error).all()
    plain = t_interval(values)
    if skew:  # what the correction moves is many times that error
        assert np.mean(ours, axis=0)[1] > plain.upper + 12 * error[1]


@pytest.mark.parametrize(
    ("mean", "spread", "form"), [(1.5, 0.3, "bounded"), (0.1, 0.4, "complement"), (0.0, 0.4, "whole line")]
)
def test_fieller_by_root_search(mean, spread, form):
    """Ends are where scipy.stats.ttest_1samp(first - theta second) reaches the quantile, found by brentq."""
    rng = np.random.default_rng(30)
    seen = 0
    for _ in range(12):
        first, second = rng.normal(1.2 if mean else 0.0, 0.3, 8), rng.normal(mean, spread, 8)
        found = fieller_interval(first, second, level=0.95, k=2)
        if found.form != form:
            continue
        seen += 1

        def excess(angle, first=first, second=second):
            # theta is the tangent of the angle, so that the search covers the whole line
            difference = np.multiply.outer(np.cos(angle), first) - np.multiply.outer(np.sin(angle), second)
            return abs(stats.ttest_1samp(difference, 0, axis=-1).statistic) - stats.t.ppf(1 - 0.05 / 4, 7)

        grid = np.linspace(-np.pi / 2 + 1e-9, np.pi / 2 - 1e-9, 400)
        above = excess(grid) > 0
        crossed = np.flatnonzero(above[:-1] != above[1:])
        roots = [np.tan(optimize.brentq(excess, grid[i], grid[i + 1], xtol=1e-14)) for i in crossed]
        if form == "whole line":
            assert not roots
        else:
            # theta far out is steep in the angle
            np.testing.assert_allclose([found.lower, found.upper], roots, rtol=1e-8)
    assert seen >= 3
