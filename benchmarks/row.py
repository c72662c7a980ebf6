"""A line of the table, as data: what was measured, how far the repeats spread, compared with what, aimed at what."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

BOUNDS = ("at least", "at most")
_SMALLER_IS_BETTER = ("s", "ms", "GiB", "MiB", "MB")


@dataclass(frozen=True)
class Sample:
    """The repeats of one measurement: their median, the smallest and the largest."""

    median: float
    low: float
    high: float
    repeats: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Sample:
        """Return the sample of some repeats."""
        known = list(values)
        return cls(statistics.median(known), min(known), max(known), len(known))

    def times(self, factor: float) -> Sample:
        """Return the same repeats in another unit."""
        low, high = sorted((self.low * factor, self.high * factor))
        return Sample(self.median * factor, low, high, self.repeats)


def once(value: float) -> Sample:
    """Return the sample of what was measured, or counted, once."""
    return Sample.of([value])


NOT_MEASURED = Sample(math.nan, math.nan, math.nan, 0)
"""The value of a row whose measurement needs what is not installed; its note says what."""


@dataclass(frozen=True)
class Aim:
    """A number that the value of a row, or its ratio, is to reach: ``at least`` or ``at most``."""

    bound: str
    number: float
    of: str = "value"

    def __post_init__(self) -> None:
        if self.bound not in BOUNDS or self.of not in ("value", "ratio"):
            raise ValueError(f"got {self.bound!r} of {self.of!r}; {' or '.join(BOUNDS)} of value or ratio is accepted")

    def met(self, value: float) -> bool:
        """Return whether `value` reaches the aim; what was not measured does not."""
        return value >= self.number if self.bound == "at least" else value <= self.number


@dataclass(frozen=True)
class Row:
    """One measurement.

    Parameters
    ----------
    what : unique within its benchmark for a unit; two runs are compared by it.
    value, unit : what was measured.  A unit ends with ``/s`` if more is better; of seconds and bytes, less is.
    ratio : to something else that was measured in the same run, if any.
    compared : the words that follow the ratio: "times a bare Python", "of by hand".
    """

    what: str
    value: Sample
    unit: str
    ratio: Sample | None = None
    compared: str = ""
    aim: Aim | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if (self.ratio is None) != (not self.compared):
            raise ValueError(f"{self.what}: a ratio and the words that say of what belong together")
        if self.aim and self.aim.of == "ratio" and self.ratio is None:
            raise ValueError(f"{self.what}: the aim is of a ratio, and there is none")

    @property
    def met(self) -> bool | None:
        """Whether the median reaches the aim; None without an aim."""
        if self.aim is None:
            return None
        sample = self.ratio if self.aim.of == "ratio" else self.value
        return sample is not None and self.aim.met(sample.median)

    @property
    def better(self) -> int:
        """1 if more of the value is better, -1 if less is, 0 if neither."""
        return 1 if self.unit.endswith("/s") else -1 if self.unit in _SMALLER_IS_BETTER else 0

    @property
    def better_ratio(self) -> int:
        """The same of the ratio, as far as its aim says."""
        if self.aim is None or self.aim.of == "value":
            return 0
        return 1 if self.aim.bound == "at least" else -1

    def document(self) -> dict[str, Any]:
        """Return the row as JSON has it: no NaN, and whether the aim was met."""
        return {
            "what": self.what, "value": _document(self.value), "unit": self.unit,
            "ratio": self.ratio and _document(self.ratio), "compared": self.compared,
            "aim": self.aim and vars(self.aim), "met": self.met, "note": self.note,
        }  # fmt: skip

    @classmethod
    def read(cls, document: dict[str, Any]) -> Row:
        """Return the row that `document` has made.

        Raises
        ------
        KeyError, TypeError, ValueError
            Something else.
        """
        aim, ratio = document["aim"], document["ratio"]
        return cls(
            str(document["what"]), _sample(document["value"]), str(document["unit"]), ratio and _sample(ratio),
            str(document["compared"]), aim and Aim(**aim), str(document["note"]),
        )  # fmt: skip


def _document(sample: Sample) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in vars(sample).items()}


def _sample(document: dict[str, Any]) -> Sample:
    numbers = [document[name] for name in ("median", "low", "high")]
    return Sample(*(math.nan if number is None else float(number) for number in numbers), int(document["repeats"]))
