"""BCa bootstrap interval of a mean over seeds, a sensitivity check of the t interval."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from rdstats.array.moments import moments, no_variation, seeds_reason
from rdstats.array.numeric import FloatArray, IntArray, TextArray, divide
from rdstats.array.validate import as_float, broadcast, check_family_size, check_level
from rdstats.errors import InputError

# With fewer seeds a nominal 99 % interval covers far less.
MIN_BOOTSTRAP = 20
MIN_REPLICATES = 10_000


class BcaInterval(NamedTuple):
    """Mean and number of seeds, bounds, and why bounds are missing or equal."""

    mean: FloatArray
    n: IntArray
    lower: FloatArray
    upper: FloatArray
    reason: TextArray


def bca_interval(
    values: ArrayLike,
    *,
    generator: np.random.Generator,
    level: float = 0.95,
    k: ArrayLike = 1,
    replicates: int = MIN_REPLICATES,
    axis: int = -1,
) -> BcaInterval:
    """Bias-corrected and accelerated bootstrap interval of a mean over seeds.

    The bounds are quantiles of the resampled means at Phi(z0 + (z0 + z) / (1 - a (z0 + z))), z the normal
    quantile of the tail (1 - level) / (2 k) on either side, z0 = Phi^-1 of the share of resampled means below
    the mean (ties count half) and a = sum d^3 / (6 (sum d^2)^1.5), d = values - mean.

    Parameters
    ----------
    values : array_like
        One value per seed along `axis`, independent between seeds. NaN is a missing seed and is dropped.
    generator : numpy.random.Generator
        Source of all randomness. Columns with equally many seeds share their resamples.
    level : float
        Confidence of the k intervals together.
    k : array_like
        Number of simultaneous intervals; an array broadcasts against the result.
    replicates : int
        Number of resamples, 10,000 or more.
    axis : int
        Axis of the seeds.

    Returns
    -------
    BcaInterval
        `mean` and bounds in the unit of the values, `n` seeds, and `reason`: "" (fine), "missing" (n = 0),
        "too_few_seeds" (n < 20: bounds NaN) or "no_variation" (both bounds are the mean).

    Raises
    ------
    InputError
        For fewer replicates, a level outside (0, 1), k below 1, infinite values or shapes that do not fit.

    Notes
    -----
    Efron, J. Am. Stat. Assoc. 82 (1987), 171-185.

    Examples
    --------
    >>> import numpy as np
    >>> values = np.linspace(0.8, 1.2, 21) ** 2
    >>> result = bca_interval(values, generator=np.random.default_rng(0))
    >>> result.lower.round(2).tolist(), result.upper.round(2).tolist()
    (0.91, 1.12)
    """
    if replicates < MIN_REPLICATES:
        raise InputError(f"replicates: received {replicates!r}, accepted: {MIN_REPLICATES} or more")
    array = np.moveaxis(as_float("values", values), axis, -1)
    if not array.shape[-1]:
        raise InputError(f"values: expected one value per seed along axis {axis}, received shape {array.shape}")
    tail = (1 - check_level(level)) / (2 * check_family_size("k", k))
    shape = broadcast(values=array[..., 0], k=tail)
    array, tail = np.broadcast_to(array, (*shape, array.shape[-1])), np.broadcast_to(tail, shape)
    n, mean, sd = moments(array)
    reason = seeds_reason(n, no_variation(sd, mean))
    reason = np.where((n > 0) & (n < MIN_BOOTSTRAP), np.str_("too_few_seeds"), reason)
    lower, upper = (np.where(reason == "no_variation", mean, np.nan) for _ in range(2))
    for size in np.unique(n[reason == ""]):
        chosen = (n == size) & (reason == "")
        rows = array[chosen]
        rows = rows[~np.isnan(rows)].reshape(-1, size)
        lower[chosen], upper[chosen] = _bounds(rows, tail[chosen], generator, replicates)
    return BcaInterval(mean, n, lower, upper, reason)


def _bounds(
    rows: FloatArray, tail: FloatArray, generator: np.random.Generator, replicates: int
) -> tuple[FloatArray, FloatArray]:
    """Bounds `(columns,)` of complete columns `(columns, n)`."""
    n = rows.shape[-1]
    picked = generator.integers(0, n, (replicates, n)) + n * np.arange(replicates)[:, np.newaxis]
    times = np.bincount(picked.ravel(), minlength=replicates * n).reshape(replicates, n)
    mean = rows.mean(axis=-1, keepdims=True)
    means = np.sort(rows @ (times.T / n), axis=-1)
    share = ((means < mean).sum(axis=-1) + (means <= mean).sum(axis=-1)) / (2 * replicates)
    bias = ndtri(share)
    deviation = rows - mean
    skew = divide((deviation**3).sum(axis=-1), 6 * (deviation**2).sum(axis=-1) ** 1.5, np.asarray(True))
    ends = []
    for normal in (ndtri(tail), -ndtri(tail)):
        moved = bias + normal
        ends.append(_quantile(means, ndtr(bias + moved / (1 - skew * moved))))
    return ends[0], ends[1]


def _quantile(ordered: FloatArray, share: FloatArray) -> FloatArray:
    """Linearly interpolated quantiles `(columns,)` of ordered rows `(columns, replicates)`."""
    place = share * (ordered.shape[-1] - 1)
    left = np.minimum(np.floor(place).astype(np.int64), ordered.shape[-1] - 2)
    column = np.arange(ordered.shape[0])
    low, high = ordered[column, left], ordered[column, left + 1]
    return np.asarray(low + (place - left) * (high - low))
