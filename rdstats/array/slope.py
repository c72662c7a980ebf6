"""The slope of a pair of networks and its two factors: spread ratio and cosine.

All functions take normalised balances before and after. On unnormalised balances `slope` is the beta of the
specification, with alpha = (A / A') beta; the cosine is the same on both scales.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rdstats.array.numeric import ROUNDING, BoolArray, FloatArray, TextArray, divide, first_reason
from rdstats.array.validate import as_flags, as_float, check_classes


class Pair(NamedTuple):
    """Balances of the classes that take part (others 0) `(..., C)`; which do, and why a pair has no slope."""

    x: FloatArray
    y: FloatArray
    here: BoolArray
    missing: BoolArray
    undefined: BoolArray


class PairSums(NamedTuple):
    """Sums over the classes of a pair, and why they are not usable."""

    xx: FloatArray
    xy: FloatArray
    yy: FloatArray
    missing: BoolArray
    undefined: BoolArray
    flat: BoolArray

    @property
    def usable(self) -> BoolArray:
        return ~(self.missing | self.undefined | self.flat)

    @property
    def reason(self) -> TextArray:
        return first_reason((self.missing, "missing"), (self.undefined, "undefined_class"), (self.flat, "no_spread"))


def slope(before: ArrayLike, after: ArrayLike, present: ArrayLike | None = None) -> FloatArray:
    """Intensification slope alpha = sum_c Bn_c Bn'_c / sum_c Bn_c^2.

    The least-squares line through the origin of the balances after on the balances before. Above 1 the
    differences between classes widened, below 1 they narrowed, relative to accuracy. It equals
    cosine x spread ratio, cannot tell the two apart, and follows accuracy: show all of them together.

    Parameters
    ----------
    before, after : array_like, shape (..., C)
        Normalised balances of a network before and after compression. Given unnormalised balances B, the
        result is beta = sum B B' / sum B^2.
    present : array_like of bool, shape (..., C), optional
        Classes that were tested in both networks. A class with images can still have an undefined score
        (precision 0/0); only this argument tells it from an absent class when it is NaN on both sides.

    Returns
    -------
    ndarray, shape (...)
        Dimensionless. NaN with the reason that `slope_reason` gives.

    Raises
    ------
    InputError
        If the shapes do not fit or `present` is not boolean.

    Notes
    -----
    Paper, section 5. A network whose balances are all at most 1e-12 (rounding: equal scores) has no spread.

    Examples
    --------
    >>> slope([1 / 8, -1 / 8], [1 / 6, -1 / 6]).round(4).tolist()
    1.3333
    """
    sums = pair_sums(pair_of(before, after, present))
    return divide(sums.xy, sums.xx, sums.usable)


def spread_ratio(before: ArrayLike, after: ArrayLike, present: ArrayLike | None = None) -> FloatArray:
    """Spread ratio s = |Bn'| / |Bn|: how much wider the classes lie apart, in whatever order.

    Parameters
    ----------
    before, after, present
        As in `slope`.

    Returns
    -------
    ndarray, shape (...)
        Dimensionless, 0 or more; NaN with the reason that `slope_reason` gives.

    Raises
    ------
    InputError
        If the shapes do not fit or `present` is not boolean.

    Notes
    -----
    |Bn| is the Euclidean norm over classes, so s is the ratio of the root mean square balances.

    Examples
    --------
    >>> spread_ratio([0.1, -0.1], [-0.2, 0.2]).round(4).tolist()
    2.0
    """
    sums = pair_sums(pair_of(before, after, present))
    return np.asarray(np.sqrt(divide(sums.yy, sums.xx, sums.usable)))


def cosine(before: ArrayLike, after: ArrayLike, present: ArrayLike | None = None) -> FloatArray:
    """Cosine rho = sum_c Bn_c Bn'_c / (|Bn| |Bn'|): whether the same classes are ahead and behind.

    Parameters
    ----------
    before, after, present
        As in `slope`.

    Returns
    -------
    ndarray, shape (...)
        In [-1, 1]; 1 where every balance grew by one factor. NaN with the reason that `slope_reason` gives,
        and where `after` has no spread (its slope and spread ratio are then 0).

    Raises
    ------
    InputError
        If the shapes do not fit or `present` is not boolean.

    Notes
    -----
    slope = cosine x spread ratio. The uncentred correlation coefficient.

    Examples
    --------
    >>> cosine([0.1, -0.1], [-0.2, 0.2]).round(4).tolist()
    -1.0
    """
    sums = pair_sums(pair_of(before, after, present))
    value = divide(sums.xy, np.sqrt(sums.xx) * np.sqrt(sums.yy), sums.usable & (sums.yy > 0))
    return np.asarray(np.clip(value, -1.0, 1.0))


def r_squared(before: ArrayLike, after: ArrayLike, present: ArrayLike | None = None) -> FloatArray:
    """Uncentred r^2 = cosine^2 of the line through the origin, as R reports it without an intercept.

    Parameters
    ----------
    before, after, present
        As in `slope`.

    Returns
    -------
    ndarray, shape (...)
        In [0, 1]; NaN where the cosine is.

    Raises
    ------
    InputError
        If the shapes do not fit or `present` is not boolean.

    Notes
    -----
    1 - sum (Bn' - alpha Bn)^2 / sum Bn'^2.

    Examples
    --------
    >>> r_squared([0.1, -0.1, 0.0], [0.1, 0.0, -0.1]).round(4).tolist()
    0.25
    """
    return np.asarray(np.square(cosine(before, after, present)))


def slope_reason(before: ArrayLike, after: ArrayLike, present: ArrayLike | None = None) -> TextArray:
    """Why the slope of a pair is NaN, as a code; an empty text where it is a number.

    Parameters
    ----------
    before, after, present
        As in `slope`.

    Returns
    -------
    ndarray of str, shape (...)
        "missing": no class on one of the sides (with `present`: no class present).
        "undefined_class": a class is NaN on one side only (with `present`: a present class is NaN on either);
        classes are never dropped from one side.
        "no_spread": all scores before are equal.

    Raises
    ------
    InputError
        If the shapes do not fit or `present` is not boolean.

    Notes
    -----
    For a missing run pass False throughout, as `(support_before > 0) & (support_after > 0)` does.

    Examples
    --------
    >>> nan = float("nan")
    >>> slope_reason([[0.1, -0.1, nan], [0.1, -0.1, 0.0], [0.0, 0.0, nan]], [0.2, -0.2, nan]).tolist()
    ['', 'undefined_class', 'no_spread']
    """
    return pair_sums(pair_of(before, after, present)).reason


def pair_of(before: ArrayLike, after: ArrayLike, present: ArrayLike | None) -> Pair:
    """Return the balances of a pair and the classes that take part, all of one shape."""
    first, second = as_float("before", before), as_float("after", after)
    check_classes(before=first, after=second)
    gone_first, gone_second = np.isnan(first), np.isnan(second)
    if present is None:
        here = ~(gone_first & gone_second)
        missing = gone_first.all(axis=-1) | gone_second.all(axis=-1)
    else:
        here = as_flags("present", present)
        check_classes(before=first, after=second, present=here)
        missing = ~here.any(axis=-1)
    undefined = (here & (gone_first | gone_second)).any(axis=-1) & ~missing
    # one layout in memory, so that sums of equal values are equal to the last bit
    x, y, here = map(np.ascontiguousarray, np.broadcast_arrays(_rounded(first, here), _rounded(second, here), here))
    return Pair(x, y, here, *(np.broadcast_to(part, x.shape[:-1]) for part in (missing, undefined)))


def pair_sums(pair: Pair) -> PairSums:
    """Return the sums of squares and products over the classes that take part."""
    x, y = pair.x, pair.y
    xx, xy, yy = (np.asarray((a * b).sum(axis=-1)) for a, b in ((x, x), (x, y), (y, y)))
    flat = (xx == 0) & ~pair.missing & ~pair.undefined
    return PairSums(xx, xy, yy, pair.missing, pair.undefined, flat)


def _rounded(values: FloatArray, here: BoolArray) -> FloatArray:
    """Balances of the classes that take part, others 0; all 0 where none is larger than rounding."""
    kept = np.where(here & ~np.isnan(values), values, 0.0)
    spread = np.abs(kept).max(axis=-1, keepdims=True) > ROUNDING
    return np.where(spread, kept, 0.0)
