"""What a plan takes on cores of this machine, from rates of operations that are measured here."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import torch

from rdcompute import stopwatch
from rdcompute.calibrate import Sample, samples_of, together
from rdcompute.device_data import MEMORY_FORMATS, DeviceData, Normalize
from rdcompute.estimate import Network, Timing
from rdcompute.execute import use_one_thread
from rdcompute.image_parts import PAD
from rdcompute.plan import Cell, Plan
from rdcompute.projection.cpu_bench import measure
from rdcompute.projection.cpu_rates import CpuRates, key_of, mean_rates
from rdcompute.projection.model import cpu_cost
from rdcompute.projection.operations import Operation
from rdcompute.projection.project import (
    ImageCounts,
    ProjectedNetwork,
    Projection,
    a_image,
    is_cropped,
    precision_of,
    split_sizes,
    wall_times,
    work_of,
)
from rdcompute.projection.work import Work
from rdstats.errors import InputError


def project_here(
    plan: Plan, left: Sequence[Cell], finished: Collection[str], counts: Mapping[str, ImageCounts], n_workers: int
) -> Projection:
    """Return what is left of a plan on cores of this machine; arguments as `rdcompute.projection.project.project`.

    Operations are measured in as many processes at once as there are workers, since cores share memory and power.

    Raises
    ------
    InputError
        A network that is trained in bfloat16: rates are those of float32.
    """
    samples = samples_of(left)
    for sample in samples:
        if precision_of(sample) == "bf16":
            raise InputError(f"device profile cpu: {' '.join(sample.network)} is trained in bf16, and rates are timed "
                             "in fp32; rd plan without --device-profile times it")  # fmt: skip
    works = {sample.network: work_of(sample, plan, "cpu") for sample in samples}
    rates = rates_of(samples, works, n_workers)
    timings, networks = {}, []
    for sample in samples:
        work, cell = works[sample.network], sample.trained
        spec, count = plan.datasets[cell.dataset], counts[cell.dataset]
        own = rates[cell.settings.memory_format]
        step, evaluation, gradient = (cpu_cost(part, own) for part in (work.step, work.evaluation, work.gradient))
        n_train, n_holdout = split_sizes(cell, count, spec.n_classes)
        data = _blank_data(cell, plan, n_train, count.n_test)
        rest = [stopwatch._time_rest(sample.dense, sample.compressed, data, spec, torch.device("cpu"))
                for _ in range(2)][-1]  # fmt: skip
        timings[sample.network] = Timing(
            n_train, n_holdout, count.n_test, _epoch_start(data),
            a_image(step.seconds(), n_train, work.batch), a_image(evaluation.seconds(), n_holdout, work.eval_batch),
            a_image(gradient.seconds(), n_train, work.batch) if sample.gradient else 0.0, *rest,
        )  # fmt: skip
        networks.append(ProjectedNetwork.of(sample, work, step, step.seconds(), 0.0))
    wall = wall_times(left, finished, timings, 1, n_workers)
    return Projection(None, tuple(networks), timings, 1, (), wall, max(one.call for one in rates.values()) * 1e6)


def rates_of(
    samples: Iterable[Sample], works: Mapping[Network, Work], n_processes: int = 1
) -> dict[str, CpuRates]:
    """Measure the rates that some networks need, by their memory format: one example of every operation."""
    examples: dict[str, dict[Any, Operation]] = {}
    for sample in samples:
        work = works[sample.network]
        own = examples.setdefault(sample.trained.settings.memory_format, {})
        own |= {key_of(one): one for part in (work.step, work.evaluation, work.gradient) for one in part}
    return {name: _rates(list(own.values()), name, n_processes) for name, own in examples.items()}


def _rates(examples: list[Operation], memory_format: str, n_processes: int) -> CpuRates:
    task = partial(_measured, examples, memory_format)
    if n_processes == 1:
        return task(lambda: None)
    found, _ = together([task] * n_processes)
    if found is None:
        raise RuntimeError("a process that measured operations has died")
    return mean_rates(found)


def _measured(examples: list[Operation], memory_format: str, meet: Callable[[], Any]) -> CpuRates:
    use_one_thread()
    meet()
    return measure(examples, MEMORY_FORMATS[memory_format])


def _blank_data(cell: Cell, plan: Plan, n_train: int, n_test: int) -> DeviceData:
    """Return so many images, all of them one and the same, as training and test set."""
    channels, height, width = plan.datasets[cell.dataset].image_shape
    crop = is_cropped(cell, plan)
    margin = 2 * PAD if crop else 0
    one, other = (torch.zeros((1, height + m, width + m, channels), dtype=torch.uint8) for m in (margin, 0))
    train, test = (torch.zeros(n, dtype=torch.int64) for n in (n_train, n_test))
    unit = torch.ones(1, 1, 1, 1)
    return DeviceData(
        "blank", one.expand(n_train, -1, -1, -1), train, other, test[:1], other.expand(n_test, -1, -1, -1), test,
        Normalize(unit, unit, torch.contiguous_format), crop, cell.root_seed, plan.datasets[cell.dataset].n_classes,
    )  # fmt: skip


def _epoch_start(data: DeviceData) -> float:
    """Return the seconds until an epoch has drawn order and augmentation, through the code that does."""
    begun = time.perf_counter()
    next(data.epoch(("order/start", "augment/start"), 1))
    return time.perf_counter() - begun
