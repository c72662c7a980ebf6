"""Confusion matrices with names on their rows and columns, in one order of classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from rdstats.cube.schema import CORE
from rdstats.errors import InputError, one_of
from rdstats.plain import as_array, frame_axes
from rdstats.readers.stacks import refuse_margins
from rdstats.readers.values import shown
from rdstats.unknown import KEEP, OTHER, MisplacedError, check_free, refusal


@dataclass(frozen=True)
class Matrix:
    """Counts `(..., true, predicted)`, and what the true and the predicted classes are called, if they are."""

    counts: NDArray[Any]
    rows: list[str] | None = None
    columns: list[str] | None = None


def matrix_of(name: str, value: Any) -> Matrix:
    """Return a matrix of any library with the names it has."""
    if isinstance(value, Matrix):
        return value
    if not isinstance(value, xr.DataArray):
        axes = frame_axes(value)
        return Matrix(as_array(name, value), *(axes if axes is not None else (None, None)))
    if set(CORE) <= set(value.dims):
        value = value.transpose(..., *CORE)
    named = [[str(label) for label in value[dim].values.tolist()] for dim in value.dims[-2:] if dim in value.coords]
    if not named or all(own == [str(i) for i in range(len(own))] for own in named):
        return Matrix(value.values)
    return Matrix(value.values, named[0], named[-1])


def in_one_order(
    matrices: dict[str, Matrix], classes: Any | None, unknown: str
) -> tuple[dict[str, NDArray[Any]], list[str] | None]:
    """Return square matrices of the same classes, and their names.

    The classes are `classes`, else those on the rows; a class that only a column has is predicted but is none of them.
    Matrices without names are taken to be in the order of the classes.

    Raises
    ------
    InputError
        Rows that are none of the classes or differ, other numbers of classes, predictions outside the classes where
        that is an error.
    """
    for name, one in matrices.items():
        refuse_margins(name, one.counts)
    named = {name: one for name, one in matrices.items() if one.rows is not None}
    given = None if classes is None else _given(classes)
    if not named:
        size = next(iter(matrices.values())).counts.shape[-1]
        if given is not None and len(given) != size:
            raise InputError(f"classes: {size} names, every class once, are accepted; got {len(given)}")
        return {name: one.counts for name, one in matrices.items()}, given
    first = next(iter(named))
    known = given if given is not None else list(named[first].rows or ())
    for name, one in named.items():
        _check_names(name, one)
        wrong = [row for row in one.rows or () if row not in known]
        if wrong and given is not None:
            raise InputError(f"{name}: row {shown(wrong[0])} is none of the classes {one_of(known[:10])}")
        if given is None and set(one.rows or ()) != set(known):
            raise InputError(f"{first} and {name} name their classes differently: {known} and {one.rows}")
    more, names = _outside(named, known, unknown), known
    if more:
        names = [*known, *more]
    if unknown == OTHER and _counted(named, known):
        check_free(names)
        names = [*names, OTHER]
    return {name: _placed(name, one, names, len(known)) for name, one in matrices.items()}, names


def _given(classes: Any) -> list[str]:
    names = [str(value) for value in as_array("classes", classes).tolist()]
    if len(set(names)) != len(names):
        raise InputError("classes: every class once is accepted")
    return names


def _check_names(name: str, one: Matrix) -> None:
    for what, names, size in (("row", one.rows, -2), ("column", one.columns, -1)):
        own = names or []
        if one.counts.ndim < 2 or len(own) != one.counts.shape[size]:
            raise InputError(f"{name}: {len(own)} names for shape {one.counts.shape}")
        if len(set(own)) < len(own):
            twice = next(label for label in own if own.count(label) > 1)
            raise InputError(f"{name}: {what} {shown(twice)} is there twice")


def _counted(named: dict[str, Matrix], known: Sequence[str]) -> list[str]:
    """Return the classes outside the known ones that have predictions."""
    found: dict[str, None] = {}
    for one in named.values():
        for j, column in enumerate(one.columns or ()):
            if column not in known and np.nan_to_num(one.counts[..., j]).any():
                found[column] = None
    return list(found)


def _outside(named: dict[str, Matrix], known: Sequence[str], unknown: str) -> list[str]:
    """Return the classes outside the known ones that stay classes of their own."""
    counted = _counted(named, known)
    if counted and unknown == "error":
        for name, one in named.items():
            for column in counted:
                if column in (one.columns or ()):
                    j = (one.columns or []).index(column)
                    at = tuple(np.argwhere(np.nan_to_num(one.counts[..., j]))[0].tolist())
                    texts = [refusal(shown(column), known, option=way) for way in ("{}={!r}", "--{} {}")]
                    raise MisplacedError(name, (*at, j), *texts)
    return sorted(counted) if unknown == KEEP else []


def _placed(name: str, one: Matrix, names: Sequence[str], n_known: int) -> NDArray[Any]:
    """Return the matrix of all classes, each count where its names say."""
    counts = one.counts
    rows, columns = one.rows, one.columns
    place = {label: i for i, label in enumerate(names)}
    if rows is None or columns is None:
        if counts.shape[-2:] != (n_known, n_known):
            raise InputError(f"{name} has shape {counts.shape}; {n_known} classes are accepted, as the others have")
        rows = columns = list(names[:n_known])
    result = np.zeros((*counts.shape[:-2], len(names), len(names)), counts.dtype)
    used = [j for j, column in enumerate(columns) if column in place or np.nan_to_num(counts[..., j]).any()]
    for i, row in enumerate(rows):
        for j in used:
            result[..., place[row], place.get(columns[j], len(names) - 1)] += counts[..., i, j]
    return result
