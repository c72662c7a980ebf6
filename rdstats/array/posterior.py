"""Posterior draws of the mean and the standard deviation over seeds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rdstats.array.moments import moments, no_variation, seeds_reason
from rdstats.array.numeric import FloatArray, IntArray, TextArray
from rdstats.array.validate import as_float
from rdstats.errors import InputError


class PosteriorDraws(NamedTuple):
    """Draws of mean and standard deviation `(draws, ...)`; seeds and reason `(...)`."""

    mean: FloatArray
    sd: FloatArray
    n: IntArray
    reason: TextArray


def posterior_draws(
    values: ArrayLike, *, generator: np.random.Generator, draws: int = 4000, axis: int = -1
) -> PosteriorDraws:
    """Independent exact draws from the posterior of a normal mean and standard deviation over seeds.

    sigma^2 = (n - 1) s^2 / X with X chi-square of n - 1 degrees of freedom; mu given sigma is normal around
    the mean of the values with variance sigma^2 / n. The reference prior, p(mu, sigma^2) proportional to
    1 / sigma^2.

    Parameters
    ----------
    values : array_like
        One value per seed along `axis`. NaN is a missing seed and is dropped.
    generator : numpy.random.Generator
        Source of all randomness.
    draws : int
        Number of draws, 1 or more.
    axis : int
        Axis of the seeds.

    Returns
    -------
    PosteriorDraws
        `mean` and `sd` `(draws, ...)` in the unit of the values, the draws on a new first axis; `n` seeds and
        `reason` `(...)`: "" (fine), "missing" (n = 0), "too_few_seeds" (n < 3: NaN throughout),
        "no_variation" (all draws are the mean and sd of the values).

    Raises
    ------
    InputError
        If `draws` is below 1 or values are infinite.

    Notes
    -----
    Gelman et al., Bayesian Data Analysis (3rd edition), section 3.2. The central credible interval of the
    mean is the t interval.

    Examples
    --------
    >>> import numpy as np
    >>> result = posterior_draws([1.0, 1.2, 1.1, 1.3, 0.9], generator=np.random.default_rng(0), draws=100_000)
    >>> np.quantile(result.mean, [0.025, 0.975]).round(2).tolist()
    [0.9, 1.3]
    """
    if draws < 1:
        raise InputError(f"draws: received {draws!r}, accepted: 1 or more")
    n, mean, sd = moments(np.moveaxis(as_float("values", values), axis, -1))
    reason = seeds_reason(n, no_variation(sd, mean))
    fixed = reason == "no_variation"
    known = (reason == "") | fixed
    freedom = np.where(known, n - 1.0, 1.0)
    shape = (draws, *n.shape)
    sigma = sd * np.sqrt(freedom / generator.chisquare(freedom, shape))
    sigma = np.where(fixed, sd, np.where(known, sigma, np.nan))
    step = np.where(fixed, 0.0, sigma / np.sqrt(np.maximum(n, 1.0)))
    centre = mean + step * generator.standard_normal(shape)
    return PosteriorDraws(centre, sigma, n, reason)
