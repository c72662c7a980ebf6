"""From two matrices, or labels and two sets of predictions, to a cube."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from rdstats import array
from rdstats._labelled import METHOD
from rdstats.cube.build import build
from rdstats.cube.schema import CORE
from rdstats.errors import InputError
from rdstats.plain import as_array, frame_names, index_of

CONTROL, COMPRESSED = "sham", "compressed"
"""Labels of the two methods of a comparison with a control."""
OTHER = "other"
UNKNOWN = ("error", OTHER)
Dims = tuple[str, ...]
_TAKEN = (*CORE, "sample", METHOD, "ratio", "layer")


def cube_of_matrices(
    before: Any, after: Any, control: Any, *, dims: Sequence[str] | None, classes: Any | None
) -> xr.Dataset:
    """Return the cube of confusion matrices `(..., C, C)`, true classes on the rows."""
    named = {"before": before, "after": after} | ({} if control is None else {"control": control})
    parts = {name: _matrix(name, value) for name, value in named.items()}
    if parts["before"].ndim == 1:
        raise InputError("before has one axis: predictions need labels=, confusion matrices have two axes (C, C)")
    leading = _dims(before, parts["before"].ndim - 2, parts["before"].shape, dims)
    for name, part in parts.items():
        if part.shape != parts["before"].shape:
            raise InputError(f"before has shape {parts['before'].shape}, {name} {part.shape}; one shape is accepted")
    names = _names_of_matrices(named, parts["before"].shape[-1], classes)
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
        _check_predictions(name, part, truth)
    leading = _dims(before, values["before"].ndim - 1, values["before"].shape, dims)
    for name, part in values.items():
        if part.shape != values["before"].shape:
            raise InputError(f"before has shape {values['before'].shape}, {name} {part.shape}")
    known, names = _classes(truth, classes)
    places = _codes("labels", truth, known, "error")
    codes = {name: _codes(name, part, known, unknown) for name, part in values.items()}
    if any((part == len(known)).any() for part in codes.values()):
        shown = names or [str(value) for value in known]
        if OTHER in shown:
            raise InputError(f"unknown='{OTHER}': there is a class of this name; rename it")
        names = [*shown, OTHER]
    size = len(names) if names else len(known)
    counts = {name: array.confusion_matrix(places, part, classes=size) for name, part in codes.items()}
    variables = _prediction_variables(places, codes, leading, size)
    return _cube(counts["before"], counts["after"], counts.get("control"), leading, names, variables)


def whole_or_text(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Return class labels as int64 or as texts (None where missing); numbers that are no labels are refused."""
    if values.dtype.kind == "O":
        import pandas as pd

        return with_gaps(values, np.asarray(pd.isna(values)))
    if values.dtype.kind != "f":
        return values.astype(np.int64)
    if np.isnan(values).any():  # a gap: which labels are meant stays clear as long as the others are whole
        _refuse_fractions(name, values[~np.isnan(values)])
        return with_gaps(np.nan_to_num(values).astype(np.int64), np.isnan(values))
    _refuse_fractions(name, values)
    return values.astype(np.int64)


def with_gaps(values: NDArray[Any], missing: NDArray[np.bool_]) -> NDArray[Any]:
    """Return values as objects, None where they are missing."""
    result = values.astype(object)
    result[missing] = None
    return result


def check_alignment(named: dict[str, Any]) -> None:
    """Raise `InputError` where pandas objects hold the same images in another order: rows are taken as they stand."""
    indexed = {name: index for name, value in named.items() if (index := index_of(value)) is not None}
    first = next(iter(indexed), "")
    for name, index in indexed.items():
        own = indexed[first]
        if len(own) == len(index) and not own.equals(index) and own.sort_values().equals(index.sort_values()):
            raise InputError(
                f"{first} and {name} have one index in different orders; align them (.loc), or go by position with "
                ".to_numpy()"
            )


def _refuse_fractions(name: str, values: NDArray[Any]) -> None:
    wrong = values != np.floor(values)
    if wrong.any() or not np.isfinite(values).all():
        value = values[wrong | ~np.isfinite(values)].flat[0]
        raise InputError(f"{name}: class labels are accepted, got {value:g} (scores? take argmax(-1) first)")


def _check_predictions(name: str, part: NDArray[Any], truth: NDArray[Any]) -> None:
    if part.ndim == 0 or part.shape[-1] != truth.size:
        scores = part.ndim == 2 and part.shape[0] == truth.size
        hint = " (scores of classes? take argmax(-1) first)" if scores else ""
        hint = " (one column: take it out of its frame, or .ravel())" if scores and part.shape[1] == 1 else hint
        raise InputError(f"{name}: {truth.size} labels but predictions of shape {part.shape}{hint}")
    if (part.dtype == object) != (truth.dtype == object):
        kinds = ["texts" if one.dtype == object else "whole numbers" for one in (truth, part)]
        if any(value is not None and not isinstance(value, int) for one in (truth, part) if one.dtype == object
               for value in one.ravel()):  # fmt: skip
            raise InputError(f"labels are {kinds[0]}, {name} holds {kinds[1]}; one kind is accepted")


def _classes(truth: NDArray[Any], classes: Any | None) -> tuple[list[Any], list[str] | None]:
    """Return the known labels in the order of the classes, and their names (None: 0, 1, ... name themselves)."""
    if truth.dtype == object and any(value is None for value in truth):
        at = next(i for i, value in enumerate(truth) if value is None)
        raise InputError(f"labels: no label at position {at}; every image needs one")
    if classes is None:
        known = sorted(set(truth.tolist()))
    else:
        known = whole_or_text("classes", as_array("classes", classes)).tolist()
        if len(set(known)) != len(known) or None in known:
            raise InputError("classes: every class once is accepted")
        if truth.dtype != object and known and isinstance(known[0], str):  # names of the classes 0, 1, ...
            return list(range(len(known))), known
    return known, None if known == list(range(len(known))) else [str(value) for value in known]


def _codes(name: str, part: NDArray[Any], known: Sequence[Any], unknown: str) -> NDArray[np.int64]:
    import pandas as pd

    index = pd.Index(known, dtype=object if part.dtype == object else None)
    codes = np.asarray(index.get_indexer(part.ravel()), np.int64).reshape(part.shape)
    if unknown == OTHER:
        return np.where(codes < 0, len(known), codes)
    if (codes < 0).any():
        at = tuple(int(i) for i in np.argwhere(codes < 0)[0])
        value = part[at] if part.dtype == object else int(part[at])
        where = f"position {at[0] if len(at) == 1 else at}"
        if value is None:
            raise InputError(f"{name}: no prediction at {where}; unknown='{OTHER}' makes a class of these")
        if name == "labels":
            raise InputError(f"labels: {value!r} at {where} is none of the classes")
        raise InputError(
            f"{name}: {value!r} at {where} is none of the labels; classes= names all classes, unknown='{OTHER}' makes "
            "one of the others"
        )
    return codes


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


def _matrix(name: str, value: Any) -> NDArray[Any]:
    if isinstance(value, xr.DataArray) and set(CORE) <= set(value.dims):
        value = value.transpose(..., *CORE)
    return as_array(name, value)


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


def _names_of_matrices(named: dict[str, Any], size: int, classes: Any | None) -> list[str] | None:
    if classes is not None:
        names = [str(value) for value in as_array("classes", classes).tolist()]
        if len(names) != size or len(set(names)) != len(names):
            raise InputError(f"classes: {size} names, every class once, are accepted; got {len(names)}")
        return names
    found = {name: own for name, value in named.items() if (own := _own_names(name, value)) is not None}
    first = next(iter(found), "")
    for name, own in found.items():
        if own != found[first]:
            raise InputError(f"{first} and {name} name their classes differently: {found[first]} and {own}")
    return found.get(first)


def _own_names(name: str, value: Any) -> list[str] | None:
    if isinstance(value, xr.DataArray):
        dim = value.dims[-2] if "true_class" not in value.dims else "true_class"
        labels = [str(label) for label in value[dim].values.tolist()] if dim in value.coords else None
        return None if labels == [str(i) for i in range(len(labels or []))] else labels
    return frame_names(name, value)
