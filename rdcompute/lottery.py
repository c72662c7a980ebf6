"""Lottery tickets (LTH): which weights a level prunes, and how many are left, as in Open LTH.

Of the R weights that are left, with f the fraction a level prunes and n = ceil(f R), the threshold is the element at
index n (from 0) of their magnitudes in ascending order, and a weight stays if it is strictly larger.  So n + 1 weights
go, and all that tie with the threshold.  R counts the candidates: where the head cannot be pruned, its weights are not
among them (Open LTH's `pruning_layers_to_ignore` still counts them in R, so that the others lose more than f).
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from rdcompute.models import ParameterCounts


def candidates(counts: ParameterCounts, *, head: bool) -> dict[str, int]:
    """Return the number of weights of every layer that can be pruned, the `head` only if it can be, too."""
    return counts.layers | (counts.head if head else {})


def lottery_ratio(counts: ParameterCounts, n_weights: int, kept: int) -> float:
    """Return all parameters over those that are left where `kept` of `n_weights` candidates stay."""
    return counts.total / (counts.total - n_weights + kept)


def n_below(remaining: int, fraction: float) -> int:
    """Return n = ceil(f R), with f the decimal fraction that was written.

    Examples
    --------
    >>> n_below(10, 0.2), n_below(11, 0.2)
    (2, 3)
    """
    return math.ceil(Fraction(str(fraction)) * remaining)


def remaining_weights(n_weights: int, levels: int, fraction: float) -> list[int]:
    """Return how many weights are left after each level where no magnitudes tie; 0 once nothing is left.

    Examples
    --------
    >>> remaining_weights(10, 4, 0.2)
    [7, 4, 2, 0]
    """
    found = []
    left = n_weights
    for _ in range(levels):
        left = max(0, left - n_below(left, fraction) - 1)
        found.append(left)
    return found


def most_levels(n_weights: int, fraction: float) -> int:
    """Return the largest number of levels that leaves at least one weight.

    Examples
    --------
    >>> most_levels(10, 0.2)
    3
    """
    levels = 0
    while (n_weights := n_weights - n_below(n_weights, fraction) - 1) > 0:
        levels += 1
    return levels


def next_mask(magnitude: NDArray[np.floating], mask: NDArray[np.bool_], fraction: float) -> NDArray[np.bool_]:
    """Return the mask of the next level: what is not in `mask` stays out.

    Parameters
    ----------
    magnitude : |w| of the trained network, shape (n,).
    mask : of the level that it was trained in, shape (n,).
    fraction : of the remaining weights that go.

    Raises
    ------
    ValueError
        Shapes differ, a magnitude is NaN, or no weight is left to be compared with.

    Examples
    --------
    >>> next_mask(np.array([5.0, 1, 2, 2, 9]), np.array([True, True, True, True, False]), 0.25)
    array([ True, False, False, False, False])
    """
    if magnitude.ndim != 1 or magnitude.shape != mask.shape:
        raise ValueError(f"magnitude has shape {magnitude.shape}, mask {mask.shape}; accepted: (n,)")
    left = magnitude[mask]
    if np.isnan(left).any():
        raise ValueError(f"{np.count_nonzero(np.isnan(left))} of {left.size} magnitudes are NaN")
    n = n_below(left.size, fraction)
    if n >= left.size:
        raise ValueError(f"{left.size} weights are left; pruning {n + 1} of them leaves none")
    larger: NDArray[np.bool_] = magnitude > np.partition(left, n)[n]
    return mask & larger
