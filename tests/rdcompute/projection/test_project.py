"""Whole plans: what they take on devices that are not here, and on this CPU."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from rdcompute.calibrate import samples_of
from rdcompute.datasets import DATASETS
from rdcompute.estimate import play
from rdcompute.grid import Grid
from rdcompute.plan import Plan, make_plan
from rdcompute.projection import cpu, cpu_bench
from rdcompute.projection.cpu import project_here, rates_of
from rdcompute.projection.operations import Operation
from rdcompute.projection.profile import DeviceProfile, load_profile
from rdcompute.projection.project import ImageCounts, Projection, image_counts, project, split_sizes, work_of
from rdstats.errors import InputError


def plan_of(**document: Any) -> Plan:
    experiments = [{"dataset": "fashion-mnist", "arch": "lenet", "method": ["sham", "mp", "gp"]}]
    return make_plan(Grid.model_validate({"name": "a", "seeds": 2, "ratio": 2, "experiments": experiments, **document}))


def projected(plan: Plan, profile: DeviceProfile, devices: tuple[str, ...] = ("gpu:0",)) -> Projection:
    return project(plan, plan.cells, set(), image_counts(plan), profile, devices)


H100 = load_profile("h100-sxm")


def test_times_of_cells_are_those_of_steps() -> None:
    plan = plan_of()
    found = projected(plan, H100)
    (network,), (timing,) = found.networks, found.timings.values()
    assert (timing.n_train, timing.n_holdout, timing.n_test) == (55_000, 5000, 10_000)
    assert timing.train * 55_000 == pytest.approx(430 * network.step_seconds)  # 429 whole batches and a part of one
    assert 0 < timing.evaluate < timing.train
    assert 0 < timing.gradient < timing.train
    assert timing.epoch_start == pytest.approx(55_000 * H100.order_us_per_image * 1e-6)
    assert found.wall[1] == play(plan.cells, set(), found.timings, 1).wall
    assert network.images_per_second == pytest.approx(128 / network.step_seconds)


def test_more_devices_take_less_time_and_more_workers_no_longer() -> None:
    found = projected(plan_of(seeds=16), H100)
    assert sorted(found.wall) == [1, 2, 4, 8]
    assert found.wall[8] < found.wall[4] < found.wall[2] < found.wall[1]
    assert [crowd.per_device for crowd in found.crowds] == list(range(1, 9))
    seconds = [crowd.seconds for crowd in found.crowds]
    assert seconds[0] == found.wall[1]
    assert seconds[2] < seconds[1] < seconds[0]
    better = found.suggested
    assert better is not None
    assert 2 <= better.per_device <= 4  # a step takes three times as long on the host as on the device
    assert better.seconds <= 1.05 * min(seconds)


def test_workers_that_share_a_device_slow_each_other_down_once_it_is_busy() -> None:
    plan = plan_of()
    alone, crowded = projected(plan, H100), projected(plan, H100, ("gpu:0",) * 6)
    assert (alone.per_device, crowded.per_device) == (1, 6)
    step = alone.networks[0].step
    assert crowded.networks[0].step_seconds == 6 * step.device
    assert crowded.networks[0].step_seconds > alone.networks[0].step_seconds == step.host
    spread = projected(plan, H100, ("gpu:0", "gpu:1", "gpu:2"))
    assert spread.networks[0].step_seconds == alone.networks[0].step_seconds
    assert sorted(spread.wall) == [1, 2, 3, 4, 8]


def test_memory_limits_the_workers_of_a_device() -> None:
    small = H100.model_copy(update={"memory_gb": 2.5})
    assert [crowd.fits for crowd in projected(plan_of(), small).crowds] == [True, True] + [False] * 6
    assert projected(plan_of(), H100.model_copy(update={"memory_gb": 0.5})).suggested is None


@pytest.mark.parametrize(
    ("validation", "keep", "sizes"), [("holdout", "best", (45_000, 5000)), ("test", "best", (45_000, 5000)),
                                      ("none", "last", (45_000, 5000))],
)  # fmt: skip
def test_images_as_the_stopwatch_splits_them(validation: str, keep: str, sizes: tuple[int, int]) -> None:
    training = {"lenet": {"validation": validation, "keep": keep}}
    experiments = [{"dataset": "cifar10", "arch": "lenet", "method": "sham"}]
    cell = plan_of(training=training, experiments=experiments).cells[0]
    assert split_sizes(cell, ImageCounts(50_000, 10_000), 10) == sizes


def test_a_precision_that_is_unknown_to_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    from rdcompute.projection import project as module

    monkeypatch.setattr(module, "precision_of", lambda sample: "bf16")
    assert projected(plan_of(), H100).networks[0].step.device > 0
    with pytest.raises(InputError, match="v100: peak_tflops has no bf16"):
        projected(plan_of(), load_profile("v100"))


def test_a_dataset_of_which_nobody_knows_how_many_images_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of()
    spec = dataclasses.replace(plan.datasets["fashion-mnist"], n_images=None, locate=lambda folder: None)
    unknown = dataclasses.replace(plan, datasets={"fashion-mnist": spec})
    monkeypatch.setitem(DATASETS._own, "fashion-mnist", spec)
    with pytest.raises(InputError, match="dataset 'fashion-mnist': how many images it has is known from its files"):
        image_counts(unknown)


def test_what_the_catalogue_says_is_what_there_is() -> None:
    plan = plan_of(experiments=[{"dataset": "digits", "arch": "lenet", "method": "sham"}])
    data = plan.datasets["digits"].loader(None)
    assert image_counts(plan)["digits"] == ImageCounts(len(data.train_labels), len(data.test_labels))
    for name, numbers in (("mnist", (60_000, 10_000)), ("cifar100", (50_000, 10_000))):
        assert DATASETS.get(name).n_images == numbers
        assert f"{numbers[0]:,} and {numbers[1]:,}" in DATASETS.get(name).description


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time a moment only."""
    for name, value in (("BYTES", (2**12, 2**14)), ("_LEAST", 1e-4), ("_MOST", 1e-3), ("_FLOPS", 1e6)):
        monkeypatch.setattr(cpu_bench, name, value)


def test_on_this_cpu_operations_are_timed(short: None) -> None:
    plan = plan_of(experiments=[{"dataset": "digits", "arch": "lenet", "method": ["sham", "gp"]}])
    found = project_here(plan, plan.cells, set(), image_counts(plan), 1)
    (network,), (timing,) = found.networks, found.timings.values()
    assert (found.profile, found.crowds, found.suggested) == (None, (), None)
    assert network.step.device == network.step_seconds > 0
    assert network.step.host == 0
    assert min(timing.train, timing.evaluate, timing.gradient, timing.dense, timing.compressed, timing.epoch_start) > 0
    assert found.call_us is not None
    assert 0.1 < found.call_us < 1000
    assert found.wall[1] > found.wall[2]


def test_this_cpu_is_timed_in_float32_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "precision_of", lambda sample: "bf16")
    plan = plan_of()
    with pytest.raises(InputError, match="cpu: fashion-mnist lenet is trained in bf16"):
        project_here(plan, plan.cells, set(), image_counts(plan), 1)


def test_every_operation_of_a_residual_network_has_a_rate(short: None, resnet20: Any) -> None:
    plan = plan_of(experiments=[{"dataset": "cifar10", "arch": "resnet20", "method": ["sham", "up"]}])
    samples = samples_of(plan.cells)
    work = work_of(samples[0], plan, "cpu")
    (rates,) = rates_of(samples, {samples[0].network: work}).values()
    assert all(rates.seconds(one) > 0 for part in (work.step, work.evaluation, work.gradient) for one in part)
    twice = [dataclasses.replace(one, flops=2 * one.flops) for one in work.step if one.kind == "conv"]
    assert rates.seconds(twice[0]) == pytest.approx(2 * rates.seconds(next(o for o in work.step if o.kind == "conv")))


def test_convolutions_that_are_timed_are_those_of_the_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Any, ...]] = []

    def noted(calls: list[Any]) -> float:
        seen.append(tuple(calls[0]().shape if isinstance(calls[0](), torch.Tensor) else ()))
        return 1e-3

    monkeypatch.setattr(cpu_bench, "_seconds", noted)
    forward = Operation("convolution forward", "conv", 2 * 8 * 5 * 5 * 6 * 4 * 9, 1.0, 1, (0, 4, 6, 5, 3, 2, 1, 8))
    amount, seconds = cpu_bench._convolution(forward, torch.channels_last)
    assert (amount, seconds) == (forward.flops, 1e-3)
    assert seen == [(8, 6, 5, 5)]
    monkeypatch.setattr(cpu_bench, "_FLOPS", forward.flops / 2)
    assert cpu_bench._convolution(forward, torch.channels_last)[0] == forward.flops / 2
    assert seen[1:] == [(4, 6, 5, 5)]  # half of the images are enough
    bias = Operation("convolution bias", "bias", 0.0, 4800.0, 1, (2, 4, 6, 5, 3, 2, 1, 8))
    assert cpu_bench._convolution(bias, torch.channels_last) == (2400.0, 1e-9)  # two equal times: it adds nothing


def test_all_workers_of_all_devices_compute() -> None:
    plan = plan_of(seeds=4)
    found = projected(plan, H100, ("gpu:0", "gpu:0"))
    assert found.wall[2] == play(plan.cells, set(), found.timings, 4).wall < found.wall[1]


def test_only_steps_are_in_the_precision_of_the_recipe() -> None:
    cells = [{"dataset": "cifar10", "arch": "resnet20", "method": ["sham", "gp"]}]
    of = {
        precision: next(iter(projected(plan_of(
            seeds=1, experiments=cells, training={"resnet": {"precision": precision}}
        ), H100).timings.values()))
        for precision in ("fp32", "bf16")
    }  # fmt: skip
    assert of["bf16"].train != of["fp32"].train
    assert (of["bf16"].evaluate, of["bf16"].gradient) == (of["fp32"].evaluate, of["fp32"].gradient)


def test_a_worker_holds_images_and_where_they_are_cropped() -> None:
    cells = [{"dataset": "cifar10", "arch": "resnet20", "method": "sham"}]
    room = {
        augment: projected(
            plan_of(seeds=1, experiments=cells, training={"resnet": {"augment": augment}}), H100
        ).networks[0].memory_bytes
        for augment in ("none", "crop-flip")
    }  # fmt: skip
    border = 50_000 * 3 * (40**2 - 32**2)
    places = 8 * 50_000 * (32 + 32)
    assert room["crop-flip"] - room["none"] >= border + places
