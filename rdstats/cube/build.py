"""Make a cube of arrays in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from rdstats.cube import schema
from rdstats.cube.validate import validate
from rdstats.errors import InputError


def build(
    confusion_dense: ArrayLike,
    confusion: ArrayLike,
    *,
    dims: Sequence[str] = (),
    dims_dense: Sequence[str] | None = None,
    coords: Mapping[str, Sequence[Any]] | None = None,
    class_names: Sequence[str] | None = None,
    variables: Mapping[str, tuple[Sequence[str], ArrayLike]] | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Return a validated cube of confusion matrices before and after compression.

    Parameters
    ----------
    confusion_dense, confusion : arrays ``(..., C, C)``, true class on the rows; NaN where missing.
    dims : names of the leading dimensions of `confusion`, in order; none for a bare pair of matrices.
    dims_dense : the same for `confusion_dense`; default: those of `dims` that are not method or ratio when
        its number of axes fits, else `dims`.
    coords : labels of the leading dimensions, default 0, 1, ...
    class_names : C names.
    variables : more variables of the schema: name -> (dims, values).
    attrs : global attributes.

    Examples
    --------
    >>> cube = build([[9, 1], [3, 7]], [[7, 3], [5, 5]], class_names=["cat", "dog"])
    >>> dict(cube.sizes)
    {'true_class': 2, 'predicted_class': 2}
    """
    before, after = _matrices(confusion_dense, "confusion_dense"), _matrices(confusion, "confusion")
    dims = tuple(dims)
    if dims_dense is None:
        shared = tuple(d for d in dims if d not in ("method", "ratio"))
        dims_dense = shared if before.ndim == len(shared) + 2 else dims
    for name, array, leading in (("confusion_dense", before, dims_dense), ("confusion", after, dims)):
        if array.ndim != len(leading) + 2:
            raise InputError(f"{name} has {array.ndim - 2} leading axes, dims name {len(leading)}: {', '.join(leading)}")
    cube = xr.Dataset(
        {
            "confusion_dense": ((*dims_dense, *schema.CORE), before),
            "confusion": ((*dims, *schema.CORE), after),
        },
        coords={d: list(labels) for d, labels in (coords or {}).items()},
        attrs={"rd_schema_version": schema.SCHEMA_VERSION, **(attrs or {})},
    )
    n = after.shape[-1]
    cube = cube.assign_coords(true_class=np.arange(n), predicted_class=np.arange(n))
    if class_names is not None:
        if len(class_names) != n:
            raise InputError(f"{len(class_names)} class names for {n} classes")
        cube["class_name"] = ("true_class", np.asarray(class_names, dtype=object))
    for name, (variable_dims, values) in (variables or {}).items():
        cube[name] = (tuple(variable_dims), np.asarray(values))
    validate(cube)
    return cube


def _matrices(values: ArrayLike, name: str) -> np.ndarray[Any, Any]:
    array = np.asarray(values)
    if array.ndim < 2 or array.shape[-1] != array.shape[-2]:
        raise InputError(f"{name}: square matrices (..., C, C) are accepted, got shape {array.shape}")
    if array.dtype.kind not in "iufb":
        raise InputError(f"{name}: counts are accepted, got {array.dtype}")
    return array.astype(np.float64)
