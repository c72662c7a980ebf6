"""The Bayesian view: the posterior of every cell's mean over seeds, as ArviZ's InferenceData."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from rdstats import array
from rdstats._labelled import METHOD, SEED
from rdstats._version import __version__
from rdstats.control import control_differences
from rdstats.errors import InputError
from rdstats.slope import t_intervals

if TYPE_CHECKING:
    from arviz import InferenceData

CELL, COMPARED = "cell", "compared_cell"
QUANTITIES = {"slope": CELL, "delta": COMPARED, "log_spread": COMPARED}


def posterior(slopes: xr.Dataset, *, draws: int = 1000, chains: int = 4, seed: int = 0) -> InferenceData:
    """Return exact draws from the posterior of the mean and standard deviation over seeds, cell by cell.

    ``sigma^2 = (n - 1) s^2 / X``, X chi-square of n - 1 degrees of freedom, and ``mu = mean + sigma/sqrt(n) Z``:
    a normal model of the seeds with the reference prior 1/sigma^2, so that the central credible interval of the
    mean is the t interval.  The draws are independent: chains are only there for the tools that want them.

    Parameters
    ----------
    slopes : result of `rdstats.slopes`, with a dimension ``seed``.
    draws : draws of a chain.
    chains : number of chains.
    seed : root of all randomness; equal seeds give equal draws.

    Returns
    -------
    arviz.InferenceData with the groups

    - ``posterior``: ``slope, slope_sd (chain, draw, cell)``: mean slope and standard deviation between seeds;
      where a method has its control, ``delta, delta_sd, log_spread, log_spread_sd (chain, draw,
      compared_cell)``: the differences of slope and log spread ratio from the control.  The cells are stacked:
      ``cell`` holds their labels as one text (``cifar10 resnet56 mp 4``) and every dimension of the cube is a
      coordinate along it.  Only cells with a posterior are there, so that no draw is NaN and ``az.summary``,
      ``az.hdi`` and ``az.plot_forest`` work as they are: at least 3 seeds, not all with the same value;
      ``compared_cell`` are those of them with a posterior of both differences.
    - ``observed_data``: ``slope`` and, where there is a control, ``delta, log_spread``, over ``seed`` and the
      cell dimensions of the cube; NaN where missing.

    Every cell and quantity is drawn on its own (a mean together with its standard deviation): draws of two
    cells, or of slope and delta, say nothing about their joint distribution; see `pair_probabilities`.

    Raises
    ------
    InputError
        A cube without seeds, no cell with a posterior, a number of draws or chains below 1, a negative seed.

    Source: Gelman et al., Bayesian Data Analysis (3rd edition), section 3.2.

    Examples
    --------
    >>> import numpy as np, rdstats
    >>> before = np.array([[[90, 10], [30, 70]]] * 5)
    >>> after = before + np.array([[[-i, i], [2 * i, -2 * i]] for i in (5, 6, 7, 6, 4)])
    >>> idata = posterior(rdstats.slopes(rdstats.build(before, after, dims=("seed",))))
    >>> dict(idata.posterior.sizes), abs(idata.posterior["slope"].mean().item() - 1.43) < 0.01
    ({'chain': 4, 'draw': 1000, 'cell': 1}, True)
    """
    for name, value, least in (("draws", draws, 1), ("chains", chains, 1), ("seed", seed, 0)):
        if value < least:
            raise InputError(f"{name}: received {value!r}, accepted: {least} or more")
    observed = _observed(slopes)
    reasons = {str(name): t_intervals(values, level=0.5)["reason"] for name, values in observed.data_vars.items()}
    known = {CELL: reasons["slope"] == ""}
    if not bool(known[CELL].any()):
        raise InputError("no cell has 3 seeds with slopes that differ: there is no posterior over seeds")
    if "delta" in observed:
        known[COMPARED] = known[CELL] & (reasons["delta"] == "") & (reasons["log_spread"] == "")
    result = xr.Dataset(coords={"chain": np.arange(chains), "draw": np.arange(draws)})
    result = result.assign_coords(_cell_coords(known[CELL]))
    # one stream a quantity: whether there is a control does not change the draws of the slopes
    for (name, dim), root in zip(QUANTITIES.items(), np.random.SeedSequence(seed).spawn(3), strict=True):
        if dim in known and bool(known[dim].any()):
            found = _draws(observed[name], known[dim], root, draws, chains)
            for variable, values in zip((name, f"{name}_sd"), found, strict=True):
                result[variable] = (("chain", "draw", dim), values)
            result = result.assign_coords({dim: _labels(known[dim])})
    library = {"inference_library": "rdstats", "inference_library_version": __version__, "seed": seed}
    groups = {
        "posterior": result.assign_attrs({**slopes.attrs, **library}),
        "observed_data": observed.assign_attrs(slopes.attrs),
    }
    # from version 1 on, ArviZ works on xarray's own tree of datasets
    container = getattr(import_arviz(), "InferenceData", None)
    idata: Any = container(**groups) if container is not None else xr.DataTree.from_dict(groups)
    return idata  # type: ignore[no-any-return]


def group(idata: InferenceData, name: str) -> xr.Dataset:
    """Return a group of a posterior as a Dataset, whichever ArviZ made it."""
    found = idata[name]
    result: xr.Dataset = found if isinstance(found, xr.Dataset) else found.to_dataset()
    return result


def import_arviz() -> Any:
    """Import ArviZ without its daily announcement of the next version."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        import arviz

    return arviz


def _observed(slopes: xr.Dataset) -> xr.Dataset:
    """Return what is seen of every seed: slopes, and the differences from the control where there is one."""
    if SEED not in slopes["slope"].dims:
        raise InputError("the cube has no dimension seed; a posterior over training runs needs several seeds")
    slope = slopes["slope"].compute()
    if taken := sorted({CELL, COMPARED, "chain", "draw"} & set(map(str, slope.dims))):
        raise InputError(f"the cube has a dimension {taken[0]!r}, which is one of the posterior's: rename it")
    observed = xr.Dataset({"slope": slope})
    differences = control_differences(slopes)
    if differences is not None:
        for name in ("delta", "log_spread"):
            observed[name] = differences[name].reindex({METHOD: slope[METHOD]}).transpose(*slope.dims)
    bare = [dim for dim in slope.dims if dim not in slope.coords]
    observed = observed.assign_coords({dim: np.arange(slope.sizes[dim]) for dim in bare})
    return observed.drop_vars(set(observed.coords) - set(slope.dims)).transpose(SEED, ...)


def _draws(
    values: xr.DataArray, known: xr.DataArray, root: np.random.SeedSequence, draws: int, chains: int
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return draws of mean and standard deviation of the known cells, (chain, draw, cell)."""
    rows = values.transpose(*known.dims, SEED).values[known.values].reshape(-1, values.sizes[SEED])
    found = [
        array.posterior_draws(rows, generator=np.random.default_rng(stream), draws=draws)
        for stream in root.spawn(chains)
    ]
    return np.stack([part.mean for part in found]), np.stack([part.sd for part in found])


def _cell_coords(known: xr.DataArray) -> dict[str, Any]:
    """Return every dimension of the cube as a coordinate along the known cells."""
    where = np.nonzero(known.values) if known.dims else ()
    return {str(dim): (CELL, known[dim].values[at]) for dim, at in zip(known.dims, where, strict=True)}


def _labels(known: xr.DataArray) -> list[str]:
    """Return the names of the known cells: their labels, separated by spaces."""
    columns = [[_text(label) for label in values.tolist()] for _, values in _cell_coords(known).values()]
    return [" ".join(parts) for parts in zip(*columns, strict=True)] if columns else ["all"]


def _text(label: Any) -> str:
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)
