"""One call for every kind of operation that memory bounds, on tensors of any size."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

_aten = torch.ops.aten

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


def _rows(n_bytes: int, channels: int, memory_format: torch.memory_format) -> Representative:
    n = max(1, n_bytes // 32**2)

    def make() -> Callable[[], object]:
        x, i = torch.zeros(4 * n, 32, 32, 1, dtype=torch.uint8), torch.randint(0, 4 * n, (n,))
        return lambda: x.index_select(0, i)

    return make, n * (2.0 * 32**2 + 8)


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

    # values and indices of a quarter of the pixels, 4 and 8 bytes each
    return make, _images(n_bytes, channels, memory_format).nbytes * 1.75


def _pool_backward(n_bytes: int, channels: int, memory_format: torch.memory_format) -> Representative:
    def make() -> Callable[[], object]:
        x = _images(n_bytes, channels, memory_format)
        y, index = _aten.max_pool2d_with_indices(x, [2, 2], [2, 2])
        rest = ([2, 2], [2, 2], [0, 0], [1, 1], False)
        return lambda: _aten.max_pool2d_with_indices_backward(y, x, *rest, index)

    return make, _images(n_bytes, channels, memory_format).nbytes * 2.75


REPRESENTATIVES: dict[str, Callable[[int, int, torch.memory_format], Representative]] = {
    "map": _map, "inplace": _inplace, "multi": _inplace, "fill": _fill, "reduce": _reduce, "convert": _convert,
    "gather": _gather, "rows": _rows, "norm": _norm(True), "norm-eval": _norm(False), "norm-backward": _norm_backward,
    "pool": _pool, "pool-backward": _pool_backward,
}  # fmt: skip
