"""Who computes which cell when; what is told; what happens when a process dies."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

import rdcompute
from rdcompute import runner
from rdcompute.compute import compute
from rdcompute.plan import make_plan
from rdcompute.rundir import RunDirectory
from rdcompute.runner import Schedule, WorkerDiedError, run_cells
from rdcompute.training import EpochReport


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
def test_a_killed_worker_is_an_error_and_finished_cells_stay(grid, tmp_path, recorder):
    def kill_once(kind, cell):
        if kind == "finished":
            finished.append(cell.key)
        if finished and kind == "epoch" and not killed:
            killed.append(True)
            kill_newest_child()

    finished, killed = [], []
    with pytest.raises(WorkerDiedError, match=r"a worker process died at tiny lenet seed \d.*run the same command"):
        compute(grid, tmp_path / "cube.nc", device="cpu", n_workers=2, listener=lambda plan, n: recorder(kill_once))
    assert multiprocessing.active_children() == []
    run_dir = tmp_path / "cube.run"
    assert {key for key in finished if (run_dir / "cells" / key[:2] / f"{key}.cell").is_file()} == set(finished)
    assert not (tmp_path / "cube.nc").exists()
    summary = compute(grid, tmp_path / "cube.nc", device="cpu")
    assert summary.n_reused >= len(finished) >= 1
    assert summary.n_done == 6


def test_a_worker_that_is_dead_before_its_first_cell_is_the_same_error(grid, tmp_path, monkeypatch):
    @contextmanager
    def dead_on_arrival(*args):
        ours, theirs = multiprocessing.Pipe()
        theirs.close()
        yield [ours]
        ours.close()

    monkeypatch.setattr(runner, "_workers", dead_on_arrival)
    with pytest.raises(WorkerDiedError, match="died at tiny lenet seed 0 dense"):
        compute(grid, tmp_path / "cube.nc", device="cpu", n_workers=2)


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
from rdcompute.grid import load_grid
from rdcompute.runner import Silent

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
    deadline = time.monotonic() + 60
    while any(map(is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(is_running, workers))
