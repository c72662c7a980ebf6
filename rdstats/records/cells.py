"""From labelled results to records: one a cell."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

Record = dict[str, Any]
Bounds = Mapping[str, tuple[str, int]]


def bounds(*pairs: tuple[str, str]) -> dict[str, tuple[str, int]]:
    """Return where ``<prefix>lower`` and ``<prefix>upper`` come from: (prefix, variable with ci_bound) pairs."""
    return {f"{prefix}{end}": (name, i) for prefix, name in pairs for i, end in enumerate(("lower", "upper"))}


def cell_records(
    data: xr.Dataset,
    names: Sequence[str],
    *,
    there: xr.DataArray | None = None,
    ends: Bounds | None = None,
    like: str = "",
) -> list[Record]:
    """Return one record a cell: its dimensions, then the named values, None where there is none.

    Parameters
    ----------
    data : results over cells.
    names : variables of `data`, or keys of `ends`; one that is not there is None throughout.
    there : which cells have a record; default: all in which a number of `names` is known.
    ends : record key -> (variable with a dimension ``ci_bound``, 0 lower or 1 upper).
    like : variable whose dimensions are the record's; default: the first of `names`.
    """
    ends = ends or {}
    template = data[like or names[0]]
    dims = [str(dim) for dim in template.dims]
    columns = {n: data[ends[n][0]].isel(ci_bound=ends[n][1]) if n in ends and ends[n][0] in data else data.get(n)
               for n in names}  # fmt: skip
    arrays = {n: _spread(c, dims, template.shape) for n, c in columns.items() if c is not None}
    labels = {dim: data[dim].values if dim in data.coords else np.arange(data.sizes[dim]) for dim in dims}
    shown = _known(arrays, template.shape) if there is None else there.transpose(*dims).values
    records = []
    for index in map(tuple, np.argwhere(shown)):
        record = {dim: plain(labels[dim][i]) for dim, i in zip(dims, index, strict=True)}
        records.append(record | {name: plain(arrays[name][index]) if name in arrays else None for name in names})
    return records


def _spread(column: xr.DataArray, dims: Sequence[str], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Return values over all dimensions; variables of one Dataset need not be aligned, which takes long."""
    own = [dim for dim in dims if dim in column.dims]
    inserted = tuple(slice(None) if dim in own else np.newaxis for dim in dims)
    return np.broadcast_to(column.transpose(*own).values[inserted], shape)


def _known(arrays: Mapping[str, np.ndarray[Any, Any]], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    known = np.zeros(shape, bool)
    for values in arrays.values():
        if values.dtype.kind == "f":
            known |= ~np.isnan(values)
    return known


def plain(value: Any) -> Any:
    """Return a NumPy scalar as plain data; NaN becomes None, a whole float an int."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() else value
    return value


def dimensions(record: Record, first: str) -> list[str]:
    """Return the dimensions of a record: the keys before its value `first`."""
    return list(record)[: list(record).index(first)]


def member_labels(tests: xr.Dataset, i: int) -> Record:
    """Return the dimensions of a test: fixed ones as scalars, differing ones as [first, second]."""
    dims = [str(name).removeprefix("first_") for name in tests.data_vars if str(name).startswith("first_")]
    record: Record = {}
    for dim in dims:
        pair = [plain(tests[f"{side}_{dim}"].values[i]) for side in ("first", "second")]
        record[dim] = pair[0] if pair[0] == pair[1] else pair
    return record
