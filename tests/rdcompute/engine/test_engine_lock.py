"""One writer a run directory, and nothing left of those that were killed."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from rdcompute.lock import HOLDER, LOCK, RunLock, _lock, holder
from rdcompute.manifest import write_manifest
from rdcompute.rundir import CellResult, RunDirectory, sweep
from rdstats.errors import InputError
from rdstats.files import create_temporary

GRID = {"name": "x"}
HOLD = """
import sys, time
from pathlib import Path
from rdcompute.lock import RunLock
lock = RunLock(Path(sys.argv[1])).take()
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def run(tmp_path):
    return RunDirectory.open(tmp_path / "a.run", GRID, {})


@pytest.fixture
def other(run):
    """Another process that holds the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(run.path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_is_refused_and_told_by_whom(run, other):
    with pytest.raises(InputError) as error, run.writing():
        pytest.fail("both write")
    assert f"{run.path} is in use by process {other.pid} on {os.uname().nodename}" in str(error.value)


def test_the_lock_dies_with_its_holder(run, other):
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert (run.path / HOLDER).exists()  # what is written beside it does not: only the lock decides
    with run.writing():
        assert (run.path / HOLDER).exists()
    assert not (run.path / HOLDER).exists()


def test_within_one_process_too(run):
    with run.writing(), pytest.raises(InputError, match=f"in use by process {os.getpid()}"), run.writing():
        pytest.fail("both write")
    with run.writing():
        pass


def test_a_holder_that_cannot_be_read_is_still_one(run, other):
    (run.path / HOLDER).write_text("{")
    with pytest.raises(InputError, match="in use by another process"), run.writing():
        pytest.fail("both write")


def test_a_folder_that_became_another_grid_meanwhile(run):
    write_manifest(run.path / "run.json", {"run_schema": 1, "grid": {"name": "y"}})
    with pytest.raises(InputError, match="belongs to a different grid"), run.writing():
        pytest.fail("written")


def test_half_written_files_are_swept_and_nothing_else(run):
    key = "ab" * 16
    run.save(key, CellResult({"a": 1}, {}), {})
    run.save_checkpoint(key, CellResult({}, {}))
    kept = sorted(path for path in run.path.rglob("*") if path.is_file())
    for path in (run.cell_path(key), run.checkpoint_path(key), run.path / "run.json"):
        create_temporary(path).write_bytes(b"half")
    mine = run.path / "cells" / ".notes.part"
    mine.write_text("mine")
    assert sweep(run.path) == 3
    assert sorted(path for path in run.path.rglob("*") if path.is_file()) == sorted([*kept, mine])
    with run.writing():
        assert run.load(key).meta == {"a": 1}


def test_released_twice(run):
    lock = RunLock(run.path).take()
    lock.release()
    lock.release()
    started = time.monotonic()
    with RunLock(run.path).take():
        assert time.monotonic() - started < 5


def test_who_holds_it(run, other):
    assert holder(run.path) == f"process {other.pid} on {os.uname().nodename}"
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert holder(run.path) is None
    assert holder(run.path / "not there") is None
    with run.writing():
        assert holder(run.path) == f"process {os.getpid()} on {os.uname().nodename}"


def test_two_who_ask_do_not_take_each_other_for_the_holder(run):
    with run.writing():
        pass
    with open(run.path / LOCK, "rb") as file:
        _lock(file, shared=True)
        assert holder(run.path) is None


def test_asking_does_not_keep_a_writer_out(run):
    stop = threading.Event()

    def ask():
        while not stop.wait(0.002):
            holder(run.path)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(50):
            with run.writing():
                pass
    finally:
        stop.set()
        asking.join()
