"""What one operation of PyTorch does: floating-point operations, bytes, launches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

MATRIX = ("conv", "gemm")
"""Kinds whose arithmetic counts; all others are bound by what they read and write."""

_FREE = {
    "_unsafe_view", "empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "lift_fresh", "resize_",
    "set_", "is_same_size", "_version",
}  # fmt: skip
"""Operations that neither read nor write what they name; views are told by their schema."""
_FILLS = {
    "fill_", "zero_", "zeros", "zeros_like", "ones", "ones_like", "full", "full_like", "new_zeros", "scalar_tensor",
}  # fmt: skip
_KINDS = {
    "native_batch_norm": "norm", "_native_batch_norm_legit": "norm", "_batch_norm_with_update": "norm",
    "native_batch_norm_backward": "norm-backward", "batch_norm_backward": "norm-backward",
    "max_pool2d_with_indices": "pool", "max_pool2d_with_indices_backward": "pool-backward",
    "index": "gather", "index_select": "gather", "_to_copy": "convert", "copy_": "inplace",
    "sum": "reduce", "mean": "reduce", "argmax": "reduce", "_log_softmax": "reduce",
    "_log_softmax_backward_data": "reduce",
}  # fmt: skip
_MOST_TENSORS = {1: 110, 2: 64, 3: 48, 4: 36}
_MOST_CHUNKS, _CHUNK = 320, 65536
"""Tensors and chunks of values that one kernel of a multi-tensor operation takes, by the number of its lists."""


@dataclass(frozen=True)
class Operation:
    """A kernel, or several that belong together.

    Attributes
    ----------
    name : PyTorch's, and which part of it.
    kind : ``conv`` and ``gemm`` compute; ``map`` makes something new element by element, ``inplace`` changes what is
        there, ``rows`` takes whole images, ``gather`` their pixels; ``norm`` (in evaluation ``norm-eval``), ``pool``
        and their ``-backward``, ``bias`` (its gradient), ``convert``, ``reduce``, ``fill`` and ``multi`` (many tensors
        at once) are what they say.
    flops : multiplications and additions of matrices; others are not counted.
    n_bytes : read and written.
    launches : kernels.
    sizes : of a ``conv``, direction (0 forward, 1 gradient of the input, 2 of the weight), channels in and out, pixels
        a side of what it puts out, kernel's side, stride, padding, images, and so of the ``bias`` of one; of a
        ``gemm``, rows, columns and what is summed over; of ``norm`` and ``pool``, channels.
    """

    name: str
    kind: str
    flops: float
    n_bytes: float
    launches: int = 1
    sizes: tuple[int, ...] = ()

    @property
    def narrow(self) -> int:
        """Return the smaller side of the matrix that a ``conv`` or ``gemm`` puts out."""
        if self.kind == "conv":
            direction, channels_in, channels_out = self.sizes[:3]
            return channels_in if direction == 1 else channels_out
        return min(self.sizes[:2])


def operations_of(func: Any, args: Sequence[Any], out: Any) -> Iterator[Operation]:
    """Yield what a call of an operation does; nothing for views and for what takes no time."""
    library, _, name = func._schema.name.partition("::")
    if library != "aten" or name in _FREE or _is_view(func):
        return
    inputs, outputs = tensors(args), tensors(out)
    if name == "convolution":
        yield _convolution(0, args[0], args[1], outputs[0], args[3][0], args[4][0])
    elif name == "convolution_backward":
        yield from _convolution_backward(args, outputs)
    elif name in ("mm", "addmm", "bmm", "baddbmm"):
        a, b = inputs[-2:]
        *batch, rows, depth = a.shape
        sizes = (rows, b.shape[-1], depth)
        flops = 2.0 * math.prod(batch) * math.prod(sizes)
        yield Operation(name, "gemm", flops, _bytes(inputs + outputs), 1, sizes)
    elif name.startswith(("_foreach_", "_fused_")):
        yield _multi(name, args, outputs)
    else:
        yield _simple(name, func, inputs, outputs, args)


def tensors(value: Any) -> list[Tensor]:
    """Return the tensors in arguments or results, those in lists too."""
    if isinstance(value, Tensor):
        return [value]
    return [one for item in value for one in tensors(item)] if isinstance(value, list | tuple) else []


def _is_view(func: Any) -> bool:
    returns = func._schema.returns
    return bool(returns) and all(one.alias_info is not None and not one.alias_info.is_write for one in returns)


def _convolution(direction: int, x: Tensor, weight: Tensor, y: Tensor, stride: int, padding: int) -> Operation:
    """Return one of the three convolutions: 2 N H W C_out C_in/groups k^2 operations, H and W of the output."""
    flops = 2.0 * y.shape[0] * math.prod(y.shape[2:]) * weight.numel()
    sizes = (direction, x.shape[1], y.shape[1], y.shape[-1], weight.shape[-1], stride, padding, y.shape[0])
    part = ("forward", "input", "weight")[direction]
    return Operation(f"convolution {part}", "conv", flops, _bytes([x, weight, y]), 1, sizes)


def _convolution_backward(args: Sequence[Any], outputs: list[Tensor]) -> Iterator[Operation]:
    """Yield the gradients that are asked for: the first layer's input needs none."""
    grad, x, weight = args[:3]
    to_input, to_weight, to_bias = args[-1]
    if to_input:
        yield _convolution(1, x, weight, grad, args[4][0], args[5][0])
    if to_weight:
        yield _convolution(2, x, weight, grad, args[4][0], args[5][0])
    if to_bias:
        sizes = _convolution(2, x, weight, grad, args[4][0], args[5][0]).sizes
        yield Operation("convolution bias", "bias", 0.0, _bytes([grad]), 1, sizes)


def _multi(name: str, args: Sequence[Any], outputs: list[Tensor]) -> Operation:
    """Return an operation on lists of tensors: few kernels, each with many chunks of many tensors."""
    lists = [tensors(item) for item in args if isinstance(item, list | tuple) and tensors(item)]
    first = lists[0]
    depth = min(len(lists) + (0 if name.endswith("_") else 1), max(_MOST_TENSORS))
    chunks = sum(-(-one.numel() // _CHUNK) for one in first)
    launches = max(-(-len(first) // _MOST_TENSORS[depth]), -(-chunks // _MOST_CHUNKS))
    written = _bytes(first) if name.endswith("_") else _bytes(outputs)
    return Operation(name, "multi", 0.0, sum(map(_bytes, lists)) + written, launches)


def _simple(name: str, func: Any, inputs: list[Tensor], outputs: list[Tensor], args: Sequence[Any]) -> Operation:
    """Return an operation that memory bounds."""
    written = func._schema.name.endswith("_") or any(one.alias_info is not None for one in func._schema.returns)
    kind = _KINDS.get(name, "fill" if name in _FILLS else "inplace" if written else "map")
    read = _bytes(inputs)
    if name in _FILLS:
        read = 0.0
    elif name == "copy_":
        read = _bytes(inputs[1:2])
    elif kind == "gather":
        read = _bytes(inputs[1:]) + _bytes(outputs)
        kind = kind if len(inputs) > 2 else "rows"
    elif kind in ("norm", "norm-backward"):
        training = any(value is True for value in args)
        read *= 2 if training else 1  # once for the sums over the batch, once more for the result
        kind = kind if training or kind != "norm" else "norm-eval"
    sizes = (inputs[0].shape[1],) if kind.startswith(("norm", "pool")) else ()
    return Operation(name, kind, 0.0, read + _bytes(outputs), 1, sizes)


def _bytes(found: Sequence[Tensor]) -> float:
    """Return the size of tensors; what is repeated by stride 0 is there once."""
    total = 0
    for one in found:
        n = math.prod(size for size, stride in zip(one.shape, one.stride(), strict=True) if stride or size == 0)
        total += n * one.element_size()
    return float(total)
