"""What a run directory says it is, `run.json`: the grid and the data that its cells belong to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rdcompute.grid import dataset_label
from rdcompute.models import ParameterCounts
from rdstats.differences import describe_differences
from rdstats.errors import InputError

RUN_SCHEMA = 1


def read_manifest(path: Path) -> dict[str, Any]:
    """Return the content of a `run.json`; one that cannot be read is an `InputError`."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        raise InputError(f"{path}: damaged, not the description of a run; give another --run-dir") from None
    return content if isinstance(content, dict) else {}


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
    differences = "; ".join(d for p in parts for d in describe_differences(found.get(p), wanted[p], p))
    if not _grown(found, wanted):
        raise InputError(f"run directory {path} belongs to a different grid: {differences}; give another --run-dir")
    if not extend:
        n = len(set(wanted["cells"]) - set(found["cells"]))
        raise InputError(
            f"run directory {path} belongs to a smaller grid, {n} cells are new: {differences}; --extend computes "
            "them here"
        )


def _grown(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Return whether a grid has all cells of another, on the same data, and more."""
    same_data = (found.get("datasets") or {}).items() <= wanted["datasets"].items()
    return same_data and bool(found.get("cells")) and set(found["cells"]) < set(wanted["cells"])
