"""The report and the figures of a cube of the demo's shape and one of the paper's, as whole processes."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.common import process, processes
from benchmarks.row import Row, Sample, once

FIGURES = ("delta", "boxes", "scatter", "classes", "confusion")
REPEATS = 3


def rows() -> list[Row]:
    """Time `rd report` beside `rd analyze` on the same cube, and `rd plot` once a figure."""
    result = []
    with tempfile.TemporaryDirectory() as folder:
        for shape in ("demo", "paper"):
            cube, page = str(Path(folder) / f"{shape}.nc"), Path(folder) / f"{shape}.html"
            process("-m", "benchmarks.cubes", shape, cube)
            analysed = processes("-m", "rdcli", "analyze", cube, repeats=REPEATS)[0].median
            took = processes("-m", "rdcli", "report", cube, "--output", str(page), repeats=REPEATS)
            result += _rows(f"rd report, {shape}-shaped cube", *took, analysed)
            size = once(page.stat().st_size / 1e6)
            result.append(Row(f"rd report, {shape}-shaped cube: the page", size, "MB"))
            for name in FIGURES:
                drawing = str(Path(folder) / f"{name}.svg")
                took = processes("-m", "rdcli", "plot", cube, "--figure", name, "--output", drawing, repeats=1)
                result += _rows(f"rd plot {name}, {shape}-shaped cube", *took, analysed)
    return result


def _rows(what: str, elapsed: Sample, peak: Sample, analysed: float) -> list[Row]:
    ratio = elapsed.times(1 / analysed)
    return [Row(what, elapsed, "s", ratio, "times rd analyze"), Row(what, peak, "GiB")]
