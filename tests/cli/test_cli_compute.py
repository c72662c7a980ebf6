"""`rd compute`, `rd grid`, `rd datasets` and the command itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rdstats
from rdstats._version import __version__


def test_compute_writes_a_cube_and_does_nothing_twice(rd, grid: Path, data_dir: Path, tmp_path: Path) -> None:
    output = tmp_path / "small.nc"
    assert rd("compute", "--grid", grid, "--output", output, "--data-dir", data_dir) == 0
    assert "8 of 8 cells" in rd.stdout
    assert "8/8 cells" in rd.stderr
    assert "ETA" in rd.stderr
    with rdstats.open_cube(output) as cube:
        assert cube["method"].values.tolist() == ["sham", "mp"]
        first = rdstats.digest(cube)
    cells = sorted((tmp_path / "small.run" / "cells").rglob("*.cell"))
    times = [cell.stat().st_mtime_ns for cell in cells]
    assert rd("compute", "--grid", grid, "--output", output, "--data-dir", data_dir) == 0
    assert "8 were there already" in rd.stdout
    assert [cell.stat().st_mtime_ns for cell in cells] == times
    with rdstats.open_cube(output) as cube:
        assert rdstats.digest(cube) == first


def test_run_dir_and_data_dir_variable(
    rd, grid: Path, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RD_DATA_DIR", str(data_dir))
    place = tmp_path / "cells"
    options = [
        "--grid",
        grid,
        "--output",
        tmp_path / "a.nc",
        "--run-dir",
        place,
        "--device",
        "cpu",
        "--scale",
        "seeds=1",
    ]
    assert rd("compute", *options) == 0
    assert (place / "run.json").is_file()
    assert not (tmp_path / "a.run").exists()
    with rdstats.open_cube(tmp_path / "a.nc") as cube:
        assert cube.sizes["seed"] == 1
        assert "seeds" in cube.attrs["scaled"]


def test_dry_run_prints_the_plan_and_writes_nothing(
    rd, grid: Path, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert rd("compute", "--grid", grid, "--data-dir", data_dir, "--dry-run") == 0
    for word in ("8 cells", "2 dense networks", "kept weights at ratio 4", "sham: ratio 1"):
        assert word in rd.stdout
    assert [p.name for p in tmp_path.iterdir()] == ["small.yaml"]


def test_a_failed_cell_is_told_and_the_rest_is_kept(rd, grid: Path, data_dir: Path, tmp_path: Path) -> None:
    grid.write_text(grid.read_text().replace("finetune: [[1, 0.05]]", "finetune: [[1, 1e30]]"))
    output = tmp_path / "bad.nc"
    assert rd("compute", "--grid", grid, "--output", output, "--data-dir", data_dir, "--scale", "seeds=1") == 1
    assert "3 cells failed" in rd.stderr
    assert "loss nan" in rd.stderr
    with rdstats.open_cube(output) as cube:
        assert np.nanmax(cube["status"].values) == 2
        assert np.isfinite(cube["confusion_dense"].values).any()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("seeds: 2", "seeds: 2\nsede: 3", ["small.yaml:3:1", "sede", "did you mean 'seeds'"]),
        ("arch: lenet", "arch: lenett", ["small.yaml:5", "lenett", "did you mean 'lenet'"]),
        ("[sham, mp]", "[sham, mpp]", ["mpp", "did you mean"]),
        ("bars.npz", "minst", ["minst", "mnist"]),
        ("bars.npz", "none.npz", ["none.npz"]),
        ("ratio: [2, 4]", "ratio: [0.5]", ["ratio", "0.5"]),
        ("ratio: [2, 4]", "ratio: [2, 4000]", ["4000", "largest"]),
        ("seeds: 2", "seeds: [-1]", ["seeds", "-1"]),
        ("seeds: 2", "seeds: 2\nseeds: 3", ["small.yaml:3:1", "twice"]),
        ("[sham, mp]", "[sham, mp, mp]", ["duplicate cells", "mp"]),
        ("[[2, 0.05]]", "[[2, fast]]", ["train", "fast"]),
        ("batch_size: 16", "batchsize: 16", ["batchsize", "did you mean 'batch_size'"]),
    ],
)
def test_wrong_grids_are_one_line_and_write_nothing(
    rd, grid: Path, data_dir: Path, tmp_path: Path, old: str, new: str, words: list[str]
) -> None:
    assert old in grid.read_text()
    grid.write_text(grid.read_text().replace(old, new, 1))
    line = rd.refused("compute", "--grid", grid, "--output", tmp_path / "x.nc", "--data-dir", data_dir)
    assert all(word in line for word in words), line
    assert [p.name for p in tmp_path.iterdir()] == ["small.yaml"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--workers", "0"], ["--workers 0"]),
        (["--device", "gpu"], ["gpu", "cuda"]),
        (["--device", "cuda:99"], ["cuda:99"]),
        (["--scale", "seeds=9"], ["seeds=9", "1 to 2"]),
        (["--scale", "epochs=2"], ["epochs=2"]),
        (["--scale", "width=2"], ["width=2", "seeds=N"]),
        (["--data-dir", "/nowhere"], ["/nowhere"]),
        (["--output", "/nowhere/x.nc"], ["/nowhere"]),
    ],
)
def test_wrong_options_are_one_line_and_write_nothing(
    rd, grid: Path, data_dir: Path, tmp_path: Path, options: list[str], words: list[str]
) -> None:
    common = {"--grid": grid, "--output": tmp_path / "x.nc", "--data-dir": data_dir}
    common[options[0]] = options[1]
    line = rd.refused("compute", *[part for item in common.items() for part in item])
    assert all(word in line for word in words), line
    assert [p.name for p in tmp_path.iterdir()] == ["small.yaml"]


def test_other_peoples_files_are_never_overwritten(rd, grid: Path, data_dir: Path, cube: Path, tmp_path: Path) -> None:
    for name, content in (("thesis.nc", b"my thesis"), ("other.nc", cube.read_bytes())):
        path = tmp_path / name
        path.write_bytes(content)
        assert name in rd.refused("compute", "--grid", grid, "--output", path, "--data-dir", data_dir)
        assert path.read_bytes() == content
    run_dir = tmp_path / "photos"
    run_dir.mkdir()
    (run_dir / "cat.jpg").write_bytes(b"cat")
    options = ["--grid", grid, "--output", tmp_path / "x.nc", "--data-dir", data_dir]
    assert "photos" in rd.refused("compute", *options, "--run-dir", run_dir)
    assert [p.name for p in run_dir.iterdir()] == ["cat.jpg"]


def test_a_run_of_another_grid_is_refused_and_shows_what_differs(
    rd, grid: Path, data_dir: Path, tmp_path: Path
) -> None:
    options = ["--grid", grid, "--output", tmp_path / "a.nc", "--data-dir", data_dir, "--scale", "seeds=1"]
    assert rd("compute", *options) == 0
    before = (tmp_path / "a.nc").read_bytes()
    grid.write_text(grid.read_text().replace("batch_size: 16", "batch_size: 32"))
    assert "batch_size: there 16, here 32" in rd.refused("compute", *options)
    options[3] = tmp_path / "b.nc"
    assert "batch_size: there 16, here 32" in rd.refused("compute", *options, "--run-dir", tmp_path / "a.run")
    assert (tmp_path / "a.nc").read_bytes() == before


def test_without_torch_one_line_says_what_to_install() -> None:
    code = "import sys; sys.modules['torch'] = None; from rdcli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "compute", "--grid", "demo"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "rd: rd compute needs torch: pip install 'recall-distortion[compute]'\n"


def test_grids(rd) -> None:
    assert rd("grid", "list") == 0
    assert {"demo.yaml", "fashion.yaml", "smoke.yaml"} <= set(rd.stdout.split())
    assert rd("grid", "show", "demo.yaml") == 0
    assert rd.stdout.startswith("#")
    assert "did you mean 'demo.yaml'" in rd.refused("grid", "show", "dmo.yaml")


def test_datasets_lists_what_is_there_and_how_to_get_the_rest(rd, tmp_path: Path) -> None:
    assert rd("datasets", "--data-dir", tmp_path) == 0
    for word in ("digits", "mnist", "fashion-mnist", "cifar10", "cifar100", "not here", "expected"):
        assert word in rd.stdout
    assert f"looked in {tmp_path}: " in rd.stdout


def test_version_and_module(rd) -> None:
    assert rd("--version") == 0
    assert rd.stdout == f"rd {__version__}\n"
    done = subprocess.run([sys.executable, "-m", "rdcli", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"rd {__version__}\n")


def test_every_help_has_an_example(rd) -> None:
    for command in (
        ["compute"],
        ["analyze"],
        ["report"],
        ["info"],
        ["plan"],
        ["merge"],
        ["status"],
        ["assemble"],
        ["retry"],
        ["plot"],
        ["datasets"],
        ["grid", "show"],
        ["grid", "list"],
        [],
    ):
        assert rd(*command, "--help") == 0
        assert "Example: rd " in rd.stdout


def test_real_compute_process_with_two_workers(grid: Path, data_dir: Path, tmp_path: Path) -> None:
    output = tmp_path / "two.nc"
    command = [sys.executable, "-m", "rdcli", "compute", "--grid", str(grid), "--output", str(output)]
    command += ["--data-dir", str(data_dir), "--workers", "2", "--scale", "seeds=1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "4 of 4 cells" in done.stdout
    assert "Traceback" not in done.stderr
