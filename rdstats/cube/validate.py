"""What every cube must satisfy, checked on its labels and shapes without reading a matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from rdstats.cube import schema
from rdstats.errors import InputError


def validate(cube: xr.Dataset, *, source: str = "cube") -> None:
    """Raise `InputError` unless `cube` has the dimensions of schema version 1.

    Required are ``true_class`` and ``predicted_class`` of equal size and at least one of ``confusion`` and
    ``confusion_dense`` on them; any other dimensions are free, with unique labels.
    """
    for dim in schema.CORE:
        if dim not in cube.dims:
            raise InputError(f"{source}: not a cube: dimension {dim} is missing (it has {_list(cube.dims)})")
    n_true, n_predicted = (cube.sizes[dim] for dim in schema.CORE)
    if n_true != n_predicted:
        raise InputError(f"{source}: {n_true} true classes but {n_predicted} predicted classes")
    matrices = [name for name in ("confusion", "confusion_dense") if name in cube]
    if not matrices:
        raise InputError(f"{source}: not a cube: neither variable confusion nor confusion_dense is there")
    for name in matrices:
        absent = [dim for dim in schema.CORE if dim not in cube[name].dims]
        if absent:
            raise InputError(f"{source}: variable {name} lacks dimension {_list(absent)}")
        if cube[name].dtype.kind not in "iuf":
            raise InputError(f"{source}: variable {name} holds {cube[name].dtype}, counts are accepted")
    for label in map(str, cube.dims):
        if label in cube.coords:
            _check_unique(cube[label].values, label, source)
    if "ratio" in cube.dims:
        if "ratio" not in cube.coords:
            raise InputError(f"{source}: dimension ratio has no labels; numbers >= 1 are needed")
        ratio = cube["ratio"].values
        if ratio.dtype.kind not in "iuf" or not np.all(np.isfinite(ratio) & (ratio >= 1)):
            raise InputError(f"{source}: ratio must be numbers >= 1, got {_list(ratio.tolist())}")


def _check_unique(labels: np.ndarray[Any, Any], dim: str, source: str) -> None:
    values = labels.tolist()
    repeated = sorted({str(v) for v in values if values.count(v) > 1}) if len(set(values)) < len(values) else []
    if repeated:
        raise InputError(f"{source}: dimension {dim} has repeated labels: {_list(repeated)}")


def _list(values: Any) -> str:
    return ", ".join(str(v) for v in values)
