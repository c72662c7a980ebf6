"""The scores of the criteria, as plain functions of flat arrays.

theta: the prunable weights; g: the gradient of the mean cross-entropy T over the training part;
eps: the weight decay in force when the network was trained; L = T + (eps/2) |theta|^2 the loss that was
minimised, so grad L = g + eps theta. Every score ranks: the higher, the later a weight is pruned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

Flat = npt.NDArray[np.float64]


class Score(Protocol):
    """``score(theta, grad, weight_decay, rng)``: one float64 score a weight.

    theta and grad have shape (n,); grad is g, without weight decay, and None for criteria that need none.
    `rng` is the stream ``mask/...`` of the cell; only random criteria draw from it.
    """

    def __call__(
        self, theta: Flat, grad: Flat | None, weight_decay: float, rng: np.random.Generator
    ) -> Flat: ...


class Keep(Protocol):
    """``keep(scores, others, share)``: which weights stay, a boolean array of the shape (n,) of `scores`.

    `others` are the scores of the biases of prunable layers, which always stay (empty unless the gradient is that
    of a batch); `share` is the part that the ratio asks for, f of `rdcompute.masks.keep_fraction`.
    """

    def __call__(self, scores: Flat, others: Flat, share: float) -> npt.NDArray[np.bool_]: ...


@dataclass(frozen=True)
class Criterion:
    """A named score.

    Parameters
    ----------
    name
        Name of the method in grids and cubes.
    needs_gradient
        Whether `score` uses the gradient.
    score
        The score itself, see `Score`.
    gradient
        Which gradient: ``training``, of the mean over the training part in evaluation mode, or ``batch``, of one
        augmented batch in training mode, which moves the running statistics of batch normalisation.
    keep
        Chooses the weights that stay; None: the highest scores, exactly as many as the ratio keeps.
    """

    name: str
    needs_gradient: bool
    score: Score
    gradient: Literal["training", "batch"] = "training"
    keep: Keep | None = None


def magnitude(theta: Flat, grad: Flat | None, weight_decay: float, rng: np.random.Generator) -> Flat:
    """``mp``: |theta|."""
    return np.abs(theta)


def gradient(theta: Flat, grad: Flat | None, weight_decay: float, rng: np.random.Generator) -> Flat:
    """``gp``: |theta (g + eps theta)|, the first-order change of L when the weight is removed.

    The paper's GP with its gradient of the full loss L. Raises ValueError without a gradient.
    """
    return np.abs(theta * _loss_gradient(theta, grad, weight_decay))


def undecayed(theta: Flat, grad: Flat | None, weight_decay: float, rng: np.random.Generator) -> Flat:
    """``up``: |-theta grad L + eps theta^2| with grad L = g + eps theta.

    The paper's UP, written out as it stands there; mathematically |theta g|. Where grad L is exactly 0 the
    score is eps theta^2 and ranks as ``mp``; with eps = 0 it equals ``gp`` bit by bit. Raises ValueError
    without a gradient.
    """
    grad_loss = _loss_gradient(theta, grad, weight_decay)
    return np.abs(-theta * grad_loss + weight_decay * theta**2)


def random(theta: Flat, grad: Flat | None, weight_decay: float, rng: np.random.Generator) -> Flat:
    """``rp``: independent uniform draws; the exact top k makes a uniformly random subset of size k."""
    return rng.random(theta.size)


def checked_gradient(theta: Flat, grad: Flat | None) -> Flat:
    """Return the gradient; raises ValueError where it is missing or has another shape than theta."""
    if grad is None or grad.shape != theta.shape:
        received = "none" if grad is None else f"shape {grad.shape}"
        raise ValueError(f"the gradient received is {received}; accepted: the shape of theta, {theta.shape}")
    return grad


def _loss_gradient(theta: Flat, grad: Flat | None, weight_decay: float) -> Flat:
    return checked_gradient(theta, grad) + weight_decay * theta
