"""Many matrices at once: the functions themselves pair by pair, whatever the type, the blocks or the gaps."""

import numpy as np
import pytest

import rdstats
from rdstats import array
from rdstats.array import both_correct, compare_matrices, confusion_matrix, pairs
from rdstats.errors import InputError


def drawn(n, classes, images=60, seed=0):
    rng = np.random.default_rng(seed)
    chances = 0.6 * np.eye(classes) + rng.dirichlet(np.ones(classes), classes) * 0.4
    return rng.multinomial(images, chances, (n, classes))


@pytest.mark.parametrize("reference", array.REFERENCES)
def test_as_the_labelled_layer_has_it(reference):
    before, after = drawn(7, 4), drawn(7, 4, seed=1)
    found = compare_matrices(before, after, reference)
    cube = rdstats.build(before, after, dims=("pair",))
    slopes, balances = rdstats.slopes(cube, reference=reference), rdstats.balance(cube, reference=reference)
    parts = rdstats.contributions(cube, reference=reference)
    for name, expected in {
        **slopes[["slope", "spread_ratio", "cosine", "slope_expected", "slope_expected_error"]].data_vars,
        "accuracy_before": slopes["accuracy_dense"], "accuracy_after": slopes["accuracy"],
        "balance_before": balances["normalized_balance_dense"], "balance_after": balances["normalized_balance"],
        "intensification_ratio": balances["intensification_ratio"], "contribution": parts["contribution"],
    }.items():  # fmt: skip
        np.testing.assert_allclose(getattr(found, name), expected.values, rtol=1e-12, err_msg=name)
    np.testing.assert_array_equal(found.recall_after, np.diagonal(after, axis1=1, axis2=2) / 60)
    np.testing.assert_allclose(found.contribution.sum(-1), found.slope, rtol=1e-12)
    assert (found.reason == "").all()


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.float32, np.float64])
def test_types_and_blocks_do_not_matter(dtype, monkeypatch):
    before, after = drawn(9, 3), drawn(9, 3, seed=1)
    whole = compare_matrices(before, after)
    monkeypatch.setattr(pairs, "_BLOCK", 20)
    for part, expected in zip(compare_matrices(before.astype(dtype), after.astype(dtype)), whole, strict=True):
        np.testing.assert_array_equal(part, expected)


def test_leading_axes_broadcast():
    before, after = drawn(1, 3)[0], drawn(6, 3, seed=1).reshape(2, 3, 3, 3)
    found = compare_matrices(before, after)
    assert found.slope.shape == (2, 3)
    assert found.recall_before.shape == (2, 3, 3)
    one = compare_matrices(before, after[1, 2])
    assert float(one.slope) == found.slope[1, 2]


def test_gaps_reasons_and_absent_classes():
    before, after = drawn(4, 3).astype(float), drawn(4, 3, seed=1).astype(float)
    before[1] = np.nan
    before[2, :, 2] = before[2, 2] = after[2, :, 2] = after[2, 2] = np.nan
    for part in (before, after):
        part[2, 0, :2], part[2, 1, :2] = [50, 10], [20, 40]
    before[3] = np.diag([60.0] * 3)
    found = compare_matrices(before, after)
    assert found.reason.tolist() == ["", "missing", "", "no_spread"]
    assert np.isnan(found.slope).tolist() == [False, True, False, True]
    assert found.slope[2] == 1
    assert np.isnan(found.contribution[2]).tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ([[1, 2, 3]], [[1, 2, 3]], "expected counts"),
        ([["a"]], [["b"]], "expected counts"),
        (np.ones((2, 2)), np.ones((3, 3)), "2 classes, after 3"),
        (np.ones((2, 2, 2)), np.ones((3, 2, 2)), "do not fit"),
        ([[9, 1], [3, 7]], [[9, 1], [3, 8]], "10 and 11 images of class 1"),
        (np.ones((2, 2, 2)), [[1, 1], [1, -1]], r"received -1 at index \(1, 1\)"),
        (np.ones((2, 2)), [[1, 1], [1, np.inf]], "received inf"),
    ],
)
def test_refused(before, after, words):
    with pytest.raises(InputError, match=words):
        compare_matrices(before, after)


def test_a_wrong_count_is_named_among_all(monkeypatch):
    monkeypatch.setattr(pairs, "_BLOCK", 8)
    before = np.ones((5, 2, 2))
    before[3, 0, 1] = -2
    with pytest.raises(InputError, match=r"-2 at index \(3, 0, 1\)"):
        compare_matrices(before, np.ones((5, 2, 2)))


def test_expected_slopes_do_not_depend_on_their_neighbours():
    """Rows whose root is found leave the others alone."""
    rng = np.random.default_rng(0)
    before, after = rng.uniform(0.02, 0.98, (2, 400, 6))
    weights = np.full(6, 1 / 6)
    whole = array.slope_expected_shift(before, after, weights)
    single = [array.slope_expected_shift(*pair, weights) for pair in zip(before, after, strict=True)]
    np.testing.assert_allclose(whole, single, rtol=1e-10)  # a root within 2 ulp of the log-odds


def test_confusion_matrix_as_scikit_learn():
    from sklearn.metrics import confusion_matrix as theirs

    rng = np.random.default_rng(0)
    labels, named = rng.integers(0, 4, 200), rng.integers(0, 5, (3, 200))
    for own, expected in zip(confusion_matrix(labels, named, classes=5), named, strict=True):
        np.testing.assert_array_equal(own, theirs(labels, expected, labels=range(5)))
    both = both_correct(labels, named[0], named, classes=5)
    assert both.shape == (3, 5)
    for own, after in zip(both, named, strict=True):
        right = (labels == named[0]) & (labels == after)
        assert own.tolist() == [right[labels == c].sum() for c in range(5)]


@pytest.mark.parametrize(
    ("labels", "named", "words"),
    [([0, 1], [0], "expected labels"), ([0, 2], [0, 1], "classes are 0 to 1"), ([0, 1], [0, 0.5], "whole numbers"),
     ([0, 1], [0, np.nan], "whole numbers"), ([[0, 1]], [0, 1], "expected labels")],
)  # fmt: skip
def test_predictions_that_are_none(labels, named, words):
    with pytest.raises(InputError, match=words):
        confusion_matrix(labels, named, classes=2)
