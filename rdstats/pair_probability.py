"""The Bayesian view of a family of comparisons: how probable it is that the first is below the second."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from rdstats import array
from rdstats._labelled import METHOD, SEED
from rdstats.control import control_differences
from rdstats.errors import InputError
from rdstats.families import Family
from rdstats.pairing import check_independent, check_paired

Rows = np.ndarray[Any, Any]


def pair_probabilities(slopes: xr.Dataset, family: Family, *, draws: int = 4000, seed: int = 0) -> xr.Dataset:
    """Return, for every comparison of a family, the posterior probability that the first is below the second.

    Normal models of the seeds with the reference prior, as in `posterior`.  The means of a paired family are
    compared by the posterior of the mean difference, seed by seed; those of independent samples, and standard
    deviations always, by independent posteriors of the two (for the standard deviations of pairs that are
    correlated an approximation towards 1/2).

    Parameters
    ----------
    slopes : result of `rdstats.slopes`, with a dimension ``seed``.
    family : the declared comparisons.  A family of ``delta`` compares the differences from the control, of
        slope and log spread ratio.
    draws : number of draws.
    seed : root of all randomness; equal seeds give equal results.

    Returns
    -------
    Dataset over ``test``, one entry a member: ``p_slope_less`` = P(mean slope first < second),
    ``p_spread_less`` = P(mean log spread ratio first < second) and ``p_sd_less`` = P(standard deviation of the
    slope between seeds first < second).  NaN with fewer than 3 seeds (pairs of seeds in a paired family) or
    where all have the same value.  Members are not dropped for unequal achieved ratios.

    Raises
    ------
    InputError
        A cube without seeds, labels that are not there, a paired family across different dense networks or an
        independent one on shared ones, no control for a family of ``delta``, draws below 1, a negative seed.

    Source: Gelman et al., Bayesian Data Analysis (3rd edition), sections 3.2 and 3.3.

    Examples
    --------
    >>> import numpy as np, rdstats
    >>> before = np.array([[[90, 10], [30, 70]]] * 5)
    >>> step = np.array([[[-1, 1], [2, -2]]])
    >>> after = [[before[0] + (i + j) * step[0] for j in (0, 9)] for i in (5, 6, 7, 6, 4)]
    >>> cube = rdstats.build(before, after, dims=("seed", "ratio"), coords={"ratio": [2, 4]})
    >>> networks = rdstats.slopes(cube)
    >>> pair_probabilities(networks, rdstats.ratio_family(networks))["p_slope_less"].values.tolist()
    [1.0]
    """
    if SEED not in slopes["slope"].dims:
        raise InputError("the cube has no dimension seed; a posterior over training runs needs several seeds")
    if seed < 0:
        raise InputError(f"seed: received {seed!r}, accepted: 0 or more")
    family = family.check_labels(slopes)
    _check_pairs(slopes, family)
    slope, spread = _quantities(slopes, family)
    streams = iter(np.random.default_rng(np.random.SeedSequence(seed)).spawn(6))
    sides = [[_rows(values, family, side) for side in ("first", "second")] for values in (slope, spread)]
    result = xr.Dataset(attrs={**slopes.attrs, "name": family.name, "draws": draws, "seed": seed})
    for name, pair in zip(("p_slope_less", "p_spread_less"), sides, strict=True):
        own = [next(streams), next(streams)]
        result[name] = ("test", _mean_less(pair[0], pair[1], family.paired, own, draws))
    first, second = sides[0]
    if family.paired:
        first, second = (np.where(np.isnan(first + second), np.nan, side) for side in (first, second))
    one, two = (array.posterior_draws(side, generator=next(streams), draws=draws) for side in (first, second))
    result["p_sd_less"] = ("test", _share(one.sd < two.sd, (one.reason == "") & (two.reason == "")))
    return result


def _check_pairs(slopes: xr.Dataset, family: Family) -> None:
    if family.paired and family.pair_by == "seed":
        return
    check = check_paired if family.paired else check_independent
    for member in family.members:
        check(slopes, member.first, member.second)


def _quantities(slopes: xr.Dataset, family: Family) -> tuple[xr.DataArray, xr.DataArray]:
    """Return slope and log spread ratio of every network, or their differences from the control."""
    if family.quantity == "slope":
        spread = slopes["spread_ratio"].compute()
        log: xr.DataArray = xr.apply_ufunc(np.log, spread.where(spread > 0))
        return slopes["slope"].compute(), log
    differences = control_differences(slopes)
    if differences is None:
        raise InputError(f"family {family.name}: no method has its control in the cube, so there is no difference")
    full = differences.reindex({METHOD: slopes[METHOD]})
    return full["delta"], full["log_spread"]


def _rows(values: xr.DataArray, family: Family, side: str) -> Rows:
    """Return the values of one side of every member, (member, seed)."""
    rows = [values.sel(getattr(member, side)).values for member in family.members]
    return np.array(rows, float).reshape(len(rows), values.sizes[SEED])


def _mean_less(first: Rows, second: Rows, paired: bool, streams: list[np.random.Generator], draws: int) -> Rows:
    if paired:
        change = array.posterior_draws(first - second, generator=streams[0], draws=draws)
        return _share(change.mean < 0, change.reason == "")
    one, two = (
        array.posterior_draws(side, generator=stream, draws=draws)
        for side, stream in zip((first, second), streams, strict=True)
    )
    return _share(one.mean < two.mean, (one.reason == "") & (two.reason == ""))


def _share(holds: Rows, known: Rows) -> Rows:
    return np.where(known, holds.mean(axis=0), np.nan)
