"""The report and the figures of a cube of the demo's shape and one of the paper's, as whole processes."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from benchmarks.common import Row, process

FIGURES = ("delta", "boxes", "scatter", "classes", "confusion")


def rows() -> list[Row]:
    """Time `rd report` beside `rd analyze` on the same cube (medians of 3), and `rd plot` once a figure."""
    result = []
    with tempfile.TemporaryDirectory() as folder:
        for shape in ("demo", "paper"):
            cube, page = str(Path(folder) / f"{shape}.nc"), Path(folder) / f"{shape}.html"
            process("-m", "benchmarks.cubes", shape, cube)
            analysed = statistics.median(process("-m", "rdcli", "analyze", cube)[0] for _ in range(3))
            runs = [process("-m", "rdcli", "report", cube, "--output", str(page)) for _ in range(3)]
            seconds, memory = (statistics.median(values) for values in zip(*runs, strict=True))
            size = page.stat().st_size / 1e6
            result.append(
                (f"rd report, {shape}-shaped cube", f"{seconds:.2f} s, {memory:.2f} GiB, {size:.2f} MB",
                 f"{seconds / analysed:.1f} times rd analyze")
            )  # fmt: skip
            for name in FIGURES:
                drawing = str(Path(folder) / f"{name}.svg")
                seconds, memory = process("-m", "rdcli", "plot", cube, "--figure", name, "--output", drawing)
                result.append((f"rd plot {name}, {shape}-shaped cube", f"{seconds:.2f} s, {memory:.2f} GiB",
                               f"{seconds / analysed:.1f} times rd analyze"))  # fmt: skip
    return result
