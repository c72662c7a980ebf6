"""Two worker processes against one, on a job that is long beside their start-up."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.common import interleaved, process, ratios
from benchmarks.row import Row, Sample
from benchmarks.table import lines


def rows(train: float = 0.3, epochs: float = 0.1, repeats: int = 5) -> list[Row]:
    """Compare whole `rd compute` runs of fashion.yaml, two seeds, with 1 and 2 workers.

    `train` and `epochs` are shares of the training images and epochs; as given, one worker takes over a minute.
    """
    scale = ("--scale", "seeds=2", "--scale", f"train={train}", "--scale", f"epochs={epochs}")

    def run(n_workers: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            output = str(Path(folder) / "cube.nc")
            process("-m", "rdcli", "compute", "--grid", "fashion.yaml", *scale, "--device", "cpu", "--output", output,
                    "--workers", str(n_workers))  # fmt: skip

    clocks = interleaved([lambda: run(1), lambda: run(2)], repeats)
    one, two = ([clock.wall for clock in own] for own in clocks)
    job = "Fashion-MNIST, LeNet, 14 cells"
    return [
        Row(f"{job}, 1 worker", Sample.of(one), "s", note=f"train={train}, epochs={epochs}"),
        Row(f"{job}, 2 workers", Sample.of(two), "s", ratios(one, two), "times as fast"),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--train", type=float, default=0.3, help="share of the training images")
    parser.add_argument("--epochs", type=float, default=0.1, help="share of the epochs")
    parser.add_argument("--repeats", type=int, default=5)
    for row in rows(**vars(parser.parse_args(sys.argv[1:]))):
        print(lines(row))
