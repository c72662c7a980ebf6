"""Timing a few steps: what is timed, what is told where it cannot be, and that nothing is left behind."""

import dataclasses
import json
import os
import tempfile

import pytest
import torch

from rdcompute import calibrate as calibrating
from rdcompute import datasets, stopwatch
from rdcompute.calibrate import calibrate, joined, samples_of
from rdcompute.compute import compute
from rdcompute.device_data import DeviceData
from rdcompute.estimate import Timing
from rdcompute.forecast import forecast
from rdcompute.plan import make_plan

TIMING = Timing(100, 20, 80, 0.5, 0.1, 0.025, 0.2, 3.0, 1.0)


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(stopwatch, "ENOUGH", 0.05)


@pytest.fixture
def grid(tiny_npz, make_grid):
    return make_grid(
        seeds=2, experiments=[{"dataset": tiny_npz(), "arch": "lenet", "method": ["sham", "gp"], "ratio": 2}]
    )


class Machine:
    """A device on which drawing an epoch takes 7 seconds, a step 0.5 seconds and 0.1 an image; the first ones more."""

    def __init__(self, n_images, batch_size, n_cold=2):
        self.now, self.n_steps, self.read, self.n_cold = 0.0, 0, 0, n_cold
        self.n_images, self.batch_size = n_images, batch_size

    def clock(self):
        self.read += 1
        return self.now

    def epoch(self, streams, batch_size):
        self.now += 7
        for first in range(0, self.n_images, batch_size):
            yield None, range(min(batch_size, self.n_images - first))

    def train(self, watch):
        while True:
            for _, labels in watch.epoch(("order", "augment"), self.batch_size):
                self.n_steps += 1
                self.now += 0.5 + 0.1 * len(labels) + (100 if self.n_steps <= self.n_cold else 0)
            self.now += 33  # validation between two epochs, which is timed on its own


@pytest.mark.parametrize(("n_images", "enough"), [(10_000, 300), (23, 300), (20, 300), (4, 300), (1, 300)])
def test_the_watch_tells_epochs_starts_from_steps(monkeypatch, n_images, enough):
    monkeypatch.setattr(stopwatch, "ENOUGH", enough)
    machine = Machine(n_images, 10)
    watch = stopwatch._Watch(machine, machine.clock)
    with pytest.raises(stopwatch._Enough):
        machine.train(watch)
    start, image = watch.result()
    batch = min(10, n_images)
    assert start == pytest.approx(7)
    assert image == pytest.approx(0.1 + 0.5 / batch, rel=1e-9)
    assert enough <= machine.now < 50 * enough


@pytest.mark.parametrize(
    ("blocks", "image"),
    [
        ([(100, 10), (100, 10), (1, 10), (2, 10), (3, 10)], 0.2),  # without the first two, which reserve memory
        ([(100, 10), (100, 10), (1, 10), (5, 1), (5, 1)], 0.1),  # without what is left at the end of an epoch
        ([(100, 10), (8, 10)], 0.8),  # a slow network: the last step alone
    ],
)
def test_the_blocks_that_count(blocks, image):
    watch = stopwatch._Watch(None, None, starts=[9, 7, 8], blocks=blocks)
    assert watch.result() == (8, pytest.approx(image))


def test_short_steps_are_timed_in_blocks(monkeypatch):
    """The device is waited for once a block, not once a step, which would leave a GPU idle."""
    monkeypatch.setattr(stopwatch, "BLOCK", 30)
    monkeypatch.setattr(stopwatch, "ENOUGH", 600)
    machine = Machine(1000, 10, n_cold=0)
    watch = stopwatch._Watch(machine, machine.clock)
    with pytest.raises(stopwatch._Enough):
        machine.train(watch)
    assert watch.n_steps == 20
    assert machine.read < machine.n_steps / 10
    assert watch.result()[1] == pytest.approx(0.15)


def test_slow_networks_are_left_after_one_warm_step():
    machine = Machine(10_000, 10, n_cold=1)
    watch = stopwatch._Watch(machine, machine.clock)
    with pytest.raises(stopwatch._Enough):
        machine.train(watch)
    assert machine.n_steps == 2
    assert watch.result()[1] == pytest.approx(0.15)


def test_every_field_is_measured_and_nothing_is_left(grid, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    plan = make_plan(grid)
    found = calibrate(plan.cells, ("cpu",))
    assert found.start_up == 0
    (timing,) = found.timings.values()
    data = DeviceData.load(datasets.load(plan.cells[0].dataset), torch.device("cpu"), root_seed=0)
    assert (timing.n_train, timing.n_holdout, timing.n_test) == (data.n_train, len(data.holdout_labels), 31)
    assert all(0 < value < 1 for value in dataclasses.astuple(timing)[3:-1]), timing
    assert timing.channels == 0
    assert [path for path in tmp_path.rglob("*") if path.is_file() or path.name.startswith("rd")] == []
    without = dataclasses.replace(plan, cells=tuple(c for c in plan.cells if c.method != "gp"))
    (timing,) = calibrate(without.cells, ("cpu",)).timings.values()
    assert timing.gradient == 0
    assert calibrate([], ("cpu",)).timings == {}


def test_the_very_steps_of_training_are_timed(grid, monkeypatch):
    """A slower optimiser, evaluation or gradient shows in its own field."""
    plan = make_plan(grid)

    def slower(function):
        def slow(*arguments, **options):
            stop = stopwatch.time.perf_counter() + 0.02
            while stopwatch.time.perf_counter() < stop:
                pass
            return function(*arguments, **options)

        return slow

    (usual,) = calibrate(plan.cells, ("cpu",)).timings.values()
    with monkeypatch.context() as patched:
        patched.setattr(torch.optim.SGD, "step", slower(torch.optim.SGD.step))
        (step,) = calibrate(plan.cells, ("cpu",)).timings.values()
    with monkeypatch.context() as patched:
        patched.setattr(stopwatch, "validate", slower(stopwatch.validate))
        patched.setattr(stopwatch, "training_gradient", slower(stopwatch.training_gradient))
        (rest,) = calibrate(plan.cells, ("cpu",)).timings.values()
    assert 0.01 / 16 < step.train - usual.train < 0.1 / 16
    assert 0.01 / 31 < rest.evaluate - usual.evaluate < 0.1 / 31
    assert 0.01 / 54 < rest.gradient - usual.gradient < 0.1 / 54
    assert rest.train < usual.train + 0.01 / 16


def test_the_estimate_is_near_what_it_took(grid, tmp_path):
    """Within a factor of three even on a busy machine: an estimate by batches for images, say, is far off."""
    found = forecast(make_plan(grid), ("cpu",), run_dir=tmp_path / "a.run")
    summary = compute(grid, tmp_path / "a.nc", device="cpu")
    twins = (summary.run_dir / "cells").rglob("*.json")
    spent = sum(json.loads(twin.read_text())["result"]["seconds"] for twin in twins)
    assert spent / 3 < found.hours * 3600 < spent * 3


def test_one_that_cannot_be_timed_is_told_and_the_others_are_timed(tiny_npz, make_grid, tmp_path, monkeypatch):
    good, bad = tiny_npz("good"), tiny_npz("bad")
    names = [good, bad, "cifar100"]
    grid = make_grid(seeds=1, experiments=[{"dataset": names, "arch": "lenet", "method": "sham"}])
    real = stopwatch.time_network

    def fails(dense, *rest):
        if dense.dataset == bad:
            raise MemoryError("no room\nfor this")
        return real(dense, *rest)

    monkeypatch.setattr(stopwatch, "time_network", fails)
    found = forecast(make_plan(grid), ("cpu",), run_dir=tmp_path, data_dir=tmp_path)
    reasons = [network.reason for network in found.networks]
    assert reasons == ["", "no room for this", "dataset cifar100 is not on this machine"]
    assert [network.hours is None for network in found.networks] == [False, True, True]
    assert found.hours == found.networks[0].hours
    assert found.seconds > found.hours * 3600


def test_processes_are_joined():
    double = dataclasses.replace(TIMING, train=0.3)
    a, b = ("x", "lenet"), ("y", "lenet")
    assert joined([{a: TIMING, b: TIMING}, {a: double, b: "no"}]) == {
        a: dataclasses.replace(TIMING, train=0.2), b: "no"
    }  # fmt: skip


def dies(*_):
    os._exit(3)


def test_a_process_that_dies_is_a_reason_not_a_wait(grid, monkeypatch):
    monkeypatch.setattr(calibrating, "_work", dies)
    found = calibrate(make_plan(grid).cells, ("cpu", "cpu"))
    assert list(found.timings.values()) == ["a process that timed it has died"]


def test_a_sample_of_every_network(tiny_npz, make_grid):
    name = tiny_npz()
    grid = make_grid(
        seeds=2,
        experiments=[
            {"dataset": name, "arch": "lenet", "method": ["sham", "up"], "ratio": 2},
            {"dataset": name, "arch": "resnet20", "method": "mp", "ratio": 2},
        ],
    )
    cells = make_plan(grid).cells
    found = samples_of(cells)
    assert [(s.network, s.dense.is_dense, s.compressed.is_dense, s.gradient) for s in found] == [
        ((name, "lenet"), True, False, True), ((name, "resnet20"), True, False, False)
    ]  # fmt: skip
    (left,) = samples_of(cells[2:3])  # its dense network is finished
    assert (left.dense, left.compressed) == (cells[0], cells[2])
