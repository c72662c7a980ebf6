"""`rd info`: what a cube holds and where it comes from."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from rdcompute.grid_file import load_grid
from rdstats.cube import digest, open_cube


def test_what_a_computed_cube_says(rd, grid: Path, data_dir: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.nc"
    assert rd("compute", "--grid", grid, "--output", output, "--data-dir", data_dir, "--device", "cpu") == 0
    assert rd("info", output) == 0
    lines = rd.stdout.splitlines()
    assert "cells: 6 finished, 0 failed, 0 not finished" in lines
    time = r"\d{4}-\d\d-\d\d \d\d:\d\d"
    assert any(re.fullmatch(rf"computed: {time} to {time} UTC, \S+ hours of training and evaluation", x) for x in lines)
    assert any(re.match(r"  determinism: threads 1, deterministic_algorithms ", line) for line in lines)
    assert any(re.match(r"  datasets: bars [0-9a-f]{64}$", line) for line in lines)
    assert any(re.match(r"  device_names: \S", line) for line in lines)
    with open_cube(output) as cube:
        assert lines[-1] == f"digest: {digest(cube)}"
    assert rd("info", output, "--grid") == 0
    assert json.loads(rd.stdout) == load_grid(str(grid)).resolved()


def test_a_cube_from_elsewhere(rd, cube: Path) -> None:
    assert rd("info", cube) == 0
    assert "computed:" not in rd.stdout
    assert "carries no grid" in rd.refused("info", cube, "--grid")


def test_as_a_process(cube: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "rdcli", "info", cube], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "digest: " in done.stdout
