"""What a panel shows: rows of one combination of dataset, arch and further dimensions, placed on its axes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import altair as alt

from rdstats._labelled import METHOD, RATIO
from rdstats.errors import InputError
from rdstats.records import Record

ALL = "all networks"
"""Name of the one series of a cube without methods."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Panel:
    """One panel: its label (``mnist / lenet``, empty where nothing is to be told apart), rows and chart."""

    label: str
    rows: tuple[Row, ...]
    chart: alt.LayerChart


@dataclass(frozen=True)
class View:
    """The part of the vertical axis that is drawn."""

    low: float
    high: float

    def clamp(self, value: float) -> float:
        """Return the value, or the edge that it lies beyond."""
        return min(max(value, self.low), self.high)


def group(records: Iterable[Record], dims: Sequence[str]) -> dict[str, list[Record]]:
    """Group records by their labels along the dimensions other than method and ratio, in order."""
    places: dict[str, list[Record]] = {}
    others = [dim for dim in dims if dim not in (METHOD, RATIO)]
    for record in records:
        places.setdefault(" / ".join(str(record[dim]) for dim in others), []).append(record)
    return places


def series(record: Record) -> str:
    """Return the name under which a record is drawn."""
    return str(record.get(METHOD, ALL))


def require_ratio(dims: Sequence[str]) -> None:
    """Refuse a cube that has nothing for the horizontal axis."""
    if RATIO not in dims:
        raise InputError("a chart needs the dimension ratio")


def positions(ratios: Sequence[float], names: Sequence[str]) -> dict[tuple[str, float], float]:
    """Return where each series is drawn: beside the others around its ratio, so that intervals stay apart."""
    step = spacing(len(names)) * _gap(ratios)
    middle = (len(names) - 1) / 2
    return {(name, r): r * math.exp((i - middle) * step) for i, name in enumerate(names) for r in set(ratios)}


def spacing(n: int) -> float:
    """Return the distance of n series that stand side by side, as a share of the gap between two ratios."""
    return min(0.16, 0.64 / max(n, 1))


def axis_range(ratios: Sequence[float]) -> tuple[float, float]:
    """Return the horizontal range: the ratios with room on both sides."""
    return min(ratios) / 1.45, max(ratios) * 1.45


def pixels(ratios: Sequence[float], n: int, width: float) -> float:
    """Return the distance of n series that stand side by side on an axis of that width."""
    low, high = axis_range(ratios)
    return spacing(n) * _gap(ratios) * width / math.log(high / low)


def _gap(ratios: Sequence[float]) -> float:
    """Return the smallest distance of two ratios on the logarithmic axis."""
    return min((math.log(b / a) for a, b in pairwise(sorted(set(ratios)))), default=math.log(2))


def view(values: Iterable[float | None], bounds: Iterable[float | None]) -> View:
    """Return the vertical range: all values, and intervals as far as they leave the values readable."""
    inside = [value for value in values if value is not None]
    edges = [bound for bound in bounds if bound is not None]
    low, high = min(inside), max(inside)
    room = max(high - low, 0.2)
    low = max(min([low, *edges]), low - room)
    high = min(max([high, *edges]), high + room)
    pad = 0.06 * (high - low)
    return View(low - pad, high + pad)


def place(rows: Iterable[Row], frame: View) -> list[Row]:
    """Add to each row what is drawn of its value and interval, and whether they end outside the frame."""
    placed = []
    for row in rows:
        value, lower, upper = row["value"], row["lower"], row["upper"]
        bar = lower is not None and upper is not None and not row["collapsed"]
        placed.append({
            **row,
            "y": frame.clamp(value),
            "off": not frame.low <= value <= frame.high,
            "y_lower": frame.clamp(lower) if bar else None,
            "y_upper": frame.clamp(upper) if bar else None,
            "cut_low": bar and lower < frame.low,
            "cut_high": bar and upper > frame.high,
        })  # fmt: skip
    return placed
