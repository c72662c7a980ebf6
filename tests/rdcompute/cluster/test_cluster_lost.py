"""Who goes away in the middle: the command, or the scheduler.  Nothing is lost, and the same command goes on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import rdcompute
from rdcompute.cluster.start import Cluster
from rdcompute.compute import compute
from rdcompute.grid_file import load_grid
from rdcompute.rundir import RunDirectory
from rdcompute.schedule import WorkerDiedError
from rdstats.errors import InputError

needs_signals = pytest.mark.skipif(os.name != "posix", reason="kills processes by a signal")

GRID = """\
name: a
seeds: 2
ratio: [2]
experiments: [{dataset: digits, arch: lenet, method: [sham, mp]}]
training: {lenet: {batch_size: 32, train: [[12, 0.01]], finetune: [[2, 0.01]]}}
"""


class Command:
    """A process in the environment of this one."""

    def __init__(self, *arguments):
        environment = {**os.environ, "PYTHONPATH": str(Path(rdcompute.__file__).parents[1])}
        self.process = subprocess.Popen(
            [sys.executable, *map(str, arguments)], env=environment, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip

    def kill(self):
        self.process.kill()
        self.process.communicate(timeout=30)


@pytest.fixture
def started():
    every = []

    def start(*arguments):
        every.append(Command(*arguments))
        return every[-1]

    yield start
    for command in every:
        command.kill()


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


CLIENT = """
import sys
from pathlib import Path
from rdcompute import provenance
from rdcompute.cluster.start import Cluster
from rdcompute.compute import compute
from rdcompute.grid_file import load_grid

provenance.git_commit = lambda: "c0ffee"
grid = load_grid(sys.argv[1]).scaled({"train": 0.1})
compute(grid, Path(sys.argv[2]), device="cpu", cluster=Cluster(sys.argv[3]), checkpoint_every=0.0)
"""


@needs_signals
def test_the_command_is_killed_and_repeated(workers, cluster, started, digest_of, tmp_path):
    """The scheduler and its workers stay, and may still be at cells of the command that was killed."""
    path, output = tmp_path / "grid.yaml", tmp_path / "cube.nc"
    path.write_text(GRID)
    grid = load_grid(str(path)).scaled({"train": 0.1})
    killed = started("-c", CLIENT, path, output, cluster.scheduler)
    run = output.with_suffix(".run")
    wait_until(lambda: list(run.glob("unfinished/*.epochs")))
    (token,) = (run / "cluster").iterdir()
    killed.process.send_signal(signal.SIGKILL)
    killed.process.wait(30)
    summary = compute(grid, output, device="cpu", cluster=cluster)
    assert summary.failed == {}
    assert not token.exists()
    whole = compute(grid, tmp_path / "whole.nc", device="cpu")
    assert digest_of(output) == digest_of(whole.output)


@needs_signals
@pytest.mark.parametrize("device", ["cpu", "auto"])  # for auto, nothing is handed out before a worker comes
def test_the_scheduler_is_killed(started, small, recorder, tmp_path, device):
    file = tmp_path / "scheduler.json"
    scheduler = started("-m", "distributed.cli.dask_scheduler", "--port", 0, "--no-dashboard", "--scheduler-file", file,
                        "--host", "127.0.0.1")  # fmt: skip
    address = wait_until(lambda: _address(file))
    seen = recorder()
    seen.workers = lambda n: scheduler.process.kill()  # nobody is there, which is said after a while

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("rdcompute.cluster.run.PATIENCE", 0.0)
        with pytest.raises(WorkerDiedError, match=rf"scheduler {address} has gone; what is finished is kept: repeat"):
            compute(small, tmp_path / "cube.nc", device=device, cluster=Cluster(address, timeout=5),
                    listener=lambda plan, n: seen)  # fmt: skip
    assert RunDirectory.existing(tmp_path / "cube.run").manifest["cells"]


def _address(file):
    import json

    try:
        return json.loads(file.read_text())["address"]
    except (OSError, ValueError):
        return None


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("tcp://127.0.0.1:1", r"no Dask scheduler answers within 0\.5 s .*; start one with dask scheduler"),
        ("nonsense", r"missing port number .*; tcp://HOST:PORT is accepted"),
        ("tls://127.0.0.1:1", r"no Dask scheduler answers within 0\.5 s \(.*TLS"),
        ("carrier://pigeon:1", r"unknown address scheme .*; tcp://HOST:PORT is accepted"),
    ],
)
def test_a_scheduler_that_cannot_be_reached(small, tmp_path, address, message):
    began = time.monotonic()
    with pytest.raises(InputError, match=f"--scheduler {address}: {message}"):
        compute(small, tmp_path / "cube.nc", device="cpu", cluster=Cluster(address, timeout=0.5))
    assert time.monotonic() - began < 10
    assert list(tmp_path.iterdir()) == []  # nothing was written
