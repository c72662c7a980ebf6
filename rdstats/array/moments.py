"""Mean and standard deviation over seeds, with missing seeds skipped."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rdstats.array.numeric import ROUNDING, BoolArray, FloatArray, IntArray, TextArray, divide, first_reason

# Below this many seeds an interval or a test is not computed.
MIN_SEEDS = 3


class Moments(NamedTuple):
    """Number of values, their mean (NaN without any) and standard deviation, ddof 1 (NaN below two)."""

    n: IntArray
    mean: FloatArray
    sd: FloatArray


def moments(values: FloatArray) -> Moments:
    """Count, mean and standard deviation along the last axis, NaN values skipped."""
    known = ~np.isnan(values)
    n = np.asarray(known.sum(axis=-1), dtype=np.int64)
    total = np.where(known, values, 0.0).sum(axis=-1)
    size = n.astype(np.float64)
    mean = divide(total, size, n > 0)
    squares = (np.where(known, values - mean[..., np.newaxis], 0.0) ** 2).sum(axis=-1)
    variance = divide(squares, size - 1, n > 1)
    return Moments(n, mean, np.asarray(np.sqrt(variance)))


def no_variation(sd: FloatArray, mean: FloatArray) -> BoolArray:
    """Whether values are equal up to rounding: sd <= 1e-12 max(1, |mean|)."""
    return np.asarray(sd <= ROUNDING * np.maximum(1.0, np.abs(mean)))


def seeds_reason(n: IntArray | FloatArray, constant: BoolArray) -> TextArray:
    """Reason against a statistic over n seeds: "missing", "too_few_seeds", "no_variation" or ""."""
    return first_reason((n == 0, "missing"), (n < MIN_SEEDS, "too_few_seeds"), (constant, "no_variation"))
