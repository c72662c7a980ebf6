"""How much of the machine the engine's training step uses, and where the rest goes (one thread).

The machine's peak is measured here too: of a float32 matrix product, the fastest of some sizes, and of adding two
arrays that no cache holds, in bytes read and written.  Convolutions and matrix products are told as a fraction of the
first, everything else as a fraction of the second; what a cache serves can be above 1.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
from torch.profiler import record_function

from benchmarks import operators
from benchmarks.common import clock
from benchmarks.operators import CONVOLUTION, DATA, DATA_SCOPE, GROUPS, PRODUCTS, Traffic
from benchmarks.row import Row, Sample, once
from benchmarks.training import LENET, RESNET, Task, run_engine
from rdcompute.device_data import DeviceData
from rdcompute.execute import use_one_thread

REPEATS = 5
SIZES = (256, 512, 1024, 2048)
MEGABYTES = 128
"""Of each of the three arrays by which the bandwidth is measured."""
BATCH = 128
STEPS = {"lenet": 40, "resnet20": 3}


def rows() -> list[Row]:
    """Return the table: the machine's peaks, and for each network what it reaches and where its time goes."""
    use_one_thread()
    gemm, size = gemm_peak()
    bandwidth = memory_bandwidth()
    result = [
        Row("GEMM peak, one thread, float32", gemm, "GFLOP/s", note=f"{size} x {size}; the largest is the peak"),
        Row("memory bandwidth, one thread", bandwidth, "GB/s", note=f"a + b, {MEGABYTES} MB each; the largest counts"),
    ]
    return result + [row for task in (LENET, RESNET) for row in used(task, gemm.high, bandwidth.high)]


def gemm_peak() -> tuple[Sample, int]:
    """Return GFLOP/s of the matrix product that is fastest, and its size."""
    found = {}
    for n in SIZES:
        a, b, out = torch.randn(n, n), torch.randn(n, n), torch.empty(n, n)
        product = partial(torch.mm, a, b, out=out)
        product()
        found[n] = Sample.of(2e-9 * n**3 / clock(product).wall for _ in range(3 * REPEATS))
    size = max(found, key=lambda n: found[n].high)
    return found[size], size


def memory_bandwidth() -> Sample:
    """Return GB/s of adding two arrays into a third one."""
    a, b, out = (torch.ones(MEGABYTES * 10**6 // 4) for _ in range(3))
    add = partial(torch.add, a, b, out=out)
    add()
    return Sample.of(3e-3 * MEGABYTES / clock(add).wall for _ in range(2 * REPEATS))


def used(task: Task, gemm: float, bandwidth: float) -> list[Row]:
    """Return what a training step of a network with masks reaches, in processor time, and where the time goes."""
    title, n_steps = task.title.partition(",")[0], STEPS[task.arch]
    n_images = n_steps * BATCH
    task = replace(task, n_images=n_images, validated=False)
    data = task.data()
    steps = partial(run_engine, task, data, task.masks())
    steps()  # warm up
    took = Sample.of(clock(steps).processor for _ in range(REPEATS))
    flops = operators.flops(task.model(), data.normalize(data.train_images[:BATCH]), data.train_labels[:BATCH])
    an_image = sum(flops.values()) / BATCH
    reached = _rates(took, an_image * n_images / 1e9)
    return [
        Row(f"{title}: training", _rates(took, n_images), "images/s", note=f"batch {BATCH}, processor time"),
        Row(f"{title}: FLOP an image", once(an_image / 1e6), "MFLOP", note="forward and backward, counted"),
        Row(f"{title}: reached", reached, "GFLOP/s", reached.times(1 / gemm), "of the GEMM peak"),
        *_shares(title, task, data, {group: n / BATCH for group, n in flops.items()}, took.median, gemm, bandwidth),
    ]


def _rates(took: Sample, amount: float) -> Sample:
    return Sample(amount / took.median, amount / took.high, amount / took.low, took.repeats)


def _shares(
    title: str, task: Task, data: DeviceData, flops: dict[str, float], took: float, gemm: float, bandwidth: float
) -> list[Row]:
    """Return the share of the profiled time by group of operators, the largest first, and what is between them."""
    steps, n = partial(run_engine, task, data, task.masks()), task.n_images
    traffic = Traffic()
    with operators.marked(DeviceData, "epoch", partial(traffic.within, DATA)), traffic.optimizer(), traffic:
        steps()
    with operators.marked(DeviceData, "epoch", partial(record_function, DATA_SCOPE)):
        operators.profile(steps)  # the profiler's own warm-up
        wall, events = operators.profile(steps)
    seconds, by_name = operators.times(events)
    found = []
    for group in sorted((g for g in GROUPS if seconds[g] > 0), key=lambda g: -seconds[g]):
        if group in (CONVOLUTION, PRODUCTS):
            reached, compared = flops.get(group, 0.0) * n / gemm / 1e9, "of the GEMM peak"
        else:
            reached, compared = traffic.bytes[group] / bandwidth / 1e9, "of the memory bandwidth"
        largest = ", ".join(name for name, _ in by_name[group].most_common(3))
        share, ratio = once(100 * seconds[group] / wall), once(reached / seconds[group])
        found.append(Row(f"{title}: {group}", share, "% of time", ratio, compared, note=largest))
    between = once(100 * (1 - sum(seconds.values()) / wall))
    note = f"Python, dispatch, autograd; the profiler made the steps {wall / took:.2f} times as long"
    return [*found, Row(f"{title}: between the operators", between, "% of time", note=note)]
