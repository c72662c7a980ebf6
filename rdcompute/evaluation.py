"""Any classifier, evaluated in one pass over its test set: counts, labels and predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import data

from rdcompute.tally import Ints, Tally
from rdstats.errors import InputError

LABELS = ("labels", "label")
"""What labels are called in a batch that is a mapping."""
MOST_CLASSES = 10_000
"""A matrix of more has over 100 million counts."""
_SHUFFLING = (data.RandomSampler, data.SubsetRandomSampler, data.WeightedRandomSampler)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What `evaluate` found.

    Attributes
    ----------
    confusion : counts (C, C), true classes on the rows.
    labels, predictions : true and predicted class of every image (N,), in the order of the loader.
    """

    confusion: Ints
    labels: Ints
    predictions: Ints


def confusion(model: Callable[..., Any], loader: Iterable[Any], *, device: torch.device | str | None = None) -> Ints:
    """Return the confusion matrix of a classifier on a test set.

    Counts are added up on the device and read once, at the end.  `evaluate` returns the predictions, too, which say
    more about a pair of models; the arguments are the same.

    Returns
    -------
    int64 (C, C), true classes on the rows.

    Examples
    --------
    >>> import torch
    >>> scores = torch.tensor([[2.0, 1.0], [0.0, 3.0], [4.0, 1.0]])
    >>> confusion(torch.nn.Identity(), [(scores, torch.tensor([0, 1, 1]))]).tolist()
    [[1, 0], [1, 1]]
    """
    return _evaluated(model, loader, device, keep=False).confusion


def evaluate(
    model: Callable[..., Any], loader: Iterable[Any], *, device: torch.device | str | None = None
) -> Evaluation:
    """Return counts, labels and predictions of a classifier on a test set.

    Parameters
    ----------
    model : module, or a function of the inputs.  A module (also that of a bound method) is in evaluation mode meanwhile
        and has all its training flags back afterwards, after an error too; a function is called as it is.  It returns
        scores (B, C), or an object or mapping with such ``logits``; the largest is the prediction.
    loader : batches, a DataLoader or any iterable.  A batch is ``(inputs, labels)``, or a mapping with ``labels`` (or
        ``label``) and the model's arguments by name.  Inputs are a tensor, a list of arguments or a mapping of them.
        Labels are whole numbers (B,).  The order must not change from model to model: loaders that shuffle are refused.
    device : where inputs go; default: where the model's first parameter or buffer is.  Without any (as in dynamically
        quantised networks), they stay where they are.

    Raises
    ------
    InputError
        Labels outside the classes, scores of another shape or not a number, no image, a loader that shuffles.

    Examples
    --------
    >>> import torch
    >>> scores = torch.tensor([[2.0, 1.0], [0.0, 3.0], [4.0, 1.0]])
    >>> evaluate(torch.nn.Identity(), [(scores, torch.tensor([0, 1, 1]))]).predictions.tolist()
    [0, 1, 0]
    """
    samplers = [getattr(one, "sampler", None) for one in (loader, getattr(loader, "batch_sampler", None))]
    if any(isinstance(sampler, _SHUFFLING) for sampler in samplers):
        raise InputError(
            "loader: it shuffles, so that predictions of two models belong to different images; give one with "
            "shuffle=False, or take rdcompute.confusion"
        )
    return _evaluated(model, loader, device, keep=True)


def _evaluated(
    model: Callable[..., Any], loader: Iterable[Any], device: torch.device | str | None, *, keep: bool
) -> Evaluation:
    if not callable(model):
        raise InputError(f"model: received {type(model).__name__}; a module or a function is accepted")
    if not isinstance(loader, Iterable) and not hasattr(loader, "__getitem__"):
        raise InputError(f"loader: received {type(loader).__name__}; an iterable of batches is accepted")
    module = model if isinstance(model, nn.Module) else getattr(model, "__self__", None)
    module = module if isinstance(module, nn.Module) else None
    target = _device_of(module) if device is None else torch.device(device)
    tally: Tally | None = None
    with _evaluation_mode(module):
        for number, batch in enumerate(loader, start=1):
            inputs, labels = _parts(batch, number)
            with torch.inference_mode():  # not around the loader: a dataset may keep its tensors for training
                scores = _scores(_called(model, _moved(inputs, target)), number)
                truth = _truth(labels, scores, number)
                tally = tally or Tally(scores.shape[1], scores.device, keep)
                tally.add(scores, truth, number)
    if tally is None:
        raise InputError("loader: there is no batch (an iterator gives its batches once)")
    return Evaluation(*tally.read())


@contextmanager
def _evaluation_mode(module: nn.Module | None) -> Iterator[None]:
    """Set a module to evaluation mode for the block; afterwards every submodule has the mode that it had."""
    if module is None:
        yield
        return
    before = [(one, one.training) for one in module.modules()]
    try:
        with suppress(NotImplementedError):  # exported programs have one mode
            module.eval()
        yield
    finally:
        with suppress(NotImplementedError):
            module.train(before[0][1])  # first, for modules that do more than to set the flag
        for one, training in before:
            one.training = training


def _device_of(module: nn.Module | None) -> torch.device | None:
    tensors = () if module is None else chain(module.parameters(), module.buffers())
    return next((tensor.device for tensor in tensors), None)


def _parts(batch: Any, number: int) -> tuple[Any, Any]:
    """Return the inputs and the labels of a batch."""
    if isinstance(batch, Mapping):
        name = next((name for name in LABELS if name in batch), None)
        if name is None:
            names = ", ".join(map(str, batch))
            raise InputError(f"batch {number}: a mapping with {names}; labels (or label) is needed")
        return {key: value for key, value in batch.items() if key != name}, batch[name]
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        what = f"{len(batch)} parts" if isinstance(batch, tuple | list) else type(batch).__name__
        raise InputError(f"batch {number}: {what}; (inputs, labels) or a mapping with labels is accepted")
    return batch[0], batch[1]


def _moved(inputs: Any, device: torch.device | None) -> Any:
    """Return inputs with every tensor on a device; what is no tensor stays as it is."""
    if isinstance(inputs, Tensor):
        # there, copies come before what reads them; elsewhere only waiting makes sure of it
        return inputs if device is None else inputs.to(device, non_blocking=device.type == "cuda")
    if isinstance(inputs, Mapping):
        return {name: _moved(value, device) for name, value in inputs.items()}
    if isinstance(inputs, tuple | list):
        return [_moved(value, device) for value in inputs]
    return inputs


def _called(model: Callable[..., Any], inputs: Any) -> Any:
    if isinstance(inputs, dict):
        return model(**inputs)
    return model(*inputs) if isinstance(inputs, list) else model(inputs)


def _scores(outputs: Any, number: int) -> Tensor:
    """Return the scores (B, C) among the outputs of a model."""
    found = outputs
    if not isinstance(outputs, Tensor):
        found = outputs.get("logits") if isinstance(outputs, Mapping) else getattr(outputs, "logits", None)
    if not isinstance(found, Tensor):
        kind = type(outputs).__name__
        raise InputError(f"batch {number}: the model returns {kind}; a tensor (B, C), or one called logits, is needed")
    if found.ndim != 2 or not 2 <= found.shape[1] <= MOST_CLASSES:
        hint = " (one score an image: two classes need two)" if found.ndim < 2 or found.shape[1] == 1 else ""
        raise InputError(
            f"batch {number}: the model returns scores of shape {tuple(found.shape)}{hint}; (B, C) with 2 to "
            f"{MOST_CLASSES:,} classes is accepted"
        )
    return found.dequantize() if getattr(found, "is_quantized", False) else found


def _truth(labels: Any, scores: Tensor, number: int) -> Tensor:
    """Return labels as int64 where the scores are."""
    try:
        found = torch.as_tensor(labels)
    except (TypeError, ValueError, RuntimeError):
        raise InputError(
            f"batch {number}: labels: received {type(labels).__name__}; whole numbers (B,) are accepted"
        ) from None
    if found.is_floating_point() or found.is_complex():
        raise InputError(f"batch {number}: labels are {found.dtype}; whole numbers are accepted")
    if found.shape != scores.shape[:1]:
        raise InputError(
            f"batch {number}: labels have shape {tuple(found.shape)}, scores {tuple(scores.shape)}; one label an image "
            "is accepted"
        )
    return found.to(torch.int64).to(scores.device, non_blocking=scores.device.type == "cuda")
