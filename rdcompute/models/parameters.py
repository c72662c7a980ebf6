"""Which weights of a network can be pruned, and how many parameters of each kind it has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rdcompute.models.architectures import ImageShape, construct
from rdstats.errors import InputError

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class ParameterCounts:
    """Numbers of parameters of a network.

    Parameters
    ----------
    total
        All parameters: weights, biases, affine parameters of batch normalisation; no buffers.
    prunable_weights
        Weights of the prunable layers: the only ones a mask covers.
    prunable_with_bias
        Weights and biases of the prunable layers.
    layers
        Number of weights of each prunable layer, in module order.
    head
        Number of weights of each layer of the head, which only lottery tickets can lose.
    """

    total: int
    prunable_weights: int
    prunable_with_bias: int
    layers: dict[str, int]
    head: dict[str, int] = field(default_factory=dict)


def parameter_counts(arch: str, n_classes: int, image_shape: ImageShape) -> ParameterCounts:
    """Count the parameters of `arch` without allocating or drawing any (torch's meta device).

    Raises
    ------
    InputError
        Unknown architecture, images it cannot take, or no torch.

    Examples
    --------
    >>> from rdcompute.models import parameter_counts
    >>> counts = parameter_counts("lenet", 10, (1, 28, 28))
    >>> counts.total, counts.prunable_weights, counts.prunable_with_bias
    (60074, 58998, 59224)
    """
    try:
        import torch
    except ImportError:
        raise InputError("counting parameters needs torch: pip install 'recall-distortion[compute]'") from None
    with torch.device("meta"):
        model = construct(arch, n_classes, image_shape)
    layers = prunable_layers(model)
    weights = {name: layer.weight.numel() for name, layer in layers.items()}
    n_biases = sum(layer.bias.numel() for layer in layers.values() if layer.bias is not None)
    n_weights = sum(weights.values())
    total = sum(parameter.numel() for parameter in model.parameters())
    whole = prunable_layers(model, head=True)
    rest = {name: layer.weight.numel() for name, layer in whole.items() if name not in weights}
    return ParameterCounts(total, n_weights, n_weights + n_biases, weights, rest)


def prunable_layers(model: nn.Module, *, head: bool = False) -> dict[str, nn.Conv2d | nn.Linear]:
    """Return the convolution and linear layers of `model`, in module order; those of its `head` only if asked for.

    Raises
    ------
    ValueError
        `model` does not come from `build_model`, so its head is unknown.
    """
    from torch import nn

    name_of_head = getattr(model, "head_name", None)
    if not isinstance(name_of_head, str):
        raise ValueError("the model has no head_name; build it with rdcompute.models.build_model")
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and (head or not f"{name}.".startswith(f"{name_of_head}."))
    }


def layer_shapes(model: nn.Module, *, head: bool = False) -> dict[str, tuple[int, ...]]:
    """Return the shape of the weight of each prunable layer, in module order."""
    return {name: tuple(layer.weight.shape) for name, layer in prunable_layers(model, head=head).items()}


def weight_vector(model: nn.Module) -> npt.NDArray[np.float64]:
    """Return all prunable weights as one float64 vector: layers in module order, each row-major.

    The order is that of indices, not of memory: a channels-last network gives the same vector.
    """
    weights = (layer.weight.detach().cpu().double() for layer in prunable_layers(model).values())
    return np.concatenate([np.empty(0), *(weight.numpy().reshape(-1) for weight in weights)])
