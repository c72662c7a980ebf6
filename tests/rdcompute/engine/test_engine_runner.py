"""Who computes which cell when; what is told; what happens when a process dies."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import rdcompute
from rdcompute import processes
from rdcompute.compute import compute
from rdcompute.plan import make_plan
from rdcompute.processes import WorkerDiedError
from rdcompute.rundir import RunDirectory
from rdcompute.runner import run_cells
from rdcompute.schedule import Schedule
from rdcompute.training import EpochReport
from rdstats.cube import digest, open_cube


@pytest.fixture
def grid(tiny_npz, make_grid):
    return make_grid(
        seeds=2, experiments=[{"dataset": tiny_npz(), "arch": "lenet", "method": ["sham", "mp"], "ratio": 2}]
    )


def test_a_schedule_keeps_to_the_order_and_waits_for_parents(grid):
    cells = make_plan(grid).cells
    schedule = Schedule(list(reversed(cells)), set())
    first = schedule.next_ready()
    assert first == cells[3]  # the last dense network: everything before it waits for a parent
    second = schedule.next_ready()
    assert second == cells[0]
    assert schedule.next_ready() is None
    schedule.done.add(first.key)
    assert [schedule.next_ready() for _ in range(3)] == [cells[5], cells[4], None]
    schedule.done.add(second.key)
    assert [schedule.next_ready() for _ in range(3)] == [cells[2], cells[1], None]
    assert schedule.waiting == []


def test_a_failed_network_takes_what_depends_on_it(grid):
    cells = make_plan(grid).cells
    schedule = Schedule(list(cells), set())
    assert schedule.next_ready() == cells[0]
    lost = schedule.fail(cells[0], "no luck")
    assert lost == [(cells[0], "no luck"), *((cell, "its dense network failed: no luck") for cell in cells[1:3])]
    assert schedule.failed.keys() == {cell.key for cell in cells[:3]}
    assert schedule.waiting == list(cells[3:])
    schedule.next_ready()
    schedule.done.add(cells[3].key)
    assert schedule.fail(cells[4], "x") == [(cells[4], "x")]


def test_the_listener_is_told_everything_in_order(grid, tmp_path, recorder):
    told, shown = recorder(), []

    def listener(plan, n_reused):
        shown.append((len(plan.cells), n_reused))
        return told

    compute(grid, tmp_path / "cube.nc", device="cpu", listener=listener)
    assert shown == [(6, 0)]
    kinds = ("started", "epoch", "epoch", "finished")
    expected = [(kind, cell.key) for cell in make_plan(grid).cells for kind in kinds]
    assert [event[:2] for event in told.events] == expected
    reports = [event[2] for event in told.events if event[0] == "epoch"]
    assert all(isinstance(report, EpochReport) for report in reports)
    assert [report.epoch for report in reports] == [1, 2] * 6


def test_only_what_is_not_finished_is_computed(grid, tmp_path, recorder):
    plan = make_plan(grid)
    run = RunDirectory.open(tmp_path, grid.resolved(), {})
    run_cells(plan, run, data_dir=None, device="cpu", order=lambda cells: list(cells)[:3])
    told = recorder()
    assert run_cells(plan, run, data_dir=None, device="cpu", listener=told) == {}
    assert {key for _, key, *_ in told.events} == {cell.key for cell in plan.cells[3:]}
    assert all(run.has(cell.key) for cell in plan.cells)


def kill_newest_child():
    os.kill(max(process.pid for process in multiprocessing.active_children()), signal.SIGKILL)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a signal that cannot be refused")
def test_a_killed_worker_is_replaced_and_its_cell_begun_again(grid, tmp_path, recorder):
    def kill_once(kind, cell):
        if kind == "epoch" and not killed:
            killed.append(cell.key)
            kill_newest_child()

    killed = []
    whole = compute(grid, tmp_path / "whole.nc", device="cpu")
    summary = compute(grid, tmp_path / "cube.nc", device="cpu", n_workers=2, listener=lambda *_: recorder(kill_once))
    assert killed
    assert multiprocessing.active_children() == []
    assert (summary.n_done, summary.failed) == (6, {})
    log = (summary.run_dir / "log.txt").read_text()
    assert log.count("its worker process was killed (SIGKILL), perhaps for want of memory; begun again") == 1
    with open_cube(whole.output) as one, open_cube(summary.output) as other:
        assert digest(one) == digest(other)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a signal that cannot be refused")
def test_a_cell_that_kills_its_worker_twice_fails_and_the_rest_goes_on(grid, tmp_path, recorder):
    victim = make_plan(grid).cells[1]

    def kill(kind, cell):
        if kind == "epoch" and cell.key == victim.key:
            kill_newest_child()

    summary = compute(grid, tmp_path / "cube.nc", device="cpu", n_workers=1 + 1, listener=lambda *_: recorder(kill))
    # the other worker may be the one that is hit; whichever cell is begun twice in vain is the one that failed
    assert len(summary.failed) <= 1
    assert all("SIGKILL" in message and "2 times" in message for message in summary.failed.values())
    assert summary.n_done + len(summary.failed) == 6


def test_workers_that_cannot_begin_are_one_error(grid, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "_work", dies_at_once)
    with pytest.raises(WorkerDiedError, match=r"cannot begin: one ended \(status 3\) before tiny lenet seed \d dense"):
        compute(grid, tmp_path / "cube.nc", device="cpu", n_workers=2)
    assert multiprocessing.active_children() == []


def dies_at_once(*_):
    os._exit(3)


def test_stopping_at_the_first_failure(tiny_npz, make_grid, tmp_path):
    grid = make_grid(
        seeds=3,
        experiments=[{"dataset": tiny_npz(), "arch": "lenet", "method": ["sham", "mp"], "ratio": 2}],
        training={"lenet": {"train": [1, 0.05], "finetune": [1, 1e30]}},
    )
    for n_workers in (1, 2):
        summary = compute(grid, tmp_path / f"{n_workers}.nc", device="cpu", n_workers=n_workers, fail_fast=True)
        assert len(summary.failed) == 1
        assert summary.n_done <= n_workers + 1
    assert len(compute(grid, tmp_path / "all.nc", device="cpu").failed) == 6


def test_failures_in_a_process_are_recorded_as_here(tiny_npz, make_grid, tmp_path):
    grid = make_grid(
        seeds=1,
        experiments=[{"dataset": tiny_npz(), "arch": "lenet", "method": ["sham", "mp"], "ratio": 2}],
        training={"lenet": {"train": [1, 0.05], "finetune": [1, 1e30]}},
    )
    here = compute(grid, tmp_path / "here.nc", device="cpu")
    there = compute(grid, tmp_path / "there.nc", device="cpu", n_workers=2)
    assert len(here.failed) == 2
    assert there.failed == here.failed
    assert all("DivergedError" in message for message in here.failed.values())
    assert len(list((there.run_dir / "failed").iterdir())) == 2


ORPHANS = """
import multiprocessing, os, signal, sys
from pathlib import Path
from rdcompute.compute import compute
from rdcompute.grid_file import load_grid
from rdcompute.schedule import Silent

class Vanish(Silent):
    def finished(self, cell):
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    compute(load_grid(sys.argv[1]), Path(sys.argv[2]), device="cpu", n_workers=2, listener=lambda plan, n: Vanish())
"""


def is_running(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")
def test_workers_end_when_their_parent_is_gone(tiny_npz, tmp_path):
    script, grid = tmp_path / "script.py", tmp_path / "grid.yaml"
    script.write_text(ORPHANS)
    # the dense networks are finished at once; fine-tuning them would take half an hour
    grid.write_text(
        f"name: a\nseeds: 2\nexperiments: [{{dataset: {tiny_npz()}, arch: lenet, method: sham}}]\n"
        "training: {lenet: {train: [2, 0.01], finetune: [100000, 0.001], batch_size: 8}}\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(rdcompute.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, str(script), str(grid), str(tmp_path / "cube.nc")],
        capture_output=True, text=True, timeout=120, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    workers = [int(pid) for pid in done.stdout.split()]
    assert len(workers) == 2
    before = sorted(path for path in tmp_path.rglob("*"))
    deadline = time.monotonic() + 2
    while any(map(is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(is_running, workers))
    assert sorted(path for path in tmp_path.rglob("*")) == before
