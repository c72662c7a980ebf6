"""What every format becomes: networks, each with the counts of its matrix and, where known, its predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdstats.errors import InputError, nearest, one_of
from rdstats.readers.options import OTHER, Options
from rdstats.readers.values import in_order, shown

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
    """The classes of one test set, numbered as they come; a list of classes given beforehand is closed."""

    def __init__(self, options: Options) -> None:
        self.names: list[str] = list(options.classes or ())
        self._index = {name: i for i, name in enumerate(self.names)}
        self._unknown, self._closed = options.unknown, options.classes is not None
        self.first: dict[str, str] = {}
        self.wants_first = not self._closed and self._unknown == "error"
        self.other: int | None = None
        if self._closed and self._unknown == "other":
            self.other = self._other_class()

    def _other_class(self) -> int:
        if OTHER in self._index:
            raise InputError(f"--unknown other: a class is called {OTHER!r} already; rename it")
        self._index[OTHER] = len(self.names)
        self.names.append(OTHER)
        return self._index[OTHER]

    def number(self, name: str, *, is_true: bool) -> int | None:
        """Return the number of a class, adding it where that is allowed; None: it is not among the classes."""
        found = self._index.get(name)
        if found is not None and not (is_true and found == self.other):
            return found
        if self._closed:
            return None if is_true else self.other
        if len(self.names) >= MOST_CLASSES:
            raise InputError(
                f"more than {MOST_CLASSES} classes, such as {shown(self.names[0])} and {shown(name)}: "
                "is this the column of classes?"
            )
        self._index[name] = len(self.names)
        self.names.append(name)
        return self._index[name]

    def refusal(self, name: str) -> str:
        """Return why a class that is not among the classes is refused."""
        accepted = self.names[:-1] if self.other is not None else self.names
        few = one_of(accepted[:10]) + (", ..." if len(accepted) > 10 else "")
        return f"{shown(name)}{nearest(name, accepted)} is not among the classes {few}"

    def settle(self, labelled: NDArray[np.bool_]) -> tuple[list[str], Codes]:
        """Return the classes in their final order, and the final number of every class as it was numbered.

        Parameters
        ----------
        labelled : which classes are a label of some example.

        Raises
        ------
        InputError
            A prediction outside the labels where that is an error.
        """
        if self._closed or self._unknown is None:
            names = self.names if self._closed else in_order(self.names)
            place = {name: i for i, name in enumerate(names)}
            return list(names), np.array([place[name] for name in self.names], np.int64)
        inside = [name for name, is_label in zip(self.names, labelled, strict=True) if is_label]
        outside = [name for name, is_label in zip(self.names, labelled, strict=True) if not is_label]
        if outside and self._unknown == "error":
            where = self.first.get(outside[0], "")
            raise InputError(
                f"{where}{shown(outside[0])} is predicted but no label; --unknown other makes it a class "
                f"'{OTHER}', --classes lists the classes there are"
            )
        if OTHER in inside:
            raise InputError(f"--unknown other: a class is called {OTHER!r} already; rename it")
        names = [*in_order(inside), *([OTHER] if outside else [])]
        place = {name: i for i, name in enumerate(names)}
        return names, np.array([place.get(name, len(names) - 1) for name in self.names], np.int64)


def cell_text(where: Mapping[str, Any]) -> str:
    """Return ``seed=0, ratio=2``."""
    texts = {dim: f"{value:g}" if isinstance(value, float) else str(value) for dim, value in where.items()}
    return ", ".join(f"{dim}={text}" for dim, text in texts.items())
