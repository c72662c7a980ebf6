"""Effect sizes of a paired comparison, in units of the spread between seeds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rdstats.array.moments import MIN_SEEDS, moments, no_variation, seeds_reason
from rdstats.array.numeric import FloatArray, IntArray, TextArray, divide
from rdstats.array.validate import as_float, broadcast


class EffectSize(NamedTuple):
    """Standardised differences g_av and d_z, number of pairs, and why g_av is missing."""

    g_av: FloatArray
    d_z: FloatArray
    n: IntArray
    reason: TextArray


def effect_size(first: ArrayLike, second: ArrayLike, *, axis: int = -1) -> EffectSize:
    """Paired effect sizes g_av (in units of the columns' spread) and d_z (of the differences').

    g_av = J mean(d) / sqrt((s1^2 + s2^2) / 2), d = first - second, J = 1 - 3 / (4 (n - 1) - 1);
    d_z = mean(d) / sd(d), which grows with the correlation of the two columns.

    Parameters
    ----------
    first, second : array_like
        One value per seed along `axis`, the same seed at the same place. A pair with a NaN is dropped.
    axis : int
        Axis of the seeds.

    Returns
    -------
    EffectSize
        `g_av` and `d_z`, dimensionless with the sign of mean(d), `n` pairs, and `reason`: "" (fine),
        "missing" (no pair), "too_few_seeds" (n < 3: both NaN), "no_variation" (neither column varies: both
        NaN). d_z is also NaN where the differences alone do not vary.

    Raises
    ------
    InputError
        If the shapes do not fit.

    Notes
    -----
    Lakens, Frontiers in Psychology 4 (2013), 863. J is Hedges' correction of small samples.

    Examples
    --------
    >>> result = effect_size([1.0, 1.1, 1.2, 1.4], [1.1, 1.3, 1.5, 1.5])
    >>> result.g_av.round(4).tolist(), result.d_z.round(4).tolist()
    (-0.7015, -1.8278)
    """
    one, two = as_float("first", first), as_float("second", second)
    broadcast(first=one, second=two)
    difference = np.moveaxis(one - two, axis, -1)
    one, two = (np.moveaxis(part, axis, -1) for part in np.broadcast_arrays(one, two))
    gone = np.isnan(difference)
    n, mean, sd = moments(difference)
    (_, mean1, sd1), (_, mean2, sd2) = (moments(np.where(gone, np.nan, part)) for part in (one, two))
    reason = seeds_reason(n, no_variation(sd1, mean1) & no_variation(sd2, mean2))
    correction = 1 - 3 / (4 * (np.maximum(n, MIN_SEEDS) - 1.0) - 1)
    g_av = divide(correction * mean, np.sqrt((sd1**2 + sd2**2) / 2), reason == "")
    d_z = divide(mean, sd, (reason == "") & ~no_variation(sd, mean))
    return EffectSize(g_av, d_z, n, reason)
