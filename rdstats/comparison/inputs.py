"""From two matrices, or labels and two sets of predictions, to a cube."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from rdstats import array
from rdstats._labelled import METHOD
from rdstats.comparison.labels import check_alignment, check_predictions, coded, whole_or_text
from rdstats.comparison.matrices import in_one_order, matrix_of
from rdstats.cube.build import build
from rdstats.cube.schema import CORE
from rdstats.errors import InputError
from rdstats.plain import as_array

CONTROL, COMPRESSED = "sham", "compressed"
"""Labels of the two methods of a comparison with a control."""
Dims = tuple[str, ...]
_TAKEN = (*CORE, "sample", METHOD, "ratio", "layer")


def cube_of_matrices(
    before: Any, after: Any, control: Any, *, dims: Sequence[str] | None, classes: Any | None, unknown: str
) -> xr.Dataset:
    """Return the cube of confusion matrices `(..., C, C)`, true classes on the rows."""
    given = {"before": before, "after": after} | ({} if control is None else {"control": control})
    named = {name: matrix_of(name, value) for name, value in given.items()}
    for name, one in named.items():
        if one.counts.ndim < 2:
            axes = ("no axis", "one axis")[one.counts.ndim]
            raise InputError(f"{name} has {axes}: predictions need labels=, confusion matrices have two axes (C, C)")
    parts, names = in_one_order(named, classes, unknown)
    if not parts["before"].size:
        raise InputError(f"before has shape {parts['before'].shape}: nothing to compare")
    leading = _dims(before, parts["before"].ndim - 2, parts["before"].shape, dims)
    for name, part in parts.items():
        if part.shape != parts["before"].shape:
            raise InputError(f"before has shape {parts['before'].shape}, {name} {part.shape}; one shape is accepted")
    return _cube(parts["before"], parts["after"], parts.get("control"), leading, names, {})


def cube_of_predictions(
    labels: Any,
    before: Any,
    after: Any,
    control: Any,
    *,
    dims: Sequence[str] | None,
    classes: Any | None,
    unknown: str,
) -> xr.Dataset:
    """Return the cube of predictions `(..., images)`; classes are the labels, or `classes` in their order."""
    named = {"labels": labels, "before": before, "after": after} | ({} if control is None else {"control": control})
    check_alignment(named)
    values = {name: whole_or_text(name, as_array(name, value)) for name, value in named.items()}
    truth = values.pop("labels")
    if truth.ndim != 1 or not truth.size:
        raise InputError(f"labels: one label an image is accepted, got shape {truth.shape}")
    for name, part in values.items():
        check_predictions(name, part, truth)
    if not values["before"].size:
        raise InputError(f"before has shape {values['before'].shape}: nothing to compare")
    leading = _dims(before, values["before"].ndim - 1, values["before"].shape, dims)
    for name, part in values.items():
        if part.shape != values["before"].shape:
            raise InputError(f"before has shape {values['before'].shape}, {name} {part.shape}")
    places, codes, names, size = coded(truth, values, classes, unknown)
    counts = {name: array.confusion_matrix(places, part, classes=size) for name, part in codes.items()}
    variables = _prediction_variables(places, codes, leading, size)
    return _cube(counts["before"], counts["after"], counts.get("control"), leading, names, variables)


def _prediction_variables(
    places: NDArray[np.int64], codes: dict[str, NDArray[np.int64]], leading: Dims, size: int
) -> dict[str, tuple[Dims, NDArray[Any]]]:
    smallest = np.min_scalar_type(max(size - 1, 1))
    arms = [codes[name] for name in ("control", "after") if name in codes]
    both = [array.both_correct(places, codes["before"], arm, classes=size) for arm in arms]
    own: Dims = (*leading, METHOD) if len(arms) > 1 else leading
    at = len(leading)
    after, common = (np.stack(part, at) if len(arms) > 1 else part[0] for part in (arms, both))
    return {
        "label": (("sample",), places.astype(smallest)),
        "prediction_dense": ((*leading, "sample"), codes["before"].astype(smallest)),
        "prediction": ((*own, "sample"), after.astype(smallest)),
        "both_correct": ((*own, "true_class"), common),
    }


def _cube(
    before: NDArray[Any],
    after: NDArray[Any],
    control: NDArray[Any] | None,
    leading: Dims,
    names: list[str] | None,
    variables: dict[str, tuple[Dims, NDArray[Any]]],
) -> xr.Dataset:
    if control is None:
        return build(before, after, dims=leading, class_names=names, variables=variables)
    return build(
        before, np.stack([control, after], len(leading)), dims=(*leading, METHOD), dims_dense=leading,
        coords={METHOD: [CONTROL, COMPRESSED]}, class_names=names, variables=variables,
    )  # fmt: skip


def _dims(value: Any, n: int, shape: tuple[int, ...], dims: Sequence[str] | None) -> Dims:
    """Return the names of the leading axes: as given, or those of a labelled array."""
    if dims is None:
        dims = [str(dim) for dim in value.dims if dim not in (*CORE, "sample")][:n] if hasattr(value, "dims") else []
    found = (dims,) if isinstance(dims, str) else tuple(dims)
    if len(found) != max(n, 0):
        raise InputError(
            f"before has shape {shape}: its {n} leading axes need names, such as dims=('seed',) for training runs; "
            f"got {', '.join(found) or 'none'}"
        )
    wrong = [dim for dim in found if dim in _TAKEN]
    if wrong or len(set(found)) != len(found):
        raise InputError(
            f"dims {', '.join(found)}: a pair of models has no {wrong[0] if wrong else 'repeated name'}; for grids of "
            "methods and ratios see rdstats.build and rdstats.analyze"
        )
    return found
