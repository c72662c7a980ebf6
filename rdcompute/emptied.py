"""How often a random mask leaves a layer with no weight, so that the network is constant."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations

MOST_LAYERS = 12
"""Layers, the smallest ones, that are counted together; the others are never empty unless these nearly always are."""


def empty_probability(layers: Mapping[str, int], kept: int) -> float:
    r"""Return the probability that a uniformly random mask of `kept` weights leaves at least one layer empty.

    Inclusion and exclusion over the sets S of layers: \sum_S (-1)^{|S|+1} C(n - n_S, k) / C(n, k), with n all
    weights, n_S those of the layers in S, and k the weights kept.  Of more than `MOST_LAYERS` layers the smallest
    ones are counted, which gives a lower bound.

    Parameters
    ----------
    layers : number of weights of each prunable layer.
    kept : weights of all of them that are kept, from 1.

    Examples
    --------
    >>> round(empty_probability({"a": 1, "b": 3}, 2), 12)  # 3 of the 6 masks miss a; none misses b
    0.5
    """
    n = sum(layers.values())
    smallest = sorted(layers.values())[:MOST_LAYERS]
    total = 0.0
    for size in range(1, len(smallest) + 1):
        sign = 1 if size % 2 else -1
        total += sign * math.fsum(_missed(n, sum(chosen), kept) for chosen in combinations(smallest, size))
    return min(1.0, max(0.0, total))


def empty_layers(layers: Mapping[str, int], kept: int, above: float) -> list[str]:
    """Return the layers that a random mask of `kept` weights leaves empty with a probability `above` this one."""
    n = sum(layers.values())
    return [name for name, size in layers.items() if _missed(n, size, kept) > above]


def _missed(n: int, n_set: int, k: int) -> float:
    """Return the probability that none of `k` weights drawn from `n` is among `n_set` given ones."""
    if k > n - n_set:
        return 0.0
    return math.exp(_log_choose(n - n_set, k) - _log_choose(n, k))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
