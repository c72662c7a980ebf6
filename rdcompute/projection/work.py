"""The work of a network, recorded from the engine's own code on tensors without data."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from rdcompute.criteria.gradient import training_gradient
from rdcompute.device_data import MEMORY_FORMATS, DeviceData, Normalize
from rdcompute.image_parts import PAD
from rdcompute.models import build_narrow, layer_shapes, pooling
from rdcompute.models.architectures import ImageShape, construct
from rdcompute.projection.operations import Operation, operations_of, tensors
from rdcompute.training import fit, validate
from rdcompute.training_settings import TrainingSettings
from rdcompute.widths import Widths

Operations = tuple[Operation, ...]


@dataclass(frozen=True)
class Shape:
    """What the work of a network depends on.

    Attributes
    ----------
    arch, widths : the network; widths where it has lost channels.
    n_classes, image : of its dataset.
    crop_flip : whether training images are cropped and flipped.
    device : ``cuda`` or ``cpu``, which pool small images in ways of their own.
    """

    arch: str
    widths: Widths | None
    n_classes: int
    image: ImageShape
    crop_flip: bool
    device: str


@dataclass(frozen=True)
class Work:
    """The operations of one step of training, one batch of evaluation, one batch of a gradient.

    Attributes
    ----------
    batch, eval_batch : images of a step (and of a gradient's batch), and of evaluation.
    n_parameters : numbers in the network.
    most_bytes : the largest size of all tensors that a step has at once, beside network and images.
    """

    step: Operations
    evaluation: Operations
    gradient: Operations
    batch: int
    eval_batch: int
    n_parameters: int
    most_bytes: int


_PLAIN = {"unit": "epochs", "schedule": "constant", "warmup_epochs": 0, "renew_optimizer": False, "compile": False}
"""What a recipe says of steps to come, and what would leave less than three of them here."""


@lru_cache(maxsize=64)
def count_work(shape: Shape, settings: TrainingSettings) -> Work:
    """Run a step of `rdcompute.training.fit`, a batch of `validate` and one of `training_gradient`, and note all calls.

    Tensors have shapes, types and layouts, but no data, so it takes no device and no time to speak of.  The step is the
    second one, in which momentum is there, with masks, as in fine-tuning; nothing is compiled.
    """
    settings = settings.model_copy(update=_PLAIN)
    model = _on_meta(shape, settings)
    with FakeTensorMode(allow_non_fake_inputs=True), _pooling_as_on(shape.device):
        model = _without_data(model)
        masks = {name: torch.ones(size, dtype=torch.bool) for name, size in layer_shapes(model).items()}

        def step(data: DeviceData) -> object:
            return fit(model, data, ((1, 1e-9),), settings, stream_name="counting", masks=masks)

        def gradient(data: DeviceData) -> object:
            return training_gradient(model, data.holdout_images, data.holdout_labels, data.normalize, size)

        size = settings.batch_size
        n = settings.eval_batch_size
        tasks = (
            (step, n, 2), (lambda data: validate(model, data, settings), 2 * n, 1), (gradient, 2 * size, 1),
        )  # fmt: skip
        done = [
            _between(task, _data(shape, settings, n_train=4 * size, n_holdout=n_holdout), first)
            for task, n_holdout, first in tasks
        ]
        steps, evaluation, of_gradient = (tuple(one.found) for one in done)
        n_parameters = sum(one.numel() for one in model.parameters())
        eval_batch = done[1].n_images  # that of training with some recipes
        return Work(steps, evaluation, of_gradient, size, eval_batch, n_parameters, max(one.most for one in done))


class _EnoughError(Exception):
    """Leaves code of which enough has been recorded."""


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes every operation that is called."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: list[Operation] = []
        self.most = self._now = self.n_images = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        self.found += operations_of(func, args, out)
        for one in tensors(out):
            self._watch(one.untyped_storage())
        return out

    def _watch(self, storage: torch.UntypedStorage) -> None:
        """Count the size of a storage for as long as it lives."""
        ident, n_bytes = storage._cdata, storage.nbytes()
        if ident not in self._known:
            self._known.add(ident)
            self._now += n_bytes
            self.most = max(self.most, self._now)
            weakref.finalize(storage, self._gone, ident, n_bytes)

    def _gone(self, ident: int, n_bytes: int) -> None:
        self._known.discard(ident)
        self._now -= n_bytes


@dataclass
class _Bell:
    """Normalises batches as `normalize` does; recording begins when the `first` one is asked for, ends at the next."""

    normalize: Callable[[Tensor], Tensor]
    recorder: _Recorder
    first: int
    asked: int = field(default=0)

    def __call__(self, images: Tensor) -> Tensor:
        self.asked += 1
        if self.asked == self.first:
            self.recorder.found.clear()
            self.recorder.n_images = len(images)
        elif self.asked > self.first:
            raise _EnoughError
        return self.normalize(images)


def _between(task: Callable[[DeviceData], object], data: DeviceData, first: int) -> _Recorder:
    """Return what a task does between two batches: all that belongs to one."""
    recorder = _Recorder()
    bell = _Bell(data.normalize, recorder, first)
    object.__setattr__(data, "normalize", cast(Normalize, bell))
    with recorder, contextlib.suppress(_EnoughError):
        task(data)
    return recorder


def _on_meta(shape: Shape, settings: TrainingSettings) -> nn.Module:
    if shape.widths is None:
        with torch.device("meta"):
            model = construct(shape.arch, shape.n_classes, shape.image)
    else:
        model = build_narrow(shape.arch, shape.widths, shape.n_classes, shape.image)
    return model.to(memory_format=MEMORY_FORMATS[settings.memory_format])


def _without_data(model: nn.Module) -> nn.Module:
    """Give a network tensors without data that pass for those of the CPU."""
    for module in model.modules():
        for name, one in module._parameters.items():
            if one is not None:
                module._parameters[name] = nn.Parameter(_like(one))
        for name, other in module._buffers.items():
            if other is not None:
                module._buffers[name] = _like(other)
    return model


def _like(one: Tensor) -> Tensor:
    return torch.empty_strided(one.shape, one.stride(), dtype=one.dtype)


def _data(shape: Shape, settings: TrainingSettings, n_train: int, n_holdout: int) -> DeviceData:
    channels, height, width = shape.image
    margin = 2 * PAD if shape.crop_flip else 0

    def images(n: int, margin: int = 0) -> Tensor:
        return torch.empty((n, height + margin, width + margin, channels), dtype=torch.uint8)

    def labels(n: int) -> Tensor:
        return torch.empty((n,), dtype=torch.int64)

    scale = torch.empty((1, channels, 1, 1))
    return DeviceData(
        "counting", images(n_train, margin), labels(n_train), images(n_holdout), labels(n_holdout), images(1),
        labels(1), Normalize(scale, scale, MEMORY_FORMATS[settings.memory_format]), shape.crop_flip, 0,
        shape.n_classes,
    )  # fmt: skip


@contextlib.contextmanager
def _pooling_as_on(device: str) -> Iterator[None]:
    """Let networks pool as they do on a GPU, in kernels of PyTorch's own, though what they have is without device."""
    before = pooling.VECTOR
    if device == "cuda":
        pooling.VECTOR = 0
    try:
        yield
    finally:
        pooling.VECTOR = before
