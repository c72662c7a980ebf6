"""Whole processes: starting up, importing, analysing."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from benchmarks.common import Row, process


def rows() -> list[Row]:
    """Time `rd --help`, `import rdstats` and `rd analyze` on a cube of the demo's shape; medians of 5."""
    with tempfile.TemporaryDirectory() as folder:
        cube = Path(folder) / "demo.nc"
        process("-m", "benchmarks.cubes", "demo", str(cube))
        bare = _median("-c", "pass")
        result = [("python -c pass", f"{bare:.3f} s", "")]
        for name, arguments in (
            ("import rdstats", ("-c", "import rdstats")),
            ("rd --help", ("-m", "rdcli", "--help")),
            ("rd analyze, demo-shaped cube", ("-m", "rdcli", "analyze", str(cube))),
            ("rd report, demo-shaped cube", ("-m", "rdcli", "report", str(cube), "--output", f"{folder}/report.html")),
        ):
            elapsed = _median(*arguments)
            result.append((name, f"{elapsed:.3f} s", f"{elapsed / bare:.1f} times a bare Python"))
    return result


def _median(*arguments: str) -> float:
    return statistics.median(process(*arguments)[0] for _ in range(5))
