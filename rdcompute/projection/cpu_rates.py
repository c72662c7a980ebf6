"""What single operations take on a core of this machine, measured: the CPU's place of a data sheet."""

from __future__ import annotations

import bisect
import math
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor

from rdcompute.device_data import DeviceData, Normalize
from rdcompute.models import build_model
from rdcompute.projection.operations import MATRIX, Operation
from rdcompute.projection.work import Shape, count_work
from rdcompute.training import fit
from rdcompute.training_settings import TrainingSettings

Key = tuple[Any, ...]
Rates = dict[Key, tuple[tuple[float, float], ...]]
"""By kind of operation (and its shape): amounts (flops or bytes) and the seconds they take."""

BYTES = (2**12, 2**16, 2**20, 2**23)
"""Sizes of tensors with which what memory bounds is measured: in every cache, and in none."""
_FEWEST, _LEAST, _MOST = 5, 0.005, 0.1
"""Repeats of a measurement, and seconds that all of them take at least and at most."""
_RING = 8
"""Results that stay in memory meanwhile, as in training, where they are not written over at once."""
_ROOM = 2**25
"""Bytes of the tensors that are read in turn, as much as a large cache."""
_FLOPS = 2e8
"""Of the convolutions that are measured, about: some milliseconds."""

_aten = torch.ops.aten


def key_of(one: Operation) -> Key:
    """Return what decides the rate of an operation: its kind and, of convolutions and matrices, its shape."""
    return (one.kind, *(one.sizes[:-1] if one.kind == "conv" else one.sizes))


def amount_of(one: Operation) -> float:
    return one.flops if one.kind in MATRIX else one.n_bytes


@dataclass(frozen=True)
class CpuRates:
    """Measured rates of operations, and the seconds that calling one takes beside (Python, autograd, dispatch)."""

    call: float
    rates: Rates = field(default_factory=dict)

    def seconds(self, one: Operation) -> float:
        """Return the seconds of an operation without those of calling it.

        Between two measured amounts, the logarithm of the time is linear in that of the amount; beyond the last, and
        where one was measured, time is proportional to the amount; below the first, it is that of the first.
        """
        points = self.rates[key_of(one)]
        amount = amount_of(one)
        at = bisect.bisect_left(points, (amount, 0.0))
        if at == 0 and len(points) > 1:
            return points[0][1]
        if at == len(points) or len(points) == 1:
            return points[-1][1] * amount / points[-1][0]
        (x0, y0), (x1, y1) = points[at - 1 : at + 1]
        share = math.log(amount / x0) / math.log(x1 / x0)
        return y0 * (y1 / y0) ** share


def measure(operations: Iterable[Operation], memory_format: torch.memory_format = torch.channels_last) -> CpuRates:
    """Measure the rates that some operations need, each by itself; some seconds on one thread.

    Convolutions are those of the layers' channels and sides, of fewer images; products of matrices those of the
    layers; everything else a representative of its kind (and channels) in five sizes.
    """
    examples = {key_of(one): one for one in operations}
    with torch.no_grad():
        rates = {key: tuple(_measure(one, memory_format)) for key, one in examples.items()}
    return CpuRates(_call_seconds(), rates)


def mean_rates(found: Sequence[CpuRates]) -> CpuRates:
    """Return the means of what several processes have measured at once."""
    rates: Rates = {}
    for key, points in found[0].rates.items():
        own = [one.rates[key] for one in found]
        rates[key] = tuple(
            (amount, statistics.fmean(other[i][1] for other in own)) for i, (amount, _) in enumerate(points)
        )
    return CpuRates(statistics.fmean(one.call for one in found), rates)


def _measure(one: Operation, memory_format: torch.memory_format) -> Iterable[tuple[float, float]]:
    if one.kind == "conv":
        yield _convolution(one, memory_format)
    elif one.kind == "gemm":
        rows, columns, depth = one.sizes
        pairs = [(torch.randn(rows, depth), torch.randn(depth, columns)) for _ in range(_RING)]
        yield 2.0 * rows * columns * depth, _seconds([lambda a=a, b=b: a @ b for a, b in pairs])
    else:
        for n_bytes in BYTES:
            make, traffic = _REPRESENTATIVES[one.kind](n_bytes, one.sizes[0] if one.sizes else 16, memory_format)
            yield traffic, _seconds([make() for _ in range(max(2, min(64, _ROOM // n_bytes)))])


def _seconds(calls: list[Callable[[], object]]) -> float:
    """Return the median CPU seconds of a call; what they return is kept for a while."""
    kept: deque[object] = deque(maxlen=min(_RING, len(calls)))
    for call in calls:
        kept.append(call())
    found: list[float] = []
    begun = time.thread_time()
    while (spent := time.thread_time() - begun) < _LEAST or (len(found) < _FEWEST and spent < _MOST):
        start = time.thread_time()
        for call in calls:
            kept.append(call())
        found.append((time.thread_time() - start) / len(calls))
    return statistics.median(found)


def _convolution(one: Operation, memory_format: torch.memory_format) -> tuple[float, float]:
    direction, channels_in, channels_out, side, kernel, stride, n_images = one.sizes
    flops = one.flops / n_images
    n = max(1, min(n_images, round(_FLOPS / flops)))
    padding = [kernel // 2] * 2
    # the input's side that gives this output's; a pixel more or less does not matter
    x, y = ((n, channels_in, side * stride, side * stride), (n, channels_out, side, side))
    calls = []
    for _ in range(2):
        source, grad = (torch.randn(size).to(memory_format=memory_format) for size in (x, y))
        weight = torch.randn(channels_out, channels_in, kernel, kernel).to(memory_format=memory_format)
        calls.append(_convolution_call(direction, source, weight, grad, [stride] * 2, padding))
    return flops * n, _seconds(calls)


def _convolution_call(
    direction: int, x: Tensor, weight: Tensor, grad: Tensor, stride: list[int], padding: list[int]
) -> Callable[[], object]:
    rest = (stride, padding, [1, 1], False, [0, 0], 1)
    if direction == 0:
        return lambda: _aten.convolution(x, weight, None, *rest)
    wanted = [direction == 1, direction == 2, False]
    return lambda: _aten.convolution_backward(grad, x, weight, None, *rest, wanted)


Representative = tuple[Callable[[], Callable[[], object]], float]
"""What makes a call, with tensors of its own, and the bytes that this reads and writes."""


def _images(n_bytes: int, channels: int, memory_format: torch.memory_format) -> Tensor:
    """Return images of about so many bytes, 32 pixels a side unless that is more."""
    side = max(2, min(32, int(math.sqrt(n_bytes / 4 / channels)) // 2 * 2))
    n = max(1, n_bytes // (4 * channels * side * side))
    return torch.full((n, channels, side, side), 0.5).to(memory_format=memory_format)


def _map(n_bytes: int, channels: int, memory_format: torch.memory_format) -> Representative:
    def make() -> Callable[[], object]:
        a, b = torch.randn(n_bytes // 4), torch.randn(n_bytes // 4)
        return lambda: a + b

    return make, 3.0 * n_bytes


def _inplace(n_bytes: int, channels: int, memory_format: torch.memory_format) -> Representative:
    def make() -> Callable[[], object]:
        a, b = torch.ones(n_bytes // 4), torch.ones(n_bytes // 4)
        return lambda: a.mul_(b)

    return make, 3.0 * n_bytes


def _fill(n_bytes: int, channels: int, memory_format: torch.memory_format) -> Representative:
    def make() -> Callable[[], object]:
        a = torch.ones(n_bytes // 4)
        return lambda: a.zero_()

    return make, float(n_bytes)


def _reduce(n_bytes: int, channels: int, memory_format: torch.memory_format) -> Representative:
    def make() -> Callable[[], object]:
        x = _images(n_bytes, channels, memory_format)
        return lambda: x.sum((0, 2, 3))

    return make, float(n_bytes)


def _convert(n_bytes: int, channels: int, memory_format: torch.memory_format) -> Representative:
    def make() -> Callable[[], object]:
        x = torch.zeros(n_bytes // 4, dtype=torch.uint8)
        return lambda: x.to(torch.float32)

    return make, 1.25 * n_bytes


def _gather(n_bytes: int, channels: int, memory_format: torch.memory_format) -> Representative:
    n = max(1, min(n_bytes, 2**18) // (32 * 32 * 3))  # a pixel takes as long, however many there are

    def make() -> Callable[[], object]:
        x = torch.zeros(4 * n, 40, 40, 3, dtype=torch.uint8)
        i, rows = torch.randint(0, 4 * n, (n, 1, 1)), torch.randint(0, 40, (2, n, 32))
        return lambda: x[i, rows[0][:, :, None], rows[1][:, None, :]]

    return make, n * (2.0 * 32 * 32 * 3 + 8 * 65)


def _norm(training: bool) -> Callable[[int, int, torch.memory_format], Representative]:
    def representative(n_bytes: int, channels: int, memory_format: torch.memory_format) -> Representative:
        ones, mean, var = (torch.ones(channels) for _ in range(3))
        traffic = _images(n_bytes, channels, memory_format).nbytes * (3.0 if training else 2.0)

        def make() -> Callable[[], object]:
            x = _images(n_bytes, channels, memory_format)
            return lambda: _aten.native_batch_norm(x, ones, ones, mean, var, training, 0.1, 1e-5)

        return make, traffic

    return representative


def _norm_backward(n_bytes: int, channels: int, memory_format: torch.memory_format) -> Representative:
    ones, mean, var = (torch.ones(channels) for _ in range(3))

    def make() -> Callable[[], object]:
        x, g = (_images(n_bytes, channels, memory_format) for _ in range(2))
        rest = (ones, mean, var, mean, var, True, 1e-5, [True] * 3)
        return lambda: _aten.native_batch_norm_backward(g, x, *rest)

    return make, 5.0 * _images(n_bytes, channels, memory_format).nbytes


def _pool(n_bytes: int, channels: int, memory_format: torch.memory_format) -> Representative:
    def make() -> Callable[[], object]:
        x = _images(n_bytes, channels, memory_format)
        return lambda: _aten.max_pool2d_with_indices(x, [2, 2], [2, 2])

    return make, _images(n_bytes, channels, memory_format).nbytes * 1.75  # values and indices of a quarter, 4 and 8 bytes


def _pool_backward(n_bytes: int, channels: int, memory_format: torch.memory_format) -> Representative:
    def make() -> Callable[[], object]:
        x = _images(n_bytes, channels, memory_format)
        y, index = _aten.max_pool2d_with_indices(x, [2, 2], [2, 2])
        rest = ([2, 2], [2, 2], [0, 0], [1, 1], False)
        return lambda: _aten.max_pool2d_with_indices_backward(y, x, *rest, index)

    return make, _images(n_bytes, channels, memory_format).nbytes * 2.75


_REPRESENTATIVES: dict[str, Callable[[int, int, torch.memory_format], Representative]] = {
    "map": _map, "inplace": _inplace, "multi": _inplace, "fill": _fill, "reduce": _reduce, "convert": _convert,
    "gather": _gather, "norm": _norm(True), "norm-eval": _norm(False), "norm-backward": _norm_backward, "pool": _pool,
    "pool-backward": _pool_backward,
}  # fmt: skip


def _call_seconds(n_steps: int = 30) -> float:
    """Return the seconds of calling an operation: those of a step of a network so small that nothing else counts.

    ResNet-20 on two images of 8x8 pixels, through `fit`: Python, modules, autograd, optimiser.
    """
    settings = TrainingSettings(batch_size=2)
    model = build_model("resnet20", 2, (1, 8, 8), 0)
    pixels = torch.zeros((2 * n_steps, 8, 8, 1), dtype=torch.uint8)
    labels = torch.zeros(2 * n_steps, dtype=torch.int64)
    one = torch.ones(1, 1, 1, 1)
    times: list[float] = []
    normalize = Normalize(one, one, torch.channels_last)

    def watched(images: Tensor) -> Tensor:
        times.append(time.thread_time())
        return normalize(images)

    data = DeviceData("calls", pixels, labels, pixels[:2], labels[:2], pixels[:2], labels[:2], cast(Normalize, watched),
                      False, 0, 2)  # fmt: skip
    fit(model, data, ((1, 1e-9),), settings, stream_name="calls")
    steps = [after - before for before, after in zip(times[5 : n_steps - 1], times[6:n_steps], strict=True)]
    work = count_work(Shape("resnet20", None, 2, (1, 8, 8), False, "cpu"), settings)
    return statistics.median(steps) / len(work.step)
