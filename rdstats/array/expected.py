"""The slope that a change of accuracy alone would give: two descriptive references for alpha."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit

from rdstats.array.numeric import BoolArray, FloatArray, divide, log_ratio
from rdstats.array.slope import slope
from rdstats.array.validate import as_float, as_share, broadcast, check_classes, refuse
from rdstats.errors import InputError

# Each pass at least halves the step or the bracket, and a bracket of log-odds is below 100 wide: float64
# resolution is reached well before this many passes.
MAX_PASSES = 200


def slope_expected_error(accuracy_before: ArrayLike, accuracy_after: ArrayLike) -> FloatArray:
    """Expected slope from the two accuracies alone, odds(1 - A') / odds(1 - A), where odds(e) = e / (1 - e).

    The slope if the error of every class grew by one common factor.

    Parameters
    ----------
    accuracy_before, accuracy_after : array_like
        Reference scores of the network before and after compression, in [0, 1].

    Returns
    -------
    ndarray
        Dimensionless, 0 or more. NaN where the accuracy before is 0 or 1, or the one after is 0, or NaN.

    Raises
    ------
    InputError
        If a value lies outside [0, 1] or the shapes do not fit.

    Notes
    -----
    With error e_c -> f e_c, Bn_c goes from -(e_c - E)/(1 - E) to -f (e_c - E)/(1 - f E).

    Examples
    --------
    >>> slope_expected_error(0.8, 0.6).round(4).tolist()
    2.6667
    """
    first, second = as_share("accuracy_before", accuracy_before), as_share("accuracy_after", accuracy_after)
    broadcast(accuracy_before=first, accuracy_after=second)
    defined = (first > 0) & (first < 1) & (second > 0)
    return divide((1 - second) * first, second * (1 - first), defined)


def shift_delta(before: ArrayLike, target: ArrayLike, weights: ArrayLike) -> FloatArray:
    """Common change of log-odds that moves the reference score to a target.

    Solves sum_c w_c expit(logit(x_c) + delta) = target for delta.

    Parameters
    ----------
    before : array_like, shape (..., C)
        Scores before, in [0, 1]. Scores of exactly 0 or 1 stay where they are.
    target : array_like, shape (...)
        Reference score to reach.
    weights : array_like, shape (..., C)
        Weights of `class_weights`; classes of weight 0 are absent.

    Returns
    -------
    ndarray, shape (...)
        Log-odds, negative for a loss; exactly 0 where `target` is the reference score before. NaN where a
        class with weight is NaN and where no delta reaches the target: a target of 0 or 1, or one that would
        need scores of 0 or 1 to move.

    Raises
    ------
    InputError
        If a score or target lies outside [0, 1], weights do not sum to 1, or the shapes do not fit.

    Notes
    -----
    Newton steps, replaced by bisection where they leave the bracket or shrink too slowly (rtsafe; Press et
    al., Numerical Recipes, section 9.4).

    Examples
    --------
    >>> shift_delta([0.9, 0.7], 0.6, [0.5, 0.5]).round(5).tolist()
    -1.06972
    """
    scores, goal, mass = as_share("before", before), as_share("target", target), _weights(weights)
    check_classes(before=scores, weights=mass)
    broadcast(before=scores, target=goal[..., np.newaxis], weights=mass)
    present = mass > 0
    known = np.where(present, scores, 0.5)
    reference = (mass * np.where(present, scores, 0.0)).sum(axis=-1)
    free = present & (known > 0) & (known < 1)
    weight = np.where(free, mass, 0.0)
    log_odds = logit(np.where(free, known, 0.5))
    rest = goal - (mass * np.where(known == 1, 1.0, 0.0)).sum(axis=-1)
    total = weight.sum(axis=-1)
    inside = (rest > 0) & (rest < total) & (goal > 0) & (goal < 1)
    same = (reference == goal) & (goal > 0) & (goal < 1)
    defined = ~(np.isnan(scores) & present).any(axis=-1)
    shape = np.broadcast_shapes(log_odds.shape, weight.shape, (*goal.shape, 1))[:-1]
    wanted = np.broadcast_to(defined & inside & ~same, shape)
    parts = (np.broadcast_to(part, (*shape, scores.shape[-1]))[wanted] for part in (log_odds, weight, free))
    delta = np.full(shape, np.nan)
    delta[wanted] = _solve(*parts, *(np.broadcast_to(part, shape)[wanted] for part in (rest, total)))
    return np.where(defined & same, 0.0, delta)


def slope_expected_shift(before: ArrayLike, after: ArrayLike, weights: ArrayLike) -> FloatArray:
    """Slope if every class's score had moved by one common log-odds, with the reference score that resulted.

    delta solves sum w expit(logit(x) + delta) = sum w y; the result is the slope of the normalised balances
    of x to those of expit(logit(x) + delta).

    Parameters
    ----------
    before, after : array_like, shape (..., C)
        Scores x and y, in [0, 1], both from `shrunk_score` so that no change gives exactly 1. Of `after` only
        the weighted mean enters.
    weights : array_like, shape (..., C)
        Weights of `class_weights`; classes of weight 0 are absent.

    Returns
    -------
    ndarray, shape (...)
        Dimensionless. NaN where a class with weight is NaN on either side, where `before` has no spread, and
        where `shift_delta` is NaN.

    Raises
    ------
    InputError
        If a score lies outside [0, 1], weights do not sum to 1, or the shapes do not fit.

    Notes
    -----
    A description of what a uniform change of this size would give, not a causal null.

    Examples
    --------
    >>> slope_expected_shift([0.9, 0.7], [0.7, 0.5], [0.5, 0.5]).round(4).tolist()
    2.0717
    """
    first, second, mass = as_share("before", before), as_share("after", after), _weights(weights)
    check_classes(before=first, after=second, weights=mass)
    present = mass > 0
    start = (mass * np.where(present, first, 0.0)).sum(axis=-1)
    goal = (mass * np.where(present, second, 0.0)).sum(axis=-1)
    # rounding may carry a mean of scores near 1 past it
    delta = shift_delta(first, np.minimum(goal, 1.0), mass)[..., np.newaxis]
    moved = expit(logit(np.where(present, first, 0.5)) + delta)
    shifted = np.where(delta == 0, first, moved)
    return slope(_relative(first, start, present), _relative(shifted, goal, present), present)


def slope_excess(slope: ArrayLike, expected: ArrayLike) -> FloatArray:
    """How far a slope lies above its expectation: log(alpha / expected), or the difference.

    Parameters
    ----------
    slope, expected : array_like
        Observed slope, and `slope_expected_shift` or `slope_expected_error`.

    Returns
    -------
    ndarray
        log(alpha / expected) where both are positive, alpha - expected elsewhere; 0 is "as expected". NaN
        where either is.

    Raises
    ------
    InputError
        If the shapes do not fit.

    Examples
    --------
    >>> slope_excess([2.0, -0.5], [1.0, 1.0]).round(4).tolist()
    [0.6931, -1.5]
    """
    first, second = as_float("slope", slope), as_float("expected", expected)
    broadcast(slope=first, expected=second)
    both = (first > 0) & (second > 0)
    return log_ratio(first, second, both, first - second)


def _weights(weights: ArrayLike) -> FloatArray:
    mass = as_float("weights", weights)
    refuse("weights", mass, mass < 0, "weights are 0 or more")
    check_classes(weights=mass)
    total = mass.sum(axis=-1)
    if np.any(np.abs(total - 1) > 1e-9):
        raise InputError(f"weights: sum to {total[np.abs(total - 1) > 1e-9].flat[0]:g}, accepted: 1")
    return mass


def _relative(scores: FloatArray, reference: FloatArray, present: BoolArray) -> FloatArray:
    """Normalised balances of the present classes; NaN where the reference is 0 or NaN."""
    centre = reference[..., np.newaxis]
    values = np.where(present, scores, np.nan) - centre
    return divide(values, centre, centre > 0)


def _solve(
    log_odds: FloatArray, weight: FloatArray, free: BoolArray, rest: FloatArray, total: FloatArray
) -> FloatArray:
    """Root delta of sum weight expit(log_odds + delta) = rest, for 0 < rest < total; NaN elsewhere."""
    share = divide(rest, total, total > 0)
    # at these ends every class lies on one side of the wanted mean, whatever the weights
    centre = logit(share)
    low = centre - np.where(free, log_odds, -np.inf).max(axis=-1) - 1e-3
    high = centre - np.where(free, log_odds, np.inf).min(axis=-1) + 1e-3
    delta: FloatArray = 0.5 * (low + high)
    step = high - low
    result = delta.copy()
    active = np.arange(len(delta))
    for _ in range(MAX_PASSES):
        moved = expit(log_odds + delta[..., np.newaxis])
        excess = (weight * moved).sum(axis=-1) - rest
        rate = (weight * moved * (1 - moved)).sum(axis=-1)
        low, high = np.where(excess < 0, delta, low), np.where(excess > 0, delta, high)
        newton = delta - divide(excess, rate, rate > 0)
        trusted = (newton > low) & (newton < high) & (2 * np.abs(newton - delta) < np.abs(step))
        following = np.where(excess == 0, delta, np.where(trusted, newton, 0.5 * (low + high)))
        step = following - delta
        delta = following
        result[active] = delta
        going = np.abs(step) > 2 * np.finfo(np.float64).eps * np.maximum(1.0, np.abs(delta))
        if not going.any():
            break
        if 2 * np.count_nonzero(going) < len(going):  # the last few of many rows do not hold up the others
            parts = (active, log_odds, weight, rest, low, high, delta, step)
            active, log_odds, weight, rest, low, high, delta, step = (part[going] for part in parts)
    return result
