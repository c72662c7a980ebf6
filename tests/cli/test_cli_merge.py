"""`rd merge`: run directories, or cubes, of several machines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rdcompute.compute import compute
from rdcompute.grid_file import load_grid
from rdstats.cube import digest, open_cube, save, select


@pytest.fixture
def halves(cube: Path, tmp_path: Path) -> list[Path]:
    """Two cubes, each with half of the seeds."""
    paths = [tmp_path / "a.nc", tmp_path / "b.nc"]
    with open_cube(cube) as whole:
        for path, seeds in zip(paths, ([0, 1, 2], [3, 4, 5]), strict=True):
            save(select(whole, seed=seeds), path)
    return paths


def computed(grid: Path, data_dir: Path, seeds: str) -> Path:
    """The run directory of some seeds of the grid."""
    path = grid.with_name(f"seeds{seeds}.yaml")
    path.write_text(grid.read_text().replace("seeds: 2", f"seeds: {seeds}"))
    return compute(load_grid(str(path)), path.with_suffix(".nc"), data_dir=data_dir, device="cpu").run_dir


def digest_of(path: Path) -> str:
    with open_cube(path) as cube:
        return digest(cube)


def test_cubes(rd, cube: Path, halves: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "all.nc"
    assert rd("merge", *halves, "--output", target) == 0
    assert rd.stdout == f"cube: {target}, 42 cells done\n"
    assert rd.stderr == ""
    assert digest_of(target) == digest_of(cube)
    assert "is there and would be lost" in rd.refused("merge", *halves, "--output", target)


def test_run_directories(rd, grid: Path, data_dir: Path, tmp_path: Path) -> None:
    runs = [computed(grid, data_dir, seeds) for seeds in ("[0]", "[1]")]
    target = tmp_path / "all.run"
    assert rd("merge", *runs, "--output", target) == 0
    assert rd.stdout == f"run: {target}, 8 of 8 cells done; rd assemble {target} writes the cube\n"
    assert rd("assemble", target, "--output", tmp_path / "all.nc", "--data-dir", data_dir) == 0
    assert rd.stdout.endswith("8 of 8 cells\n")
    assert rd("status", target, "--data-dir", data_dir) == 0
    assert rd("compute", "--grid", grid, "--run-dir", target, "--output", tmp_path / "again.nc", "--data-dir", data_dir,
              "--device", "cpu") == 0  # fmt: skip
    assert "8 were there already" in rd.stdout
    whole = compute(load_grid(str(grid)), tmp_path / "whole.nc", data_dir=data_dir, device="cpu").output
    assert digest_of(whole) == digest_of(tmp_path / "all.nc") == digest_of(tmp_path / "again.nc")
    assert "holds files" in rd.refused("merge", *runs, "--output", target)


def test_wrong_input_is_one_line(rd, halves: list[Path], grid: Path, data_dir: Path, tmp_path: Path) -> None:
    run, target = computed(grid, data_dir, "[0]"), tmp_path / "x"
    assert "merge run directories or cubes, not both" in rd.refused("merge", run, halves[0], "--output", target)
    assert "two or more cubes are needed" in rd.refused("merge", halves[0], "--output", target)
    assert "two or more run directories are needed" in rd.refused("merge", run, "--output", target)
    assert "is given twice" in rd.refused("merge", run, run, "--output", target)
    assert "no such run directory or cube" in rd.refused("merge", *halves, tmp_path / "c.nc", "--output", target)
    assert "not a run directory" in rd.refused("merge", run, data_dir, "--output", target)
    assert "not a cube" in rd.refused("merge", halves[0], grid, "--output", target)
    other = grid.with_name("other.yaml")
    other.write_text(grid.read_text().replace("name: small", "name: other"))
    line = rd.refused("merge", run, computed(other, data_dir, "[1]"), "--output", target)
    assert 'are of different grids: name: in ' in line
    assert rd("merge", *halves) == 2
    assert not target.exists()


def test_cubes_as_a_process_without_torch(halves: list[Path], cube: Path, tmp_path: Path) -> None:
    program = "import sys; sys.modules['torch'] = None; from rdcli.main import main; main()"
    command = [sys.executable, "-c", program, "merge", *halves, "--output", tmp_path / "all.nc"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"cube: {tmp_path / 'all.nc'}, 42 cells done\n"
    assert digest_of(tmp_path / "all.nc") == digest_of(cube)
