"""Where lost recall went: how compression moves the images of every class between the predictions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from rdstats import array
from rdstats._labelled import SEED
from rdstats.cube import schema
from rdstats.cube.blocks import Index, finished, iterate_blocks, refuse_negative
from rdstats.cube.read import damaged, source
from rdstats.cube.validate import validate
from rdstats.errors import InputError

_TRUE, _PREDICTED = schema.CORE
_NAMES = ("share_dense", "share", "difference", "n")
Values = np.ndarray[Any, Any]


def confusion_difference(cube: xr.Dataset, *, entering: xr.DataArray | None = None) -> xr.Dataset:
    """Return where the test images of every class went: row-normalised confusion after minus before.

    ``difference[c, p] = share - share_dense`` with ``share[c, p]`` the share of the images of class c that are
    predicted as p; means over seeds.  The diagonal is the mean change of recall, and a row adds up to 0.

    Parameters
    ----------
    cube : a cube with matrices before and after compression; when it lies in a file, its finished cells are
        read one block at a time.  Matrices in Dask chunks stay lazy.
    entering : over cell dimensions, whether a network enters the means; default: all.

    Returns
    -------
    Dataset over the cell dimensions without ``seed``: ``share_dense, share, difference
    (..., true_class, predicted_class)``, shares in [0, 1], and ``n (..., true_class)``, the pairs of networks
    behind a row; ``class_name`` where the cube has it.  NaN where no pair is there, the class has no images,
    and for padded classes.

    Raises
    ------
    InputError
        A cube without matrices before and after, negative counts, other test images before than after, a
        dimension of ``confusion_dense`` that ``confusion`` has not, or damaged data.

    Notes
    -----
    See `rdstats.array.confusion_difference`.  Descriptive: for which classes change beyond the noise of
    training see `rdstats.per_class`.

    Examples
    --------
    >>> import rdstats
    >>> found = confusion_difference(rdstats.build([[90, 10], [30, 70]], [[80, 20], [50, 50]]))
    >>> found["difference"].values.round(4).tolist(), found["n"].values.tolist()
    ([[-0.1, 0.1], [0.2, -0.2]], [1, 1])
    """
    dense, after = _matrices(cube, "confusion_dense"), _matrices(cube, "confusion")
    strange = [str(dim) for dim in dense.dims if dim not in after.dims]
    if strange:
        raise InputError(f"confusion_dense has the dimension {strange[0]}, which confusion has not")
    if dense.chunks is not None or after.chunks is not None:
        parts = _lazy(cube, dense, after, entering)
    else:
        try:
            parts = _by_blocks(cube, dense, after, entering)
        except (OSError, RuntimeError) as error:
            raise damaged(source(cube), error) from None
    result = xr.Dataset(dict(zip(_NAMES, parts, strict=True)))
    if "class_name" in cube:
        result["class_name"] = cube["class_name"]
    coords = {dim: cube[dim] for dim in result.dims if dim in cube.coords}
    return result.assign_coords(coords).assign_attrs(unit="share of the test images of the true class")


def _matrices(cube: xr.Dataset, name: str) -> xr.DataArray:
    if name not in cube:
        raise InputError(f"the cube has no {name}; a difference compares matrices before and after compression")
    validate(cube)
    matrices = cube[name]
    return matrices.transpose(*([SEED] if SEED in matrices.dims else []), ..., *schema.CORE)


def _by_blocks(
    cube: xr.Dataset, dense: xr.DataArray, after: xr.DataArray, entering: xr.DataArray | None
) -> tuple[xr.DataArray, ...]:
    """Go through the cells that are there, all seeds of a cell at once."""
    seeds = SEED in after.dims
    dims = after.dims[seeds:-2]
    shape = tuple(after.sizes[dim] for dim in dims)
    width = after.sizes[_TRUE]
    parts = [np.full((*shape, width, width), np.nan) for _ in _NAMES[:3]]
    parts.append(np.zeros((*shape, width), np.int64))
    left_out = None if entering is None else ~entering.broadcast_like(after[..., 0, 0]).transpose(*after.dims[:-2])
    before = _dense_blocks(dense, after)
    for index, block in iterate_blocks(cube.assign(confusion=after), "confusion", len(schema.CORE)):
        refuse_negative(after, index, block)
        if left_out is not None:
            out = left_out.values[index][..., np.newaxis, np.newaxis]
            block = np.where(out, np.nan, block)
        place, pair = index, [before(index), block]
        if seeds:
            place = index[1:]
        else:
            pair = [values[..., np.newaxis, :, :] for values in pair]
        for part, values in zip(parts, _means(*pair), strict=True):
            part[place] = values
    every = [(*dims, *schema.CORE)] * 3 + [(*dims, _TRUE)]
    return tuple(xr.DataArray(part, dims=own) for part, own in zip(parts, every, strict=True))


def _dense_blocks(dense: xr.DataArray, after: xr.DataArray) -> Callable[[Index], Values]:
    """Return a function from the index of a block to its dense networks; the last block is kept."""
    dims = after.dims[:-2]
    kept: dict[Index, Values] = {}

    def of(index: Index) -> Values:
        at = tuple(i for dim, i in zip(dims, index, strict=True) if dim in dense.dims)
        key = tuple(i for i in at if not isinstance(i, slice))
        if key not in kept:
            kept.clear()
            ordered = dense.transpose(*[dim for dim in dims if dim in dense.dims], *schema.CORE)
            kept[key] = np.asarray(ordered.variable[at].values)
            refuse_negative(ordered, at, kept[key])
        return kept[key]

    return of


def _lazy(
    cube: xr.Dataset, dense: xr.DataArray, after: xr.DataArray, entering: xr.DataArray | None
) -> tuple[xr.DataArray, ...]:
    done = finished(cube, "confusion")
    after = after if done is None else after.where(done)
    after = after if entering is None else after.where(entering)
    seeds = {SEED: after[SEED]} if SEED in after.coords else {SEED: after.sizes.get(SEED, 1)}
    pair = [part if SEED in part.dims else part.expand_dims(seeds) for part in (dense, after)]
    whole = dict.fromkeys((SEED, *schema.CORE), -1)
    result: tuple[xr.DataArray, ...] = xr.apply_ufunc(
        _means,
        *(part.chunk(whole) for part in pair),
        input_core_dims=[[SEED, *schema.CORE]] * 2,
        output_core_dims=[list(schema.CORE)] * 3 + [[_TRUE]],
        dask="parallelized",
        output_dtypes=[np.float64] * 3 + [np.int64],
        keep_attrs=False,
    )
    return result


def _means(before: Values, after: Values) -> tuple[Values, Values, Values, Values]:
    """Return mean shares before and after, their mean difference, and n, over the third axis from the end."""
    difference = array.confusion_difference(before, after)
    known = ~np.isnan(difference)
    n = known.sum(axis=-3)
    shares = [array.confusion_shares(before), array.confusion_shares(after), difference]
    means = [np.where(known, values, 0.0).sum(axis=-3) / np.where(n > 0, n, np.nan) for values in shares]
    return means[0], means[1], means[2], np.asarray(n.max(axis=-1), np.int64)
