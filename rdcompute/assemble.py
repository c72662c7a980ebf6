"""From a run directory to the cube."""

from __future__ import annotations

import json
import socket
import warnings
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdcompute.grid import dataset_label
from rdcompute.image_facts import ImageFacts
from rdcompute.lineage import dense_id_of, identities, orphans
from rdcompute.lottery import candidates
from rdcompute.plan import Cell, Plan
from rdcompute.provenance import now, run_history, timestamp
from rdcompute.rundir import CellResult, RunDirectory
from rdstats.cube import DONE, FAILED, MISSING, CubeWriter
from rdstats.cube.schema import DENSE, VARIABLES, class_dtype

Array = NDArray[Any]
METHOD = "method"

WANTED = ("confusion", "confusion_last", "prediction")
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
    coords["layer"] = _layers(plan)
    made = run_history(plan, run, device)
    places = _dense_places(plan)
    dims = _dims_by_method() if any(METHOD in where for where in chain(*places.values())) else {}
    lost = _levels_of_others(plan, run)
    with CubeWriter(path, coords, dims=dims, attrs=_attributes(plan, made, provenance or {})) as writer:
        for name, data in images.items():
            _put_dataset(writer, dataset_label(name), data)
        _declare_counts(writer, plan, places, n_classes)
        return sum(
            _put_cell(writer, run, cell, dense, labels, places, coords["layer"], lost)
            for cell, dense, labels in _with_dense(plan, run, images)
        )


def _layers(plan: Plan) -> list[str]:
    """Return the layers that can lose weights: with lottery tickets, those of heads too, if they can be pruned."""
    lth = [cell for cell in plan.cells if cell.seed == plan.grid.seeds[0] and cell.recipe == "lth"]
    headed = {(cell.dataset, cell.arch) for cell in lth if getattr(cell.settings, "prune_head", False)}
    each = (candidates(counts, head=network in headed) for network, counts in plan.parameters.items())
    return list(dict.fromkeys(chain.from_iterable(each)))


def _levels_of_others(plan: Plan, run: RunDirectory) -> set[str]:
    """Return the keys of levels of lottery tickets that were not made from the level that is there now."""
    levels = [cell for cell in plan.cells if cell.level]
    return {cell.key for cell in orphans(levels, identities(levels, run))}


Places = dict[str, list[dict[str, Any]]]
"""Where the cube has the dense network of a key: once, or once a method."""


def _dense_places(plan: Plan) -> Places:
    """Return the places of every dense network; methods are told apart once two start from different ones."""
    methods: dict[str, dict[str, None]] = {}
    networks: dict[tuple[Any, ...], set[str]] = {}
    for cell in plan.cells:
        networks.setdefault((cell.seed, cell.dataset, cell.arch), set()).add(cell.dense.key)
        if not cell.is_dense:
            methods.setdefault(cell.dense.key, {})[cell.method] = None
    if all(len(keys) == 1 for keys in networks.values()):
        return {cell.key: [cell.where] for cell in plan.cells if cell.is_dense}
    return {
        cell.key: [{**cell.where, METHOD: method} for method in methods.get(cell.key, ())]
        for cell in plan.cells if cell.is_dense
    }  # fmt: skip


def _dims_by_method() -> dict[str, tuple[str, ...]]:
    """Return the dimensions of the dense variables in a cube whose methods start from different networks."""
    n = len(DENSE)
    return {name: (*DENSE, METHOD, *spec.dims[n:]) for name, spec in VARIABLES.items() if spec.dims[:n] == DENSE
            and METHOD not in spec.dims}  # fmt: skip


def _declare_counts(writer: CubeWriter, plan: Plan, places: Places, n_classes: int) -> None:
    """Give the cube both variables of counts, empty: it has them even if every cell failed."""
    empty = np.full((n_classes, n_classes), np.nan)
    compressed = next(cell for cell in plan.cells if not cell.is_dense)
    writer.put(places[compressed.dense.key][0], confusion_dense=empty)
    writer.put(compressed.where, confusion=empty)


def _put_dataset(writer: CubeWriter, name: str, data: ImageFacts) -> None:
    where = {"dataset": name}
    writer.put(where, n_classes=data.n_classes, label=data.test_labels, class_name=np.asarray(data.class_names, object))


def _with_dense(
    plan: Plan, run: RunDirectory, images: Mapping[str, ImageFacts]
) -> Iterator[tuple[Cell, CellResult | None, Array]]:
    """Yield every cell with its dense result (loaded once a seed) and the test labels."""
    found: dict[str, CellResult | None] = {}
    seed: int | None = None
    for cell in plan.cells:
        if cell.seed != seed:
            found, seed = {}, cell.seed
        if cell.dense.key not in found:
            found[cell.dense.key] = run.load(cell.dense.key, WANTED)
        yield cell, found[cell.dense.key], images[cell.dataset].test_labels


def _put_cell(
    writer: CubeWriter, run: RunDirectory, cell: Cell, dense: CellResult | None, labels: Array, places: Places,
    layers: list[str], lost: set[str],
) -> bool:  # fmt: skip
    result = dense if cell.is_dense else run.load(cell.key, WANTED)
    if dense and result and dense_id_of(result.meta, dense.meta["dense_id"]) != dense.meta["dense_id"]:
        warnings.warn(f"{cell.title} was made from another dense network than is there now; left out", stacklevel=4)
        result = None
    if cell.match and result and not _matches(run, cell.match, result):
        warnings.warn(f"{cell.title} keeps another number of weights than {cell.match.title}; left out", stacklevel=4)
        result = None
    if cell.parent and cell.key in lost:
        of = cell.parent.kind
        warnings.warn(f"{cell.title} was made from another {of} than is there now; left out", stacklevel=4)
        result = None
    if result is None or dense is None:
        if not cell.is_dense:
            writer.put(cell.where, status=FAILED if run.failure_path(cell.key).is_file() else MISSING)
        return False
    values: dict[str, Any] = {
        "confusion": result.arrays["confusion"],
        "prediction": result.arrays["prediction"].astype(class_dtype(len(result.arrays["confusion"]))),
        **{name: result.meta[name] for name in ("kept_epoch", "val_loss", "seconds")},
        **{name: timestamp(result.meta[name]) for name in ("started", "ended") if name in result.meta},
    }
    if cell.is_dense:
        for where in places[cell.key]:
            writer.put(where, **{f"{name}_dense": value for name, value in values.items()})
            writer.put(where, dense_id=result.meta["dense_id"])
        return True
    right = (result.arrays["prediction"] == labels) & (dense.arrays["prediction"] == labels)
    kept = result.meta["kept_weights"]
    if "confusion_last" in result.arrays:
        values["confusion_last"] = result.arrays["confusion_last"]
    if "target_ratio" in result.meta:
        values["target_ratio"] = result.meta["target_ratio"]
    writer.put(
        cell.where,
        status=DONE,
        both_correct=np.bincount(labels[right], minlength=len(result.arrays["confusion"])),
        achieved_ratio=result.meta["achieved_ratio"],
        kept_weights=np.array([kept.get(name, np.nan) for name in layers]),
        **values,
    )
    return True


def _matches(run: RunDirectory, match: Cell, result: CellResult) -> bool:
    """Return whether a result still keeps as many weights as the network it matches, if that is there."""
    other = run.load(match.key, ())
    return other is None or bool(other.meta["achieved_ratio"] == result.meta["target_ratio"])


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
