"""Grids on real Dask workers end in the bits of a local run, whatever happens on the way."""

import json
import logging
import os
import signal
import time
from collections import Counter

import pytest
from distributed import LocalCluster

from rdcompute.cluster import run as cluster_run
from rdcompute.cluster.start import Cluster
from rdcompute.cluster.task import Order
from rdcompute.compute import compute, retry
from rdcompute.journal import LOG
from rdcompute.plan import make_plan
from rdcompute.rundir import RunDirectory
from rdcompute.runs import cells_named, open_run
from rdcompute.storage import StorageError
from rdstats.errors import InputError

needs_signals = pytest.mark.skipif(os.name != "posix", reason="kills processes by a signal")


def test_the_digest_and_the_progress_are_those_of_a_local_run(cluster, small, locally, digest_of, recorder, tmp_path):
    seen = recorder()
    summary = compute(small, tmp_path / "cube.nc", device="cpu", cluster=cluster, listener=lambda plan, n: seen)
    assert summary.failed == {}
    assert digest_of(summary.output) == locally(small)
    cells = make_plan(small).cells
    assert Counter(seen.of("started")) == Counter(seen.of("finished")) == Counter(cell.key for cell in cells)
    assert Counter(seen.of("epoch")) == Counter({cell.key: cell.n_epochs for cell in cells})
    assert seen.n_workers == [2]
    hosts = [json.loads(path.read_bytes())["result"]["made"] for path in summary.run_dir.glob("cells/*/*.json")]
    assert all(made["determinism"]["threads"] == 1 for made in hosts)
    assert {path.name for path in summary.run_dir.iterdir()} == {"run.json", "cells", "lock", LOG}
    again = compute(small, tmp_path / "cube.nc", device="cpu", cluster=cluster)
    assert again.n_reused == again.n_cells == len(cells)


@needs_signals
def test_a_worker_killed_in_the_middle(cluster, client, make_grid, digest_of, recorder, tmp_path):
    grid = make_grid({"method": ["sham", "mp"], "ratio": [2]}, train=[[20, 0.01]])
    whole = compute(grid, tmp_path / "whole.nc", device="cpu")
    pids = client.run(os.getpid)
    killed = []

    def kill(kind, cell):
        if kind == "epoch" and not killed:
            (address,) = [where for where, keys in client.processing().items() if any(cell.key in key for key in keys)]
            killed.append(cell.key)
            os.kill(pids[address], signal.SIGKILL)

    seen = recorder(kill)
    summary = compute(grid, tmp_path / "cube.nc", device="cpu", cluster=cluster, listener=lambda plan, n: seen,
                      checkpoint_every=0.0)  # fmt: skip
    assert summary.failed == {}
    assert digest_of(summary.output) == digest_of(whole.output)
    assert Counter(seen.of("started"))[killed[0]] == 2
    assert set(seen.of("started")) == set(seen.of("finished"))
    epochs = [event[2].epoch for event in seen.events if event[0] == "epoch" and event[1] == killed[0]]
    assert epochs[-1] == 20
    assert epochs.count(1) == 1  # it went on from its checkpoint
    assert "its worker process ended; begun again" in (summary.run_dir / LOG).read_text()


@needs_signals
@pytest.mark.parametrize("allowed", [0, 3])
def test_a_cell_whose_workers_die_fails_and_no_other_is_blamed(workers, cluster, deadly, small, tmp_path, allowed):
    """Dask counts deaths for every cell that was queued there, and gives up after a number that is not ours to say."""
    workers.scheduler.allowed_failures = allowed
    deadly("seed 1 mp")
    summary = compute(small, tmp_path / "cube.nc", device="cpu", cluster=cluster)
    (lost,) = summary.failures
    assert "seed 1 mp 2" in lost
    assert summary.failures[lost].startswith("its worker process died, perhaps for want of memory, 2 times (on ")
    assert summary.n_done == summary.n_cells - 1
    assert workers.deadly.read_text() == "seed 1 mp\nonce\nonce"
    assert not (summary.run_dir / "cluster").exists()


def test_a_chain_and_a_matched_cell(cluster, make_grid, locally, digest_of, tmp_path):
    grid = make_grid(
        {"method": "lth", "levels": 2}, {"method": ["up-released"], "ratio": [4]},
        {"method": ["up-released-abs"], "ratio": [4], "match": "up-released"}, seeds=1,
    )  # fmt: skip
    summary = compute(grid, tmp_path / "cube.nc", device="cpu", cluster=cluster)
    assert summary.failed == {}
    assert digest_of(summary.output) == locally(grid)


def test_a_cell_that_fails_is_told_with_its_traceback_and_retried(cluster, make_grid, tmp_path):
    grid = make_grid({"method": ["sham", "mp"], "ratio": [2]}, finetune=[[1, 1e30]], seeds=1)
    output = tmp_path / "cube.nc"
    summary = compute(grid, output, device="cpu", cluster=cluster)
    assert summary.n_cells == len(summary.failed) + 1 == 3
    for key in summary.failed:
        record = json.loads((summary.run_dir / "failed" / f"{key}.json").read_bytes())
        assert "DivergedError" in record["error"]
        assert "in fit" in "".join(record["traceback"])
    run = open_run(summary.run_dir)
    again = retry(run, cells_named(run, [next(iter(summary.failed))]), device="cpu", cluster=cluster)
    assert len(again.failed) == 1


def test_the_first_failure_stops(cluster, make_grid, recorder, tmp_path):
    grid = make_grid({"method": "mp", "ratio": [2]}, train=[[5, 1e30]], seeds=20)
    seen = recorder()
    summary = compute(grid, tmp_path / "cube.nc", device="cpu", cluster=cluster, fail_fast=True,
                      listener=lambda plan, n: seen)  # fmt: skip
    assert len(summary.failed) == 2  # a dense network and the one made of it
    assert len(set(seen.of("started"))) < 20


def test_a_disk_that_is_full_where_a_worker_is_ends_the_run(cluster, client, small, tmp_path):
    def fill(dask_worker):
        from rdcompute import rundir

        def full(path, data):
            raise OSError(28, "No space left on device")

        rundir.kept, rundir.write_atomically = rundir.write_atomically, full

    def empty(dask_worker):
        from rdcompute import rundir

        rundir.write_atomically = rundir.kept

    client.run(fill)
    try:
        with pytest.raises(StorageError, match="No space left on device; what is finished is kept: make room"):
            compute(small, tmp_path / "cube.nc", device="cpu", cluster=cluster)
    finally:
        client.run(empty)


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (lambda run, *rest: Order(run / "gone", *rest), "does not see run directory .*gone; give --run-dir on a file"),
        (lambda run, *rest: Order(run / "other", *rest, patience=0.1), "run directory .*other is another one there"),
        (lambda *given: Order(*given, version="0.0.1"), "has rd .*, this command is rd 0.0.1"),
    ],
)
def test_a_worker_that_cannot_take_cells(cluster, small, tmp_path, monkeypatch, order, message):
    monkeypatch.setattr(cluster_run, "Order", order)
    run = tmp_path / "cube.run"
    compute(small, tmp_path / "cube.nc", device="cpu", cluster=None, order=lambda cells: [])  # an empty run directory
    (run / "other").mkdir()
    (run / "other" / "run.json").write_bytes((run / "run.json").read_bytes())
    with pytest.raises(InputError, match=rf"worker \d at tcp://127.0.0.1:\d+: .*{message}") as caught:
        compute(small, tmp_path / "cube.nc", device="cpu", cluster=cluster)
    assert "\n" not in str(caught.value)


def test_a_worker_of_several_threads(small, tmp_path):
    """Bits rest on one thread."""
    quiet = {"dashboard": False, "dashboard_address": ":0"}
    message = r"has 2 threads.* start it with --nthreads 1; what is finished is kept"
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=False, protocol="tcp", memory_limit=0,
                     scheduler_kwargs=quiet, silence_logs=logging.CRITICAL, host="127.0.0.1") as threads,
        pytest.raises(InputError, match=message),
    ):  # fmt: skip
        compute(small, tmp_path / "cube.nc", device="cpu", cluster=Cluster(threads.scheduler_address))


def test_a_gpu_that_no_worker_offers(cluster, small, tmp_path):
    with pytest.raises(InputError, match=r"--device cuda: none of the 2 workers offers the resource GPU; start them"):
        compute(small, tmp_path / "cube.nc", device="cuda", cluster=cluster)


def test_who_is_not_wanted_any_more_leaves_at_an_epoch(cluster, client, make_grid, tmp_path):
    """A command stopped from outside: its cells end, with a checkpoint, long before their last epoch."""
    grid = make_grid({"method": "mp", "ratio": [2]}, train=[[100_000, 0.01]], seeds=2)

    class Stop:
        def started(self, cell): ...
        def workers(self, n): ...
        def epoch(self, cell, report):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compute(grid, tmp_path / "cube.nc", device="cpu", cluster=cluster, listener=lambda plan, n: Stop())
    deadline = time.monotonic() + 20
    while any(client.run(lambda dask_worker: dask_worker.state.executing_count).values()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    run = RunDirectory.existing(tmp_path / "cube.run")
    kept = [run.load_checkpoint(path.stem) for path in (run.path / "unfinished").glob("*.epochs")]
    assert len(kept) == 2
