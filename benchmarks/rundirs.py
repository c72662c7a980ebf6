"""A finished run directory of the paper's size: repeating the command that made it, writing its cube again.

The networks are not trained: weights are random, of the real shapes, and predictions are drawn. The datasets are
noise of the real sizes, in archives of one's own.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import process
from benchmarks.cubes import SETS, paper_columns
from benchmarks.row import Row, once
from benchmarks.table import lines

GREY, COLOUR = (60000, 28, 1), (50000, 32, 3)
SIZES = {"mnist": GREY, "fashion-mnist": GREY, "cifar10": COLOUR, "cifar100": COLOUR}
N_TEST = 10000


def write(folder: Path, n_seeds: int, share: float = 1.0) -> None:
    """Write datasets (a `share` of their training images), the grid and its finished run directory into `folder`."""
    from rdcompute.cellfile import CellResult
    from rdcompute.grid_file import load_grid
    from rdcompute.image_facts import checksums, image_facts
    from rdcompute.plan import make_plan
    from rdcompute.rundir import RunDirectory

    os.fsync = lambda descriptor: None  # only what is measured later needs to be safe
    grid = load_grid(str(_write_grid(folder, n_seeds, share)))
    plan = make_plan(grid)
    facts = image_facts(plan, None)
    run = RunDirectory.open(
        folder / "run", grid.resolved(), checksums(facts), document=grid.document(), cells=[c.key for c in plan.cells]
    )
    rng = np.random.default_rng(0)
    states: dict[tuple[str, str], dict[str, Any]] = {}
    for cell in plan.cells:
        labels = facts[cell.dataset].test_labels
        meta, arrays = _result(rng, cell, labels, plan.parameters[cell.dataset, cell.arch].layers)
        if cell.is_dense:
            arrays |= _weights(rng, states, cell, plan.datasets[cell.dataset])
        run.save(cell.key, CellResult(meta, arrays), cell.content())


def _write_grid(folder: Path, n_seeds: int, share: float) -> Path:
    rng = np.random.default_rng(1)
    methods: dict[tuple[str, str], list[str]] = {}
    for dataset, arch, method, _ in paper_columns():
        if method not in methods.setdefault((dataset, arch), []):
            methods[dataset, arch].append(method)
    for dataset in dict.fromkeys(dataset for dataset, _ in methods):
        n, size, channels = SIZES[dataset]
        arrays = {}
        for part, n_images in (("train", int(n * share)), ("test", N_TEST)):
            arrays[f"{part}_images"] = rng.integers(0, 256, (n_images, size, size, channels), np.uint8)
            arrays[f"{part}_labels"] = rng.permutation(np.arange(n_images) % SETS[dataset])
        np.savez(folder / f"{dataset}.npz", **arrays)
    experiments = [
        {"dataset": str(folder / f"{dataset}.npz"), "arch": arch, "method": own}
        for (dataset, arch), own in methods.items()
    ]
    recipe = {"train": [[60, 0.01]], "finetune": [[25, 0.01]], "ratio_accounting": "shrinkbench"}
    document = {"name": "paper-size", "seeds": n_seeds, "ratio": [2, 4, 10, 20, 50], "experiments": experiments,
                "training": {"lenet": recipe, "resnet": {**recipe, "weight_decay": 5e-4}}}  # fmt: skip
    path = folder / "grid.yaml"
    path.write_text(json.dumps(document))
    return path


def _result(rng: np.random.Generator, cell: Any, labels: Any, layers: dict[str, int]) -> tuple[dict[str, Any], Any]:
    """Return what a training leaves, but for its weights."""
    n_classes = int(labels.max()) + 1
    right = rng.random(len(labels)) < 0.9 - 0.02 * np.log2(cell.ratio)
    predictions = np.where(right, labels, rng.integers(0, n_classes, len(labels)))
    confusion = np.bincount(labels * n_classes + predictions, minlength=n_classes**2).reshape(n_classes, n_classes)
    own, parent = f"{cell.key[:31]}d", (cell.parent or cell).key[:31] + "d"
    meta = {"kept_epoch": 7, "val_loss": 0.3, "seconds": 60.0, "started": "2026-01-01T00:00:00+00:00",
            "ended": "2026-01-01T00:01:00+00:00", "loss": rng.random(cell.n_epochs).tolist(),
            "val_losses": rng.random(cell.n_epochs).tolist(),
            "made": {"device": "cpu", "versions": {"torch": "2"}, "git_commit": "", "host": "host"}}  # fmt: skip
    if cell.is_dense:
        meta |= {"dense_id": own, "init_id": own, "order_id": own}
    else:
        kept = {name: max(1, round(n / cell.ratio)) for name, n in layers.items()}
        meta |= {"kept_weights": kept, "achieved_ratio": cell.ratio, "parent_id": parent}
    return meta, {"confusion": confusion.astype(np.int32), "prediction": predictions.astype(np.uint32)}


def _weights(rng: np.random.Generator, states: dict[tuple[str, str], Any], cell: Any, spec: Any) -> dict[str, Any]:
    """Return random weights of the network's shapes."""
    from rdcompute.models import build_model

    kind = (cell.dataset, cell.arch)
    if kind not in states:
        states[kind] = build_model(cell.arch, spec.n_classes, spec.image_shape, 0).state_dict()
    return {
        f"state/{name}": rng.standard_normal(tuple(t.shape), np.float32) if t.is_floating_point() else t.numpy()
        for name, t in states[kind].items()
    }


def rows(n_seeds: int = 30, share: float = 1.0) -> list[Row]:
    """Measure whole commands, each in a process of its own."""
    columns = paper_columns()
    n_cells = n_seeds * len(columns)
    bare = process("-c", "import torch, xarray, netCDF4")
    imported = "importing torch and xarray"
    result = [Row(imported, once(bare[0]), "s"), Row(imported, once(bare[1]), "GiB")]
    with tempfile.TemporaryDirectory() as folder:
        process("-m", "benchmarks.rundirs", "--write", folder, "--seeds", str(n_seeds), "--share", str(share))
        run, output = f"{folder}/run", f"{folder}/cube.nc"
        size = sum(path.stat().st_size for path in Path(run).rglob("*") if path.is_file()) / 2**20
        repeat = ("-m", "rdcli", "compute", "--grid", f"{folder}/grid.yaml", "--run-dir", run, "--output", output)
        commands = (
            ("repeat it, no cube yet", repeat),
            ("repeat it, the cube is there", repeat),
            ("rd assemble of it", ("-m", "rdcli", "assemble", run, "--output", f"{folder}/partial.nc")),
        )
        result.append(Row(f"finished run of {n_cells} cells", once(size), "MiB", note="and their dense networks"))
        for name, command in commands:
            elapsed, peak = process(*command)
            for unit, value, base in (("s", elapsed, bare[0]), ("GiB", peak, bare[1])):
                more = f"{value - base:+.2f} {unit}"
                result.append(Row(name, once(value), unit, once(value / base), "times importing", note=more))
    return result


def main(arguments: list[str]) -> None:
    """Print the table, or write a run directory."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="write a run directory there and stop")
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--share", type=float, default=1.0, help="of the training images")
    chosen = parser.parse_args(arguments)
    if chosen.write:
        write(chosen.write, chosen.seeds, chosen.share)
        return
    for row in rows(chosen.seeds, chosen.share):
        print(lines(row))


if __name__ == "__main__":
    main(sys.argv[1:])
