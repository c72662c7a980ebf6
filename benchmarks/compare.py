"""Many pairs of confusion matrices compared at once, against loops over matrices with other libraries."""

from __future__ import annotations

import warnings

import numpy as np

from benchmarks.common import clock, seconds
from benchmarks.row import NOT_MEASURED, Aim, Row, Sample, once
from rdstats.array import compare_matrices

PAIRS, CLASSES, IMAGES = 10_000, 100, 200
SAMPLED, SAMPLED_PYCM = 30, 2
"""Pairs that the loops are really run on; their time is scaled to all of them."""
MOST_SECONDS = 1


def rows() -> list[Row]:
    """Time one vectorised call on matrices in memory, the loops, and what they agree on."""
    before, after = drawn(PAIRS), drawn(PAIRS, seed=1)
    clocks = [clock(lambda: compare_matrices(before, after)) for _ in range(5)]
    # a busy machine shows on the wall only
    ours, processor = (Sample.of(values) for values in zip(*clocks, strict=True))
    few = slice(0, SAMPLED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        looped(before[:1], after[:1])  # imports and first calls are not counted
        theirs = looped(before[few], after[few])
        loop = seconds(lambda: looped(before[few], after[few])) * PAIRS / SAMPLED
    mine = compare_matrices(before[few], after[few])
    np.testing.assert_allclose(mine.slope, theirs[0], rtol=1e-9)
    np.testing.assert_allclose(mine.recall_after, theirs[1], rtol=1e-12)
    what = f"{PAIRS:,} pairs of {CLASSES}-class matrices"
    result = [
        Row(what, ours, "s", aim=Aim("at most", MOST_SECONDS), note="one call: recalls, balances, I, slopes"),
        Row(f"{what}: processor", processor, "s"),
        Row("the same, scikit-learn matrix by matrix", once(loop), "s", once(loop / ours.median), "times as long",
            note=f"scaled from {SAMPLED} pairs"),
    ]  # fmt: skip
    what, pycm = "the same, PyCM matrix by matrix", _pycm(before, after)
    if pycm is None:
        return [*result, Row(what, NOT_MEASURED, "s", note="pip install pycm: only this row needs it")]
    scaled = f"scaled from {SAMPLED_PYCM} pairs, scores only"
    return [*result, Row(what, once(pycm), "s", once(pycm / ours.median), "times as long", note=scaled)]


def drawn(pairs: int, seed: int = 0) -> np.ndarray:
    """Return int32 counts `(pairs, C, C)`, recalls between .6 and .95, equally many images of every class."""
    rng = np.random.default_rng(seed)
    wrong = rng.integers(0, 2, (pairs, CLASSES, CLASSES), dtype=np.int32)
    diagonal = np.arange(CLASSES)
    wrong[:, diagonal, diagonal] = 0
    wrong[:, :, ::3] = 0
    wrong[:, diagonal, diagonal] = IMAGES - wrong.sum(axis=-1)
    return wrong


def looped(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return slopes and recalls after, pair by pair, with scikit-learn's scores."""
    from sklearn.metrics import accuracy_score, recall_score

    true, predicted = (part.ravel() for part in np.indices(before.shape[-2:]))
    slopes, recalls = np.empty(len(before)), np.empty(before.shape[:-1])
    for i, pair in enumerate(zip(before, after, strict=True)):
        balances = []
        for matrix in pair:
            weight = matrix.ravel()
            recalls[i] = recall_score(true, predicted, sample_weight=weight, average=None, zero_division=np.nan)
            accuracy = accuracy_score(true, predicted, sample_weight=weight)
            balances.append((recalls[i] - accuracy) / accuracy)
        slopes[i] = balances[0] @ balances[1] / (balances[0] @ balances[0])
    return slopes, recalls


def _pycm(before: np.ndarray, after: np.ndarray) -> float | None:
    """Return the seconds that PyCM needs for the recalls and accuracies of all pairs (scaled), None without it."""
    try:
        from pycm import ConfusionMatrix
    except ImportError:
        return None

    def one(matrix: np.ndarray) -> tuple[object, object]:
        found = ConfusionMatrix(matrix={i: dict(enumerate(map(int, row))) for i, row in enumerate(matrix)})
        return found.TPR, found.Overall_ACC

    one(before[0])
    own = (*before[:SAMPLED_PYCM], *after[:SAMPLED_PYCM])
    return seconds(lambda: [one(matrix) for matrix in own]) * PAIRS / SAMPLED_PYCM
