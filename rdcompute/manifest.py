"""What a run directory says it is, `run.json`: the grid and the data that its cells belong to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rdcompute.grid import dataset_label
from rdcompute.models import ParameterCounts
from rdstats.cube.join_grids import completed
from rdstats.differences import describe_differences
from rdstats.errors import InputError
from rdstats.files import write_atomically

RUN_SCHEMA = 1


class DamagedManifestError(InputError):
    """A `run.json` that is not as it was written; the grid file has nearly all that it said."""


def read_manifest(path: Path) -> dict[str, Any]:
    """Return the content of a `run.json`.

    Raises
    ------
    DamagedManifestError
        It is not as it was written (that of another version is returned as it is).
    InputError
        It cannot be read.
    """
    try:
        content = json.loads(path.read_bytes())
    except ValueError:
        content = None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if isinstance(content, dict):
        checksum = content.pop(_CHECKSUM, "")
        if content.get("run_schema", RUN_SCHEMA) != RUN_SCHEMA or checksum == _checksum(content):
            return content
    raise DamagedManifestError(f"{path}: damaged; rd compute with its grid file mends it, all finished cells are kept")


def write_manifest(path: Path, manifest: Mapping[str, Any]) -> None:
    """Write a `run.json` with its checksum; an `OSError` where that fails."""
    write_atomically(path, json.dumps({**manifest, _CHECKSUM: _checksum(manifest)}, indent=1).encode())


def _checksum(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


_CHECKSUM = "sha256"


def described_networks(parameters: Mapping[tuple[str, str], ParameterCounts]) -> dict[str, Any]:
    """Return the sizes of networks for `run.json`, so that a cube is written from it without torch.

    `parameters` is by dataset and architecture.
    """
    found: dict[str, Any] = {}
    for (name, arch), counts in parameters.items():
        found.setdefault(dataset_label(name), {})[arch] = asdict(counts)
    return found


def known_networks(manifest: Mapping[str, Any]) -> dict[tuple[str, str], ParameterCounts]:
    """Return the sizes of networks that a `run.json` tells; of older ones, none."""
    found = manifest.get("networks") or {}
    return {(name, arch): ParameterCounts(**counts) for name, archs in found.items() for arch, counts in archs.items()}


def check_schema(path: Path, found: dict[str, Any]) -> None:
    """Refuse the run directory `path` where its manifest is another version's."""
    if found.get("run_schema") != RUN_SCHEMA:
        raise InputError(
            f"run directory {path}: made by a version with run schema {found.get('run_schema')}, "
            f"this one writes {RUN_SCHEMA}; give a new folder"
        )


def check_same(path: Path, found: dict[str, Any], wanted: dict[str, Any], *, extend: bool = False) -> None:
    """Refuse the run directory `path` where its manifest is of another grid or other data, saying what differs.

    `extend` accepts that of a grid with fewer cells.
    """
    check_schema(path, found)
    parts = ("grid", "datasets")
    if all(found.get(part) == wanted[part] for part in parts):
        return
    if found.get("cells") and found["cells"] == wanted["cells"] and found.get("datasets") == wanted["datasets"]:
        return  # the same cells in another order
    there = {**found, "grid": completed(found.get("grid"))}
    differences = "; ".join(d for p in parts for d in describe_differences(there.get(p), wanted[p], p))
    if not _grown(found, wanted):
        raise InputError(f"run directory {path} belongs to a different grid: {differences}; give another --run-dir")
    if not extend:
        n = len(set(wanted["cells"]) - set(found["cells"]))
        raise InputError(
            f"run directory {path} belongs to a smaller grid, {n} cells are new: {differences}; --extend computes "
            "them here"
        )


def grown_from(found: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest `wanted` with the smaller grids that it takes the directory over from, latest last."""
    before = [*found.get(_BEFORE, ()), *([found["grid"]] if _grown(found, wanted) else ())]
    return {**wanted, _BEFORE: before} if before else wanted


def grids_before(manifest: Mapping[str, Any], *, extend: bool = False) -> list[Any]:
    """Return the grids whose cubes may be replaced by that of a run: what it has grown from, now or before."""
    return [*manifest.get(_BEFORE, ()), *([manifest.get("grid")] if extend else ())]


_BEFORE = "grown_from"


def _grown(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Return whether a grid has all cells of another, on the same data, and more."""
    same_data = (found.get("datasets") or {}).items() <= wanted["datasets"].items()
    return same_data and bool(found.get("cells")) and set(found["cells"]) < set(wanted["cells"])
