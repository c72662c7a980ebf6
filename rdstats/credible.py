"""What a posterior says of every cell: mean, credible intervals, and the probability of each claim."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from rdstats._labelled import SEED
from rdstats.array.validate import check_family_size, check_level, check_positive
from rdstats.bayes import CELL, COMPARED, QUANTITIES, group, import_arviz
from rdstats.slope import BOUNDS, MARGIN, t_intervals

if TYPE_CHECKING:
    from arviz import InferenceData

_PREFIX = {"slope": "", "delta": "delta_", "log_spread": "log_spread_"}


def posterior_summary(
    idata: InferenceData, *, level: float = 0.95, margin: float = MARGIN, k: int | xr.DataArray = 1
) -> xr.Dataset:
    """Summarise a posterior: mean, credible intervals, and the probabilities of the claims about a cell.

    Parameters
    ----------
    idata : result of `posterior`, also when read from a file.
    level : probability of the credible intervals.
    margin : half width of the region of practical equivalence, on the slope scale.
    k : number of intervals of a cell's column, each at ``1 - (1 - level)/k``; one number, or one a cell.

    Returns
    -------
    Dataset over the cell dimensions of the cube:

    - of the mean slope: ``mean, sd`` (of its posterior, not between seeds), ``interval (..., ci_bound)``
      (equal-tailed) and ``hdi (..., ci_bound)`` (highest density), ``p_above_one`` = P(slope > 1) and
      ``p_within_margin`` = P(|slope - 1| < margin);
    - where there is a control, the same with ``delta_`` and ``log_spread_`` in front, ``p_delta_positive``,
      ``p_log_spread_positive`` and ``p_delta_within_margin`` = P(|delta| < margin);
    - ``n`` seeds, ``reason`` (why there is no posterior of the slope, "" where there is), ``k``, and the
      ``level`` of each interval.

    NaN where there is no posterior.  A probability is a share of N draws, with standard error at most
    1/(2 sqrt(N)).

    Raises
    ------
    InputError
        A level not between 0 and 1, a margin not above 0, or k below 1.

    Source: Kruschke, Doing Bayesian Data Analysis (2nd edition), chapter 12, for the region of equivalence.

    Examples
    --------
    >>> import numpy as np, rdstats
    >>> from rdstats.bayes import posterior
    >>> before = np.array([[[90, 10], [30, 70]]] * 5)
    >>> after = before + np.array([[[-i, i], [2 * i, -2 * i]] for i in (5, 6, 7, 6, 4)])
    >>> found = posterior_summary(posterior(rdstats.slopes(rdstats.build(before, after, dims=("seed",)))))
    >>> found["n"].item(), found["p_above_one"].item() > 0.99, found["p_within_margin"].item() < 0.01
    (5, True, True)
    """
    check_level(level)
    check_positive("margin", margin)
    draws, observed = (group(idata, name) for name in ("posterior", "observed_data"))
    template = observed["slope"].isel({SEED: 0}, drop=True)
    size = (k if isinstance(k, xr.DataArray) else xr.DataArray(k)).broadcast_like(template).transpose(*template.dims)
    check_family_size("k", size.values)
    cells = _positions(draws, template)
    places = {CELL: cells}
    if COMPARED in draws.dims:
        order = draws[CELL].values.tolist()
        places[COMPARED] = cells[[order.index(label) for label in draws[COMPARED].values.tolist()]]
    result = xr.Dataset()
    for name, dim in QUANTITIES.items():
        if name in draws:
            sizes = size.values.ravel()[places[dim]]
            for variable, values in _moments_and_intervals(draws[name], level, sizes).items():
                result[_PREFIX[name] + variable] = _placed(values, places[dim], template)
            for variable, holds in _claims(name, draws[name], margin).items():
                result[variable] = _placed(holds.mean(("chain", "draw")).values, places[dim], template)
    stats = t_intervals(observed["slope"], level=level)
    result = result.assign(n=stats["n"], reason=stats["reason"], k=size, level=1 - (1 - level) / size)
    return result.assign_coords(ci_bound=BOUNDS).assign_attrs(draws.attrs, level=level, margin=margin)


def _positions(draws: xr.Dataset, template: xr.DataArray) -> np.ndarray[Any, Any]:
    """Return the place of every stacked cell among the cells of the cube."""
    if not template.dims:
        return np.zeros(1, int)
    index = []
    for dim in template.dims:
        place = {label: i for i, label in enumerate(template[dim].values.tolist())}
        index.append([place[label] for label in draws[dim].values.tolist()])
    return np.asarray(np.ravel_multi_index(tuple(map(np.array, index)), template.shape))


def _placed(values: np.ndarray[Any, Any], places: np.ndarray[Any, Any], template: xr.DataArray) -> xr.DataArray:
    """Put values of stacked cells, and bounds after them, where the cells lie in the cube; NaN elsewhere."""
    full = np.full((template.size, *values.shape[1:]), np.nan)
    full[places] = values
    dims = (*template.dims, "ci_bound")[: template.ndim + values.ndim - 1]
    return xr.DataArray(full.reshape((*template.shape, *values.shape[1:])), dims=dims, coords=template.coords)


def _moments_and_intervals(
    draws: xr.DataArray, level: float, k: np.ndarray[Any, Any]
) -> dict[str, np.ndarray[Any, Any]]:
    """Return mean, sd, equal-tailed and highest-density interval of stacked cells."""
    values = draws.values.reshape(-1, draws.shape[-1])
    interval, hdi = np.empty((2, values.shape[1], 2))
    for number in np.unique(k):
        here, tail = k == number, (1 - level) / number
        interval[here] = np.quantile(values[:, here], [tail / 2, 1 - tail / 2], axis=0).T
        part = draws.isel({draws.dims[-1]: here}).to_dataset(name="draws")
        hdi[here] = _hdi(part, 1 - tail)
    return {"mean": values.mean(axis=0), "sd": values.std(axis=0, ddof=1), "interval": interval, "hdi": hdi}


def _hdi(draws: xr.Dataset, level: float) -> np.ndarray[Any, Any]:
    """Return highest-density intervals by ArviZ, which calls the level `prob` from version 1 on."""
    hdi = import_arviz().hdi
    name = "hdi_prob" if "hdi_prob" in inspect.signature(hdi).parameters else "prob"
    return np.asarray(hdi(draws, **{name: level})["draws"].values)


def _claims(name: str, draws: xr.DataArray, margin: float) -> dict[str, xr.DataArray]:
    """Return, draw by draw, whether what is said about a quantity holds."""
    if name == "slope":
        return {"p_above_one": draws > 1, "p_within_margin": abs(draws - 1) < margin}
    claims = {f"p_{name}_positive": draws > 0}
    return claims | ({"p_delta_within_margin": abs(draws) < margin} if name == "delta" else {})
