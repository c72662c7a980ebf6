"""Operations timed one by one on a core of this machine."""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor

from rdcompute.device_data import DeviceData, Normalize
from rdcompute.models import build_model
from rdcompute.projection.cpu_rates import CpuRates, key_of
from rdcompute.projection.operations import Operation
from rdcompute.projection.representatives import REPRESENTATIVES
from rdcompute.projection.work import Shape, count_work
from rdcompute.training import fit
from rdcompute.training_settings import TrainingSettings

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


def measure(operations: Iterable[Operation], memory_format: torch.memory_format = torch.channels_last) -> CpuRates:
    """Measure the rates that some operations need, each by itself; some seconds on one thread.

    Convolutions are those of the layers' channels and sides, of fewer images; products of matrices those of the
    layers; everything else a representative of its kind (and channels) in four sizes.
    """
    examples = {key_of(one): one for one in operations}
    with torch.no_grad():
        rates = {key: tuple(_measure(one, memory_format)) for key, one in examples.items()}
    return CpuRates(_call_seconds(), rates)


def _measure(one: Operation, memory_format: torch.memory_format) -> Iterable[tuple[float, float]]:
    if one.kind in ("conv", "bias"):
        yield _convolution(one, memory_format)
    elif one.kind == "gemm":
        rows, columns, depth = one.sizes
        pairs = [(torch.randn(rows, depth), torch.randn(depth, columns)) for _ in range(_RING)]
        yield 2.0 * rows * columns * depth, _seconds([partial(torch.mm, a, b) for a, b in pairs])
    else:
        for n_bytes in BYTES:
            make, traffic = REPRESENTATIVES[one.kind](n_bytes, one.sizes[0] if one.sizes else 16, memory_format)
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
    """Time a convolution of fewer images, or what the gradient of its bias adds to that of its weight."""
    direction, channels_in, channels_out, side, kernel, stride, padding, n_images = one.sizes
    n = max(1, min(n_images, round(_FLOPS / (2 * side**2 * channels_in * channels_out * kernel**2))))
    source_side = (side - 1) * stride + kernel - 2 * padding
    calls = []
    for wanted in ([False, True, True], [False, True, False]) if one.kind == "bias" else ([],):
        own: list[Callable[[], object]] = []
        for _ in range(2):
            source = torch.randn(n, channels_in, source_side, source_side).to(memory_format=memory_format)
            grad = torch.randn(n, channels_out, side, side).to(memory_format=memory_format)
            weight = torch.randn(channels_out, channels_in, kernel, kernel).to(memory_format=memory_format)
            rest = ([stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1)
            own.append(_convolution_call(direction, source, weight, grad, rest, wanted))
        calls.append(own)
    seconds = [_seconds(own) for own in calls]
    share = n / n_images
    if one.kind == "bias":
        return one.n_bytes * share, max(1e-9, seconds[0] - seconds[1])
    return one.flops * share, seconds[0]


def _convolution_call(
    direction: int, x: Tensor, weight: Tensor, grad: Tensor, rest: tuple[object, ...], wanted: list[bool]
) -> Callable[[], object]:
    if direction == 0:
        return lambda: _aten.convolution(x, weight, None, *rest)
    mask = wanted or [direction == 1, direction == 2, False]
    return lambda: _aten.convolution_backward(grad, x, weight, [len(weight)], *rest, mask)


def _call_seconds(n_steps: int = 20) -> float:
    """Return the seconds of calling an operation: those of a step of a network so small that nothing else counts.

    ResNet-32 on two images of 8x8 pixels, through `fit`: Python, modules, autograd, optimiser.
    """
    settings = TrainingSettings.model_validate({"batch_size": 2})
    model = build_model("resnet32", 2, (1, 8, 8), 0)
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
    steps = [after - before for before, after in pairwise(times[5:n_steps])]
    work = count_work(Shape("resnet32", None, 2, (1, 8, 8), False, "cpu"), settings)
    return statistics.median(steps) / len(work.step)
