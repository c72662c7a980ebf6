"""Independence of the channels of a residual network, on training images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from rdcompute.channels.independence import channel_independence
from rdcompute.device_data import DeviceData

N_IMAGES, BATCH = 640, 128
DECIMALS = 4
"""Feature maps are rounded to so many digits (CHIP's released code)."""

LARGEST = 2**22
"""Numbers of a feature map that are taken together, so that memory is bounded for images of any size."""

Scores = dict[str, NDArray[np.float64]]
"""Independence of the channels that a convolution puts out, by the convolution's name."""


def channel_scores(model: nn.Module, data: DeviceData, stream_name: str, n_images: int = N_IMAGES) -> Scores:
    """Return the mean independence, over images, of the channels that can be removed.

    Those between the convolutions of a block are measured after its first normalisation and ReLU, those that a block
    of stage 1 or 2 puts out after the addition of the shortcut and the last ReLU.  The network is in evaluation mode;
    one pass serves all layers, and a feature map is left as soon as it is measured.

    Parameters
    ----------
    model : a `rdcompute.models.resnet.ResNet`; left in evaluation mode.
    data : its training images are shuffled and augmented as in training.
    stream_name : of the stream that draws which images these are, and how they are augmented.
    n_images : the images taken; all training images where there are fewer.
    """
    sums: dict[str, Tensor] = {}

    def add(name: str, maps: Tensor) -> None:
        sums[name] = sums.get(name, 0.0) + independence_of_maps(maps)

    n = min(n_images, data.n_train)
    model.eval()
    hooks = [module.register_forward_hook(partial(hook, add, name)) for name, module, hook in _measured(model)]
    try:
        with torch.no_grad():
            for images in _images(data, stream_name, n):
                model(images)
    finally:
        for handle in hooks:
            handle.remove()
    return {name: (total / n).numpy() for name, total in sums.items()}


def independence_of_maps(maps: Tensor) -> Tensor:
    """Return the sum over images of the independence of each channel, float64 (C,) on the CPU, of maps (B, C, H, W).

    Gram matrices are of float64; where a device has none, they are made on the CPU, as all decompositions are.
    """
    if maps.device.type == "mps":
        maps = maps.cpu()
    total = torch.zeros(maps.shape[1], dtype=torch.float64)
    for part in torch.split(maps, max(1, LARGEST // maps[0].numel())):
        rows = part.round(decimals=DECIMALS).flatten(2).double()
        total += channel_independence((rows @ rows.mT).cpu()).sum(0)
    return total


Add = Callable[[str, Tensor], None]
Hook = Callable[[Add, str, nn.Module, Any, Tensor], None]


def _measured(model: nn.Module) -> Iterator[tuple[str, nn.Module, Hook]]:
    """Yield the name of every convolution whose channels can be removed, and where they are measured."""
    for stage in (1, 2, 3):
        blocks: Iterable[tuple[str, nn.Module]] = model.get_submodule(f"layer{stage}").named_children()
        for k, block in blocks:
            yield f"layer{stage}.{k}.conv1", block.get_submodule("bn1"), _after_relu
            if stage < 3:
                yield f"layer{stage}.{k}.conv2", block, _as_it_is


def _after_relu(add: Add, name: str, module: nn.Module, inputs: Any, output: Tensor) -> None:
    add(name, F.relu(output))


def _as_it_is(add: Add, name: str, module: nn.Module, inputs: Any, output: Tensor) -> None:
    add(name, output)


def _images(data: DeviceData, stream_name: str, n: int) -> Iterator[Tensor]:
    """Yield batches of the first `n` images of an epoch."""
    for images, _ in data.epoch((stream_name, f"{stream_name}/augment"), BATCH):
        yield images[:n]
        n -= len(images)
        if n <= 0:
            return
