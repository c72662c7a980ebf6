"""What must never happen: a cube lost to its own analysis, a reason or a column hidden."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import rdstats
from rdcli.progress import Estimate
from rdcompute.grid_file import load_grid
from rdcompute.plan import make_plan
from rdcompute.training_settings import TrainingSettings


@pytest.mark.parametrize("command", ["analyze", "report"])
def test_the_cube_is_never_its_own_output(rd, cube: Path, tmp_path: Path, command: str) -> None:
    copy = tmp_path / "copy.nc"
    copy.write_bytes(cube.read_bytes())
    assert "is the cube itself" in rd.refused(command, copy, "--output", copy)
    assert copy.read_bytes() == cube.read_bytes()


def test_a_cube_of_other_data_is_not_replaced(rd, grid: Path, data_dir: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.nc"
    options = ["--grid", grid, "--output", output, "--scale", "seeds=1"]
    assert rd("compute", *options, "--data-dir", data_dir) == 0
    before = output.read_bytes()
    with np.load(data_dir / "bars.npz") as file:
        arrays = dict(file)
    arrays["test_images"][0, 0, 0] ^= 1
    (tmp_path / "other").mkdir()
    np.savez(tmp_path / "other" / "bars.npz", **arrays)
    line = rd.refused("compute", *options, "--data-dir", tmp_path / "other", "--run-dir", tmp_path / "new")
    assert "other data called bars" in line
    assert output.read_bytes() == before


def test_networks_without_a_slope_say_why_and_keep_their_accuracy(rd, tmp_path: Path) -> None:
    perfect = np.tile(np.diag([50.0, 50.0]), (5, 2, 1, 1))
    path = tmp_path / "perfect.nc"
    rdstats.save(rdstats.build(perfect[:, 0], perfect, dims=("seed", "ratio"), coords={"ratio": [2.0, 4.0]}), path)
    assert rd("analyze", path, "--format", "json") == 0
    assert [slope["reason"] for slope in json.loads(rd.stdout)["slopes"]] == ["no_spread", "no_spread"]
    assert rd("analyze", path) == 0
    assert "1.000" in rd.stdout


def test_selected_ratios_go_up_and_the_selection_is_told(rd, cube: Path) -> None:
    assert rd("analyze", cube, "--select", "ratio=4,2,2", "--select", "method=mp", "--format", "json") == 0
    assert [test["ratio"] for test in json.loads(rd.stdout)["tests"]] == [[2, 4]]
    assert "selected part only" in rd.stderr


def test_level_is_printed_as_it_is(rd, cube: Path) -> None:
    assert rd("analyze", cube, "--level", "0.995") == 0
    assert "99.5%" in rd.stdout
    assert "100%" not in rd.stdout


def test_eta_of_a_resumed_run_ends_at_zero() -> None:
    class Report:
        seconds, n_images, epoch, n_epochs, loss = 60.0, 10, 1, 1, 0.1

    class Cell:
        dataset, arch, n_epochs, title, settings = "d", "a", 1, "cell", TrainingSettings()

    class Plan:
        cells = [Cell()] * 18

    estimate = Estimate(Plan(), 12, 1)
    for _ in range(3):
        estimate.epoch(Cell(), Report())
        estimate.n_done += 1
    assert estimate.seconds_left() == pytest.approx(180.0)
    estimate.n_done = 18
    assert estimate.seconds_left() == 0.0


def test_eta_where_a_plan_cannot_know_the_number_of_epochs() -> None:
    """So many steps are 2 epochs of CIFAR-10, and here 8; cells of the other recipe have a pace of their own."""

    class Report:
        seconds, n_images, epoch, n_epochs, loss = 3.0, 10, 1, 8, 0.1

    class Whole(Report):
        seconds, n_epochs = 20.0, 1

    class Cell:
        dataset, arch, n_epochs, title, settings = "d", "a", 1, "cell", TrainingSettings()

    class Level(Cell):
        n_epochs, settings = 2, TrainingSettings(unit="steps")

    class Plan:
        cells = (Cell(), Cell(), Level(), Level())

    estimate = Estimate(Plan(), 0, 1)
    for _ in range(4):
        estimate.epoch(Level(), Report())
    estimate.epoch(Cell(), Whole())
    assert estimate.seconds_left() == pytest.approx(20 + 12 * 3)


def test_failures_are_told_although_the_fuller_cube_is_kept(
    rd, grid: Path, data_dir: Path, tmp_path: Path, monkeypatch
) -> None:
    common = ("compute", "--grid", grid, "--output", tmp_path / "a.nc", "--data-dir", data_dir, "--device", "cpu")
    assert rd(*common) == 0
    whole = (tmp_path / "a.nc").read_bytes()
    lost = [cell for cell in make_plan(load_grid(str(grid)), data_dir).cells if cell.method == "mp"][:2]
    for cell in lost:
        next((tmp_path / "a.run").glob(f"cells/*/{cell.key}.cell")).unlink()

    def fail(*_: object, **__: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr("rdcompute.execute.fit", fail)
    assert rd(*common, "-q") == 1
    assert rd.stdout == f"cube: {tmp_path / 'a.nc'} holds more finished cells than this run and is kept as it was\n"
    assert [line for line in rd.stderr.splitlines() if "failed:" in line] == [
        f"failed: {cell.title}: MemoryError: no room" for cell in lost
    ]
    assert "rd: 2 cells failed; tracebacks in" in rd.stderr
    assert (tmp_path / "a.nc").read_bytes() == whole


def test_an_output_without_a_name(rd, grid: Path) -> None:
    assert "is a folder; give the name of a file" in rd.refused("compute", "--grid", grid, "--output", ".")


def test_a_fuller_cube_is_not_replaced_by_an_emptier_one(rd, grid: Path, data_dir: Path, tmp_path: Path) -> None:
    common = ("compute", "--grid", grid, "--output", tmp_path / "a.nc", "--data-dir", data_dir, "--device", "cpu")
    assert rd(*common) == 0
    whole = (tmp_path / "a.nc").read_bytes()
    run = tmp_path / "a.run"
    dense = next(cell for cell in make_plan(load_grid(str(grid)), data_dir).cells if cell.is_dense)
    next(run.glob(f"cells/*/{dense.key}.cell")).unlink()  # and with it its three compressed networks
    line = rd.refused("assemble", run, "--output", tmp_path / "a.nc", "--data-dir", data_dir)
    assert re.search(r"a\.nc holds 6 finished cells and is kept; run directory .*a\.run has 3:", line)
    assert (tmp_path / "a.nc").read_bytes() == whole
    assert rd("assemble", run, "--output", tmp_path / "b.nc", "--data-dir", data_dir) == 0
    assert rd(*common) == 0
    assert rd("assemble", run, "--output", tmp_path / "a.nc", "--data-dir", data_dir) == 0
