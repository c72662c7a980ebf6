"""Kept counts, exact masks and achieved ratios."""

import math

import numpy as np
import pytest

from rdcompute.criteria import CRITERIA, criterion_names
from rdcompute.masks import (
    ACCOUNTINGS,
    achieved_ratio,
    keep_fraction,
    kept_count,
    largest_ratio,
    split_mask,
    top_k_mask,
)
from rdcompute.models import ParameterCounts, parameter_counts
from rdstats.errors import InputError

RATIOS = (2, 4, 10, 20, 50)
NETWORKS = {
    "lenet": ("lenet", 10, (1, 28, 28)),
    "resnet20": ("resnet20", 10, (3, 32, 32)),
    "resnet32": ("resnet32", 10, (3, 32, 32)),
    "resnet44": ("resnet44", 10, (3, 32, 32)),
    "resnet56": ("resnet56", 10, (3, 32, 32)),
    "resnet110": ("resnet110", 10, (3, 32, 32)),
    "resnet56-100": ("resnet56", 100, (3, 32, 32)),
}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    return request.param, parameter_counts(*NETWORKS[request.param])


# The authors' released code, computed from its formula with the parameter counts of each network.
F_TABLE = {
    "lenet": (0.492824, 0.239236, 0.087083, 0.036365, 0.005935),
    "resnet20": (0.496216, 0.244324, 0.093189, 0.042810, 0.012583),
    "resnet32": (0.496832, 0.245249, 0.094298, 0.043982, 0.013791),
    "resnet44": (0.497084, 0.245627, 0.094752, 0.044460, 0.014286),
    "resnet56": (0.497222, 0.245832, 0.094999, 0.044721, 0.014554),
    "resnet110": (0.497456, 0.246185, 0.095422, 0.045167, 0.015015),
    "resnet56-100": (0.493773, 0.240660, 0.088792, 0.038170, 0.007796),
}
LARGEST = {
    "resnet20": 133,
    "resnet32": 158,
    "resnet44": 172,
    "resnet56": 180,
    "resnet110": 197,
    "resnet56-100": 81,
}


def test_keep_fractions_are_those_of_the_released_code(network):
    name, counts = network
    computed = [keep_fraction(counts, ratio) for ratio in RATIOS]
    np.testing.assert_allclose(computed, F_TABLE[name], rtol=0, atol=5e-7)


def test_largest_ratios_are_those_of_the_released_code(network):
    name, counts = network
    if name in LARGEST:
        assert math.floor(largest_ratio(counts, "shrinkbench")) == LARGEST[name]


def test_shrinkbench_keeps_what_a_linear_quantile_keeps(network):
    name, counts = network
    scores = np.random.default_rng(5).permutation(counts.prunable_weights).astype(float)  # no ties
    for ratio in RATIOS:
        threshold = np.quantile(scores, 1 - keep_fraction(counts, ratio))
        assert kept_count(counts, ratio, "shrinkbench") == np.count_nonzero(scores >= threshold), (
            name,
            ratio,
        )


def test_lenet_at_50():
    counts = parameter_counts("lenet", 10, (1, 28, 28))
    assert kept_count(counts, 50, "shrinkbench") == 351
    assert kept_count(counts, 50, "exact") == 125


def test_lenet_achieves_less_than_asked_under_shrinkbench():
    counts = parameter_counts("lenet", 10, (1, 28, 28))
    kept = [kept_count(counts, ratio, "shrinkbench") for ratio in RATIOS]
    assert kept == [29_076, 14_115, 5138, 2146, 351]
    achieved = [achieved_ratio(counts, count) for count in kept]
    # 1,076 parameters are never masked; a whole number of weights makes 18.645 of the expected 18.648
    np.testing.assert_allclose(achieved, 60_074 / (1076 + np.array(kept)), rtol=1e-14)
    np.testing.assert_allclose(achieved, [1.992, 3.955, 9.668, 18.645, 42.098], rtol=0, atol=5e-4)


def test_exact_achieves_the_ratio_to_half_a_parameter(network):
    _, counts = network
    for ratio in (1, 1.1, *RATIOS):
        achieved = achieved_ratio(counts, kept_count(counts, ratio, "exact"))
        assert abs(counts.total / achieved - counts.total / ratio) <= 0.5


def test_round_half_up_on_a_count_by_hand():
    counts = ParameterCounts(total=21, prunable_weights=17, prunable_with_bias=19, layers={"a": 17})
    assert kept_count(counts, 2, "exact") == 7  # 10.5 -> 11, less 4 that are never masked
    assert kept_count(counts, 2, "shrinkbench") == 8  # f = 8.5/19; 17 - ceil(16 * 10.5/19) = 17 - 9


@pytest.mark.parametrize("accounting", ACCOUNTINGS)
def test_ratio_one_keeps_everything(network, accounting):
    _, counts = network
    assert kept_count(counts, 1, accounting) == kept_count(counts, 1.0, accounting) == counts.prunable_weights


def test_a_decimal_ratio_means_its_decimal_value():
    # 33/4.4 is 7.5 and rounds up; in floats it is 7.499999999999999
    counts = ParameterCounts(total=33, prunable_weights=33, prunable_with_bias=33, layers={"a": 33})
    assert kept_count(counts, 4.4, "exact") == 8


@pytest.mark.parametrize("accounting", ACCOUNTINGS)
def test_the_largest_ratio_is_possible_and_the_next_hundredth_is_not(network, accounting):
    _, counts = network
    largest = largest_ratio(counts, accounting)
    assert kept_count(counts, largest, accounting) >= 1
    with pytest.raises(InputError, match=f"largest possible ratio: {largest}"):
        kept_count(counts, round(largest + 0.01, 2), accounting)


def test_a_bound_that_is_itself_impossible_is_not_offered():
    counts = ParameterCounts(total=100, prunable_weights=60, prunable_with_bias=80, layers={"a": 60})
    assert largest_ratio(counts, "shrinkbench") == 4.99  # f is 0 at 5
    assert largest_ratio(counts, "exact") == 2.46  # 100/40.5 = 2.469


def test_networks_without_head_or_without_prunable_weights():
    everything = ParameterCounts(total=10, prunable_weights=9, prunable_with_bias=10, layers={"a": 9})
    assert largest_ratio(everything, "shrinkbench") == math.inf
    assert kept_count(everything, 1e6, "shrinkbench") == 1
    nothing = ParameterCounts(total=10, prunable_weights=0, prunable_with_bias=0, layers={})
    for accounting in ACCOUNTINGS:
        assert largest_ratio(nothing, accounting) == 1
        assert kept_count(nothing, 1, accounting) == 0
        with pytest.raises(InputError, match=r"largest possible ratio: 1\.0"):
            kept_count(nothing, 2, accounting)


@pytest.mark.parametrize("ratio", [0.99, 0, -2, math.nan, math.inf, "two", None, True])
@pytest.mark.parametrize("accounting", ACCOUNTINGS)
def test_ratios_that_are_none(ratio, accounting):
    counts = ParameterCounts(total=100, prunable_weights=60, prunable_with_bias=80, layers={"a": 60})
    with pytest.raises(InputError, match="accepted: a finite number from 1 up"):
        kept_count(counts, ratio, accounting)


def test_an_unknown_accounting():
    counts = ParameterCounts(total=100, prunable_weights=60, prunable_with_bias=80, layers={"a": 60})
    with pytest.raises(InputError, match=r"did you mean 'shrinkbench'.*accepted: exact, shrinkbench"):
        kept_count(counts, 2, "shrinkbensh")


@pytest.mark.parametrize("kept", [-1, 61])
def test_achieved_ratio_of_an_impossible_count(kept):
    counts = ParameterCounts(total=100, prunable_weights=60, prunable_with_bias=80, layers={"a": 60})
    with pytest.raises(ValueError, match="accepted: 0 to 60"):
        achieved_ratio(counts, kept)


@pytest.mark.parametrize("criterion", criterion_names())
def test_every_mask_keeps_the_exact_count(network, criterion):
    _, counts = network
    rng = np.random.default_rng(1)
    theta, grad = rng.standard_normal((2, counts.prunable_weights))
    scores = CRITERIA.get(criterion).score(theta, grad, 5e-4, rng)
    for ratio in RATIOS:
        for accounting in ACCOUNTINGS:
            kept = kept_count(counts, ratio, accounting)
            mask = top_k_mask(scores, theta, kept)
            assert np.count_nonzero(mask) == kept
            assert scores[~mask].max() <= scores[mask].min()


@pytest.mark.parametrize("seed", range(6))
def test_top_k_equals_a_full_sort(seed):
    rng = np.random.default_rng(seed)
    n = 40
    scores = rng.integers(-2, 3, n).astype(float)  # many ties, at two levels
    magnitude = rng.integers(-2, 3, n).astype(float)
    ranked = sorted(range(n), key=lambda i: (-scores[i], -abs(magnitude[i]), i))
    for k in range(n + 1):
        expected = np.zeros(n, dtype=bool)
        expected[ranked[:k]] = True
        np.testing.assert_array_equal(top_k_mask(scores, magnitude, k), expected)


def test_ties_by_hand():
    scores = np.array([1.0, 1.0, 1.0, 1.0, 9.0])
    theta = np.array([0.5, -2.0, 0.5, 0.5, 0.0])
    np.testing.assert_array_equal(top_k_mask(scores, theta, 3), [True, True, False, False, True])


def test_scores_that_are_all_equal_or_infinite():
    zeros = np.zeros(7)
    np.testing.assert_array_equal(top_k_mask(zeros, zeros, 3), [True] * 3 + [False] * 4)
    scores = np.array([-np.inf, np.inf, 0.0, -np.inf])
    np.testing.assert_array_equal(top_k_mask(scores, np.arange(4.0), 3), [False, True, True, True])


@pytest.mark.parametrize(
    ("scores", "magnitude", "k", "message"),
    [
        ([1.0, np.nan], [1.0, 1.0], 1, "1 of 2 scores are NaN"),
        ([1.0, 1.0], [1.0, np.nan], 1, "1 of 2 magnitude are NaN"),
        ([1.0, 2.0], [1.0], 1, r"shape \(2,\), magnitude \(1,\)"),
        ([[1.0]], [[1.0]], 1, r"accepted: \(n,\)"),
        ([1.0, 2.0], [1.0, 2.0], 3, "k is 3; accepted: 0 to 2"),
        ([1.0, 2.0], [1.0, 2.0], -1, "k is -1; accepted: 0 to 2"),
    ],
)
def test_scores_that_cannot_be_ranked(scores, magnitude, k, message):
    with pytest.raises(ValueError, match=message):
        top_k_mask(np.array(scores), np.array(magnitude), k)


def test_top_k_leaves_its_input_alone():
    scores = np.random.default_rng(0).standard_normal(50)
    copy = scores.copy()
    top_k_mask(scores, scores, 10)
    np.testing.assert_array_equal(scores, copy)


def test_split_mask_in_the_shapes_and_order_of_the_layers():
    flat = np.arange(10) % 3 == 0
    parts = split_mask(flat, {"b": (2, 3), "a": (4, 1, 1)})
    assert list(parts) == ["b", "a"]
    np.testing.assert_array_equal(parts["b"], flat[:6].reshape(2, 3))
    np.testing.assert_array_equal(parts["a"], flat[6:].reshape(4, 1, 1))
    assert split_mask(np.zeros(0, dtype=bool), {}) == {}


@pytest.mark.parametrize("layers", [{"a": (3, 3)}, {"a": (11,)}, {}])
def test_split_mask_of_another_size(layers):
    with pytest.raises(ValueError, match=r"the mask has shape \(10,\), the layers hold"):
        split_mask(np.ones(10, dtype=bool), layers)
