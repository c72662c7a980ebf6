"""Which weights of a ResNet-110 go: every criterion's score and its mask, gradients given (one core)."""

from __future__ import annotations

import numpy as np

from benchmarks.common import repeated
from benchmarks.row import Row
from rdcompute.criteria import CRITERIA, criterion_names
from rdcompute.execute import use_one_thread
from rdcompute.masks import keep_fraction, kept_count, top_k_mask
from rdcompute.models import build_model, parameter_counts, weight_vector

SHAPE = (3, 32, 32)
RATIO = 10


def rows() -> list[Row]:
    """Return milliseconds of scoring and choosing, by criterion."""
    use_one_thread()
    counts = parameter_counts("resnet110", 10, SHAPE)
    theta = weight_vector(build_model("resnet110", 10, SHAPE, 0))
    gradient = np.random.default_rng(0).standard_normal(theta.size) * 1e-3
    k, share = kept_count(counts, RATIO), keep_fraction(counts, RATIO)
    found = []
    for name in criterion_names():
        criterion = CRITERIA.get(name)

        def choose() -> None:
            scores = criterion.score(theta, gradient, 5e-4, np.random.default_rng(1))  # noqa: B023
            if criterion.keep is None:  # noqa: B023
                top_k_mask(scores, np.abs(theta), k)
            else:
                criterion.keep(scores, np.empty(0), share)  # noqa: B023

        choose()  # warm up
        found.append(Row(f"ResNet-110, score and mask, {name}", repeated(choose, 5).times(1e3), "ms"))
    return found
