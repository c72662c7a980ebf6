"""Residual networks for CIFAR (He et al. 2016, section 4.2) with parameter-free shortcuts."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from rdstats.errors import InputError

SMALLEST = 8  # pixels a side that leave 2x2 after two halvings


class Block(nn.Module):
    """Two 3x3 convolutions with batch normalisation, and an option A shortcut.

    Where the width doubles, the shortcut takes every other pixel and adds planes/4 channels of zeros on
    each side.
    """

    def __init__(self, in_planes: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_planes, planes, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.n_zeros = planes // 4 if stride == 2 else 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the block's output; height and width are halved, rounding up, at stride 2."""
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.n_zeros:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.n_zeros, self.n_zeros))
        return F.relu(out + x)


class ResNet(nn.Module):
    """Stem, three stages of (depth - 2)/6 blocks with 16, 32 and 64 planes, global mean, linear head.

    Kaiming-normal (fan-in, gain sqrt 2) weights of convolutions and head, everything else as PyTorch
    initialises it; no convolution has a bias. Returns logits.

    Parameters
    ----------
    depth
        6k + 2: 20, 32, 44, 56 or 110.
    n_classes
        Number of outputs.
    image_shape
        (channels, height, width), at least 8 pixels a side (InputError).
    """

    def __init__(self, depth: int, n_classes: int, image_shape: tuple[int, int, int]) -> None:
        super().__init__()
        channels, height, width = image_shape
        if min(height, width) < SMALLEST:
            raise InputError(
                f"arch 'resnet{depth}' received images of {height}x{width} pixels; "
                f"accepted: {SMALLEST}x{SMALLEST} or larger"
            )
        n_blocks = (depth - 2) // 6
        self.conv1 = nn.Conv2d(channels, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _stage(16, 16, n_blocks, stride=1)
        self.layer2 = _stage(16, 32, n_blocks, stride=2)
        self.layer3 = _stage(32, 64, n_blocks, stride=2)
        self.linear = nn.Linear(64, n_classes)
        for module in self.modules():
            # drawing on the meta device does nothing, but loads half of torch's compiler
            if isinstance(module, nn.Conv2d | nn.Linear) and not module.weight.is_meta:
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits (B, n_classes) of normalised images (B, C, H, W)."""
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: torch.Tensor = self.linear(x.mean((2, 3)))
        return logits


def _stage(in_planes: int, planes: int, n_blocks: int, stride: int) -> nn.Sequential:
    first = Block(in_planes, planes, stride)
    return nn.Sequential(first, *(Block(planes, planes, 1) for _ in range(n_blocks - 1)))
