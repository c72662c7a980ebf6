"""LeNet for small grey images."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from rdcompute.models.pooling import pool_relu
from rdstats.errors import InputError

SMALLEST = 10  # pixels a side that leave one pixel after two convolutions and two poolings


class LeNet(nn.Module):
    """conv3x3(6), pool, ReLU, conv3x3(16), pool, ReLU, then 120, 84 and n_classes units.

    60,074 parameters for ten classes of 1x28x28 images. Initialised as PyTorch does.

    Parameters
    ----------
    n_classes
        Number of outputs.
    image_shape
        (channels, height, width), at least 10 pixels a side (InputError).
    """

    def __init__(self, n_classes: int, image_shape: tuple[int, int, int]) -> None:
        super().__init__()
        channels, height, width = image_shape
        if min(height, width) < SMALLEST:
            raise InputError(
                f"arch 'lenet' received images of {height}x{width} pixels; "
                f"accepted: {SMALLEST}x{SMALLEST} or larger"
            )
        n_features = 16 * (((height - 2) // 2 - 2) // 2) * (((width - 2) // 2 - 2) // 2)
        self.conv1 = nn.Conv2d(channels, 6, 3)
        self.conv2 = nn.Conv2d(6, 16, 3)
        self.fc1 = nn.Linear(n_features, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits (B, n_classes) of normalised images (B, C, H, W)."""
        x = pool_relu(self.conv1(x))
        x = pool_relu(self.conv2(x))
        x = F.relu(self.fc1(x.flatten(1)))
        logits: torch.Tensor = self.fc3(F.relu(self.fc2(x)))
        return logits
