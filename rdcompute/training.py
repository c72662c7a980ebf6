"""The training loop: one screen, no file, no option that is not in the recipe."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from rdcompute.checkpoint import Checkpoint, EpochReport, Progress, State, momentum_of, restore_momentum
from rdcompute.device_data import DeviceData
from rdcompute.training_settings import Phase, TrainingSettings, learning_rates

Masks = Mapping[str, Tensor]


class DivergedError(RuntimeError):
    """The training or validation loss is not a number."""


@dataclass(frozen=True)
class Fit:
    """The kept state (lowest validation loss, earliest on ties) and the course of all epochs."""

    state: State
    kept_epoch: int
    val_loss: float
    history: tuple[EpochReport, ...]


def fit(
    model: nn.Module,
    data: DeviceData,
    phases: tuple[Phase, ...],
    settings: TrainingSettings,
    *,
    stream_name: str,
    masks: Masks | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> Fit:
    """Train `model` and return the state of the epoch with the lowest validation loss.

    SGD on the mean cross-entropy plus weight decay; masked weights are zero before and after every step.
    `stream_name` (``seed/dataset/arch/dense|finetune``) names the streams of order and augmentation, functions
    of the epoch alone: training that goes on from a `checkpoint` ends in the same bits.

    Raises
    ------
    DivergedError
        A loss that is not finite.
    """
    masked = _masked_weights(model, masks or {})
    _apply(masked)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=0.0, momentum=settings.momentum,
        nesterov=settings.nesterov and settings.momentum > 0, weight_decay=settings.weight_decay,
    )  # fmt: skip
    rates = learning_rates(phases)
    at = checkpoint.load() if checkpoint else None
    if at is not None:
        model.load_state_dict(at.model)
        restore_momentum(model, optimizer, at.momentum)
    history = list(at.history) if at else []
    best = Fit(at.best, at.kept_epoch, at.val_loss, ()) if at else None
    for epoch, rate in enumerate(rates[len(history) :], start=len(history) + 1):
        started = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = rate
        names = (f"order/{stream_name}/{epoch}", f"augment/{stream_name}/{epoch}")
        loss = _train_epoch(model, optimizer, data, names, settings.batch_size, masked)
        val_loss = mean_loss(model, data, settings.eval_batch_size)
        seconds = time.perf_counter() - started
        history.append(EpochReport(epoch, len(rates), loss, val_loss, data.n_train, seconds))
        if not np.isfinite(loss + val_loss):
            raise DivergedError(f"loss {loss:g}, validation loss {val_loss:g} in epoch {epoch} of {len(rates)}")
        if best is None or val_loss < best.val_loss:
            best = Fit(snapshot(model), epoch, val_loss, ())
        if checkpoint and checkpoint.due():
            momentum = momentum_of(model, optimizer)
            checkpoint.save(
                Progress(snapshot(model), momentum, best.state, best.kept_epoch, best.val_loss, tuple(history))
            )
        if on_epoch:
            on_epoch(history[-1])
    assert best is not None  # a recipe has at least one epoch
    return Fit(best.state, best.kept_epoch, best.val_loss, tuple(history))


def _train_epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    data: DeviceData,
    streams: tuple[str, str],
    batch_size: int,
    masked: list[tuple[Tensor, Tensor]],
) -> float:
    """Run one epoch and return its mean training loss; the device is read once, at the end."""
    model.train()
    total = torch.zeros((), device=data.train_labels.device)
    for images, labels in data.epoch(streams, batch_size):
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        _apply(masked)
        total += loss.detach() * len(labels)
    return float(total) / data.n_train


def _masked_weights(model: nn.Module, masks: Masks) -> list[tuple[Tensor, Tensor]]:
    """Pair every masked layer's weight with its mask, in the weight's type and layout."""
    layers = dict(model.named_modules())
    weights = {name: layers[name].get_parameter("weight").data for name in masks}
    return [(weight, torch.empty_like(weight).copy_(masks[name])) for name, weight in weights.items()]


@torch.no_grad()
def _apply(masked: list[tuple[Tensor, Tensor]]) -> None:
    if masked:
        torch._foreach_mul_([weight for weight, _ in masked], [mask for _, mask in masked])


@torch.no_grad()
def mean_loss(model: nn.Module, data: DeviceData, batch_size: int) -> float:
    """Return the mean cross-entropy on the hold-out, in evaluation mode."""
    model.eval()
    total = torch.zeros((), device=data.holdout_labels.device)
    for images, labels in zip(
        torch.split(data.holdout_images, batch_size), torch.split(data.holdout_labels, batch_size), strict=True
    ):
        total += F.cross_entropy(model(data.normalize(images)), labels, reduction="sum")
    return float(total) / len(data.holdout_labels)


@torch.no_grad()
def predict(model: nn.Module, data: DeviceData, batch_size: int) -> NDArray[np.int64]:
    """Return the predicted class of every test image, in evaluation mode."""
    model.eval()
    parts = [model(data.normalize(images)).argmax(1) for images in torch.split(data.test_images, batch_size)]
    return torch.cat(parts).cpu().numpy()


def confusion_matrix(labels: NDArray[np.int64], predictions: NDArray[np.int64], n_classes: int) -> NDArray[np.int64]:
    """Return counts (C, C): true class on the rows, predicted class on the columns."""
    flat = np.bincount(labels * n_classes + predictions, minlength=n_classes * n_classes)
    return flat.reshape(n_classes, n_classes)


def snapshot(model: nn.Module) -> State:
    """Return a copy of all parameters and buffers."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
