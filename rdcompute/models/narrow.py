"""Sizes of residual networks of given widths, counted without building any."""

from __future__ import annotations

from rdcompute.models.architectures import ImageShape
from rdcompute.models.parameters import ParameterCounts
from rdcompute.widths import PLANES, Widths

_KERNEL = 9


def narrow_counts(widths: Widths, n_classes: int, image_shape: ImageShape) -> ParameterCounts:
    """Return the numbers of parameters of a residual network.

    Examples
    --------
    >>> from rdcompute.widths import narrow_widths
    >>> narrow_counts(narrow_widths([0, 0.15, 0.15, 0.4, 0.4, 0.4], 9), 10, (3, 32, 32)).total
    485413
    """
    layers = {"conv1": _KERNEL * image_shape[0] * PLANES[0]}
    n_normalised = PLANES[0]
    for name, inputs, outputs, _ in widths.convolutions():
        layers[name] = _KERNEL * inputs * outputs
        n_normalised += outputs
    weights = sum(layers.values())
    head = _head(widths) * n_classes
    total = weights + 2 * n_normalised + head + n_classes
    return ParameterCounts(total, weights, weights, layers, {"linear": head})


def multiplications(widths: Widths, n_classes: int, image_shape: ImageShape) -> int:
    """Return the multiplications of convolutions and head for one image.

    Examples
    --------
    >>> from rdcompute.widths import full_widths
    >>> multiplications(full_widths(9), 10, (3, 32, 32))
    125485696
    """
    channels, height, width = image_shape
    total = _KERNEL * channels * PLANES[0] * height * width + _head(widths) * n_classes
    for _, inputs, outputs, stage in widths.convolutions():
        # each of the later stages halves the sides once, rounding up
        pixels = -(-height // 2**stage) * -(-width // 2**stage)
        total += _KERNEL * inputs * outputs * pixels
    return total


def _head(widths: Widths) -> int:
    return widths.out[-1]
