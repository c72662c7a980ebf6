"""Stratified hold-outs of a training set."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rdstats.errors import InputError

Index = npt.NDArray[np.int64]


def holdout_size(n_train: int) -> int:
    """Return how many training images validate: 5,000, or a tenth (half up) of fewer than 20,000."""
    return 5000 if n_train >= 20_000 else (n_train + 5) // 10


def stratified_holdout(
    labels: npt.NDArray[np.integer], n_holdout: int, rng: np.random.Generator
) -> tuple[Index, Index]:
    """Split images into a training part and a hold-out with the same shares of every class.

    Class c with N_c of the N images gives n_holdout N_c / N of them: the whole part first, then one each
    by the largest remainder (ties: the lower class) until the total is exact. No class is used up: at
    least one of its images stays in the training part. Which images, `rng` decides.

    Parameters
    ----------
    labels
        Class of each image, shape (N,).
    n_holdout
        Images to hold out.
    rng
        The stream ``holdout/<dataset>``, one fixed split per dataset.

    Returns
    -------
    Positions of the training part and of the hold-out, both sorted.

    Raises
    ------
    InputError
        `n_holdout` is below 1 or would use up a class.
    """
    labels = np.asarray(labels)
    classes, counts = np.unique(labels, return_counts=True)
    largest = int(labels.size - classes.size)
    if not 1 <= n_holdout <= largest:
        raise InputError(
            f"a hold-out of {n_holdout} of {labels.size} images in {classes.size} classes is not possible; "
            f"accepted: 1 to {largest}"
        )
    taken = np.zeros(labels.size, dtype=bool)
    for label, n_class in zip(classes, _shares(counts, n_holdout), strict=True):
        taken[rng.permutation(np.flatnonzero(labels == label))[:n_class]] = True
    return np.flatnonzero(~taken).astype(np.int64), np.flatnonzero(taken).astype(np.int64)


def _shares(counts: npt.NDArray[np.integer], total: int) -> npt.NDArray[np.int64]:
    """Split `total` in proportion to `counts` by largest remainders, in integers."""
    whole, remainder = np.divmod(counts.astype(np.int64) * total, int(counts.sum()))
    order = np.argsort(-remainder, kind="stable")
    while (n_open := total - int(whole.sum())) > 0:
        free = order[whole[order] < counts[order] - 1]
        whole[free[:n_open]] += 1
    return whole
