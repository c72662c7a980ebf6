"""Slopes without a part of the test images, and intervals over seeds that count images or resample seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from rdstats import array
from rdstats._folds import FOLD, check_seed, fold_pass, require_predictions, stream
from rdstats._labelled import SEED
from rdstats.array.validate import check_choice
from rdstats.errors import InputError
from rdstats.sampling import FROM_FOLDS, complete_terms, terms_of_folds
from rdstats.slope import BOUNDS


def fold_slopes(
    cube: xr.Dataset, measure: str = "recall", reference: str = "accuracy", *, folds: int = 10, fold_seed: int = 0
) -> xr.Dataset:
    """Return every network's slope without the test images of one fold, for each of G stratified folds.

    Parameters
    ----------
    cube : a cube with the predictions of both networks (``prediction, prediction_dense, label``).  They are read in
        one pass, a few networks at a time; Dask chunks are computed, also a block at a time.
    measure, reference : see `rdstats.slopes`.
    folds : number of folds G, 2 or more; each holds an equal share of every class.
    fold_seed : seed of the folds.  All networks of a dataset have the same folds, whatever their order or number.

    Returns
    -------
    Dataset over the cell dimensions and ``fold``: ``slope`` and, for recall, ``slope_sampling_corrected`` (NaN for
    precision and F1).  NaN for networks that are not there or have no slope without the fold.

    Raises
    ------
    InputError
        A cube without predictions, predictions that contradict the matrices, or wrong choices.

    Notes
    -----
    See `rdstats.array.slopes_without_fold`; for `crossed_intervals`.

    Examples
    --------
    >>> import numpy as np
    >>> from rdstats.cube import build
    >>> label = np.repeat([0, 1], 20)
    >>> shown = np.where(np.arange(40) % 4 == 0, 0, label)
    >>> matrix = [[20, 0], [5, 15]]
    >>> names = {"label": (["sample"], label), "prediction_dense": (["sample"], shown)}
    >>> cube = build(matrix, matrix, variables={**names, "prediction": (["sample"], shown)})
    >>> fold_slopes(cube, folds=2)["slope"].values.round(12).tolist()
    [1.0, 1.0]
    """
    check_choice("measure", measure, array.MEASURES)
    check_choice("reference", reference, array.REFERENCES)
    require_predictions(cube, "leaving out folds of test images")

    result = fold_pass(
        cube, lambda counts: _without_folds(counts, measure, reference), _SLOPES, folds=folds, fold_seed=fold_seed
    )
    return result.assign_attrs(measure=measure, reference=reference, fold_seed=int(fold_seed))


def fold_slopes_and_terms(
    cube: xr.Dataset, counts: xr.Dataset, measure: str, reference: str, *, folds: int = 10, fold_seed: int = 0
) -> tuple[xr.Dataset, xr.Dataset]:
    """Return `fold_slopes` and `sampling_terms` of one pass over the predictions."""

    def reduce(part: array.FoldCounts) -> dict[str, np.ndarray[Any, Any]]:
        terms = terms_of_folds(part, measure, reference)
        return {**_without_folds(part, measure, reference), **{f"terms {name}": v for name, v in terms.items()}}

    dims = {**_SLOPES, **{f"terms {name}": own for name, own in FROM_FOLDS.items()}}
    passed = fold_pass(cube, reduce, dims, folds=folds, fold_seed=fold_seed)
    names = [f"terms {name}" for name in FROM_FOLDS]
    terms = passed[names].rename({name: name.removeprefix("terms ") for name in names})
    slopes = passed[list(_SLOPES)].assign_attrs(measure=measure, reference=reference, fold_seed=int(fold_seed))
    return slopes, complete_terms(counts, terms, measure, reference)


_SLOPES = dict.fromkeys(("slope", "slope_sampling_corrected"), (FOLD,))


def _without_folds(counts: array.FoldCounts, measure: str, reference: str) -> dict[str, np.ndarray[Any, Any]]:
    result = {"slope": array.slopes_without_fold(counts, measure, reference)}
    if measure == "recall":
        result["slope_sampling_corrected"] = array.corrected_without_fold(counts, reference)
    return result


def crossed_intervals(
    values: xr.DataArray, deleted: xr.DataArray, *, level: float = 0.95, k: xr.DataArray | int = 1
) -> xr.Dataset:
    """Return mean and interval over seeds that share their test images, for other seeds and other images.

    ``Var = s^2/n + max(0, (n V_img - v)/(n - 1))``: V_img is the jackknife variance of the mean over seeds when one
    fold of images is left out for all of them, v the mean of the seeds' own.

    Parameters
    ----------
    values : one value per network, with dimension ``seed``; NaN networks are left out.
    deleted : the same without the images of one fold, with a further dimension ``fold``: of `fold_slopes`, or
        derived from it.  A seed with a NaN in any fold is left out.
    level : family-wise level of a column.
    k : number of simultaneous intervals.

    Returns
    -------
    Dataset over the dimensions of `values` without ``seed``: ``mean, sd, se, n, reason, interval (..., ci_bound)``
    and ``image_share``, the second term's share of Var: more seeds cannot shrink it, only more test images.
    ``reason`` as in `rdstats.array.crossed_interval`.

    Raises
    ------
    InputError
        No dimension ``seed`` or ``fold``, labels that do not match, a level outside (0, 1), k below 1.

    Examples
    --------
    >>> values = xr.DataArray([1.0, 1.2, 1.1, 1.3, 0.9], dims="seed")
    >>> result = crossed_intervals(values, values + xr.DataArray([-0.02, 0.02], dims="fold"))
    >>> float(result["se"].round(4)), float(result["image_share"].round(4))
    (0.0735, 0.0741)
    """
    dims = _other_dims(values)
    order = [*dims, SEED]
    accepted = {*order, FOLD}
    if FOLD not in deleted.dims or SEED not in deleted.dims or not set(deleted.dims) <= accepted:
        raise InputError(
            f"deleted has dimensions {', '.join(map(str, deleted.dims))}; accepted are those of the values "
            f"({', '.join(map(str, values.dims))}) and {FOLD}"
        )
    try:
        values, deleted = xr.align(values, deleted, join="exact", copy=False)
    except ValueError as error:
        raise InputError(f"values and deleted do not have the same labels: {str(error).splitlines()[0]}") from None
    values = values.transpose(*order)
    folds = deleted.broadcast_like(values).transpose(*order, FOLD)
    stats = array.crossed_interval(values.values, folds.values, level=level, k=_family_sizes(k, values))
    result = _table(values, stats, ("sd", "se", "image_share"), mean=stats.estimate)
    return result.assign_attrs(conditional_on="over training runs and test images")


def bca_intervals(
    values: xr.DataArray,
    *,
    level: float = 0.95,
    k: xr.DataArray | int = 1,
    replicates: int = 10_000,
    seed: int = 0,
) -> xr.Dataset:
    """Return mean and BCa bootstrap interval over seeds, a check of how much the t interval hangs on normality.

    Parameters
    ----------
    values : one value per network, with dimension ``seed``; NaN networks are left out.
    level : family-wise level of a column.
    k : number of simultaneous intervals.
    replicates : resamples, 10,000 or more; columns with equally many seeds share them.
    seed : seed of the resamples; the same seed gives the same intervals.

    Returns
    -------
    Dataset over the dimensions of `values` without ``seed``: ``mean, sd, n, reason, interval (..., ci_bound)``.
    Below 20 seeds there is no interval (``too_few_seeds``).

    Raises
    ------
    InputError
        No dimension ``seed``, fewer replicates, a level outside (0, 1), k below 1.

    Notes
    -----
    See `rdstats.array.bca_interval`.

    Examples
    --------
    >>> values = xr.DataArray(np.linspace(0.8, 1.2, 21) ** 2, dims="seed")
    >>> bca_intervals(values)["interval"].values.round(2).tolist()
    [0.91, 1.12]
    """
    check_seed("seed", seed)
    values = values.transpose(*_other_dims(values), SEED)
    sizes = _family_sizes(k, values)
    options: dict[str, Any] = {"generator": stream(seed, "bca"), "level": level, "k": sizes, "replicates": replicates}
    stats = array.bca_interval(values.values, **options)
    result = _table(values, stats, (), mean=stats.mean)
    result["sd"] = result["mean"].copy(data=array.t_interval(values.values).sd)
    return result.assign_attrs(replicates=replicates, seed=int(seed))


def _other_dims(values: xr.DataArray) -> list[Any]:
    if SEED not in values.dims:
        raise InputError(f"values have no dimension {SEED}; they have {', '.join(map(str, values.dims)) or 'none'}")
    return [dim for dim in values.dims if dim != SEED]


def _family_sizes(k: xr.DataArray | int, values: xr.DataArray) -> Any:
    """Return k over the dimensions of the columns."""
    if not isinstance(k, xr.DataArray):
        return k
    columns = values.isel({SEED: 0}, drop=True) if values.sizes[SEED] else values.sum(SEED)
    return k.broadcast_like(columns).transpose(*columns.dims).values


def _table(values: xr.DataArray, stats: Any, extra: tuple[str, ...], *, mean: np.ndarray[Any, Any]) -> xr.Dataset:
    """Return the statistics of columns in the layout of `rdstats.slope.t_intervals`."""
    dims = [dim for dim in values.dims if dim != SEED]
    coords = {dim: values[dim] for dim in dims if dim in values.coords}
    data: dict[Any, Any] = {"mean": (dims, mean), **{name: (dims, getattr(stats, name)) for name in ("n", *extra)}}
    data["reason"] = (dims, np.asarray(stats.reason, object))
    data["interval"] = ([*dims, "ci_bound"], np.stack([stats.lower, stats.upper], -1))
    return xr.Dataset(data, coords).assign_coords(ci_bound=BOUNDS)
