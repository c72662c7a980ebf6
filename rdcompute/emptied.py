"""How often a random mask leaves a layer with no weight, so that the network is constant."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

_NEARLY_ALWAYS = 20.0
"""Empty layers to be expected from which on none has a probability below exp(-20), as layers that have weights are
negatively associated; below, terms of at most exp(20) cancel, which float64 has the digits for."""
_NEVER = 1e-15
"""Layers this rarely empty make no difference."""


def empty_probability(layers: Mapping[str, int], kept: int) -> float:
    r"""Return the probability that a uniformly random mask of `kept` weights leaves at least one layer empty.

    Inclusion and exclusion over the sets S of layers: 1 - \sum_S (-1)^{|S|} C(n - n_S, k) / C(n, k), with n all
    weights, n_S those of the layers in S, and k the weights kept.  Sets of equal n_S are counted together, of which
    there are few, as most layers of a network have one of a few sizes.

    Parameters
    ----------
    layers : number of weights of each prunable layer.
    kept : weights of all of them that are kept, from 1.

    Examples
    --------
    >>> round(empty_probability({"a": 1, "b": 3}, 2), 12)  # 3 of the 6 masks miss a; none misses b
    0.5
    """
    return _empty(tuple(sorted(Counter(layers.values()).items())), kept)


@lru_cache(256)
def _empty(sizes: tuple[tuple[int, int], ...], kept: int) -> float:
    n = sum(size * number for size, number in sizes)
    expected = math.fsum(number * _missed(n, size, kept) for size, number in sizes)
    if expected > _NEARLY_ALWAYS:
        return 1.0
    signed = {0: 1}  # n_S -> number of sets S, those with an odd number of layers counted negative
    for size, number in sizes:
        if number * _missed(n, size, kept) < _NEVER:
            continue
        together: dict[int, int] = {}
        for n_set, count in signed.items():
            for j in range(min(number, (n - kept - n_set) // size) + 1):
                larger = n_set + j * size
                together[larger] = together.get(larger, 0) + count * math.comb(number, j) * (-1) ** j
        signed = together
    full = math.fsum(count * _missed(n, n_set, kept) for n_set, count in signed.items() if count)
    return min(1.0, max(0.0, 1.0 - full))


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
