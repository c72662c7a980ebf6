"""Confusion counts that are added up where the predictions are."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rdstats.errors import InputError

Ints = NDArray[np.int64]


class Tally:
    """Counts of pairs of classes on a device; nothing is read from there before the end.

    Parameters
    ----------
    n_classes, device : of the scores.
    keep : whether labels and predictions are kept, too.
    """

    def __init__(self, n_classes: int, device: torch.device, keep: bool) -> None:
        limits = torch.iinfo(torch.int64)
        self.n_classes, self.keep = n_classes, keep
        self.pairs: list[Tensor] = []
        # the last is of labels outside the classes
        self.counts = torch.zeros(n_classes**2 + 1, dtype=torch.int64, device=device)
        self.lowest = torch.full((), limits.max, dtype=torch.int64, device=device)
        self.highest = torch.full((), limits.min, dtype=torch.int64, device=device)
        self.n_nan = torch.zeros((), dtype=torch.int64, device=device)

    def add(self, scores: Tensor, labels: Tensor, number: int) -> None:
        """Count the predictions, the largest of scores (B, C), of one batch; both tensors are on the device."""
        if scores.shape[1] != self.n_classes:
            raise InputError(f"batch {number}: scores of {scores.shape[1]} classes, before of {self.n_classes}")
        if not len(labels):
            return
        predictions = scores.argmax(1)
        inside = (labels >= 0) & (labels < self.n_classes)
        codes = torch.where(inside, labels * self.n_classes + predictions, self.n_classes**2)
        # bincount would wait for the device, and some devices add at indices in int32 only
        part = torch.zeros_like(self.counts, dtype=torch.int32)
        self.counts += part.index_add_(0, codes, torch.ones_like(codes, dtype=torch.int32))
        self.lowest = torch.minimum(self.lowest, labels.min())
        self.highest = torch.maximum(self.highest, labels.max())
        self.n_nan += scores.isnan().any(1).sum()
        if self.keep:
            self.pairs.append(torch.stack([labels, predictions]))

    def read(self) -> tuple[Ints, Ints, Ints]:
        """Return counts (C, C), labels and predictions; the last two are empty if they were not kept.

        Raises
        ------
        InputError
            No image, labels outside the classes, scores that are not a number.
        """
        counts, n_nan = self.counts.cpu().numpy(), int(self.n_nan)
        n = int(counts.sum())
        if not n:
            raise InputError("loader: there is no image in any batch")
        if counts[-1]:
            raise InputError(
                f"labels: {counts[-1]} of {n} are none of the model's {self.n_classes} classes: they reach from "
                f"{int(self.lowest)} to {int(self.highest)}; 0 to {self.n_classes - 1} is accepted"
            )
        if n_nan:
            raise InputError(
                f"model: the scores of {n_nan} of {n} images are not a number, so none is the largest; to count these "
                "images nevertheless, end the model's forward with torch.nan_to_num"
            )
        matrix = counts[:-1].reshape(self.n_classes, self.n_classes)
        labels, predictions = torch.cat(self.pairs, 1).cpu().numpy() if self.keep else np.empty((2, 0), np.int64)
        return matrix, labels, predictions
