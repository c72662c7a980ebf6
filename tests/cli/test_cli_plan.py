"""`rd plan` and `rd compute --dry-run`: what a grid will cost, before anything is begun."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rdcompute import stopwatch
from rdcompute.grid_file import shipped_grids

TIME = re.compile(r"time: about .* with 1 worker on cpu", re.DOTALL)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Time a moment only, in a folder of one's own."""
    monkeypatch.setattr(stopwatch, "ENOUGH", 0.05)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def common(data_dir: Path) -> tuple[object, ...]:
    return ("--data-dir", data_dir, "--device", "cpu")


def document(rd) -> dict:
    return json.loads(rd.stdout, parse_constant=lambda word: pytest.fail(word))


def test_a_plan_for_people(rd, grid: Path, common, tmp_path: Path) -> None:
    assert rd("plan", grid, *common) == 0
    for text in ("8 cells", "2 dense networks", "kept weights at ratio 4", "sham: ratio 1", "core hours", "disk: "):
        assert text in rd.stdout
    assert TIME.search(rd.stdout)
    assert rd.stderr == "timing a few steps of 1 network\n"
    assert max(map(len, rd.stdout.splitlines())) <= 80
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]


def test_a_plan_for_programs(rd, grid: Path, common) -> None:
    assert rd("plan", grid, *common, "--format", "json") == 0
    found = document(rd)
    assert (found["cells"], found["dense_networks"], found["fine_tunings"], found["epochs"]) == (8, 2, 6, 10)
    assert (found["finished"], found["devices"], found["run_dir"]) == (0, ["cpu"], "results.run")
    (network,) = found["networks"]
    assert (network["dataset"], network["arch"], network["cells_left"], network["epochs_left"]) == (
        "bars", "lenet", 8, 10
    )  # fmt: skip
    assert network["methods"] == {"sham": [1], "mp": [2, 4]}
    kept = [entry["weights"] for entry in network["kept_weights"]]
    assert kept[0] > kept[1] > 0
    assert found["seconds"] > found["hours"] * 3600 > 10 * network["seconds_per_epoch"] > 0
    assert found["disk"]["cells"] > 2 * 4 * network["parameters"]


def test_without_calibration_everything_but_time(rd, grid: Path, common) -> None:
    assert rd("plan", grid, *common, "--no-calibrate") == 0
    assert "time: not timed: " in rd.stdout
    assert "about" not in rd.stdout
    assert "disk: " in rd.stdout
    assert rd.stderr == ""
    assert rd("plan", grid, *common, "--no-calibrate", "--format", "json") == 0
    found = document(rd)
    assert found["seconds"] is found["hours"] is found["networks"][0]["seconds_per_epoch"] is None
    assert found["disk"]["needed"] > 0


def test_scale_and_workers(rd, grid: Path, common) -> None:
    options = ("--scale", "seeds=1", "--scale", "epochs=0.5", "--workers", "3", "--no-calibrate", "--format", "json")
    assert rd("plan", grid, *common, *options) == 0
    found = document(rd)
    assert (found["cells"], found["epochs"], found["scale"]) == (4, 4, {"seeds": 1, "epochs": 0.5})
    assert found["devices"] == ["cpu"] * 3
    assert found["disk"]["checkpoints"] == 3 * 3 * 4 * found["networks"][0]["parameters"]


def test_finished_cells_cost_nothing(rd, grid: Path, common, tmp_path: Path) -> None:
    assert rd("compute", "--grid", grid, "--output", "small.nc", *common, "--scale", "seeds=1") == 0
    before = sorted(tmp_path.rglob("*"))
    assert rd("plan", grid, "--run-dir", "small.run", *common) == 0
    assert "4 of 8 cells" in rd.stdout
    assert rd("compute", "--grid", grid, "--output", "small.nc", *common, "--dry-run") == 0
    assert "finished in small.run: 4 of 8 cells" in rd.stdout
    assert re.search(r"^bars +lenet +4 +5 +[0-9.]+ +[0-9.]+$", rd.stdout, re.MULTILINE)
    scale = ("--scale", "seeds=1")
    assert rd("plan", grid, "--run-dir", "small.run", *common, *scale) == 0
    assert "finished in small.run: all cells; only the cube is to be written" in rd.stdout
    assert "time:" not in rd.stdout
    assert sorted(tmp_path.rglob("*")) == before


def test_a_dry_run_is_the_plan(rd, grid: Path, common, tmp_path: Path) -> None:
    options = (*common, "--no-calibrate", "--workers", "2", "--scale", "seeds=1")
    assert rd("plan", grid, *options, "--run-dir", "x.run") == 0
    planned = rd.stdout
    assert rd("compute", "--grid", grid, "--output", "x.nc", *options, "--dry-run") == 0
    assert rd.stdout == planned
    assert rd("compute", "--grid", grid, *common, "--dry-run") == 0
    assert TIME.search(rd.stdout)
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]


@pytest.mark.parametrize("name", shipped_grids())
def test_shipped_grids(rd, name: str) -> None:
    assert rd("plan", name, "--no-calibrate", "--device", "cpu") == 0
    assert rd.stdout.startswith(f"grid {name.removesuffix('.yaml')}")
    assert max(map(len, rd.stdout.splitlines())) <= 80


def test_a_dataset_that_is_not_here_is_told(rd, grid: Path, common) -> None:
    grid.write_text(grid.read_text().replace("dataset: bars.npz", "dataset: [bars.npz, cifar10]"))
    assert rd("plan", grid, *common) == 0
    assert TIME.search(rd.stdout)
    text = " ".join(rd.stdout.split())
    assert "without what is not timed" in text
    assert "time: cifar10 lenet not timed: dataset cifar10 is not on this machine" in text
    assert "images and predictions of cifar10 not counted" in text


def test_collapsing_networks_are_noted(rd, grid: Path, common) -> None:
    grid.write_text(grid.read_text().replace("[sham, mp]", "[sham, mp, rp]").replace("[2, 4]", "[2, 10]"))
    assert rd("plan", grid, *common, "--no-calibrate") == 0
    note = " ".join(rd.stdout[rd.stdout.index("note: ") :].split())
    assert "at ratio 10: rp leaves a layer (conv1) with no weight in 2% of masks" in note
    assert "at ratio 2:" not in note


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ((), "3:12: experiments.0: lenet on bars.npz: ratio 4000"),
        (("method: [sham, mp]", "method: mp, ratio: [2, 4000]"), "5:61: experiments.0: lenet on bars.npz: ratio 4000"),
    ],
)
def test_an_impossible_ratio_is_found_in_the_file(rd, grid: Path, common, change, place: str) -> None:
    text = grid.read_text()
    grid.write_text(text.replace(*change) if change else text.replace("ratio: [2, 4]", "ratio: [2, 4000]"))
    line = rd.refused("plan", grid, *common)
    assert line.startswith(f"rd: {grid}:{place}"), line
    assert "largest possible ratio: " in line
    assert rd.refused("plan", grid, *common, "--scale", "seeds=1") == line


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--workers", "0"], ["--workers 0"]),
        (["--workers-per-device", "0"], ["--workers-per-device 0"]),
        (["--device", "gpu"], ["gpu", "cuda"]),
        (["--scale", "seeds=9"], ["seeds=9", "1 to 2"]),
        (["--format", "csv"], ["--format csv", "json"]),
        (["--data-dir", "/nowhere"], ["/nowhere"]),
        (["--run-dir", "small.yaml"], ["small.yaml", "is a file"]),
        (["--run-dir", ".."], ["not a run directory"]),
    ],
)
def test_wrong_options_are_one_line(rd, grid: Path, data_dir: Path, options: list[str], words: list[str]) -> None:
    given = {"--data-dir": data_dir, options[0]: options[1]}
    line = rd.refused("plan", grid, *[part for item in given.items() for part in item])
    assert all(word in line for word in words), line


def test_wrong_grids_are_one_line(rd, grid: Path, common) -> None:
    assert "did you mean 'smoke.yaml'" in rd.refused("plan", "smok.yaml")
    grid.write_text(grid.read_text().replace("arch: lenet", "arch: lennet"))
    assert "did you mean 'lenet'" in rd.refused("plan", grid, *common)


def test_no_calibrate_without_a_dry_run_is_refused(rd, grid: Path, common, tmp_path: Path) -> None:
    assert "--dry-run" in rd.refused("compute", "--grid", grid, *common, "--no-calibrate")
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]


def test_real_plan_process_with_two_workers(grid: Path, data_dir: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rdcli", "plan", str(grid), "--workers", "2", "--format", "json"]
    done = subprocess.run(
        [*command, "--data-dir", str(data_dir), "--device", "cpu"], capture_output=True, text=True, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "timing a few steps of 1 network\n")
    found = json.loads(done.stdout)
    assert found["devices"] == ["cpu", "cpu"]
    assert found["seconds"] > found["hours"] * 3600 / 2 > 0
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]
