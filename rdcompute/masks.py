"""Exact masks: how many weights a ratio keeps, which ones, and what ratio was achieved.

The ratio t of a pruned network is all its parameters over all that are not masked. Only the weights of
convolution and linear layers other than the head can be masked. Two accountings turn t into a count:

``exact``
    kept = round half up of total/t, less the parameters that are never masked. The achieved ratio is t
    to within half a parameter.
``shrinkbench``
    The counting of the paper's released code: biases count as prunable but are never masked, and the
    threshold is a linearly interpolated quantile whose ties are kept. With
    f = (total/t - (total - p))/p, p the prunable weights and biases and n the prunable weights alone,
    kept = n - ceil((n - 1)(1 - f)). A network with prunable biases keeps more than t asks for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from rdcompute.models import ParameterCounts
from rdstats.errors import InputError, nearest, one_of

ACCOUNTINGS = ("exact", "shrinkbench")


def kept_count(counts: ParameterCounts, ratio: float, accounting: str = "exact") -> int:
    """Return the number of prunable weights that a network keeps at `ratio` (formulas: this module's top).

    Computed in exact fractions: a decimal ratio such as 1.1 means 11/10, and no rounding of floats decides
    about a weight. Ratio 1 keeps every weight.

    Raises
    ------
    InputError
        Unknown accounting; `ratio` is no number, below 1, or so large that no weight would be left (the
        message has the largest possible ratio).
    """
    _check_accounting(accounting)
    wanted = _as_fraction(ratio)
    if wanted == 1:
        return counts.prunable_weights
    kept = _kept(counts, wanted, accounting)
    if kept < 1:
        raise InputError(
            f"ratio {ratio} leaves no weight of a network with {counts.total:,} parameters of which "
            f"{counts.prunable_weights:,} weights are prunable ({accounting} accounting); "
            f"largest possible ratio: {largest_ratio(counts, accounting)}"
        )
    return kept


def largest_ratio(counts: ParameterCounts, accounting: str = "exact") -> float:
    """Return the largest ratio that leaves at least one weight, rounded down to two decimals.

    exact: total/(total - n + 1/2). shrinkbench: below total/(total - p); infinite when there is nothing
    but prunable parameters. 1 for a network without prunable weights.
    """
    _check_accounting(accounting)
    if counts.prunable_weights == 0:
        return 1.0
    if accounting == "exact":
        bound = Fraction(counts.total) / (counts.total - counts.prunable_weights + Fraction(1, 2))
    elif counts.total == counts.prunable_with_bias:
        return math.inf
    else:
        bound = Fraction(counts.total, counts.total - counts.prunable_with_bias)
    hundredths = math.floor(bound * 100)
    if _kept(counts, Fraction(hundredths, 100), accounting) < 1:  # the bound itself is not possible
        hundredths -= 1
    return hundredths / 100


def keep_fraction(counts: ParameterCounts, ratio: float) -> float:
    """Return f of the shrinkbench accounting: (total/ratio - (total - p))/p, p with the biases."""
    return float(_keep_fraction(counts, _as_fraction(ratio)))


def achieved_ratio(counts: ParameterCounts, kept: int) -> float:
    """Return total/(total - masked) of a network that keeps `kept` of its prunable weights.

    Raises ValueError when `kept` is not between 0 and the number of prunable weights.
    """
    if not 0 <= kept <= counts.prunable_weights:
        raise ValueError(f"kept is {kept}; accepted: 0 to {counts.prunable_weights}")
    return counts.total / (counts.total - (counts.prunable_weights - kept))


def top_k_mask(
    scores: npt.NDArray[np.float64], magnitude: npt.NDArray[np.floating], k: int
) -> npt.NDArray[np.bool_]:
    """Return the mask of the `k` entries with the highest scores.

    Equal scores are settled by the larger magnitude, equal magnitudes by the lower position, so exactly
    `k` entries are kept whatever the ties. Linear time: two partitions, no sort.

    Parameters
    ----------
    scores
        Scores, shape (n,); infinities are ordinary values.
    magnitude
        Weights or their magnitudes, shape (n,); only absolute values matter.
    k
        Number of entries to keep, 0 to n.

    Returns
    -------
    Boolean array of shape (n,) with exactly `k` true entries.

    Raises
    ------
    ValueError
        Shapes differ or are not flat, `k` is out of range, a score or magnitude is NaN.
    """
    if scores.ndim != 1 or scores.shape != magnitude.shape:
        raise ValueError(f"scores have shape {scores.shape}, magnitude {magnitude.shape}; accepted: (n,)")
    if not 0 <= k <= scores.size:
        raise ValueError(f"k is {k}; accepted: 0 to {scores.size}")
    for name, values in (("scores", scores), ("magnitude", magnitude)):
        n_missing = np.count_nonzero(np.isnan(values))
        if n_missing:
            raise ValueError(f"{n_missing} of {values.size} {name} are NaN")
    mask, tied, n_open = _split_at(scores, k)
    if n_open:
        larger, equal, n_left = _split_at(np.abs(magnitude[tied]), n_open)
        mask[tied[larger]] = True
        mask[tied[equal[:n_left]]] = True
    return mask


def split_mask(
    flat: npt.NDArray[np.bool_], layers: Mapping[str, tuple[int, ...]]
) -> dict[str, npt.NDArray[np.bool_]]:
    """Cut a flat mask over all prunable weights into one mask a layer.

    Parameters
    ----------
    flat
        Mask of shape (n,), layers one after the other, each in row-major order.
    layers
        Shape of each layer's weight, in the same order (`rdcompute.models.layer_shapes`).

    Raises
    ------
    ValueError
        The layers do not add up to n weights.
    """
    sizes = [math.prod(shape) for shape in layers.values()]
    if flat.ndim != 1 or sum(sizes) != flat.size:
        raise ValueError(f"the mask has shape {flat.shape}, the layers hold {sum(sizes)} weights")
    parts = np.split(flat, np.cumsum(sizes)[:-1]) if sizes else []
    return {name: part.reshape(layers[name]) for name, part in zip(layers, parts, strict=True)}


def pack_masks(masks: Mapping[str, npt.NDArray[np.bool_]]) -> dict[str, npt.NDArray[np.uint8]]:
    """Return masks as arrays of a cell's result: eight weights a byte, each layer in row-major order."""
    return {f"mask/{name}": np.packbits(mask) for name, mask in masks.items()}


def unpack_masks(
    arrays: Mapping[str, npt.NDArray[np.uint8]], layers: Mapping[str, tuple[int, ...]]
) -> dict[str, npt.NDArray[np.bool_]]:
    """Return the masks that `pack_masks` has put into a result, by the shapes of the layers."""
    return {
        name: np.unpackbits(arrays[f"mask/{name}"], count=math.prod(shape)).reshape(shape).astype(bool)
        for name, shape in layers.items()
    }


def _split_at(
    values: npt.NDArray[np.floating], k: int
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.intp], int]:
    """Return what is surely among the `k` highest, the positions tied at the edge, and how many of them."""
    if k == 0:
        return np.zeros(values.shape, dtype=bool), np.empty(0, dtype=np.intp), 0
    edge = np.partition(values, values.size - k)[values.size - k]
    above = values > edge
    return above, np.flatnonzero(values == edge), k - int(np.count_nonzero(above))


def _kept(counts: ParameterCounts, ratio: Fraction, accounting: str) -> int:
    n = counts.prunable_weights
    if accounting == "exact":
        return math.floor(counts.total / ratio + Fraction(1, 2)) - (counts.total - n)
    f = _keep_fraction(counts, ratio)
    return n - math.ceil((n - 1) * (1 - f)) if f > 0 else 0  # f = 0 is refused by the released code too


def _keep_fraction(counts: ParameterCounts, ratio: Fraction) -> Fraction:
    prunable = counts.prunable_with_bias
    return (counts.total / ratio - (counts.total - prunable)) / prunable if prunable else Fraction(0)


def _as_fraction(ratio: float) -> Fraction:
    try:
        value = Fraction(str(ratio))
    except ValueError:  # nan, inf, True and text
        value = Fraction(0)
    if value < 1:
        raise InputError(f"ratio {ratio!r} is not accepted; accepted: a finite number from 1 up")
    return value


def _check_accounting(accounting: str) -> None:
    if accounting not in ACCOUNTINGS:
        raise InputError(
            f"ratio_accounting {accounting!r} is unknown{nearest(str(accounting), ACCOUNTINGS)}; "
            f"accepted: {one_of(ACCOUNTINGS)}"
        )
