"""Whole processes: starting up, importing, analysing."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.common import process, ratios
from benchmarks.row import Row, Sample

REPEATS = 5


def rows() -> list[Row]:
    """Time `rd --help`, `import rdstats`, `rd analyze` and `rd report` on a cube of the demo's shape, in turn."""
    with tempfile.TemporaryDirectory() as folder:
        cube = Path(folder) / "demo.nc"
        process("-m", "benchmarks.cubes", "demo", str(cube))
        commands = {
            "python -c pass": ("-c", "pass"),
            "import rdstats": ("-c", "import rdstats"),
            "rd --help": ("-m", "rdcli", "--help"),
            "rd analyze, demo-shaped cube": ("-m", "rdcli", "analyze", str(cube)),
            "rd report, demo-shaped cube": ("-m", "rdcli", "report", str(cube), "--output", f"{folder}/report.html"),
        }
        rounds = [[process(*arguments)[0] for arguments in commands.values()] for _ in range(REPEATS)]
    bare, *others = zip(*rounds, strict=True)
    first, *names = commands
    return [Row(first, Sample.of(bare), "s")] + [
        Row(name, Sample.of(took), "s", ratios(took, bare), "times a bare Python")
        for name, took in zip(names, others, strict=True)
    ]
