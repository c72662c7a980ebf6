"""`rd import`: predictions in Parquet, CSV, and the matrices of a whole study, each in a process of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.common import process
from benchmarks.row import Aim, Row, once

EXAMPLES, CLASSES = 10_000_000, 1_000
SMALLER = 1_000_000
"""Rows of the CSV file."""
MOST_SECONDS, MOST_GIB = 20, 2
"""For the Parquet file."""


def rows() -> list[Row]:
    """Time `rd import` of labels with two columns of predictions, and of a folder of matrices."""
    result: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for suffix, n in (("parquet", EXAMPLES), ("csv", SMALLER)):
            path = folder / f"predictions.{suffix}"
            write_predictions(path, n, CLASSES)
            elapsed, peak = process("-m", "rdcli", "import", str(path), "--output", str(folder / f"{suffix}.nc"))
            what = f"rd import, {n:,} examples, {suffix}"
            speed = f"{n / elapsed / 1e6:.2f} million a second, {CLASSES:,} classes"
            most = (Aim("at most", MOST_SECONDS), Aim("at most", MOST_GIB)) if n == EXAMPLES else (None, None)
            result.append(Row(what, once(elapsed), "s", aim=most[0], note=speed))
            result.append(Row(what, once(peak), "GiB", aim=most[1]))
        n_files = write_matrices(folder / "matrices")
        pattern = ("--pattern", "{method}-{ratio}-{seed}.csv", "--output", str(folder / "folder.nc"))
        elapsed, peak = process("-m", "rdcli", "import", str(folder / "matrices"), *pattern)
        what, each = f"rd import, folder of {n_files} matrices", f"{1e3 * elapsed / n_files:.1f} ms a file"
        result += [Row(what, once(elapsed), "s", note=each), Row(what, once(peak), "GiB")]
    return result


def write_predictions(path: Path, n: int, classes: int) -> None:
    """Write n labels and the predictions of a dense and a pruned network, as text, right in 3 of 4 cases."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    rng = np.random.default_rng(0)
    names = pa.array([f"class {i:04}" for i in range(classes)])
    true = rng.integers(0, classes, n, dtype=np.int32)
    columns = {"label": true}
    for model in ("dense", "pruned"):
        wrong = rng.random(n, dtype=np.float32) < 0.25
        columns[model] = np.where(wrong, rng.integers(0, classes, n, dtype=np.int32), true)
    table = pa.table({name: names.take(pa.array(codes)) for name, codes in columns.items()})
    if path.suffix == ".csv":
        pyarrow.csv.write_csv(table, path)
    else:
        pyarrow.parquet.write_table(table, path, row_group_size=2**20)


def write_matrices(folder: Path) -> int:
    """Write one matrix a file for 30 seeds, a dense network and 3 methods at 5 ratios; return their number."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    names = ["dense-1", *(f"{method}-{ratio}" for method in ("mp", "gp", "up") for ratio in (2, 4, 10, 20, 50))]
    for seed in range(30):
        for name in names:
            np.savetxt(folder / f"{name}-{seed}.csv", rng.multinomial(1000, np.full(10, 0.1), 10), "%d", delimiter=",")
    return 30 * len(names)
