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
    coords : labels of the leading dimensions, default 0, 1, ...; those of ``ratio`` must be given.
    class_names : C names.
    variables : more variables of the schema: name -> (dims, values).
    attrs : global attributes.

    Raises
    ------
    InputError
        Shapes, names or labels that do not fit together, or matrices that do not hold numbers.

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
            names = ", ".join(leading)
            raise InputError(f"{name} has {array.ndim - 2} leading axes, dims name {len(leading)}: {names}")
    n = after.shape[-1]
    if before.shape[-1] != n:
        raise InputError(f"confusion_dense has {before.shape[-1]} classes, confusion {n}")
    if class_names is not None and len(class_names) != n:
        raise InputError(f"{len(class_names)} class names for {n} classes")
    data: dict[str, Any] = {
        "confusion_dense": ((*dims_dense, *schema.CORE), before),
        "confusion": ((*dims, *schema.CORE), after),
        **{name: (tuple(own), np.asarray(values)) for name, (own, values) in (variables or {}).items()},
    }
    if class_names is not None:
        data["class_name"] = ("true_class", np.asarray(class_names, dtype=object))
    labels = {dim: list(values) for dim, values in (coords or {}).items()}
    labels |= {dim: list(range(n)) for dim in schema.CORE if dim not in labels}
    try:
        cube = xr.Dataset(data, labels, {"rd_schema_version": schema.SCHEMA_VERSION, **(attrs or {})})
    except ValueError as error:
        raise InputError(f"shapes, dimensions and labels do not fit together: {error}") from None
    unknown = [dim for dim in labels if not any(dim in cube[name].dims for name in cube.data_vars)]
    if unknown:
        raise InputError(f"labels of a dimension that no variable has: {', '.join(unknown)}")
    unlabelled = [dim for dim in cube.dims if dim not in (*cube.coords, "ratio", "sample")]
    cube = cube.assign_coords({dim: np.arange(cube.sizes[dim]) for dim in unlabelled})
    validate(cube)
    return cube


def _matrices(values: ArrayLike, name: str) -> np.ndarray[Any, Any]:
    try:
        array = np.asarray(values)
    except ValueError:
        raise InputError(f"{name}: square matrices (..., C, C) are accepted, got rows of unequal length") from None
    if array.ndim < 2 or array.shape[-1] != array.shape[-2]:
        raise InputError(f"{name}: square matrices (..., C, C) are accepted, got shape {array.shape}")
    if array.dtype.kind not in "iufb":
        raise InputError(f"{name}: counts are accepted, got {array.dtype}")
    counts = array.astype(np.float64)
    if bool(((counts != np.round(counts)) & ~np.isnan(counts)).any()):
        raise InputError(f"{name}: whole numbers of test images are accepted, got fractions (normalised matrices?)")
    return counts
