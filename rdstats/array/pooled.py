"""The line through the origin of many networks at once: the numbers of a scatterplot of balances."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rdstats.array.numeric import FloatArray, IntArray, TextArray, divide, first_reason
from rdstats.array.slope import pair_of, pair_sums
from rdstats.errors import InputError


class PooledLine(NamedTuple):
    """Pooled slope and uncentred r^2, number of networks behind them, and why they are missing."""

    slope: FloatArray
    r_squared: FloatArray
    n: IntArray
    reason: TextArray


def pooled_origin_slope(
    bn_before: ArrayLike, bn_after: ArrayLike, present: ArrayLike | None = None, *, axis: int = -2
) -> PooledLine:
    """Slope and r^2 of one line through the origin for the classes of many networks.

    alpha-hat = sum_n sum_c Bn_nc Bn'_nc / sum_n sum_c Bn_nc^2,
    r^2 = (sum sum Bn Bn')^2 / (sum sum Bn^2 sum sum Bn'^2).

    Descriptive only: the points of one network are not independent, so no interval or test belongs to it. It
    is the mean of the networks' slopes weighted by their sum of Bn^2.

    Parameters
    ----------
    bn_before, bn_after : array_like, shape (..., C)
        Normalised balances of the networks before and after compression, classes last.
    present : array_like of bool, shape (..., C), optional
        Classes that were tested in both networks, see `slope`.
    axis : int
        Axis of the networks (seeds) in the common shape of the inputs; not the last.

    Returns
    -------
    PooledLine
        `slope` (dimensionless) and uncentred `r_squared` in [0, 1] without `axis` and classes; `n` networks
        used; `reason`: "" (fine), "missing" (no network), "undefined_class" (no network has all its scores)
        or "no_spread" (all scores before are equal): NaN. Missing networks and those with an undefined class
        are skipped; one without spread before enters r^2. r^2 is also NaN where no network has spread after.

    Raises
    ------
    InputError
        If the shapes do not fit, `present` is not boolean, or `axis` is the class axis or not there.

    Notes
    -----
    The alpha-hat and r^2 of the paper's scatterplots (section 6.2, "Figures").

    Examples
    --------
    >>> line = pooled_origin_slope([[0.1, -0.1], [0.3, -0.3]], [[0.2, -0.2], [0.3, -0.3]])
    >>> line.slope.round(4).tolist(), line.r_squared.round(4).tolist(), line.n.tolist()
    (1.1, 0.9308, 2)
    """
    pair = pair_of(bn_before, bn_after, present)
    place = axis + pair.x.ndim if axis < 0 else axis
    if not 0 <= place < pair.x.ndim - 1:
        raise InputError(f"axis: received {axis!r}, accepted: an axis of shape {pair.x.shape} before the classes")
    sums = pair_sums(pair)
    used = ~(pair.missing | pair.undefined)
    xx, xy, yy = (np.where(used, part, 0.0).sum(axis=place) for part in (sums.xx, sums.xy, sums.yy))
    n = np.asarray(used.sum(axis=place), dtype=np.int64)
    nobody = np.asarray(pair.missing.all(axis=place))
    reason = first_reason((nobody, "missing"), (n == 0, "undefined_class"), (xx == 0, "no_spread"))
    cosine = divide(xy, np.sqrt(xx) * np.sqrt(yy), (reason == "") & (yy > 0))
    return PooledLine(divide(xy, xx, reason == ""), np.asarray(np.clip(cosine**2, 0.0, 1.0)), n, reason)
