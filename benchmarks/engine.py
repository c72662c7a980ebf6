"""The engine as a whole: what a cell costs beside its training, memory, and the job the way most people write it."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import interleaved, process, ratios
from benchmarks.row import Aim, Row, Sample, once
from benchmarks.table import lines
from benchmarks.usual import grid, options
from rdcompute.memory import huge_pages

CIFAR = (50000, 10000, 32, 3)
SMALL = (1000, 10000, 32, 3)
MANY_TIMES = 5
"""The whole job on two cores, beside the way with DataLoaders."""


def write_images(path: Path, n_train: int, n_test: int, size: int, channels: int) -> str:
    """Write a dataset of noise in ten classes; return its name in a grid."""
    rng = np.random.default_rng(0)
    arrays = {}
    for part, n in (("train", n_train), ("test", n_test)):
        arrays[f"{part}_images"] = rng.integers(0, 256, (n, size, size, channels), np.uint8)
        arrays[f"{part}_labels"] = np.arange(n) % 10
    np.savez(path, **arrays)
    return str(path)


def overhead(folder: Path) -> list[Row]:
    """Return milliseconds a cell of everything but training and evaluating, which are replaced by nothing."""
    from rdcompute import execute
    from rdcompute.checkpoint import EpochReport
    from rdcompute.execute import use_one_thread
    from rdcompute.grid import Grid
    from rdcompute.plan import make_plan
    from rdcompute.rundir import RunDirectory
    from rdcompute.runner import run_cells
    from rdcompute.schedule import Silent
    from rdcompute.training import Fit, snapshot

    use_one_thread()
    rng = np.random.default_rng(0)
    history = tuple(EpochReport(i, 60, 0.1, 0.1, 1, 1.0) for i in range(60))
    execute.fit = lambda model, *_, **__: Fit(snapshot(model), 1, 0.1, history)
    execute.predict = lambda model, data, size: rng.integers(0, 10, len(data.test_labels))
    cifar = write_images(folder / "cifar.npz", *SMALL)
    result = []
    for dataset, arch in (("digits", "lenet"), (cifar, "resnet56")):
        cells = [{"dataset": dataset, "arch": arch, "method": ["sham", "mp"]}]
        made = Grid.model_validate({"name": "a", "seeds": 4, "ratio": [2, 4], "experiments": cells})
        plan = make_plan(made)
        run = RunDirectory.open(folder / f"{arch}.run", made.resolved(), {})
        ends: list[tuple[bool, float]] = []

        class Clock(Silent):
            def finished(self, cell: Any, ends: list[tuple[bool, float]] = ends) -> None:
                ends.append((cell.is_dense, time.perf_counter()))

        run_cells(plan, run, data_dir=None, listener=Clock())
        took = [(dense, end - before) for (_, before), (dense, end) in pairwise(ends)]
        for what, dense in (("dense", True), ("pruned", False)):
            own = Sample.of(seconds for d, seconds in took if d == dense)
            result.append(Row(f"beside training: {arch}, {what} cell", own.times(1e3), "ms"))
    return result


def memory(folder: Path) -> list[Row]:
    """Return the peak memory of a worker that trains a ResNet-56 on data of CIFAR-10's size and scores it by gp."""
    import resource

    import torch

    from rdcompute import datasets
    from rdcompute.criteria.gradient import training_gradient
    from rdcompute.device_data import DeviceData
    from rdcompute.execute import use_one_thread
    from rdcompute.image_parts import ImageParts
    from rdcompute.memory import keep_memory
    from rdcompute.models import build_model
    from rdcompute.training import fit, predict
    from rdcompute.training_settings import TrainingSettings

    def row(what: str, note: str = "") -> Row:
        return Row(what, once(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20), "GiB", note=note)

    use_one_thread()
    keep_memory()  # as workers do
    result = [row("a worker: imported")]
    data = datasets.load(write_images(folder / "cifar.npz", *CIFAR))
    parts = ImageParts.split(data, root_seed=0)
    del data
    whole = DeviceData.of(parts, torch.device("cpu"), root_seed=0, memory_format="channels_last")
    result.append(row("a worker: data of CIFAR-10's size", "decoded in this process, not shared"))
    sizes = {"train_pixels": 384, "train_labels": 384}
    sizes |= {f"{part}_{kind}": 500 for part in ("holdout", "test") for kind in ("images", "labels")}
    few = replace(whole, **{name: getattr(whole, name)[:n] for name, n in sizes.items()})
    settings = TrainingSettings()
    model = build_model("resnet56", 10, (3, 32, 32), 0).to(memory_format=torch.channels_last)
    fit(model, few, ((1, 0.01),), settings, stream_name="memory")
    predict(model, few, settings.eval_batch_size)
    result.append(row("a worker: ResNet-56, 3 steps, evaluation"))
    images, labels = whole.train_images[:500], whole.train_labels[:500]
    training_gradient(model, images, labels, whole.normalize, settings.batch_size)
    result.append(row("a worker: ResNet-56, gp scores", f"batches of {settings.batch_size}"))
    return result


def against_usual(
    seeds: int, epochs: int, finetune: int, ratio: list[float], share: float, repeats: int
) -> list[Row]:  # fmt: skip
    """Compare whole jobs, start-up included, in turn: `rd compute --workers 2` and `benchmarks.usual`."""
    sizes = ["--seeds", seeds, "--epochs", epochs, "--finetune", finetune, "--share", share, "--ratio", *ratio]

    def ours() -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "grid.json"
            file.write_text(json.dumps(grid(seeds, epochs, finetune, ratio)))
            process("-m", "rdcli", "compute", "--grid", str(file), "--scale", f"train={share}", "--workers", "2",
                    "--device", "cpu", "--output", f"{folder}/cube.nc")  # fmt: skip

    def theirs() -> None:
        with tempfile.TemporaryDirectory() as folder:
            process("-m", "benchmarks.usual", folder, *map(str, sizes))

    clocks = interleaved([theirs, ours], repeats)
    usual, engine = ([clock.wall for clock in own] for own in clocks)
    job = f"LeNet, {seeds * (2 + len(ratio))} cells"
    return [
        Row(f"{job}: as usual", Sample.of(usual), "s", note=f"share {share} of Fashion-MNIST"),
        Row(f"{job}: rd, 2 workers", Sample.of(engine), "s", ratios(usual, engine), "times as fast",
            Aim("at least", MANY_TIMES, "ratio")),
    ]  # fmt: skip


def rows(
    seeds: int = 2, epochs: int = 3, finetune: int = 2, ratio: Sequence[float] = (2, 10, 50), share: float = 0.3,
    repeats: int = 3,
) -> list[Row]:  # fmt: skip
    """Return all of it."""
    result = _elsewhere("overhead") + _elsewhere("memory")
    return result + against_usual(seeds, epochs, finetune, list(ratio), share, repeats)


def _elsewhere(task: str) -> list[Row]:
    """Return the rows of a task that needs a process of its own."""
    with huge_pages():  # as workers have them
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.engine", "--task", task], capture_output=True, text=True, check=True
        )
    return list(map(Row.read, json.loads(done.stdout)))


def main(arguments: list[str]) -> None:
    """Print the table, or the rows of one task as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--task", choices=["overhead", "memory"], help="only this, as JSON")
    options(parser)
    parser.add_argument("--repeats", type=int, default=3, help="of the whole jobs")
    chosen = vars(parser.parse_args(arguments))
    task = chosen.pop("task")
    if task:
        with tempfile.TemporaryDirectory() as folder:
            found = {"overhead": overhead, "memory": memory}[task](Path(folder))
            print(json.dumps([row.document() for row in found]))
        return
    for row in rows(**chosen):
        print(lines(row))


if __name__ == "__main__":
    main(sys.argv[1:])
