"""Residual networks for CIFAR (He et al. 2016, section 4.2) with parameter-free shortcuts."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from rdcompute.widths import PLANES, Widths, full_widths
from rdstats.errors import InputError

SMALLEST = 8  # pixels a side that leave 2x2 after two halvings


class Block(nn.Module):
    """Two 3x3 convolutions with batch normalisation, and an option A shortcut.

    The shortcut takes every other pixel at stride 2. Where the block puts out d channels more than it takes in, it
    adds floor(d/2) channels of zeros before and the rest behind; where it puts out fewer, it leaves out as many in the
    same way (CHIP's released code).  ReLU and sum work in place, as in torchvision's ResNets: what a hook on `bn1` or
    `bn2` keeps is changed after it, so let it keep a copy.

    Parameters
    ----------
    mid
        Channels between the two convolutions; `planes` if not given.
    """

    source: torch.Tensor | None

    def __init__(self, in_planes: int, planes: int, stride: int, mid: int | None = None) -> None:
        super().__init__()
        mid = mid or planes
        self.conv1 = nn.Conv2d(in_planes, mid, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(mid)
        self.conv2 = nn.Conv2d(mid, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.stride = stride
        self.before = (planes - in_planes) // 2
        self.behind = planes - in_planes - self.before
        self.register_buffer("source", None)

    def route(self, source: torch.Tensor) -> None:
        """Let the shortcut take each of its outputs from the input channel that `source` names, -1 for zeros."""
        self.source = source

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the block's output; height and width are halved, rounding up, at stride 2."""
        out = F.relu_(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu_(out.add_(self._shortcut(x)))  # batch normalisation needs its input again, not its output

    def _shortcut(self, x: torch.Tensor) -> torch.Tensor:
        if self.stride == 2:
            x = x[:, :, ::2, ::2]
        if self.source is not None:
            return F.pad(x, (0, 0, 0, 0, 0, 1))[:, self.source]  # -1 is the channel of zeros
        if self.before or self.behind:
            x = F.pad(x, (0, 0, 0, 0, self.before, self.behind))
        return x


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
    widths
        Channels of the stages where they are not those above; the stem has 16 always.
    """

    def __init__(
        self, depth: int, n_classes: int, image_shape: tuple[int, int, int], widths: Widths | None = None
    ) -> None:
        super().__init__()
        channels, height, width = image_shape
        if min(height, width) < SMALLEST:
            raise InputError(
                f"arch 'resnet{depth}' received images of {height}x{width} pixels; "
                f"accepted: {SMALLEST}x{SMALLEST} or larger"
            )
        widths = widths or full_widths((depth - 2) // 6)
        stem, (one, two, three) = PLANES[0], widths.out
        self.conv1 = nn.Conv2d(channels, stem, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(stem)
        self.layer1 = _stage(stem, one, widths.mid[0], stride=1)
        self.layer2 = _stage(one, two, widths.mid[1], stride=2)
        self.layer3 = _stage(two, three, widths.mid[2], stride=2)
        self.linear = nn.Linear(three, n_classes)
        for module in self.modules():
            # drawing on the meta device does nothing, but loads half of torch's compiler
            if isinstance(module, nn.Conv2d | nn.Linear) and not module.weight.is_meta:
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits (B, n_classes) of normalised images (B, C, H, W)."""
        x = F.relu_(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: torch.Tensor = self.linear(x.mean((2, 3)))
        return logits


def _stage(in_planes: int, planes: int, mids: tuple[int, ...], stride: int) -> nn.Sequential:
    first = Block(in_planes, planes, stride, mids[0])
    return nn.Sequential(first, *(Block(planes, planes, 1, mid) for mid in mids[1:]))
