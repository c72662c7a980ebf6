"""Gap, ratio and index of the worst class."""

import numpy as np
import pytest

from rdstats.array import worst_class, worst_gap, worst_ratio
from rdstats.errors import InputError

NAN = np.nan


@pytest.mark.parametrize(
    ("scores", "gap", "ratio", "index"),
    [
        ([0.75, 0.5, 0.625], 0.25, 2 / 3, 1),
        ([0.5, 0.75, 0.5], 0.25, 2 / 3, 0),
        ([NAN, 0.5, 0.25], 0.25, 1 / 2, 2),
        ([0.5, 0.5, 0.5], 0, 1, 0),
        ([NAN, NAN, 0.5], 0, 1, 2),
        ([0.0, 0.5, 1.0], 1, 0, 0),
        ([0.0, 0.0, NAN], 0, NAN, 0),
        ([NAN, NAN, NAN], NAN, NAN, -1),
    ],
)
def test_by_hand(scores, gap, ratio, index):
    np.testing.assert_allclose([worst_gap(scores), worst_ratio(scores)], [gap, ratio], rtol=1e-14)
    assert worst_class(scores) == index
    assert worst_class(scores).dtype == np.int64
    assert all(isinstance(f(scores), np.ndarray) for f in (worst_gap, worst_ratio, worst_class))


def test_vectorised_call_equals_a_loop_over_cells():
    scores = np.random.default_rng(1).uniform(size=(3, 4, 5))
    scores[0, 1, 2], scores[2, 3] = NAN, NAN
    for function in (worst_gap, worst_ratio, worst_class):
        together = function(scores)
        assert together.shape == (3, 4)
        for i, j in np.ndindex(3, 4):
            np.testing.assert_array_equal(together[i, j], function(scores[i, j]))


def test_permuting_classes_keeps_gap_and_ratio_and_moves_the_index():
    scores = np.random.default_rng(2).uniform(size=(20, 6))
    order = np.random.default_rng(3).permutation(6)
    np.testing.assert_array_equal(worst_gap(scores[:, order]), worst_gap(scores))
    np.testing.assert_array_equal(worst_ratio(scores[:, order]), worst_ratio(scores))
    np.testing.assert_array_equal(order[worst_class(scores[:, order])], worst_class(scores))


@pytest.mark.parametrize("function", [worst_gap, worst_ratio, worst_class])
def test_wrong_input(function):
    with pytest.raises(InputError, match="between 0 and 1"):
        function([0.5, 1.2])
    with pytest.raises(InputError, match=r"shapes \(\.\.\., C\)"):
        function(0.5)
