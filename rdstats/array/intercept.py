"""The line with intercept through the balances of a pair of networks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rdstats.array.numeric import ROUNDING, BoolArray, FloatArray, TextArray, divide, first_reason
from rdstats.array.slope import pair_of


class InterceptLine(NamedTuple):
    """Slope, intercept and centred r^2 of the line, and why they are missing; all `(...)`."""

    slope: FloatArray
    intercept: FloatArray
    r_squared: FloatArray
    reason: TextArray


def slope_intercept(bn_before: ArrayLike, bn_after: ArrayLike, present: ArrayLike | None = None) -> InterceptLine:
    """Least-squares line Bn'_c = intercept + slope Bn_c over the classes of a pair of networks.

    With x = Bn and y = Bn': slope = sum (x - mean x)(y - mean y) / sum (x - mean x)^2, intercept =
    mean y - slope mean x, r^2 = squared correlation of x and y. Where the balances sum to zero on both sides
    (recall on a test set with equally large classes) the slope is that of the line through the origin and the
    intercept 0; for precision, F1 and unequal classes it need not be.

    Parameters
    ----------
    bn_before, bn_after : array_like, shape (..., C)
        Normalised balances of a network before and after compression.
    present : array_like of bool, shape (..., C), optional
        Classes that were tested in both networks, see `slope`.

    Returns
    -------
    InterceptLine
        `slope` and `intercept`, dimensionless; `r_squared` in [0, 1], also NaN where the balances after do
        not vary; `reason`: "" (fine), "missing" and "undefined_class" as in `slope_reason`, "no_spread" (the
        balances before do not vary, up to 1e-12): NaN throughout.

    Raises
    ------
    InputError
        If the shapes do not fit or `present` is not boolean.

    Notes
    -----
    Simple linear regression with equal weights of classes; the paper (section 5) fits without intercept.

    Examples
    --------
    >>> line = slope_intercept([1.0, 2.0, 3.0], [1.0, 4.0, 4.0])
    >>> [part.round(4).tolist() for part in line[:3]]
    [1.5, 0.0, 0.75]
    """
    pair = pair_of(bn_before, bn_after, present)
    number = np.maximum(pair.here.sum(axis=-1), 1)
    (x_mean, dx), (y_mean, dy) = (_centred(values, pair.here, number) for values in (pair.x, pair.y))
    xx, xy, yy = ((a * b).sum(axis=-1) for a, b in ((dx, dx), (dx, dy), (dy, dy)))
    reason = first_reason((pair.missing, "missing"), (pair.undefined, "undefined_class"), (xx == 0, "no_spread"))
    usable = reason == ""
    slope = divide(xy, xx, usable)
    correlation = divide(xy, np.sqrt(xx) * np.sqrt(yy), usable & (yy > 0))
    intercept, r_squared = y_mean - slope * x_mean, np.clip(correlation**2, 0.0, 1.0)
    return InterceptLine(slope, np.asarray(intercept), np.asarray(r_squared), reason)


def _centred(values: FloatArray, here: BoolArray, number: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean over the classes that take part, and deviations from it; all 0 where none is larger than rounding."""
    mean = values.sum(axis=-1) / number
    deviation = np.where(here, values - mean[..., np.newaxis], 0.0)
    varies = np.abs(deviation).max(axis=-1, keepdims=True) > ROUNDING
    return mean, np.where(varies, deviation, 0.0)
