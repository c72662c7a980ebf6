"""How much of the machine the engine's training step uses, and where the rest goes (one thread, processor time).

The machine's peak is measured here too: of a float32 matrix product, the fastest of some sizes, and of adding two
arrays that no cache holds, in bytes read and written.  Convolutions and matrix products are told as a fraction of the
first, everything else as a fraction of the second; what a cache serves can be above 1, and so can a convolution with a
border, whose products with zeros are counted and not made.  Shares are of the time under the profiler, which makes
what is between the operators look larger than it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch.profiler import record_function

from benchmarks import operators
from benchmarks.common import clock
from benchmarks.operators import CONVOLUTION, DATA, DATA_SCOPE, GROUPS, PRODUCTS, Traffic, marked
from benchmarks.row import Row, Sample, once
from benchmarks.training import LENET, RESNET, Task, run_engine
from rdcompute.device_data import DeviceData
from rdcompute.execute import use_one_thread

REPEATS, PROFILES = 5, 3
SIZES = (256, 512, 768, 1024)
MEGABYTES = 128
"""Of each of the three arrays by which the bandwidth is measured."""
BATCH = 128
STEPS = {"lenet": 40, "resnet20": 3}


def rows() -> list[Row]:
    """Return the table: the machine's peaks, and for each network what it reaches and where its time goes."""
    use_one_thread()
    with torch.no_grad():
        gemm, fastest = gemm_peak()
    bandwidth = memory_bandwidth()
    result = [
        Row("GEMM peak, one thread, float32", gemm, "GFLOP/s", note=f"{fastest}; the largest counts"),
        Row("memory bandwidth, one thread", bandwidth, "GB/s", note=f"a + b, {MEGABYTES} MB each; the largest counts"),
    ]
    return result + [row for task in (LENET, RESNET) for row in used(task, gemm.high, bandwidth.high)]


def gemm_peak() -> tuple[Sample, str]:
    """Return GFLOP/s of the matrix product that is fastest, and which that is: of PyTorch's own, or of oneDNN."""
    found = {}
    for n in SIZES:
        a, b, out = torch.randn(n, n), torch.randn(n, n), torch.empty(n, n)
        products = {"torch.mm": partial(torch.mm, a, b, out=out)}
        if torch.backends.mkldnn.is_available():
            products["oneDNN"] = partial(torch.ops.aten.mkldnn_linear, a.to_mkldnn(), b)
        for name, product in products.items():
            product()
            found[f"{name}, {n} x {n}"] = Sample.of(2e-9 * n**3 / clock(product).processor for _ in range(3 * REPEATS))
    fastest = max(found, key=lambda name: found[name].high)
    return found[fastest], fastest


def memory_bandwidth() -> Sample:
    """Return GB/s of adding two arrays into a third one."""
    a, b, out = (torch.ones(MEGABYTES * 10**6 // 4) for _ in range(3))
    add = partial(torch.add, a, b, out=out)
    add()
    return Sample.of(3e-3 * MEGABYTES / clock(add).processor for _ in range(2 * REPEATS))


def used(task: Task, gemm: float, bandwidth: float) -> list[Row]:
    """Return what a training step of a network with masks reaches, in processor time, and where the time goes."""
    title, n_steps = task.title.partition(",")[0], STEPS[task.arch]
    n_images = n_steps * BATCH
    task = replace(task, n_images=n_images, validated=False)
    data, model = task.data(), task.model()
    flops = operators.flops(task.model(), data.normalize(data.train_images[:BATCH]), data.train_labels[:BATCH])
    steps = partial(run_engine, task, data, task.masks(), model)
    steps()  # warm up
    took = Sample.of(clock(steps).processor for _ in range(REPEATS))
    an_image = sum(flops.values()) / BATCH
    reached = _rates(took, an_image * n_images / 1e9)
    done = {group: n * n_steps / 1e9 for group, n in flops.items()}
    return [
        Row(f"{title}: training steps", _rates(took, n_images), "images/s", note=f"batch {BATCH}, masks; CPU time"),
        Row(f"{title}: FLOP an image", once(an_image / 1e6), "MFLOP", note="forward and backward, counted"),
        Row(f"{title}: reached", reached, "GFLOP/s", reached.times(1 / gemm), "of the GEMM peak"),
        *_shares(title, steps, took.median, done, gemm, bandwidth),
    ]


def _rates(took: Sample, amount: float) -> Sample:
    return Sample(amount / took.median, amount / took.high, amount / took.low, took.repeats)


def _shares(
    title: str, steps: Callable[[], object], took: float, gflop: dict[str, float], gemm: float, bandwidth: float
) -> list[Row]:
    """Return the share of the profiled time by group of operators, the largest first, and what is between them."""
    traffic = Traffic()
    with marked(DeviceData, "epoch", partial(traffic.within, DATA)), traffic.optimizer(), traffic:
        steps()
    with marked(DeviceData, "epoch", partial(record_function, DATA_SCOPE)):
        # the first profile is the profiler's own warm-up
        profiles = [operators.profile(steps) for _ in range(PROFILES + 1)][1:]
    shares = {group: Sample.of(100 * one.share(group) for one in profiles) for group in GROUPS}
    found = []
    for group in sorted((group for group in GROUPS if shares[group].median), key=lambda g: -shares[g].median):
        if group in (CONVOLUTION, PRODUCTS):
            peak_seconds, compared = gflop.get(group, 0.0) / gemm, "of the GEMM peak"
        else:
            peak_seconds, compared = traffic.bytes[group] / 1e9 / bandwidth, "of the memory bandwidth"
        ratio = once(peak_seconds / (took * shares[group].median / 100))
        note = ", ".join(profiles[0].largest(group))
        found.append(Row(f"{title}: {group}", shares[group], "% of time", ratio, compared, note=note))
    between = Sample.of(100 * (1 - sum(one.share(group) for group in GROUPS)) for one in profiles)
    slower = Sample.of(one.processor / took for one in profiles).median
    note = f"Python, dispatch, autograd; the profiler made the steps {slower:.2f} times as long"
    return [*found, Row(f"{title}: between the operators", between, "% of time", note=note)]
