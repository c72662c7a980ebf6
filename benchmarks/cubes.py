"""Simulated cubes of stated shapes, and how long writing and reducing the paper's takes."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.common import process
from benchmarks.row import Row, once
from rdstats.cube import DONE, CubeWriter, class_counts, open_cube

RATIOS = [1.0, 2.0, 4.0, 10.0, 20.0, 50.0]
ARCHS = ["lenet", "resnet20", "resnet32", "resnet44", "resnet56", "resnet110"]
SETS = {"mnist": 10, "fashion-mnist": 10, "cifar10": 10, "cifar100": 100}
METHODS = ["sham", "mp", "gp", "up", "rp"]
Column = tuple[str, str, str, float]


def paper_columns(n: int = 88) -> list[Column]:
    """Return the paper's columns with a sham each, and then the first free ones up to `n` of 720."""
    arms = [("mnist", "lenet", "mp"), ("fashion-mnist", "lenet", "mp")]
    arms += [("cifar10", arch, method) for arch in ARCHS[1:] for method in ("mp", "up")]
    arms += [("cifar10", "resnet56", "gp"), ("cifar10", "resnet56", "rp")]
    arms += [("cifar100", "resnet56", "mp"), ("cifar100", "resnet56", "up")]
    columns: list[Column] = [(d, a, m, r) for d, a, m in arms for r in RATIOS[1:]]
    columns += [(d, a, "sham", 1.0) for d, a in dict.fromkeys((d, a) for d, a, _ in arms)]
    return columns[:n]


def write(path: Path, columns: list[Column], n_seeds: int, n_test: int, seed: int = 0) -> None:
    """Write a simulated cube: recalls near .9, lower with the ratio."""
    rng = np.random.default_rng(seed)
    sets = {d: SETS.get(d, 10) for d in dict.fromkeys(c[0] for c in columns)}
    n_classes = max(sets.values())
    whole = len(columns) > 40
    labels = {"method": METHODS, "ratio": RATIOS, "arch": ARCHS if whole else [columns[0][1]]}
    if not whole:
        labels["ratio"] = sorted({c[3] for c in columns})
    coords = {"seed": list(range(n_seeds)), "dataset": list(sets), **labels, "sample": n_test}
    coords |= {"true_class": list(range(n_classes)), "predicted_class": list(range(n_classes))}
    with CubeWriter(path, coords, attrs={"source": "simulated"}) as writer:
        for dataset, c in sets.items():
            writer.put({"dataset": dataset}, label=np.repeat(np.arange(c), n_test // c), n_classes=c)
        right: dict[tuple[str, str, int], np.ndarray] = {}
        for d, a in dict.fromkeys((d, a) for d, a, _, _ in columns):
            for s in range(n_seeds):
                where = {"seed": s, "dataset": d, "arch": a}
                confusion, prediction = _draw(rng, sets[d], n_test, 0.9)
                dense_id = f"{d}-{a}-{s}"
                right[d, a, s] = prediction == np.repeat(np.arange(sets[d]), n_test // sets[d])
                writer.put(where, confusion_dense=confusion, prediction_dense=prediction, dense_id=dense_id)
        for s in range(n_seeds):
            for d, a, m, r in columns:
                where = {"seed": s, "dataset": d, "arch": a, "method": m, "ratio": r}
                confusion, prediction = _draw(rng, sets[d], n_test, 0.9 - 0.02 * np.log2(r))
                true = np.repeat(np.arange(sets[d]), n_test // sets[d])
                both = np.bincount(true[right[d, a, s] & (prediction == true)], minlength=sets[d])
                writer.put(where, confusion=confusion, prediction=prediction, both_correct=both, status=DONE,
                           achieved_ratio=r)  # fmt: skip


def _draw(rng: np.random.Generator, c: int, n_test: int, recall: float) -> tuple[np.ndarray, np.ndarray]:
    true = np.repeat(np.arange(c), n_test // c)
    right = rng.random(len(true)) < (recall + 0.06 * np.sin(np.arange(c)))[true]
    prediction = np.where(right, true, (true + 1 + rng.integers(0, c - 1, len(true))) % c).astype(np.uint8)
    return np.bincount(true * c + prediction, minlength=c * c).reshape(c, c), prediction


def rows() -> list[Row]:
    """Measure writing (drawing subtracted) and reducing the paper's shape, each in a process of its own."""
    bare = process("-c", "import xarray, netCDF4")
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "paper.nc")
        drawn = process("-m", "benchmarks.cubes", "draw")
        wrote = process("-m", "benchmarks.cubes", "paper", path)
        read = process("-m", "benchmarks.cubes", "reduce", path)
        size = Path(path).stat().st_size / 2**20
    writing, reading = "write a paper-size cube", "open and reduce a paper-size cube"
    return [
        Row(writing, once(wrote[0] - drawn[0]), "s", note="without what drawing the numbers takes"),
        Row(writing, once(wrote[1]), "GiB"),
        Row("a paper-size cube on disk", once(size), "MiB"),
        Row(reading, once(read[0]), "s", once(read[0] / bare[0]), "times importing xarray"),
        Row(reading, once(read[1]), "GiB"),
    ]


if __name__ == "__main__":
    task, *rest = sys.argv[1:]
    if task == "paper":
        write(Path(rest[0]), paper_columns(), 30, 10000)
    elif task == "demo":
        arms = [("digits", "lenet", m, r) for m in METHODS[1:] for r in RATIOS[1:]]
        write(Path(rest[0]), [*arms, ("digits", "lenet", "sham", 1.0)], 10, 900)
    elif task == "draw":
        generator = np.random.default_rng(0)
        import netCDF4  # noqa: F401  # loaded when writing, too
        import xarray  # noqa: F401

        for column in paper_columns() * 30:
            _draw(generator, SETS[column[0]], 10000, 0.9)
        for _ in range(30 * 8):
            _draw(generator, 10, 10000, 0.9)
    elif task == "reduce":
        with open_cube(rest[0]) as opened:
            class_counts(opened)
