"""`rd compute` on Dask, as it is typed: what is seen, and how it ends."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import rdstats

needs_signals = pytest.mark.skipif(os.name != "posix", reason="sends signals to a group of processes")

# jobs that a batch system would start on another machine, started here; the script itself is gone at once
SBATCH = """\
#!/bin/sh
cp "$1" "{folder}/job.sh"
sh "{folder}/job.sh" > "{folder}/job.log" 2>&1 < /dev/null &
echo $! > "{folder}/job.pid"
echo "Submitted batch job $!"
"""
SCANCEL = """\
#!/bin/sh
echo "$1" > "{folder}/cancelled"
kill "$1"
"""
SLURM = """\
kind: slurm
workers: 1
gpus: 0
options:
  memory: 4GB
  queue: normal
  interface: lo
"""


class Command:
    """A real `rd` in a group of its own, as a terminal starts it."""

    def __init__(self, *arguments: object, env: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rdcli", *map(str, arguments)], env={**os.environ, **(env or {})}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def wait_for(self, log: Path, text: str) -> None:
        deadline = time.monotonic() + 60
        while not (log.is_file() and text in log.read_text()):
            assert self.process.poll() is None, self.process.stderr.read()
            assert time.monotonic() < deadline, text
            time.sleep(0.02)

    def stop(self, number: int) -> tuple[int, str]:
        """Send a signal to the whole group; return status and stderr once it has ended."""
        os.killpg(self.process.pid, number)
        _, stderr = self.process.communicate(timeout=30)
        return self.process.returncode, stderr

    def end(self) -> tuple[int, str]:
        _, stderr = self.process.communicate(timeout=90)
        return self.process.returncode, stderr

    def wait_until_nothing_is_left(self) -> None:
        deadline = time.monotonic() + 5
        while left := self.left():
            assert time.monotonic() < deadline, left
            time.sleep(0.05)

    def left(self) -> list[int]:
        """Return the processes of the group that are still there."""
        found = []
        for entry in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = entry.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == self.process.pid and fields[0] != "Z":
                found.append(int(entry.parent.name))
        return found


@pytest.fixture
def started() -> Iterator[Callable[..., Command]]:
    """Start commands, and see to it that none is left."""
    every: list[Command] = []

    def start(*arguments: object, **how: dict[str, str]) -> Command:
        every.append(Command(*arguments, **how))
        return every[-1]

    yield start
    for command in every:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(command.process.pid, signal.SIGKILL)
        command.process.communicate(timeout=30)


@pytest.fixture
def common(grid: Path, data_dir: Path) -> tuple[object, ...]:
    return ("compute", "--grid", grid, "--data-dir", data_dir, "--device", "cpu", "--output")


def digest_of(path: Path) -> str:
    with rdstats.open_cube(path) as cube:
        return rdstats.digest(cube)


def locally_without_dask(*arguments: object) -> str:
    """Run a command in processes of this machine; return its status and what it imported of Dask."""
    code = (
        "import sys\nfrom rdcli.app import app\ntry:\n    app(sys.argv[1:])\nexcept SystemExit as end:\n"
        "    print(end.code, sorted({'dask', 'distributed'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, *map(str, arguments), "--executor", "local", "-q"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


@needs_signals
def test_two_workers_of_this_machine_and_ctrl_c(started, common, grid: Path, data_dir: Path, tmp_path: Path) -> None:
    grid.write_text(grid.read_text().replace("train: [[2, 0.05]]", "train: [[100000, 0.0001]]"))
    command = started(*common, tmp_path / "a.nc", "--executor", "dask", "--workers", "2")
    command.wait_for(tmp_path / "a.run" / "log.txt", "begun")
    arguments = [sys.executable, "-m", "rdcli", "status", tmp_path / "a.run", "--data-dir", data_dir]
    status = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert "workers: 2" in status.stdout.splitlines()[0]
    code, stderr = command.stop(signal.SIGINT)
    assert code == 130
    lines = [line for line in stderr.splitlines() if "cells, ETA" not in line]
    assert len(lines) == 1, stderr
    assert lines[0].startswith("rd: interrupted: ")
    assert "repeat the command to go on" in lines[0]
    command.wait_until_nothing_is_left()

    grid.write_text(grid.read_text().replace("[[100000, 0.0001]]", "[[2, 0.05]]"))
    command = started(*common, tmp_path / "b.nc", "--executor", "dask", "--workers", "2")
    code, stderr = command.end()
    assert (code, re.findall(r"rd: .*|\w*Error|distributed", stderr)) == (0, [])
    assert locally_without_dask(*common, tmp_path / "c.nc") == "0 []"
    assert digest_of(tmp_path / "b.nc") == digest_of(tmp_path / "c.nc")


@needs_signals
def test_a_cluster_of_ours_ends_with_us_even_if_we_are_killed(started, common, grid: Path, tmp_path: Path) -> None:
    grid.write_text(grid.read_text().replace("train: [[2, 0.05]]", "train: [[4000, 0.01]]"))
    command = started(*common, tmp_path / "a.nc", "--executor", "dask", "--workers", "2")
    command.wait_for(tmp_path / "a.run" / "log.txt", "begun")
    assert len(command.left()) > 2
    command.process.kill()
    command.process.communicate(timeout=30)
    command.wait_until_nothing_is_left()


@needs_signals
def test_jobs_of_a_batch_system(started, common, tmp_path: Path) -> None:
    """What would submit a job starts it here: the whole way, from the cluster file to its cancellation."""
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (tmp_path / name).write_text(text.format(folder=tmp_path))
        (tmp_path / name).chmod(0o755)
    (tmp_path / "slurm.yaml").write_text(SLURM)
    path = {"PATH": os.pathsep.join([str(tmp_path), os.environ["PATH"]])}
    command = started(*common, tmp_path / "a.nc", "--cluster", tmp_path / "slurm.yaml", env=path)
    code, stderr = command.end()
    assert (code, re.findall(r"rd: .*|\w*Error|distributed", stderr)) == (0, [])
    script = (tmp_path / "job.sh").read_text()
    assert "#SBATCH -p normal\n" in script
    assert "--nthreads 1" in script
    assert (tmp_path / "cancelled").read_text() == (tmp_path / "job.pid").read_text()
    assert "cluster of kind slurm" in (tmp_path / "a.run" / "log.txt").read_text()


@needs_signals
def test_a_batch_system_that_refuses(rd, common, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = "echo 'sbatch: error: invalid partition specified' >&2\nexit 1\n"
    for name, text in (("sbatch", refusal), ("scancel", "")):
        (tmp_path / name).write_text("#!/bin/sh\n" + text)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "slurm.yaml").write_text(SLURM)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert rd(*common, tmp_path / "a.nc", "--cluster", tmp_path / "slurm.yaml", "-q") == 1
    (line,) = rd.stderr.splitlines()
    assert line.startswith("rd: workers cannot begin: ")
    assert "invalid partition specified" in line


def test_what_is_refused(rd, common, data_dir: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.nc"
    assert "--executor dsk: local, dask is accepted" in rd.refused(*common, output, "--executor", "dsk")
    far = ("--scheduler", "tcp://127.0.0.1:1")
    line = rd.refused(*common, output, *far, "--scheduler-timeout", "0.3")
    assert "--scheduler tcp://127.0.0.1:1: no Dask scheduler answers within 0.3 s" in line
    assert "--dry-run times this machine" in rd.refused(*common, output, *far, "--dry-run")
    for n in ("1", "2"):
        assert "--workers is for workers that rd starts" in rd.refused(*common, output, *far, "--workers", n)
    file = tmp_path / "cluster.yaml"
    file.write_text("kind: local\nworkers: two\n")
    assert "cluster.yaml:2:1: workers: got 'two'" in rd.refused(*common, output, "--cluster", file)
    file.write_text("kind: local\nworkers: 2\n")
    assert common[-2] == "cpu"
    line = rd.refused(*common[:-2], "cuda", "--output", output, "--cluster", file)
    assert "cluster.yaml:1:1: gpus: --device cuda is for workers with a GPU" in line
    assert not output.exists()
    assert not output.with_suffix(".run").exists()


def test_retry_takes_the_same_options(rd, common, grid: Path, data_dir: Path, tmp_path: Path) -> None:
    grid.write_text(grid.read_text().replace("finetune: [[1, 0.05]]", "finetune: [[1, 1e30]]"))
    assert rd(*common, tmp_path / "a.nc", "-q") == 1
    options = ("--data-dir", data_dir, "--scheduler", "tcp://127.0.0.1:1", "--scheduler-timeout", "0.3")
    assert "no Dask scheduler answers within 0.3 s" in rd.refused("retry", tmp_path / "a.run", *options)
