"""Class labels of images: as numbers of the classes, whatever they are and whatever is predicted besides them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rdstats.errors import InputError, one_of
from rdstats.plain import as_array, index_of
from rdstats.readers.values import is_whole, shown
from rdstats.unknown import OTHER, MisplacedError, check_free, refusal

Codes = NDArray[np.int64]


class Coded(NamedTuple):
    """Classes of images as numbers, and the names of the classes (None: 0, 1, ... name themselves)."""

    labels: Codes
    predictions: dict[str, Codes]
    names: list[str] | None
    size: int


def coded(truth: NDArray[Any], predictions: dict[str, NDArray[Any]], classes: Any | None, unknown: str) -> Coded:
    """Return labels and predictions as numbers of the classes: those of the labels, or `classes` in their order.

    Raises
    ------
    MisplacedError
        A label that is missing or none of `classes`; a prediction outside the classes where that is an error.
    """
    import pandas as pd

    known, names = _classes(truth, classes)
    places = _codes(truth, known)
    for index in np.argwhere(places < 0)[:1]:
        few = one_of((names or known)[:10])
        what = f"{_shown(truth[tuple(index)])} is none of the classes {few}"
        raise MisplacedError("labels", tuple(index.tolist()), what)
    codes = {name: _codes(part, known) for name, part in predictions.items()}
    outside = {name: part < 0 for name, part in codes.items()}
    if not any(where.any() for where in outside.values()):
        return Coded(places, codes, names, len(known))
    told = names if names is not None else [str(value) for value in known]
    if unknown == OTHER:
        check_free(told)
        found = {name: np.where(outside[name], len(known), part) for name, part in codes.items()}
        return Coded(places, found, [*told, OTHER], len(known) + 1)
    for name, where in outside.items():
        values = predictions[name]
        refused = where if unknown == "error" else where & np.array(pd.isna(values), bool)  # a gap is no class to keep
        for index in np.argwhere(refused)[:1]:
            at = tuple(index.tolist())
            value = None if values[at] is None else _shown(values[at])
            raise MisplacedError(name, at, refusal(value, told, option="{}={!r}"), refusal(value, told))
    more = sorted({value for name, where in outside.items() for value in predictions[name][where].tolist()})
    every = [*known, *more] if classes is not None else sorted([*known, *more])
    found = {name: _codes(part, every) for name, part in predictions.items()}
    fresh = [*told, *map(str, more)] if classes is not None else [str(value) for value in every]
    plain = (names is None or classes is None) and every == list(range(len(every)))
    return Coded(_codes(truth, every), found, None if plain else fresh, len(every))


def _shown(value: Any) -> str:
    return shown(value) if isinstance(value, str) else str(int(value))


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


def check_predictions(name: str, part: NDArray[Any], truth: NDArray[Any]) -> None:
    """Raise `InputError` where predictions have another shape or kind than the labels."""
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
        raise MisplacedError("labels", (at,), "no label; every image needs one")
    if classes is None:
        known = sorted(set(truth.tolist()))
    else:
        known = whole_or_text("classes", as_array("classes", classes)).tolist()
        if len(set(known)) != len(known) or None in known:
            raise InputError("classes: every class once is accepted")
        if truth.dtype != object and known and isinstance(known[0], str):
            if not all(map(is_whole, known)):  # names of the classes 0, 1, ...
                return list(range(len(known))), known
            known = [int(value) for value in known]
    return known, None if known == list(range(len(known))) else [str(value) for value in known]


def _codes(part: NDArray[Any], known: Sequence[Any]) -> Codes:
    """Return the place of every value among the known ones, -1 for what is none of them."""
    import pandas as pd

    index = pd.Index(known, dtype=object if part.dtype == object else None)
    return np.asarray(index.get_indexer(part.ravel()), np.int64).reshape(part.shape)
