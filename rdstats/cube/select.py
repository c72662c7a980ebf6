"""Select parts of a cube by label."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, TypeVar

import xarray as xr

from rdstats.errors import InputError, nearest, one_of

T = TypeVar("T", xr.Dataset, xr.DataArray)


def select(data: T, **labels: Any) -> T:
    """Return the part of `data` with the given labels; every dimension stays, a single label has length 1.

    Parameters
    ----------
    data : Dataset or DataArray.
    labels : dimension = label or several labels (any iterable that is not text), in the order wanted.

    Raises
    ------
    InputError
        A dimension that is not there, or a label that is not on it.

    Notes
    -----
    The plain way to select along a dimension called ``method`` is ``ds.sel({"method": "mp"})``: given as a
    keyword, xarray takes it for its own interpolation argument and selects nothing.
    """
    index: dict[Hashable, Any] = {}
    for dim, wanted in labels.items():
        if dim not in data.dims:
            raise InputError(f"no dimension {dim!r}{nearest(dim, map(str, data.dims))}; there are {one_of(data.dims)}")
        present = data[dim].values.tolist()
        positions = []
        for label in _several(wanted):
            found = position(present, label)
            if found is None:
                raise InputError(
                    f"{dim}={label} is not in the data{nearest(str(label), map(_text, present))}; "
                    f"{dim} has {one_of(map(_text, present))}"
                )
            positions.append(found)
        index[dim] = positions
    return data.isel(index)


def _several(wanted: Any) -> list[Any]:
    if isinstance(wanted, str | bytes) or not isinstance(wanted, Iterable) or getattr(wanted, "ndim", 1) == 0:
        return [wanted]
    return list(wanted)


def _text(label: Any) -> str:
    return f"{label:g}" if isinstance(label, float) else str(label)


def position(present: list[Any], label: Any) -> int | None:
    """Match numbers by value, also when given as text; everything else as text."""
    for i, candidate in enumerate(present):
        if isinstance(candidate, int | float):
            try:
                if float(candidate) == float(label):
                    return i
            except (TypeError, ValueError):
                continue
        elif str(candidate) == str(label):
            return i
    return None
