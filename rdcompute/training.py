"""The training loop: one screen, no file, no option that is not in the recipe."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from rdcompute.checkpoint import Checkpoint, EpochReport, Progress, State, momentum_of, restore_momentum
from rdcompute.compiled import Forward, compiler_errors, training_forward
from rdcompute.device_data import DeviceData
from rdcompute.precision import in_steps
from rdcompute.training_settings import Phase, TrainingSettings, step_rates

Masks = Mapping[str, Tensor]

FUSED = ("cpu", "cuda", "mps")
"""Devices with a kernel for a whole step of SGD."""


class DivergedError(RuntimeError):
    """The training or validation loss is not a number."""


@dataclass(frozen=True)
class Fit:
    """The kept state (as `TrainingSettings.keep` says, earliest on ties) and the course of all epochs.

    `val_loss` is NaN without validation.  `model` itself is left as the last epoch made it.
    """

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
    first_step: int = 0,
    last_step: int | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> Fit:
    """Train `model` and return the state of the epoch that `settings.keep` chooses.

    SGD on the mean cross-entropy plus weight decay; masked weights are zero before and after every step.
    `stream_name` (``seed/dataset/arch/dense|finetune``) names the streams of order and augmentation, functions
    of the epoch alone: training that goes on from a `checkpoint` ends in the same bits.

    Parameters
    ----------
    first_step, last_step : the steps of `phases` that are made, from 0; the last is not among them.

    Raises
    ------
    DivergedError
        A loss that is not finite.
    """
    forward = training_forward(model, settings, data.train_labels.device)
    masked = _masked_weights(model, masks or {})
    _apply(masked)
    optimizer = make_optimizer(model, settings)
    steps_per_epoch = -(-data.n_train // settings.batch_size)
    rates, begins = step_rates(phases, settings, steps_per_epoch, first_step, last_step)
    at = checkpoint.load() if checkpoint else None
    if at is not None:
        model.load_state_dict(at.model)
        restore_momentum(model, optimizer, at.momentum)
    history = list(at.history) if at else []
    best = Fit(at.best, at.kept_epoch, at.val_loss, ()) if at else None
    for epoch, epoch_rates in enumerate(rates[len(history) :], start=len(history) + 1):
        started = time.perf_counter()
        if settings.renew_optimizer and epoch in begins:
            optimizer.state.clear()
        names = (f"order/{stream_name}/{epoch}", f"augment/{stream_name}/{epoch}")
        model.train()
        with in_steps(settings), compiler_errors():
            loss = _train_epoch(forward, optimizer, epoch_rates.tolist(), data, names, settings.batch_size, masked)
        val_loss, accuracy = validate(model, data, settings)
        seconds = time.perf_counter() - started
        history.append(EpochReport(epoch, len(rates), loss, val_loss, data.n_train, seconds, accuracy))
        if not np.isfinite(loss) or (settings.validation != "none" and not np.isfinite(val_loss)):
            raise DivergedError(f"loss {loss:g}, validation loss {val_loss:g} in epoch {epoch} of {len(rates)}")
        if best is None or _is_kept(settings.keep, history, best.kept_epoch, begins[-1]):
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


def make_optimizer(model: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """Return SGD, its step one kernel where the device has one; the learning rate is set before every step."""
    parameters = list(model.parameters())
    return torch.optim.SGD(
        parameters, lr=0.0, momentum=settings.momentum, nesterov=settings.nesterov and settings.momentum > 0,
        weight_decay=settings.weight_decay, fused=parameters[0].device.type in FUSED,
    )  # fmt: skip


def _is_kept(rule: str, history: list[EpochReport], kept_epoch: int, last_phase: int) -> bool:
    """Return whether the last epoch's network replaces that of the `kept_epoch`."""
    now, kept = history[-1], history[kept_epoch - 1]
    if rule == "last" or (rule == "released" and now.epoch <= last_phase):
        return True
    return now.accuracy > kept.accuracy if rule == "accuracy" else now.val_loss < kept.val_loss


def _train_epoch(
    forward: Forward,
    optimizer: torch.optim.Optimizer,
    rates: list[float],
    data: DeviceData,
    streams: tuple[str, str],
    batch_size: int,
    masked: list[tuple[Tensor, Tensor]],
) -> float:
    """Run the steps of one epoch, one a rate; return its mean training loss.  The device is read once, at the end."""
    total = torch.zeros((), device=data.train_labels.device)
    n_images = 0
    for (images, labels), rate in zip(data.epoch(streams, batch_size), rates, strict=False):  # the last may end early
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = F.cross_entropy(forward(images), labels)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        _apply(masked)
        total += loss.detach() * len(labels)
        n_images += len(labels)
    return float(total) / n_images


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
def validate(model: nn.Module, data: DeviceData, settings: TrainingSettings) -> tuple[float, float]:
    """Return mean cross-entropy and accuracy on the validation images, in evaluation mode; NaN where there are none.

    With ``keep: released`` the loss is the unweighted mean of those of the batches, which are as large as in training,
    as in the paper's released code (there over 128 too, which decides nothing).
    """
    model.eval()
    by_batch = settings.keep == "released"
    size = settings.batch_size if by_batch else settings.eval_batch_size
    n = len(data.holdout_labels)
    total, right = torch.zeros((2,), device=data.holdout_labels.device)
    batches = list(zip(torch.split(data.holdout_images, size), torch.split(data.holdout_labels, size), strict=True))
    for images, labels in batches if n else []:
        logits = model(data.normalize(images))
        total += F.cross_entropy(logits, labels, reduction="mean" if by_batch else "sum")
        right += (logits.argmax(1) == labels).sum()
    loss, correct = torch.stack([total, right]).tolist()
    return (loss / (len(batches) if by_batch else n), correct / n) if n else (math.nan, math.nan)


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
