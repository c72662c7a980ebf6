"""Two Dask workers against two local ones: whole runs, and their cells alone, without what starting takes."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.common import process, ratios
from benchmarks.row import Aim, Row, Sample
from benchmarks.table import lines

AIM = Aim("at least", 0.95, "ratio")


def rows(train: float = 0.6, epochs: float = 0.2, repeats: int = 3) -> list[Row]:
    """Compare `rd compute` runs of fashion.yaml, two seeds, with 2 local workers and 2 of Dask, alternately.

    `train` and `epochs` are shares of the training images and epochs; as given, a run takes over a minute.
    """
    scale = ("--scale", "seeds=2", "--scale", f"train={train}", "--scale", f"epochs={epochs}")
    local, dask = [], []
    for _ in range(repeats):
        local.append(_run(*scale, "--executor", "local"))
        dask.append(_run(*scale, "--executor", "dask"))
    note = f"train={train}, epochs={epochs}"
    found: list[Row] = []
    for what, which in (("whole run", 0), ("first cell's begin to last one's end", 1)):
        ours, theirs = [run[which] for run in local], [run[which] for run in dask]
        aim = AIM if which else None  # starting Dask takes seconds whatever the length of the job
        found += [
            Row(f"2 local workers, {what}", Sample.of(ours), "s", note=note),
            Row(f"2 Dask workers, {what}", Sample.of(theirs), "s", ratios(ours, theirs), "of their throughput", aim),
        ]
    return found


def _run(*options: str) -> tuple[float, float]:
    """Return the seconds of a whole run, and those from its first cell's begin to its last one's end."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "cube.nc"
        command = ("compute", "--grid", "fashion.yaml", "--output", str(output), "--device", "cpu", "--workers", "2")
        whole, _ = process("-m", "rdcli", *command, *options)
        return whole, _between(output.with_suffix(".run"))


def _between(run: Path) -> float:
    """Return the seconds between the first beginning and the last end of cells, exact where their times are not."""
    ends, begins = [], []
    for twin in run.glob("cells/*/*.json"):
        ends.append(twin.stat().st_mtime)
        begins.append(ends[-1] - json.loads(twin.read_bytes())["result"]["seconds"])
    return max(ends) - min(begins)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--train", type=float, default=0.6, help="share of the training images")
    parser.add_argument("--epochs", type=float, default=0.2, help="share of the epochs")
    parser.add_argument("--repeats", type=int, default=3)
    for row in rows(**vars(parser.parse_args(sys.argv[1:]))):
        print(lines(row))
