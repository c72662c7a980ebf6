"""Independence of the channels of a ResNet-56: ours, and the way it is defined, by singular values (one thread)."""

from __future__ import annotations

import time
from functools import partial

import numpy as np
import torch
from torch import Tensor

from benchmarks.row import Row, once
from rdcompute.channels import feature_maps
from rdcompute.channels.feature_maps import N_IMAGES, Scores, channel_scores
from rdcompute.datasets import ImageData
from rdcompute.device_data import DeviceData
from rdcompute.execute import use_one_thread
from rdcompute.models import build_model

PART = 4
"""Images on which the form by singular values is timed; it is then scaled to all."""


def rows() -> list[Row]:
    """Compare whole scorings of 640 images of CIFAR-10's size, all 45 layers and forward passes: seconds of a core."""
    use_one_thread()
    data = _data()
    model = build_model("resnet56", 10, (3, 32, 32), 0).to(memory_format=torch.channels_last)
    channel_scores(model, data, "benchmark", PART)  # warm up
    ours, _ = _timed(model, data, N_IMAGES)
    _, scores = _timed(model, data, PART)
    real = feature_maps.independence_of_maps
    try:
        feature_maps.independence_of_maps = by_singular_values
        part, expected = _timed(model, data, PART)
        feature_maps.independence_of_maps = partial(by_singular_values, dtype=torch.float32)
        half, _ = _timed(model, data, PART)
        feature_maps.independence_of_maps = by_eigenvalues
        minors, _ = _timed(model, data, PART)
    finally:
        feature_maps.independence_of_maps = real
    svd, single, eigen = (seconds * N_IMAGES / PART for seconds in (part, half, minors))
    off = max(float(np.abs(scores[name] - expected[name]).max() / expected[name].max()) for name in scores)
    scaled = f"scaled from {PART} images"
    others = {"by singular values": svd, "in single precision": single, "by eigenvalues of minors": eigen}
    far = f"of the processor; differs by {off:.0e} of the layer's largest"
    return [Row("CHIP, ResNet-56: scores of 640 images", once(ours), "s", note=far)] + [
        Row(f"CHIP, ResNet-56: {how}", once(took), "s", once(took / ours), "times as long", note=scaled)
        for how, took in others.items()
    ]


def by_singular_values(maps: Tensor, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return the same by its definition: singular values of every map, and of it with each row zeroed."""
    total = torch.zeros(maps.shape[1], dtype=torch.float64)
    for image in maps.round(decimals=feature_maps.DECIMALS).flatten(2).to(dtype):
        whole = torch.linalg.svdvals(image).sum()
        for c in range(len(image)):
            zeroed = image.clone()
            zeroed[c] = 0
            total[c] += whole - torch.linalg.svdvals(zeroed).sum()
    return total


def by_eigenvalues(maps: Tensor) -> Tensor:
    """Return the same by the eigenvalues of the Gram matrix and of its principal minors."""
    rows = maps.round(decimals=feature_maps.DECIMALS).flatten(2).double()
    gram = rows @ rows.mT
    n = gram.shape[-1]
    others = torch.tensor([[i for i in range(n) if i != c] for c in range(n)])
    minors = gram[:, others[:, :, None], others[:, None, :]]
    whole, rest = (torch.linalg.eigvalsh(m).clamp_min(0).sqrt().sum(-1) for m in (gram, minors))
    return (whole[:, None] - rest).sum(0)


def _timed(model: torch.nn.Module, data: DeviceData, n: int) -> tuple[float, Scores]:
    begun = time.process_time()
    scores = channel_scores(model, data, "benchmark", n)
    return time.process_time() - begun, scores


def _data() -> DeviceData:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2000, 8, 8, 3), np.uint8).repeat(4, axis=1).repeat(4, axis=2)
    labels = np.arange(len(images)) % 10
    names = tuple(map(str, range(10)))
    data = ImageData("random", images, labels, images[:10], labels[:10], names, (0.5,) * 3, (0.25,) * 3, "crop-flip")
    return DeviceData.load(data, torch.device("cpu"), root_seed=0, validation="none")
