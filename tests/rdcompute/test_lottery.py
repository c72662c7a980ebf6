"""Which weights a level of a lottery ticket prunes, and how many are left."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdcompute.grid import lottery_ratios
from rdcompute.lottery import candidates, lottery_ratio, most_levels, n_below, next_mask, remaining_weights
from rdcompute.masks import pack_masks, unpack_masks
from rdcompute.models import ParameterCounts, parameter_counts

# levels 1, 2, ... of the paper's Table 12, to the digits that are printed there
PRINTED = (
    "1.25 1.56 1.95 2.44 3.05 3.81 4.77 5.96 7.45 9.31 "
    "11.64 14.55 18.19 22.74 28.42 35.53 44.41 55.51 69.39 86.74"
)


@pytest.mark.parametrize(
    ("n", "left"),
    [
        (848_944, {1: 679_154, 5: 278_177, 10: 91_148, 15: 29_863, 20: 9_781}),  # ResNet-56 here
        (851_504, {1: 681_202, 2: 544_960, 5: 279_016, 10: 91_423, 15: 29_953, 20: 9_810}),  # Open LTH's
    ],
)
def test_weights_left_after_each_level(n, left):
    found = remaining_weights(n, 20, 0.2)
    assert {level: found[level - 1] for level in left} == left


def test_the_nominal_ratios_are_those_of_the_papers_table():
    assert [f"{ratio:.2f}" for ratio in lottery_ratios(20, 0.2)] == PRINTED.split()


def test_all_parameters_over_those_left():
    ours = parameter_counts("resnet56", 10, (3, 32, 32))
    assert sum(candidates(ours, head=True).values()) == 848_944
    assert sum(candidates(ours, head=False).values()) == 848_304
    assert lottery_ratio(ours, 848_944, 9_781) == 853_018 / 13_855
    theirs = ParameterCounts(855_770, 851_504, 851_504, {})
    assert lottery_ratio(theirs, 851_504, 9_810) == pytest.approx(60.8, abs=0.01)


def test_the_head_is_a_candidate_only_if_it_can_be_pruned():
    counts = parameter_counts("lenet", 10, (1, 28, 28))
    assert candidates(counts, head=True) == {**counts.layers, "fc3": 840}
    assert candidates(counts, head=False) == counts.layers
    assert "fc3" not in counts.layers


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.3, 0.07, 0.9])
def test_the_share_is_the_decimal_that_was_written(fraction):
    hundredths = round(fraction * 100)
    for r in range(1, 400):
        assert n_below(r, fraction) == -(-hundredths * r // 100)


def by_sorting(magnitude, mask, fraction):
    """The rule in words: the threshold is at index n of the sorted survivors, what is not above it goes."""
    left = sorted(m for m, kept in zip(magnitude, mask, strict=True) if kept)
    threshold = left[math.ceil(round(fraction * 100) * len(left) / 100)]
    return [bool(kept) and m > threshold for m, kept in zip(magnitude, mask, strict=True)]


@settings(deadline=None)
@given(
    values=st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=2, max_size=60),
    fraction=st.sampled_from([0.1, 0.2, 0.5]),
)
def test_a_level_prunes_what_the_rule_says_ties_and_all(values, fraction):
    magnitude = np.array([float(m) for m, _ in values])
    mask = np.array([kept for _, kept in values])
    r = int(mask.sum())
    n = n_below(r, fraction)
    if n >= r:
        with pytest.raises(ValueError, match="leaves none"):
            next_mask(magnitude, mask, fraction)
        return
    found = next_mask(magnitude, mask, fraction)
    assert found.tolist() == by_sorting(magnitude, mask, fraction)
    assert not found[~mask].any()
    assert r - found.sum() >= n + 1


@settings(deadline=None)
@given(n=st.integers(2, 300), fraction=st.sampled_from([0.1, 0.2, 0.5]), seed=st.integers(0, 9))
def test_distinct_magnitudes_lose_exactly_one_more_than_their_share(n, fraction, seed):
    rng = np.random.default_rng(seed)
    magnitude, mask = rng.permutation(n) + 1.0, np.ones(n, bool)
    for left in remaining_weights(n, most_levels(n, fraction), fraction):
        magnitude = np.where(mask, rng.permutation(n) + 1.0, 0)  # trained anew
        smaller = next_mask(magnitude, mask, fraction)
        assert smaller.sum() == left > 0
        assert not (smaller & ~mask).any()
        mask = smaller


def test_ties_with_the_threshold_all_go():
    magnitude = np.array([3.0, 1, 2, 2, 2, 2, 5, 4, 6, 7])
    assert n_below(10, 0.2) == 2  # index 2 of 1 2 2 2 2 3 4 5 6 7
    np.testing.assert_array_equal(next_mask(magnitude, np.ones(10, bool), 0.2), magnitude > 2)


def test_the_most_levels_are_those_that_leave_a_weight():
    for n, fraction in ((100, 0.2), (59_838, 0.2), (7, 0.5), (2, 0.2), (1, 0.2), (0, 0.2)):
        levels = most_levels(n, fraction)
        left = remaining_weights(n, levels + 1, fraction)
        assert left[-1] == 0
        assert all(k > 0 for k in left[:-1])


@pytest.mark.parametrize(
    ("magnitude", "mask", "words"),
    [
        ([1.0, 2.0], [True], r"shape \(2,\), mask \(1,\)"),
        ([[1.0]], [[True]], r"accepted: \(n,\)"),
        ([1.0, np.nan, 3.0], [True, True, True], "1 of 3 magnitudes are NaN"),
        ([1.0], [True], "pruning 2 of them leaves none"),
    ],
)
def test_what_is_refused(magnitude, mask, words):
    with pytest.raises(ValueError, match=words):
        next_mask(np.array(magnitude), np.array(mask), 0.2)


def test_a_weight_that_is_out_may_be_anything():
    mask = np.array([True, False, True, True])
    found = next_mask(np.array([1.0, np.nan, 2.0, 3.0]), mask, 0.2)
    assert found.tolist() == [False, False, False, True]


def test_masks_are_stored_as_bits():
    rng = np.random.default_rng(0)
    shapes = {"a": (3, 5, 2), "b": (7,), "c": (16, 3, 3, 3)}
    masks = {name: rng.random(shape) < 0.3 for name, shape in shapes.items()}
    packed = pack_masks(masks)
    assert {name: array.nbytes for name, array in packed.items()} == {"mask/a": 4, "mask/b": 1, "mask/c": 54}
    again = unpack_masks(packed, shapes)
    for name, mask in masks.items():
        np.testing.assert_array_equal(again[name], mask)
        assert again[name].dtype == bool
