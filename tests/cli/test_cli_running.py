"""What is seen of long work, and how it ends when it is stopped from outside."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rdcompute.journal import LOG
from rdstats.cube import digest, open_cube

needs_signals = pytest.mark.skipif(os.name != "posix", reason="sends signals to a group of processes")


def test_quiet(rd, grid: Path, data_dir: Path, tmp_path: Path) -> None:
    common = ("compute", "--grid", grid, "--output", tmp_path / "a.nc", "--data-dir", data_dir, "--device", "cpu")
    assert rd(*common, "--quiet") == 0
    assert rd.stderr == ""
    assert rd.stdout == f"cube: {tmp_path / 'a.nc'}, 8 of 8 cells\n"
    assert rd(*common) == 0
    assert "8/8 cells" in rd.stderr


def test_quiet_does_not_hide_failures(rd, grid: Path, data_dir: Path, tmp_path: Path) -> None:
    grid.write_text(grid.read_text().replace("finetune: [[1, 0.05]]", "finetune: [[1, 1e30]]"))
    options = ("--output", tmp_path / "a.nc", "--data-dir", data_dir, "--device", "cpu", "-q")
    assert rd("compute", "--grid", grid, *options) == 1
    assert "rd: 6 cells failed" in rd.stderr
    assert rd("retry", tmp_path / "a.run", "--data-dir", data_dir, "-q") == 1
    assert "rd: 6 cells failed again" in rd.stderr
    assert "cells, ETA" not in rd.stderr


def test_verbose_is_the_log_with_every_epoch(rd, grid: Path, data_dir: Path, tmp_path: Path) -> None:
    options = ("--output", tmp_path / "a.nc", "--data-dir", data_dir, "--device", "cpu", "--verbose")
    assert rd("compute", "--grid", grid, *options) == 0
    lines = [line for line in rd.stderr.splitlines() if re.match(r"\d{4}-\d\d-\d\dT", line)]
    epochs = [line for line in lines if "DEBUG" in line]
    assert len(epochs) == 2 * 2 + 6  # two dense networks of two epochs, six fine-tunings of one
    log = (tmp_path / "a.run" / LOG).read_text().splitlines()
    assert [line for line in lines if line not in epochs] == log


def test_quiet_and_verbose_exclude_each_other(rd, grid: Path, data_dir: Path, tmp_path: Path) -> None:
    line = rd.refused("compute", "--grid", grid, "--output", tmp_path / "a.nc", "--data-dir", data_dir, "-q", "-v")
    assert "exclude each other" in line
    assert sorted(tmp_path.glob("a.*")) == []


class Job:
    """A real `rd compute` in a group of its own, as a terminal starts it."""

    def __init__(self, grid: Path, data_dir: Path, output: Path, n_workers: int) -> None:
        command = ["compute", "--grid", grid, "--output", output, "--data-dir", data_dir, "--device", "cpu"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rdcli", *map(str, command), "--workers", str(n_workers)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        self.log = output.with_suffix(".run") / LOG

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.process.stderr.read()
            if self.log.is_file() and text in self.log.read_text():
                return
            time.sleep(0.02)
        raise AssertionError(f"{text!r} did not come up")

    def stop(self, number: int) -> tuple[int, str, float]:
        """Send a signal to the whole group; return status, stderr and the seconds it took."""
        began = time.monotonic()
        os.killpg(self.process.pid, number)
        _, stderr = self.process.communicate(timeout=30)
        return self.process.returncode, stderr, time.monotonic() - began


@pytest.fixture
def endless(grid: Path) -> Path:
    """The first dense network takes a moment, the fine-tunings half an hour each."""
    grid.write_text(grid.read_text().replace("finetune: [[1, 0.05]]", "finetune: [[100000, 0.0001]]"))
    return grid


@needs_signals
@pytest.mark.parametrize(("n_workers", "text"), [(1, "sham 1: begun"), (2, "sham 1: begun"), (2, "workers 2")])
def test_ctrl_c(endless: Path, data_dir: Path, tmp_path: Path, n_workers: int, text: str) -> None:
    """In the middle of training, and while the workers still import."""
    job = Job(endless, data_dir, tmp_path / "a.nc", n_workers)
    job.wait_for(text)
    status, stderr, seconds = job.stop(signal.SIGINT)
    assert status == 130
    assert seconds < 10
    assert "Traceback" not in stderr
    last = stderr.splitlines()[-1]
    assert re.fullmatch(
        rf"rd: interrupted: [0-2] of 8 cells are finished, in {re.escape(str(tmp_path))}/a.run; repeat the command to "
        rf"go on \(trainings go on from their last checkpoint\), or rd assemble .*/a.run for the cube so far",
        last,
    )
    if text != "workers 2":
        assert int(last.split()[2]) >= 1
    assert job.log.read_text().splitlines()[-1].endswith("WARNING interrupted")
    assert not list(tmp_path.glob("*.nc"))
    assert not (tmp_path / "a.run" / "images").exists()


@needs_signals
def test_the_end_that_a_scheduler_asks_for(endless: Path, grid: Path, data_dir: Path, tmp_path: Path, rd) -> None:
    job = Job(endless, data_dir, tmp_path / "a.nc", 1)
    job.wait_for("sham 1: begun")
    status, stderr, _ = job.stop(signal.SIGTERM)
    assert status == 143
    assert "1 of 8 cells are finished" in stderr
    assert rd("assemble", tmp_path / "a.run", "--output", tmp_path / "p.nc", "--data-dir", data_dir) == 0
    with open_cube(tmp_path / "p.nc") as cube:
        assert digest(cube)
        assert int((cube["status"] == 1).sum()) == 0


def test_interrupted_before_anything_was_written(rd, grid: Path, data_dir: Path, tmp_path: Path, monkeypatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rdcompute.compute.image_facts", stop)
    options = ("--output", tmp_path / "a.nc", "--data-dir", data_dir, "--device", "cpu")
    assert rd("compute", "--grid", grid, *options) == 130
    assert rd.stderr == "rd: interrupted: nothing was computed yet; repeat the command to begin again\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("compute", "--nope"), "rd: no such option: --nope; see rd compute --help"),
        (("compute",), "rd: missing option '--grid'; see rd compute --help"),
        (("statu",), "rd: no such command 'statu' (Did you mean 'status'?); see rd --help"),
        (("--nope",), "rd: no such option: --nope; see rd --help"),
        (("grid", "shw"), "rd: no such command 'shw' (Did you mean 'show'?); see rd grid --help"),
    ],
)
def test_wrong_options_are_one_line(rd, arguments: tuple[str, ...], expected: str) -> None:
    assert rd(*arguments) == 2
    assert rd.stderr.splitlines() == [expected]


def test_help_is_not_an_error_line(rd) -> None:
    rd()
    assert "Usage: rd [OPTIONS] COMMAND" in rd.stdout + rd.stderr
