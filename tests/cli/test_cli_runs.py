"""`rd status`, `rd assemble`, `rd retry`: run directories without their grid files."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rdstats
from rdcli.progress import clock
from rdcli.runs import _table
from rdcompute.compute import compute
from rdcompute.grid_file import load_grid
from rdcompute.lock import RunLock
from rdcompute.manifest import read_manifest, write_manifest
from rdcompute.plan import make_plan
from rdcompute.rundir import CellResult, RunDirectory
from rdcompute.runs import column_states, open_run
from rdcompute.underway import UnderWay
from rdstats.cube import digest, open_cube


def columns(text: str) -> dict[tuple[str, ...], list[str]]:
    """The table of rd status: (dataset, arch, method) -> the rest of the row; "all" -> the sums."""
    rows = [line.split() for line in text.splitlines()]
    start = next(i for i, row in enumerate(rows) if row[0] == "dataset") + 1
    return {("all",) if row[0] == "all" else tuple(row[:3]): row[1 if row[0] == "all" else 3 :] for row in rows[start:]}


@pytest.fixture
def half_done(grid: Path, data_dir: Path, tmp_path: Path) -> Path:
    """A run directory in which the first seed is finished, one cell failed and another is unfinished."""
    loaded = load_grid(str(grid))
    def only_first_seed(cells):
        return [cell for cell in cells if cell.seed == 0]

    compute(loaded, tmp_path / "half.nc", data_dir=data_dir, device="cpu", order=only_first_seed)
    run = RunDirectory.existing(tmp_path / "half.run")
    second = [cell for cell in make_plan(loaded, data_dir).cells if cell.seed == 1]
    run.save_checkpoint(second[0].key, CellResult({}, {}))
    run.save_failure(second[1].key, second[1].content(), "DivergedError: loss nan", "Traceback")
    return run.path


def test_status_counts_every_state(rd, half_done: Path, data_dir: Path) -> None:
    assert rd("status", half_done, "--data-dir", data_dir) == 0
    found = columns(rd.stdout)
    assert found["bars", "lenet", "dense"][:5] == ["1/2", "0", "0", "1", "0"]
    assert found["bars", "lenet", "sham"][:5] == ["1/2", "0", "1", "0", "0"]
    assert found["bars", "lenet", "mp"][:5] == ["2/4", "0", "0", "0", "2"]
    assert found["all",][:5] == ["4/8", "0", "1", "1", "2"]
    assert "unknown" not in rd.stdout
    assert rd.stdout.startswith("nobody computes here now\n")
    assert "bars lenet seed 1 sham 1: DivergedError: loss nan" in rd.stdout
    assert rd("status", half_done, "--data-dir", data_dir, "--cells") == 0
    states = [line.split()[1] for line in rd.stdout.splitlines() if len(line.split("  ")[0]) == 12]
    assert sorted(states) == ["done"] * 4 + ["failed"] + ["missing"] * 2 + ["unfinished"]


def test_status_while_cells_are_computed(rd, half_done: Path, data_dir: Path) -> None:
    run = open_run(half_done, data_dir)
    rest = [cell for cell in run.plan.cells if cell.seed == 1]
    lock = RunLock(half_done).take()
    try:
        under_way = UnderWay(half_done, 2)
        under_way.started(rest[2])  # a worker that died under it: it is begun twice
        for cell in rest[:3]:  # the second is failed by its record: it is tried again
            under_way.started(cell)
        under_way.finished(rest[2])
        assert rd("status", half_done, "--data-dir", data_dir, "--cells") == 0
    finally:
        lock.release()
    assert re.match(rf"computing: process {os.getpid()} on \S+, workers: 2\n", rd.stdout)
    found = columns(rd.stdout)
    assert found["all",][:5] == ["4/8", "2", "0", "0", "2"]
    assert found["bars", "lenet", "dense"][:5] == ["1/2", "1", "0", "0", "0"]
    assert len(re.findall(r"^[0-9a-f]{12}  running ", rd.stdout, re.M)) == 2
    two_workers = rd.stdout
    # a killed process leaves its list behind; without the lock it means nothing
    assert rd("status", half_done, "--data-dir", data_dir) == 0
    assert columns(rd.stdout)["all",][:5] == ["4/8", "0", "1", "1", "2"]
    assert rd.stdout != two_workers


def test_time_left_is_that_of_all_workers(half_done: Path, data_dir: Path) -> None:
    states = column_states(open_run(half_done, data_dir))
    alone, together = (_table(states, n)[-1].split()[-1] for n in (1, 2))
    seconds = sum(state.seconds_left for state in states)
    assert (alone, together) == (clock(seconds), clock(seconds / 2))
    run = open_run(half_done, data_dir)
    epochs = {cell.key: cell.n_epochs for cell in run.plan.cells}
    spent = {key: run.directory.readable(key)["seconds"] for key in epochs if run.directory.has(key)}
    pace = sum(spent.values()) / sum(epochs[key] for key in spent)
    assert seconds == pytest.approx(pace * sum(epochs[key] for key in epochs if key not in spent))


def test_a_partial_cube_at_any_time(rd, half_done: Path, data_dir: Path, tmp_path: Path) -> None:
    target = tmp_path / "partial.nc"
    assert rd("assemble", half_done, "--output", target, "--data-dir", data_dir) == 0
    assert rd.stdout == f"cube: {target}, 4 of 8 cells\n"
    with open_cube(target) as cube, open_cube(tmp_path / "half.nc") as other:
        status = cube["status"].sel({"method": "sham", "ratio": 1}).values.ravel().tolist()
        assert status == [1, 2]
        assert cube.attrs["device"] == other.attrs["device"] == "cpu"
        assert cube.attrs["versions"] == other.attrs["versions"]
        assert len(rdstats.slopes(cube)["seed"]) == 2


def test_retry_and_assemble_give_the_cube_of_an_undisturbed_run(
    rd, half_done: Path, grid: Path, data_dir: Path, tmp_path: Path
) -> None:
    compute(load_grid(str(grid)), tmp_path / "whole.nc", data_dir=data_dir, device="cpu")
    assert rd("retry", half_done, "--failed", "--data-dir", data_dir, "--device", "cpu") == 0
    assert "6 of 8 cells done" in rd.stdout  # the failed one, and the dense network that it needs
    keys = [line.split()[0] for line in _cells(rd, half_done, data_dir) if "missing" in line]
    assert len(keys) == 2
    assert rd("retry", half_done, "--cell", keys[0], "--cell", keys[1], "--data-dir", data_dir) == 0
    assert rd("retry", half_done, "--data-dir", data_dir) == 0
    assert rd.stdout == "nothing failed\n"
    assert rd("assemble", half_done, "--output", tmp_path / "end.nc", "--data-dir", data_dir) == 0
    with open_cube(tmp_path / "whole.nc") as one, open_cube(tmp_path / "end.nc") as other:
        assert digest(one) == digest(other)


def _cells(rd, run: Path, data_dir: Path) -> list[str]:
    assert rd("status", run, "--cells", "--data-dir", data_dir) == 0
    return [line for line in rd.stdout.splitlines() if len(line.split("  ")[0]) == 12]


def test_wrong_input_is_one_line(rd, half_done: Path, data_dir: Path, tmp_path: Path, cube: Path) -> None:
    assert "holds no run.json" in rd.refused("status", tmp_path / "nothing")
    assert "is a file, not a run directory; a cube is read by rd info" in rd.refused("status", cube)
    done = _cells(rd, half_done, data_dir)[0].split()[0]
    assert "is finished" in rd.refused("retry", half_done, "--cell", done, "--data-dir", data_dir)
    wrong = done[:-1] + ("0" if done[-1] != "0" else "1")
    assert "no such cell (did you mean" in rd.refused("retry", half_done, "--cell", wrong, "--data-dir", data_dir)
    assert "--workers 0" in rd.refused("retry", half_done, "--workers", 0, "--data-dir", data_dir)
    manifest = half_done / "run.json"
    found = read_manifest(manifest)
    manifest.write_text(json.dumps({**found, "run_schema": 99}))
    assert "run schema 99" in rd.refused("status", half_done, "--data-dir", data_dir)
    manifest.write_text(json.dumps({**found, "document": {}}))
    assert "damaged; rd compute with its grid file mends it" in rd.refused("status", half_done, "--data-dir", data_dir)
    write_manifest(manifest, {**found, "document": {}})
    assert "repeat rd compute with the grid file once" in rd.refused("status", half_done, "--data-dir", data_dir)


def test_as_a_process(half_done: Path, data_dir: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rdcli", "status", half_done, "--data-dir", data_dir],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert columns(done.stdout)["all",][0] == "4/8"


def test_a_machine_without_torch_can_look_and_assemble(half_done: Path, data_dir: Path, tmp_path: Path) -> None:
    code = "import sys; sys.modules['torch'] = None; from rdcli.main import main; main()"

    def rd(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, *map(str, arguments), "--data-dir", str(data_dir)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    done = rd("status", half_done)
    assert done.returncode == 0, done.stderr
    assert columns(done.stdout)["all",][0] == "4/8"
    done = rd("assemble", half_done, "--output", tmp_path / "p.nc")
    assert done.stdout == f"cube: {tmp_path / 'p.nc'}, 4 of 8 cells\n", done.stderr
    manifest = half_done / "run.json"
    write_manifest(manifest, {**read_manifest(manifest), "networks": {}})  # as older versions wrote it
    done = rd("status", half_done)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "needs torch: pip install 'recall-distortion[compute]'" in done.stderr


def test_a_grid_that_grew(rd, grid: Path, data_dir: Path, tmp_path: Path) -> None:
    common = ("--grid", grid, "--output", tmp_path / "a.nc", "--data-dir", data_dir, "--device", "cpu")
    assert rd("compute", *common, "--scale", "seeds=1") == 0
    grid.write_text(grid.read_text().replace("ratio: [2, 4]", "ratio: [2, 4, 10]").replace("seeds: 2", "seeds: 1"))
    line = rd.refused("compute", *common)
    assert "belongs to a different grid" in line
    assert rd("compute", *common, "--extend") == 0
    assert "5 of 5 cells (4 were there already)" in rd.stdout


def test_stop_at_the_first_failure(rd, grid: Path, data_dir: Path, tmp_path: Path) -> None:
    grid.write_text(grid.read_text().replace("finetune: [[1, 0.05]]", "finetune: [[1, 1e30]]"))
    common = ("--grid", grid, "--data-dir", data_dir, "--device", "cpu")
    assert rd("compute", *common, "--output", tmp_path / "a.nc", "--fail-fast") == 1
    assert "1 of 8 cells" in rd.stdout
    assert "1 cell failed" in rd.stderr
    assert rd("compute", *common, "--output", tmp_path / "b.nc") == 1
    assert "2 of 8 cells" in rd.stdout
    assert "6 cells failed" in rd.stderr


def test_other_images_under_the_same_name_are_refused(rd, half_done: Path, data_dir: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with np.load(data_dir / "bars.npz") as found:
        np.savez(other / "bars.npz", **{**found, "test_images": 255 - found["test_images"]})
    before = sorted(half_done.rglob("*.cell"))
    assert "was computed on other data" in rd.refused("retry", half_done, "--failed", "--data-dir", other)
    target = tmp_path / "x.nc"
    assert "was computed on other data" in rd.refused("assemble", half_done, "--output", target, "--data-dir", other)
    assert sorted(half_done.rglob("*.cell")) == before
    assert not target.exists()
