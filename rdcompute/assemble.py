"""From a run directory to the cube."""

from __future__ import annotations

import json
import socket
import warnings
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdcompute.grid import dataset_label
from rdcompute.image_facts import ImageFacts
from rdcompute.plan import Cell, Plan
from rdcompute.provenance import now, run_history, timestamp
from rdcompute.rundir import CellResult, RunDirectory
from rdstats.cube import DONE, FAILED, MISSING, CubeWriter
from rdstats.cube.schema import class_dtype

Array = NDArray[Any]

WANTED = ("confusion", "prediction")
"""Arrays of a cell that the cube holds; the weights of dense networks stay on disk."""


def assemble(
    plan: Plan,
    run: RunDirectory,
    images: Mapping[str, ImageFacts],
    path: Path,
    *,
    device: str,
    provenance: Mapping[str, Any] | None = None,
) -> int:
    """Write the cube of all finished cells to `path`; return their number.

    A cell that is not finished has status ``missing`` or ``failed``; its networks are paired by the hash of
    their dense weights.
    """
    n_classes = max(data.n_classes for data in images.values())
    coords: dict[str, Any] = {dim: plan.labels(dim) for dim in ("seed", "dataset", "arch", "method", "ratio")}
    coords["ratio"] = np.asarray(coords["ratio"], np.float64)
    coords |= {"true_class": list(range(n_classes)), "predicted_class": list(range(n_classes))}
    coords["sample"] = max(len(data.test_labels) for data in images.values())
    coords["layer"] = list(dict.fromkeys(name for counts in plan.parameters.values() for name in counts.layers))
    made = run_history(plan, run, device)
    with CubeWriter(path, coords, attrs=_attributes(plan, made, provenance or {})) as writer:
        for name, data in images.items():
            _put_dataset(writer, dataset_label(name), data)
        _declare_counts(writer, plan, n_classes)
        return sum(_put_cell(writer, run, *item) for item in _with_parents(plan, run, images, coords["layer"]))


def _declare_counts(writer: CubeWriter, plan: Plan, n_classes: int) -> None:
    """Give the cube both variables of counts, empty: it has them even if every cell failed."""
    empty = np.full((n_classes, n_classes), np.nan)
    dense = next(cell for cell in plan.cells if cell.is_dense)
    compressed = next(cell for cell in plan.cells if not cell.is_dense)
    writer.put(dense.where, confusion_dense=empty)
    writer.put(compressed.where, confusion=empty)


def _put_dataset(writer: CubeWriter, name: str, data: ImageFacts) -> None:
    where = {"dataset": name}
    writer.put(where, n_classes=data.n_classes, label=data.test_labels, class_name=np.asarray(data.class_names, object))


Parent = tuple[CellResult | None, Array]


def _with_parents(
    plan: Plan, run: RunDirectory, images: Mapping[str, ImageFacts], layers: list[str]
) -> Iterator[tuple[Cell, Parent, list[str]]]:
    """Yield every cell with its dense result (loaded once) and the test labels."""
    dense: dict[str, CellResult | None] = {}
    for cell in plan.cells:
        if cell.is_dense:
            dense = {k: v for k, v in dense.items() if k.endswith(f"/{cell.seed}")}
        parent = cell.parent or cell
        slot = f"{parent.key}/{parent.seed}"
        if slot not in dense:
            dense[slot] = run.load(parent.key, WANTED)
        yield cell, (dense[slot], images[cell.dataset].test_labels), layers


def _put_cell(writer: CubeWriter, run: RunDirectory, cell: Cell, parent: Parent, layers: list[str]) -> bool:
    dense, labels = parent
    result = dense if cell.is_dense else run.load(cell.key, WANTED)
    if dense and result and result.meta.get("parent_id", dense.meta["dense_id"]) != dense.meta["dense_id"]:
        warnings.warn(f"{cell.title} was made from another dense network than is there now; left out", stacklevel=4)
        result = None
    if result is None or dense is None:
        if not cell.is_dense:
            writer.put(cell.where, status=FAILED if run.failure_path(cell.key).is_file() else MISSING)
        return False
    suffix = "_dense" if cell.is_dense else ""
    values: dict[str, Any] = {
        "confusion": result.arrays["confusion"],
        "prediction": result.arrays["prediction"].astype(class_dtype(len(result.arrays["confusion"]))),
        **{name: result.meta[name] for name in ("kept_epoch", "val_loss", "seconds")},
        **{name: timestamp(result.meta[name]) for name in ("started", "ended") if name in result.meta},
    }
    writer.put(cell.where, **{name + suffix: value for name, value in values.items()})
    if cell.is_dense:
        writer.put(cell.where, dense_id=result.meta["dense_id"])
        return True
    right = (result.arrays["prediction"] == labels) & (dense.arrays["prediction"] == labels)
    kept = result.meta["kept_weights"]
    writer.put(
        cell.where,
        status=DONE,
        both_correct=np.bincount(labels[right], minlength=len(result.arrays["confusion"])),
        achieved_ratio=result.meta["achieved_ratio"],
        kept_weights=np.array([kept.get(name, np.nan) for name in layers]),
    )
    return True


def _attributes(plan: Plan, made: Mapping[str, Any], provenance: Mapping[str, Any]) -> dict[str, Any]:
    resolved = plan.grid.resolved()
    return {
        "title": f"Confusion-matrix cube of the grid {plan.grid.name}",
        "source": "rdcompute",
        "grid_name": plan.grid.name,
        "grid": json.dumps(resolved, sort_keys=True),
        "root_seed": plan.grid.root_seed,
        "data_sha256": json.dumps(provenance.get("datasets", {}), sort_keys=True),
        "scaled": json.dumps(plan.grid.scale, sort_keys=True) if plan.grid.scale else "",
        "device": made.get("device", ""),
        "versions": json.dumps(made["versions"], sort_keys=True),
        "git_commit": made.get("git_commit", ""),
        "provenance": json.dumps({
            **provenance, "hosts": made.get("host", ""), "device_names": made.get("device_name", ""),
            "determinism": made.get("determinism", {}), "host": socket.gethostname(), "written": now(),
            "netcdf4": version("netcdf4"),
        }),
    }
