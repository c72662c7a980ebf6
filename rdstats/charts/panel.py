"""What a panel shows: rows of one combination of dataset, arch and further dimensions, placed on its axes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import altair as alt
import xarray as xr

from rdstats._labelled import METHOD, RATIO
from rdstats._text import visible
from rdstats.errors import InputError
from rdstats.records import Record, cell_records

ALL = "all networks"
"""Name of the one series of a cube that has not the dimension series are told apart by."""

Row = dict[str, Any]

Drawing = alt.LayerChart | alt.VConcatChart
"""One panel: layers on common axes, or plots above each other."""


@dataclass(frozen=True)
class Panel:
    """One panel of a figure.

    Attributes
    ----------
    label : what tells it apart (``mnist / lenet``), empty where there is one only.
    rows : what is drawn, for `rdstats.charts.describe`.
    chart : the drawing, without configuration.
    place : row and column label in a matrix of panels; None: panels follow each other.
    """

    label: str
    rows: tuple[Row, ...]
    chart: Drawing
    place: tuple[str, str] | None = None


@dataclass(frozen=True)
class View:
    """The part of the vertical axis that is drawn."""

    low: float
    high: float

    def clamp(self, value: float) -> float:
        """Return the value, or the edge that it lies beyond."""
        return min(max(value, self.low), self.high)


def records_of(data: xr.Dataset, names: Sequence[str], ends: Mapping[str, tuple[str, int]]) -> list[Record]:
    """Return one record a planned cell of a figure's Dataset: its dimensions, then the named values.

    `ends` says which keys come from a variable with a dimension ``ci_bound``, see `rdstats.records.cell_records`.
    """
    found = cell_records(data, names, there=data["planned"], ends=ends, like=names[0])
    if all(record[names[0]] is None for record in found):
        raise InputError("nothing to draw: no cell of the figure has a value")
    return found


def cell_dims(data: xr.Dataset) -> list[str]:
    """Return the dimensions of the cells of a figure."""
    return [str(dim) for dim in data["planned"].dims]


def check_by(data: xr.Dataset, by: str) -> str:
    """Return the dimension that tells series apart; refuse one that the figure does not have."""
    dims = [dim for dim in cell_dims(data) if dim != RATIO]
    if by not in dims and by != METHOD:
        raise InputError(f"by {by!r}: accepted are {', '.join(dims) or 'none'}, the figure's dimensions")
    return by


def group(records: Iterable[Record], dims: Sequence[str], by: str = METHOD) -> dict[str, list[Record]]:
    """Group records by their labels along the dimensions other than `by` and ratio that vary, in order."""
    every = list(records)
    others = [dim for dim in dims if dim not in (by, RATIO) and len({str(record[dim]) for record in every}) > 1]
    places: dict[str, list[Record]] = {}
    for record in every:
        places.setdefault(" / ".join(text(record[dim]) for dim in others), []).append(record)
    return places


def series(record: Record, by: str = METHOD) -> str:
    """Return the name under which a record is drawn."""
    return text(record[by]) if by in record else ALL


def text(label: Any) -> str:
    """Return a coordinate's label as it is shown: control characters written out."""
    return f"{label:g}" if isinstance(label, int | float) else visible(str(label))


def ratio_of(record: Record) -> float:
    """Return the ratio of a record; 1 in a cube that has no ratios."""
    return float(record.get(RATIO, 1))


def positions(ratios: Sequence[float], names: Sequence[str]) -> dict[tuple[str, float], float]:
    """Return where each series is drawn: beside the others around its ratio, so that intervals stay apart."""
    step = spacing(len(names)) * gap(ratios)
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
    low, high = axis_range(ratios or [1.0])
    return spacing(n) * gap(ratios) * width / math.log(high / low)


def gap(ratios: Sequence[float]) -> float:
    """Return the smallest distance of two ratios on the logarithmic axis."""
    return min((math.log(b / a) for a, b in pairwise(sorted(set(ratios)))), default=math.log(2))


def view(values: Iterable[float | None], bounds: Iterable[float | None], least: float = 0.2) -> View:
    """Return the vertical range: all values, and intervals as far as they leave the values readable.

    `least`: values that differ by less have the room of values that differ by so much.
    """
    inside = [value for value in values if value is not None]
    edges = [bound for bound in bounds if bound is not None]
    low, high = min(inside), max(inside)
    room = max(high - low, least)
    low = max(min([low, *edges]), low - room)
    high = min(max([high, *edges]), high + room)
    if high == low:
        low, high = low - least / 2, high + least / 2
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
