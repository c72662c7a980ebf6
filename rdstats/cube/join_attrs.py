"""Attributes of a cube that was merged of several."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from rdstats.cube import schema
from rdstats.cube.join_grids import is_grid, join_grids
from rdstats.errors import InputError

Attrs = Mapping[str, Any]

_SIDE_BY_SIDE = ("device", "git_commit")


def join_attrs(several: Sequence[Attrs], names: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Return the attributes of the merged cube, and the names of those that are left out.

    What all cubes have alike stays.  Grids are joined (`join_grids`), checksums of datasets put together; device,
    versions and commit stand side by side where they differ (``"cpu, cuda"``).  Anything else that differs, or is
    not in every cube, is left out, and kept under ``provenance``, which lists that of every cube as ``merged``.

    Raises
    ------
    InputError
        Grids that differ in more than seeds and experiments, or one dataset with two checksums.
    """
    joined = _joined(several, names)
    result: dict[str, Any] = {}
    left_out: list[dict[str, Any]] = [{} for _ in several]
    keys = [key for key in dict.fromkeys(key for attrs in several for key in attrs) if key not in _NOT_COMPARED]
    for key in keys:
        if key in joined:
            result[key] = joined[key]
        elif all(key in attrs and _same(attrs[key], several[0].get(key)) for attrs in several):
            result[key] = several[0][key]
        else:
            for attrs, left in zip(several, left_out, strict=True):
                left |= {key: _plain(attrs[key])} if key in attrs else {}
    gone = [key for key in keys if key not in result]
    merged = [_provenance(attrs) | left for attrs, left in zip(several, left_out, strict=True)]
    provenance = {
        "datasets": _read(result.get("data_sha256")),
        "hosts": side_by_side(str(one.get("hosts", "")) for one in merged),
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "merged": merged,
    }
    return {**result, "provenance": json.dumps({key: value for key, value in provenance.items() if value})}, gone


_NOT_COMPARED = schema.FILE_ATTRS | schema.VOLATILE_ATTRS


def _joined(several: Sequence[Attrs], names: Sequence[str]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    grids = [_read(attrs.get("grid")) for attrs in several]
    if all(is_grid(grid) for grid in grids):
        grid = join_grids(grids, names)
        result["grid"] = json.dumps(grid, sort_keys=True)
        result["scaled"] = json.dumps(grid["scale"], sort_keys=True) if grid["scale"] else ""
    checksums = [_read(attrs.get("data_sha256", "{}")) for attrs in several]
    if all(isinstance(found, dict) for found in checksums):
        result["data_sha256"] = json.dumps(join_checksums(checksums, names), sort_keys=True)
    for key in _SIDE_BY_SIDE:
        if all(isinstance(attrs.get(key), str) for attrs in several):
            result[key] = side_by_side(attrs[key] for attrs in several)
    versions = [_read(attrs.get("versions")) for attrs in several]
    if all(isinstance(found, dict) for found in versions):
        programs = dict.fromkeys(name for found in versions for name in found)
        joined = {name: side_by_side(str(found.get(name, "")) for found in versions) for name in programs}
        result["versions"] = json.dumps(joined, sort_keys=True)
    return result


def join_checksums(several: Sequence[Mapping[str, str]], names: Sequence[str]) -> dict[str, str]:
    """Return the checksums of all datasets.

    Raises
    ------
    InputError
        One dataset with two checksums.
    """
    result: dict[str, str] = {}
    whose: dict[str, str] = {}
    for checksums, name in zip(several, names, strict=True):
        for dataset, checksum in checksums.items():
            if result.setdefault(dataset, checksum) != checksum:
                raise InputError(f"{whose[dataset]} and {name} were computed on different data called {dataset}")
            whose.setdefault(dataset, name)
    return result


def side_by_side(texts: Iterable[str]) -> str:
    """Return the different values of lists ``"a, b"``, sorted, as one such list."""
    return ", ".join(sorted({value for text in texts for value in text.split(", ") if value}))


def _provenance(attrs: Attrs) -> dict[str, Any]:
    own = attrs.get("provenance", "")
    found = _read(own)
    return found if isinstance(found, dict) else {"provenance": _plain(own)} if own else {}


def _read(attribute: Any) -> Any:
    try:
        return json.loads(attribute)
    except (TypeError, ValueError):  # another program's attribute
        return None


def _same(one: Any, other: Any) -> bool:
    return bool(np.array_equal(np.asarray(one), np.asarray(other)))


def _plain(value: Any) -> Any:
    return np.asarray(value).tolist()
