"""Projected against measured speed of training on a core of this machine, for three networks."""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import nn

from benchmarks.common import ratios
from benchmarks.row import Aim, Row, Sample
from rdcompute import calibrate, datasets, stopwatch
from rdcompute.calibrate import samples_of
from rdcompute.device_data import MEMORY_FORMATS, DeviceData
from rdcompute.execute import use_one_thread
from rdcompute.grid import Grid
from rdcompute.models import build_model
from rdcompute.plan import make_plan
from rdcompute.projection.cpu import rates_of
from rdcompute.projection.model import cpu_cost
from rdcompute.projection.project import work_of

NETWORKS = (("fashion-mnist", "lenet", 20_000), ("cifar10", "resnet20", 8_000), ("cifar10", "resnet56", 6_000))
WITHIN = 1.3


def rows(repeats: int = 3) -> list[Row]:
    """Compare images a second, in CPU time of the thread, which other programs disturb least; medians of `repeats`.

    Images are random ones of the datasets' sizes.  Operations and networks are measured in turn.
    """
    use_one_thread()
    grid = Grid.model_validate({
        "name": "projection", "seeds": 1, "ratio": 2,
        "experiments": [{"dataset": name, "arch": arch, "method": ["sham", "mp"]} for name, arch, _ in NETWORKS],
    })  # fmt: skip
    plan = make_plan(grid)
    samples = samples_of(plan.cells)
    works = {sample.network: work_of(sample, plan, "cpu") for sample in samples}
    found: list[list[tuple[float, float]]] = [[] for _ in NETWORKS]
    for _ in range(repeats):
        rates = rates_of(samples, works)
        for i, (sample, (name, arch, n_images)) in enumerate(zip(samples, NETWORKS, strict=True)):
            work = works[sample.network]
            predicted = work.batch / cpu_cost(work.step, rates[sample.trained.settings.memory_format]).seconds()
            data = _data(plan.datasets[name], n_images)
            network = build_model(arch, data.n_classes, data.image_shape, 0)
            network.to(memory_format=MEMORY_FORMATS[sample.trained.settings.memory_format])
            found[i].append((predicted, 1 / _seconds_an_image(network, sample, data)))
    result = []
    for (_, arch, _), pairs in zip(NETWORKS, found, strict=True):
        predicted, measured = ([pair[i] for pair in pairs] for i in range(2))
        ratio = ratios(predicted, measured)
        apart = Sample.of(max(a / b, b / a) for a, b in pairs)
        result += [
            Row(f"{arch}: measured", Sample.of(measured), "images/s", note="CPU time of one thread"),
            Row(f"{arch}: projected", Sample.of(predicted), "images/s", ratio, "of measured"),
            Row(f"{arch}: apart", apart, "times", aim=Aim("at most", WITHIN)),
        ]
    return result


def _seconds_an_image(network: nn.Module, sample: calibrate.Sample, data: DeviceData) -> float:
    clock = stopwatch.clock
    stopwatch.clock = lambda device: time.thread_time()
    try:
        return stopwatch._time_steps(network, sample.trained, data, torch.device("cpu"))[1]
    finally:
        stopwatch.clock = clock


def _data(spec: datasets.DatasetSpec, n: int) -> DeviceData:
    channels, height, width = spec.image_shape
    labels = np.arange(n) % spec.n_classes
    images = np.random.default_rng(0).integers(0, 256, (n, height, width, channels), dtype=np.uint8)
    names = tuple(map(str, range(spec.n_classes)))
    data = datasets.ImageData(spec.name, images, labels, images[:1000], labels[:1000], names, (0.5,) * channels,
                              (0.5,) * channels, spec.augment)  # fmt: skip
    return DeviceData.load(data, torch.device("cpu"), root_seed=0)
