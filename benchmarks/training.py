"""The engine's training against a hand-written one that learns the same (one worker: one thread).

LeNet on Fashion-MNIST (noise of its size where it is not there) and a ResNet-20 on noise of CIFAR-10's size, cropped
and flipped at random; each as a dense network and as a pruned one that is fine-tuned, with masks.  On the wall, and
in processor time, which a busy machine disturbs less.  The network by hand is written as most people write it; with the
engine's own in its place, the loops alone are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks import by_hand
from benchmarks.common import Clock, clock, interleaved, ratios
from benchmarks.networks import NETWORKS
from benchmarks.row import Aim, Row, Sample
from rdcompute import datasets
from rdcompute.device_data import MEMORY_FORMATS, DeviceData
from rdcompute.execute import use_one_thread
from rdcompute.masks import split_mask, top_k_mask
from rdcompute.models import build_model, layer_shapes, weight_vector
from rdcompute.training import fit
from rdcompute.training_settings import TrainingSettings, settings_for

REPEATS = 9
KEPT = 4
"""One weight in so many is kept where there are masks."""
RATE = 0.01
AIM = Aim("at least", 1.0, "ratio")


@dataclass(frozen=True)
class Task:
    """A network, the images it is trained on, and how long; a tenth as many images validate after every epoch."""

    title: str
    arch: str
    n_images: int
    shape: tuple[int, int, int]
    """Channels, height, width."""
    validated: bool = True
    """Otherwise there is nothing but training steps."""

    def settings(self) -> TrainingSettings:
        validation = "holdout" if self.validated else "none"
        return settings_for(self.arch, {}).model_copy(update={"train": ((1, RATE),), "validation": validation})

    def model(self, memory_format: str = "channels_last") -> nn.Module:
        return build_model(self.arch, 10, self.shape, 0).to(memory_format=MEMORY_FORMATS[memory_format])

    def plain(self, memory_format: str, state: Mapping[str, Tensor]) -> nn.Module:
        """Return the network by hand with the weights `state`."""
        model = NETWORKS[self.arch]().to(memory_format=MEMORY_FORMATS[memory_format])
        model.load_state_dict(state)
        return model

    def masks(self) -> dict[str, Tensor]:
        """Return masks by magnitude."""
        model = self.model()
        sizes = np.abs(weight_vector(model))
        masks = split_mask(top_k_mask(sizes, sizes, sizes.size // KEPT), layer_shapes(model))
        return {name: torch.from_numpy(mask) for name, mask in masks.items()}

    def data(self) -> DeviceData:
        """Return the engine's data."""
        known, enough = self.arch == "lenet", self.n_images * 6 // 5 + 20
        try:
            images = datasets.load("fashion-mnist", None) if known else noise(self.shape, enough)
        except ValueError:
            images = noise(self.shape, enough)
        data = DeviceData.load(images, torch.device("cpu"), root_seed=0)
        sizes = {"train_pixels": self.n_images, "train_labels": self.n_images}
        n_holdout = self.n_images // 10 if self.validated else 0
        sizes |= {"holdout_images": n_holdout, "holdout_labels": n_holdout}
        return replace(data, **{name: getattr(data, name)[:n] for name, n in sizes.items()})


LENET = Task("LeNet, Fashion-MNIST size", "lenet", 80 * 128, (1, 28, 28))
RESNET = Task("ResNet-20, CIFAR-10 size", "resnet20", 3 * 128, (3, 32, 32))


def noise(shape: tuple[int, int, int], n: int) -> datasets.ImageData:
    """Return random images in ten classes; those in colour are cropped and flipped."""
    rng = np.random.default_rng(0)
    channels, *size = shape
    images = rng.integers(0, 256, (n, *size, channels), dtype=np.uint8)
    labels, names = np.arange(n) % 10, tuple(map(str, range(10)))
    mean, std = (0.5,) * channels, (0.25,) * channels
    augment = "crop-flip" if channels > 1 else "none"
    return datasets.ImageData("noise", images, labels, images[:10], labels[:10], names, mean, std, augment)


def rows() -> list[Row]:
    """Compare images a second, on the wall and of the processor."""
    use_one_thread()
    return [row for task in (LENET, RESNET) for masked in (False, True) for row in compared(task, masked)]


def compared(task: Task, masked: bool, repeats: int = REPEATS) -> list[Row]:
    """Return the rows of one task; of the two memory formats, the faster one is the loop's that is written by hand."""
    data = task.data()
    masks = task.masks() if masked else {}
    engine = partial(run_engine, task, data, masks)
    loops = {name: loop(task, data, masks, name) for name in MEMORY_FORMATS}
    engine()  # warm up
    tried = {name: min(clock(one).processor for _ in range(2)) for name, one in loops.items()}
    chosen = min(tried, key=tried.__getitem__)
    own_network = loop(task, data, masks, chosen, plain=False)
    theirs, between, ours = interleaved([loops[chosen], own_network, engine], repeats)
    title = f"{task.title}, {'masks' if masked else 'dense'}:"
    note = f"{chosen}, the faster of two memory formats"
    return [
        Row(f"{title} by hand", _speed(task, theirs, "wall"), "images/s", note=note),
        Row(f"{title} engine", _speed(task, ours, "wall"), "images/s",
            ratios([c.wall for c in theirs], [c.wall for c in ours]), "of by hand", AIM),
        Row(f"{title} engine, CPU", _speed(task, ours, "processor"), "images/s",
            ratios([c.processor for c in theirs], [c.processor for c in ours]), "of by hand", AIM),
        Row(f"{title} engine's loop, CPU", _speed(task, ours, "processor"), "images/s",
            ratios([c.processor for c in between], [c.processor for c in ours]), "of by hand with its network"),
    ]  # fmt: skip


def _speed(task: Task, clocks: list[Clock], which: str) -> Sample:
    return Sample.of(task.n_images / getattr(one, which) for one in clocks)


def run_engine(task: Task, data: DeviceData, masks: dict[str, Tensor], model: nn.Module | None = None) -> nn.Module:
    """Train a new network, or `model`, as a cell does; return it."""
    model, settings = model or task.model(), task.settings()
    fit(model, data, settings.train, settings, stream_name="benchmark", masks=masks)
    return model


def loop(
    task: Task, data: DeviceData, masks: dict[str, Tensor], memory_format: str, *, plain: bool = True
) -> Callable[[], nn.Module]:
    """Return the loop by hand on the same images, which are normalised here, once; its network is plain or ours."""
    layout = MEMORY_FORMATS[memory_format]
    # cloned: of grey images, the strides of one format pass for the other's
    images = data.normalize(data.train_pixels).clone(memory_format=layout)
    holdout = data.normalize(data.holdout_images).clone(memory_format=layout)
    settings, state = task.settings(), task.model().state_dict()

    def run() -> nn.Module:
        model = task.plain(memory_format, state) if plain else task.model(memory_format)
        by_hand.train(
            model, images, data.train_labels, holdout, data.holdout_labels, epochs=1, lr=RATE,
            layout=layout, weight_decay=settings.weight_decay, crop_flip=data.crop_flip, masks=masks,
        )  # fmt: skip
        return model

    return run
