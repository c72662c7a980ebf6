"""What every format becomes: networks, each with the counts of its matrix and, where known, its predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdstats.errors import InputError, nearest, one_of
from rdstats.readers.options import Options
from rdstats.readers.values import in_order, shown
from rdstats.unknown import KEEP, OTHER, check_free, refusal

MOST_CLASSES = 10_000
MOST_COUNTS = 2**28
"""Matrices may take 2 GiB in all; more classes than that are no classes."""

Codes = NDArray[Any]


@dataclass
class Examples:
    """True and predicted class of every example, as numbers of a `ClassTable`; `ids` where examples have names."""

    true: Codes
    predicted: Codes
    ids: Codes | None = None


@dataclass
class Network:
    """One network on one test set.

    `where` says which (dimension -> label), `stage` on which side of compression where the file tells, `model` is
    the name of its column, array or file, `origin` where it was found.
    """

    where: dict[str, Any]
    counts: NDArray[np.int64]
    classes: ClassTable
    stage: str | None = None
    model: str = ""
    origin: str = ""
    examples: Examples | None = None

    def pad(self) -> None:
        """Give the matrix a row and a column for every class there is."""
        more = len(self.classes.names) - len(self.counts)
        if more > 0:
            self.counts = np.pad(self.counts, (0, more))


@dataclass
class Found:
    """Networks of some files, with what a person should know about how they were read."""

    networks: list[Network]
    kind: str
    understood: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class ClassTable:
    """The classes of one test set, numbered as they come; a list of classes given beforehand is closed.

    `unknown` is `Options.unknown`; `first` says where each class that is no label (yet) was first predicted.
    """

    def __init__(self, options: Options) -> None:
        self.names: list[str] = list(options.classes or ())
        self.unknown, self.first = options.unknown, dict[str, str]()
        self._index = {name: i for i, name in enumerate(self.names)}
        self._labels, self._closed = set(self.names), options.classes is not None
        self._other: int | None = None

    def declare(self, names: Iterable[str]) -> None:
        """Make names classes although they may be no label of any example."""
        if not self._closed:
            self._labels.update(names)

    def number(self, name: str, *, is_true: bool) -> int | None:
        """Return the number of a class, adding it where that is allowed; None: it is not among the classes."""
        if is_true and self._closed and name not in self._labels:
            return None
        if is_true:
            self._labels.add(name)
        if name in self._index:
            return self._index[name]
        if self._closed and self.unknown != KEEP:
            return self._other_class() if self.unknown == OTHER else None
        if len(self.names) >= MOST_CLASSES:
            raise InputError(
                f"more than {MOST_CLASSES} classes, such as {shown(self.names[0])} and {shown(name)}: "
                "is this the column of classes?"
            )
        return self._add(name)

    def _add(self, name: str) -> int:
        self._index[name] = len(self.names)
        self.names.append(name)
        return self._index[name]

    def _other_class(self) -> int:
        if self._other is None:
            check_free(self.names)
            self._other = self._add(OTHER)
        return self._other

    def is_label(self, name: str) -> bool:
        """Return whether a class is known otherwise than by a prediction."""
        return name in self._labels

    def refusal(self, name: str, *, is_true: bool = False) -> str:
        """Return why a class that is not among the classes is refused."""
        known = [one for one in self.names if one in self._labels]
        known = known if self._closed else in_order(known)
        if is_true:
            few = one_of(known[:10]) + (", ..." if len(known) > 10 else "")
            return f"{shown(name)}{nearest(name, known)} is not among the classes {few}"
        return refusal(shown(name), known)

    def settle(self, predicted: NDArray[np.bool_]) -> tuple[list[str], Codes]:
        """Return the classes in their final order, and the final number of every class as it was numbered.

        Parameters
        ----------
        predicted : which classes some example is predicted to be of.

        Raises
        ------
        InputError
            A prediction outside the classes where that is an error.
        """
        folded: set[str] = set()
        if not self._closed and self.unknown != KEEP:
            folded = {name for name, there in zip(self.names, predicted, strict=True) if there} - self._labels
        if folded and self.unknown != OTHER:
            name = next(name for name in self.names if name in folded)
            raise InputError(f"{self.first.get(name, '')}{self.refusal(name)}")
        kept = [name for name in self.names if name not in folded]
        if self._closed:
            given = [name for name in kept if name in self._labels]
            names = [*given, *in_order(name for name in kept if name not in self._labels)]
        else:
            names = in_order(kept)
        if folded:
            check_free(names)
            names.append(OTHER)
        place = {name: i for i, name in enumerate(names)}
        return names, np.array([place.get(name, len(names) - 1) for name in self.names], np.int64)


def cell_text(where: Mapping[str, Any]) -> str:
    """Return ``seed=0, ratio=2``."""
    texts = {dim: f"{value:g}" if isinstance(value, float) else str(value) for dim, value in where.items()}
    return ", ".join(f"{dim}={text}" for dim, text in texts.items())
