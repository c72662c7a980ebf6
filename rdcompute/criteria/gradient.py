"""Gradients of the training loss at the prunable layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from rdcompute.models import prunable_layers


def training_gradient(
    model: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    normalize: Callable[[torch.Tensor], torch.Tensor],
    batch_size: int,
) -> dict[str, npt.NDArray[np.float64]]:
    r"""Return g = grad T, T the mean cross-entropy over all given images, without weight decay.

    g = (1/N) \sum_i grad CE(model(x_i), y_i), the sums of the batches added in float64. The network is in
    evaluation mode meanwhile, so batch normalisation uses its running statistics and does not move them;
    each module's mode, every ``.grad`` and the weights are left as they were.

    Parameters
    ----------
    model
        A network of `build_model`, on any device and in any precision.
    images
        uint8, shape (N, H, W, C), on the model's device.
    labels
        int64, shape (N,), on the model's device.
    normalize
        Makes the network's input (B, C, H, W) of a batch (B, H, W, C) of images.
    batch_size
        Images a forward pass; changes the result by rounding only.

    Returns
    -------
    float64 gradient of each prunable layer's weight, in the weight's shape, in module order.

    Raises
    ------
    ValueError
        No images, numbers of images and labels that differ, or a batch size below 1.
    """
    n = len(labels)
    if n == 0 or len(images) != n or batch_size < 1:
        raise ValueError(
            f"received {len(images)} images, {n} labels and batch_size {batch_size}; "
            "accepted: one label an image, at least one of each, batch_size from 1 up"
        )
    weights = {name: layer.weight for name, layer in prunable_layers(model).items()}
    n_weights = sum(weight.numel() for weight in weights.values())
    # Apple's MPS has no float64
    total = torch.zeros(n_weights, dtype=torch.float64, device="cpu" if images.is_mps else images.device)
    with _in_mode(model, training=False), torch.enable_grad():
        for batch, target in zip(
            torch.split(images, batch_size), torch.split(labels, batch_size), strict=True
        ):
            loss = F.cross_entropy(model(normalize(batch)), target, reduction="sum")
            parts = torch.autograd.grad(loss, list(weights.values()))
            total += torch.cat([part.reshape(-1) for part in parts]).to(total.device)
    parts = torch.split((total / n).cpu(), [weight.numel() for weight in weights.values()])
    return {
        name: part.numpy().reshape(weight.shape)
        for (name, weight), part in zip(weights.items(), parts, strict=True)
    }


def batch_gradient(
    model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the gradient of the mean cross-entropy over one batch, without weight decay, in training mode.

    Batch normalisation uses the statistics of the batch and moves its running ones, as a step of training does;
    nothing else of the model changes.

    Parameters
    ----------
    model : a network of `build_model`, on any device.
    inputs : normalised images (B, C, H, W), on the model's device.
    labels : int64, shape (B,).

    Returns
    -------
    float64 gradients of all weights of the prunable layers, in the order of `weight_vector`, and of all their
    biases, layer by layer.
    """
    layers = prunable_layers(model).values()
    weights = [layer.weight for layer in layers]
    biases = [layer.bias for layer in layers if layer.bias is not None]
    with _in_mode(model, training=True), torch.enable_grad():
        parts = torch.autograd.grad(F.cross_entropy(model(inputs), labels), [*weights, *biases])
    n = len(weights)
    return flat(parts[:n]), flat(parts[n:])


def flat(tensors: Iterable[torch.Tensor]) -> npt.NDArray[np.float64]:
    """Return tensors one after the other, each row-major, as one float64 vector; the device is read once."""
    parts = [tensor.detach().reshape(-1) for tensor in tensors]
    return torch.cat(parts).cpu().double().numpy() if parts else np.empty(0)


@contextmanager
def _in_mode(model: nn.Module, *, training: bool) -> Iterator[None]:
    modes = [(module, module.training) for module in model.modules()]
    model.train(training)
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
