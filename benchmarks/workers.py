"""Two worker processes against one."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.common import Row, interleaved, process


def rows() -> list[Row]:
    """Compare whole `rd compute` runs of the demo grid, two seeds, with 1 and 2 workers."""

    def run(n_workers: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            output = str(Path(folder) / "cube.nc")
            process("-m", "rdcli", "compute", "--grid", "demo.yaml", "--scale", "seeds=2", "--output", output,
                    "--workers", str(n_workers))  # fmt: skip

    one, two, ratio = interleaved(lambda: run(1), lambda: run(2))
    return [
        ("demo grid, 2 seeds, 1 worker", f"{one:.1f} s", ""),
        ("demo grid, 2 seeds, 2 workers", f"{two:.1f} s", f"{ratio:.2f} times as fast"),
    ]
