"""The criteria of the paper's released code, which differ from the paper's in gradient, score and threshold.

They share the gradient of one augmented batch, in training mode and without weight decay
(`rdcompute.criteria.gradient.batch_gradient`), and keep the share f of the shrinkbench accounting
(`rdcompute.masks.keep_fraction`), each by its own rule, so the number of weights they keep is not known before.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rdcompute.criteria.scores import Criterion, Flat, checked_gradient, random

EPS = 5e-4
"""Fixed in the released code, whatever weight decay the network was trained with."""


def gradient(theta: Flat, grad: Flat | None, weight_decay: float, rng: np.random.Generator) -> Flat:
    """``gp-released``: |theta g|.  Raises ValueError without a gradient."""
    return np.abs(theta * checked_gradient(theta, grad))


def signed(theta: Flat, grad: Flat | None, weight_decay: float, rng: np.random.Generator) -> Flat:
    """``up-released``: -theta g + eps theta^2 with eps = 5e-4, of either sign.  Raises ValueError without a gradient.

    `beyond_quantile` prunes by |s| but finds its threshold among the signed scores.
    """
    return -theta * checked_gradient(theta, grad) + EPS * theta**2


def unsigned(theta: Flat, grad: Flat | None, weight_decay: float, rng: np.random.Generator) -> Flat:
    """``up-released-abs``: the absolute value of ``up-released``.  Raises ValueError without a gradient."""
    return np.abs(signed(theta, grad, weight_decay, rng))


def beyond_quantile(scores: Flat, others: Flat, share: float) -> npt.NDArray[np.bool_]:
    """Keep the scores outside the open interval (-q, q), q the 1 - share quantile of all scores.

    The quantile is linearly interpolated.  Scores that are all positive keep about the share that is asked for.
    Signed ones keep more: scores around 0 that are as often negative as positive keep the share 2 f, if f is
    below 1/2; q is then the 1 - 2 f quantile of their absolute values.  q up to 0 keeps everything.

    Parameters
    ----------
    scores : of the weights, shape (n,).
    others : of biases, which have a part in the quantile but are never pruned, shape (m,).
    share : f, 0 to 1.

    Returns
    -------
    Boolean array of shape (n,), true for the weights that are kept.

    Raises
    ------
    ValueError
        A score is NaN.
    """
    pool = np.concatenate([scores, others])
    if np.isnan(pool).any():
        raise ValueError(f"{np.isnan(pool).sum()} of {pool.size} scores are NaN")
    q = np.quantile(pool, 1 - share) if pool.size else 0.0
    return ~((-q < scores) & (scores < q))


def independently(scores: Flat, others: Flat, share: float) -> npt.NDArray[np.bool_]:
    """Keep every weight with probability `share`, whatever happens to the others; scores are uniform on [0, 1)."""
    return scores >= 1 - share


RELEASED = (
    Criterion("gp-released", True, gradient, "batch", beyond_quantile),
    Criterion("up-released", True, signed, "batch", beyond_quantile),
    Criterion("up-released-abs", True, unsigned, "batch", beyond_quantile),
    Criterion("rp-released", False, random, keep=independently),
)
