"""Confusion matrices in JSON: nested lists, bare or under names, as torchmetrics and `evaluate` give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdstats.cube.schema import CELL
from rdstats.errors import InputError, nearest, one_of
from rdstats.readers.networks import Found, Network
from rdstats.readers.options import Options
from rdstats.readers.roles import AFTER, BEFORE
from rdstats.readers.stacks import CLASS_NAMES, stack_networks
from rdstats.readers.values import Unreadable, dim_label, shown


def has_matrices(document: Any) -> bool:
    """Return whether a JSON document holds a matrix: bare, under a name, or under a name within a name."""
    return bool(_found(document))


def picked(source: str, document: Any, name: str) -> Any:
    """Return the part of a document that holds the matrix of that name, with what is said about it.

    Raises
    ------
    InputError
        There is none.
    """
    found = _found(document)
    if name not in found:
        raise InputError(f"{source}: no matrix {shown(name)}{nearest(name, found)}; it has {one_of(map(shown, found))}")
    value, record = found[name]
    return {name: value, **{key: own for key, own in record.items() if key in CLASS_NAMES}}


def _found(document: Any) -> dict[str, tuple[Any, Mapping[str, Any]]]:
    """Return the matrices of a document by name, each with the record it stands in."""
    if _is_matrix(document):
        return {"": (document, {})}
    if not isinstance(document, dict):
        return {}
    result: dict[str, tuple[Any, Mapping[str, Any]]] = {
        name: (value, document) for name, value in document.items() if _is_matrix(value)
    }
    if result:
        return result
    for name, record in document.items():
        own = {key: value for key, value in record.items() if _is_matrix(value)} if isinstance(record, dict) else {}
        for key, value in own.items():
            result[name if len(own) == 1 else f"{name}/{key}"] = (value, record)
    return result


def _is_matrix(value: Any) -> bool:
    """Return whether a value is a list of lists of numbers, or lists of these."""
    for _ in range(8):
        if not (isinstance(value, list) and value and isinstance(value[0], list)):
            return False
        value = value[0]
        if value and not isinstance(value[0], list):
            return isinstance(value[0], int | float)
    return False


def nested_networks(
    source: str, document: Any, options: Options, tables: Any, model: str, where: Mapping[str, Any]
) -> Found:
    """Return the networks of a JSON document.

    Raises
    ------
    InputError
        Lists of unequal length, values that are no counts, or a matrix that is not square.
    """
    networks: list[Network] = []
    found = _found(document)
    for name, (value, record) in found.items():
        what = f"{source}: {shown(name)}" if name else source
        said = _scalars(what, record)
        own: dict[str, Any] = {key: one for key, one in record.items() if isinstance(one, list) and not _is_matrix(one)}
        own["class_names"] = next((own[key] for key in CLASS_NAMES if key in own), None)
        plain = len(found) == 1 and name.lower() not in (*BEFORE, *AFTER)
        for one in stack_networks(source, "" if plain else name, _array(what, value), options, tables, own):
            one.where = {**{d: v for d, v in where.items() if d != "stage"}, **said, **one.where}
            one.stage = one.stage or where.get("stage")
            one.model = one.model or ("" if where or one.stage or "method" in said else model)
            networks.append(one)
    return Found(networks, "confusion matrices", [f"matrices: {one_of(map(shown, found))}"] if "" not in found else [])


def _scalars(what: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the labels that a record gives its matrix: ``{"seed": 0, "ratio": 2, "confusion_matrix": ...}``."""
    said = {}
    for dim in CELL:
        if isinstance(record.get(dim), str | int | float) and not isinstance(record[dim], bool):
            try:
                label = dim_label(dim, record[dim])
            except Unreadable as error:
                raise InputError(f"{what}: {dim} {shown(record[dim])}; {error}") from None
            if label is not None:
                said[dim] = label
    return said


def _array(what: str, value: Any) -> NDArray[Any]:
    flat, shape = value, []
    while isinstance(flat, list) and flat and isinstance(flat[0], list):
        if any(not isinstance(row, list) or len(row) != len(flat[0]) for row in flat):
            raise InputError(f"{what}: lists of unequal length; a square matrix is accepted")
        shape.append(len(flat))
        flat = [one for row in flat for one in row]
    for one in flat:
        if isinstance(one, bool) or not isinstance(one, int | float):
            raise InputError(f"{what}: {shown(one)}; counts are accepted")
        if abs(one) >= 2**53:
            raise InputError(f"{what}: {one:.3g}; whole numbers of test images are accepted")
    return np.array(value, np.float64)
