"""How many workers there are, and on which device each computes."""

import multiprocessing
import os

import pytest
import torch

from rdcompute import processes, workers
from rdcompute.compute import compute
from rdcompute.workers import worker_devices
from rdstats.errors import InputError


@pytest.fixture
def three_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)


def test_one_a_core_without_a_gpu(monkeypatch):
    monkeypatch.setattr(workers, "_cores", lambda: 5)
    assert worker_devices("cpu", "auto") == ("cpu",) * 5
    assert worker_devices("cpu", "auto", per_device=4) == ("cpu",) * 5
    assert worker_devices("cpu", 2) == ("cpu", "cpu")


def test_cores_are_those_this_process_may_use():
    assert 1 <= workers._cores() <= (os.cpu_count() or 1)
    if hasattr(os, "sched_setaffinity"):
        before = os.sched_getaffinity(0)
        try:
            os.sched_setaffinity(0, {min(before)})
            assert workers._cores() == 1
        finally:
            os.sched_setaffinity(0, before)


def test_one_a_gpu_and_several(three_gpus):
    assert worker_devices("cuda", "auto") == ("cuda:0", "cuda:1", "cuda:2")
    assert worker_devices("cuda", "auto", per_device=2) == ("cuda:0", "cuda:1", "cuda:2") * 2
    assert worker_devices("cuda", 4) == ("cuda:0", "cuda:1", "cuda:2", "cuda:0")
    assert worker_devices("cuda:1", "auto", per_device=2) == ("cuda:1", "cuda:1")
    assert worker_devices("mps", "auto") == ("mps",)


@pytest.mark.parametrize("wrong", [0, -1, "0", "many", "1.5"])
def test_wrong_numbers(wrong):
    with pytest.raises(InputError, match=f"--workers {wrong}: a whole number from 1, or auto, is accepted"):
        worker_devices("cpu", wrong)
    with pytest.raises(InputError, match="--workers-per-device 0"):
        worker_devices("cpu", 1, 0)


def test_a_replacement_takes_the_place_of_the_one_that_died():
    hands = [processes._Hand(None, None, place) for place in (0, 2)]
    assert processes._free_place(hands) == 1
    assert processes._free_place([]) == 0


def test_every_worker_is_told_its_own_device(tiny_npz, make_grid, tmp_path, monkeypatch):
    """The devices are the machine's only one here, under two names that are kept apart on the way."""
    seen = []
    start = processes._start

    def noted(job, place):
        seen.append(job.hows[place][1])
        return start(job, place)

    monkeypatch.setattr(processes, "_start", noted)
    monkeypatch.setattr("rdcompute.compute.worker_devices", lambda *_: ("cpu", "cpu:0"))
    grid = make_grid(seeds=2, experiments=[{"dataset": tiny_npz(), "arch": "lenet", "method": "sham"}])
    summary = compute(grid, tmp_path / "a.nc", device="cpu", n_workers="auto")
    assert sorted(seen) == ["cpu", "cpu:0"]
    assert summary.n_done == 4
    assert multiprocessing.active_children() == []
