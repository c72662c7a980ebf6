"""Pooling and ReLU in one step, fast where PyTorch's pooling is slow."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

VECTOR = 16
"""Float32 values in the widest vector of a CPU.  PyTorch's pooling of channels-last images works through the channels
of one pixel at a time, so fewer of them than this go one by one."""


def pool_relu(x: Tensor) -> Tensor:
    """Return relu(max_pool2d(x, 2)) of images (B, C, H, W); an odd last row or column is left out.

    Pooling comes before ReLU: the maximum and a monotone function commute, and ReLU then works on a quarter of the
    values.  Finite outputs and gradients do not depend on the way taken, but for the sign of zero gradients: of equal
    values the first one of a window, row by row, is the maximum.
    """
    if x.device.type == "cpu" and not _is_transformed() and x.shape[1] < VECTOR:
        pooled: Tensor = _PoolReLU.apply(x)
        return pooled
    return F.relu(F.max_pool2d(x, 2))


def _is_transformed() -> bool:
    """Return whether PyTorch records or transforms what is called (compile, export, trace, `torch.func`).

    That takes its own operations, not a function with a gradient written here.
    """
    tracing = torch._C._get_tracing_state() is not None
    return tracing or torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()


class _PoolReLU(torch.autograd.Function):
    """The larger of two columns, then of two rows, each a pass over whole images."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        wide = torch.maximum(*_columns(x))
        out = torch.maximum(*_rows(wide)).clamp_(min=0)
        ctx.save_for_backward(x, wide, out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        x, wide, out = ctx.saved_tensors
        to_wide, to_x = torch.empty_like(wide), torch.zeros_like(x)
        _share(gradients[0] * torch.gt(out, 0, out=torch.empty_like(out)), _rows(wide), _rows(to_wide))
        _share(to_wide, _columns(x), _columns(to_x))
        return to_x


def _columns(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the even and the odd columns of the pixels that are pooled."""
    height, width = (n // 2 * 2 for n in x.shape[2:])
    return x[:, :, :height, 0:width:2], x[:, :, :height, 1:width:2]


def _rows(x: Tensor) -> tuple[Tensor, Tensor]:
    return x[:, :, 0::2], x[:, :, 1::2]


def _share(gradient: Tensor, values: tuple[Tensor, Tensor], into: tuple[Tensor, Tensor]) -> None:
    """Write a gradient to where the larger of two values stands, the first one if they are equal."""
    first = torch.ge(*values, out=torch.empty_like(gradient))
    torch.mul(gradient, first, out=into[0])
    torch.sub(gradient, into[0], out=into[1])
