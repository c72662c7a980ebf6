"""McNemar's test of one class: does one of two networks get more of its images right?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr

from rdstats.array.numeric import FloatArray, TextArray, first_reason
from rdstats.array.validate import as_counts, broadcast, refuse


class McNemar(NamedTuple):
    """Images that only the network before, and only the one after, gets right; mid-p value, and a reason."""

    only_before: FloatArray
    only_after: FloatArray
    p: FloatArray
    reason: TextArray


def mcnemar(correct_before: ArrayLike, correct_after: ArrayLike, both_correct: ArrayLike) -> McNemar:
    """Exact two-sided mid-p McNemar test that two networks get equally many images of a class right.

    With b images that only the first gets right and c that only the second does, X ~ Binomial(b + c, 1/2) and
    d = |b - c|: p = P(|2 X - b - c| > d) + P(|2 X - b - c| = d) / 2. That is P(X <= k) + P(X <= k - 1) with
    k = min(b, c) where b and c differ, and 1 - P(X = k) / 2 where they are equal.

    Parameters
    ----------
    correct_before, correct_after, both_correct : array_like
        Images of the class that the network before, after, and both get right; element by element.

    Returns
    -------
    McNemar
        In the common shape: `only_before` b, `only_after` c, `p` in (0, 1] (at least the smallest float64), and
        `reason`: "" (fine), "missing" (a NaN count: all NaN) or "no_change" (b = c = 0: the images say nothing,
        and p is 1).

    Raises
    ------
    InputError
        If a count is negative or no whole number, more images are right twice than once, or shapes do not fit.

    Notes
    -----
    Fagerland, Lydersen and Laake, BMC Med. Res. Methodol. 13 (2013), 91: the mid-p test keeps its level in
    practice and is less conservative than the exact test. Images are the units: it says nothing about other
    training runs.

    Examples
    --------
    >>> mcnemar([90, 70, 80], [84, 70, 80], [82, 65, 80]).p.round(4).tolist()
    [0.0654, 0.877, 1.0]
    """
    named = {"correct_before": correct_before, "correct_after": correct_after, "both_correct": both_correct}
    counts = {name: as_counts(name, value) for name, value in named.items()}
    for name, part in counts.items():
        refuse(name, part, (part != np.floor(part)) & ~np.isnan(part), "images are whole numbers")
    broadcast(**counts)
    one, two, both = np.broadcast_arrays(*counts.values())
    refuse("both_correct", both, both > np.minimum(one, two), "at most the images that either gets right")
    b, c = one - both, two - both
    missing = np.isnan(b + c)
    b, c = np.where(missing, np.nan, b), np.where(missing, np.nan, c)
    fewer = np.where(missing, 0.0, np.minimum(b, c))
    total = np.where(missing, 0.0, b + c).astype(np.int64)
    upto = bdtr(fewer, total, 0.5)
    below = np.where(fewer > 0, bdtr(np.maximum(fewer - 1, 0.0), total, 0.5), 0.0)
    p = np.where(b == c, 1 - (upto - below) / 2, upto + below)
    # 0.5^n falls below the smallest number from 1075 images on; a p-value of exactly 0 claims too much
    p = np.where(total == 0, 1.0, np.clip(p, np.finfo(np.float64).tiny, 1.0))
    reason = first_reason((missing, "missing"), (total == 0, "no_change"))
    return McNemar(b, c, np.where(missing, np.nan, p), reason)
