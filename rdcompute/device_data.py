"""A dataset as training needs it: decoded once, uint8 on the device, batches normalised and augmented there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rdcompute.datasets import ImageData
from rdcompute.image_parts import ARRAYS, PAD, ImageParts
from rdcompute.streams import stream

MEMORY_FORMATS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Normalize:
    """Turn uint8 images (B, H, W, C) into normalised floats (B, C, H, W), (x/255 - mean)/std per channel."""

    scale: Tensor
    shift: Tensor
    memory_format: torch.memory_format

    def __call__(self, images: Tensor) -> Tensor:
        x = images.permute(0, 3, 1, 2).to(torch.float32)
        return x.mul_(self.scale).add_(self.shift).contiguous(memory_format=self.memory_format)


@dataclass(frozen=True)
class DeviceData:
    """The three parts of a dataset on one device: training, hold-out (what validates) and test.

    `train_pixels` are the training images, surrounded by `PAD` black pixels if random crops are taken of them.
    """

    name: str
    train_pixels: Tensor
    train_labels: Tensor
    holdout_images: Tensor
    holdout_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    normalize: Normalize
    crop_flip: bool
    root_seed: int
    n_classes: int

    @classmethod
    def load(
        cls,
        data: ImageData,
        device: torch.device,
        *,
        root_seed: int,
        augment: str = "auto",
        train_fraction: float = 1.0,
        validation: str = "holdout",
        memory_format: str = "channels_last",
    ) -> DeviceData:
        """Split a dataset as `ImageParts.split` does and move it to `device`."""
        parts = ImageParts.split(
            data, root_seed=root_seed, augment=augment, train_fraction=train_fraction, validation=validation
        )
        return cls.of(parts, device, root_seed=root_seed, memory_format=memory_format)

    @classmethod
    def of(
        cls, parts: ImageParts, device: torch.device, *, root_seed: int, memory_format: str = "channels_last"
    ) -> DeviceData:
        """Move everything to `device`; on the CPU, arrays are used where they lie."""
        mean, std = (torch.tensor(v, dtype=torch.float64).view(1, -1, 1, 1) for v in (parts.mean, parts.std))
        normalize = Normalize(
            (1 / (255 * std)).float().to(device), (-mean / std).float().to(device), MEMORY_FORMATS[memory_format]
        )
        tensors = {name: torch.from_numpy(np.ascontiguousarray(getattr(parts, name))).to(device) for name in ARRAYS}
        return cls(
            parts.name, train_pixels=tensors.pop("train_images"), **tensors, normalize=normalize,
            crop_flip=parts.padded, root_seed=root_seed, n_classes=parts.n_classes,
        )  # fmt: skip

    @property
    def train_images(self) -> Tensor:
        """Return the training images as they are in the dataset, (N, H, W, C)."""
        return self.train_pixels[:, PAD:-PAD, PAD:-PAD] if self.crop_flip else self.train_pixels

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Return (channels, height, width)."""
        height, width, channels = self.test_images.shape[1:]
        return channels, height, width

    @property
    def n_train(self) -> int:
        return len(self.train_labels)

    def epoch(self, streams: tuple[str, str], batch_size: int) -> Iterator[Batch]:
        """Yield the shuffled, augmented batches of one epoch.

        Both draws are made on the CPU once an epoch, so every method and ratio of a seed sees the same images
        in the same order; `streams` names the order's and the augmentation's.
        """
        order = torch.from_numpy(stream(self.root_seed, streams[0]).permutation(self.n_train))
        order = order.to(self.train_labels.device)
        offsets = self._crop_offsets(streams[1]) if self.crop_flip else None
        for index in torch.split(order, batch_size):
            if offsets is None:
                batch = self.train_pixels.index_select(0, index)  # on a CPU a tenth of the time of [index]
            else:
                rows, columns = (offset[index] for offset in offsets)
                batch = self.train_pixels[index[:, None, None], rows[:, :, None], columns[:, None, :]]
            yield self.normalize(batch), self.train_labels.index_select(0, index)

    def _crop_offsets(self, name: str) -> tuple[Tensor, Tensor]:
        """Return the rows (N, H) and columns (N, W) of the padded image that each augmented image takes."""
        rng = stream(self.root_seed, name)
        height, width = self.train_images.shape[1:3]
        top, left = rng.integers(0, 2 * PAD + 1, (2, self.n_train))
        flip = rng.random(self.n_train) < 0.5
        rows = top[:, None] + np.arange(height)
        columns = left[:, None] + np.where(flip[:, None], np.arange(width)[::-1], np.arange(width))
        device = self.train_labels.device
        return torch.from_numpy(rows).to(device), torch.from_numpy(columns).to(device)

