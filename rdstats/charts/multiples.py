"""Small multiples: a panel for each cell, ratios as rows, in a block for each combination of the other dimensions."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np
import xarray as xr

from rdstats._labelled import METHOD, RATIO, is_control
from rdstats.charts import marks, titles
from rdstats.charts.panel import ALL, cell_dims, check_by, ratio_of, records_of, series, text
from rdstats.charts.reference import control_name, is_controls
from rdstats.records import Record

_LETTER = 5.6
"""Width of a letter of a heading, in pixels."""


@dataclass(frozen=True)
class Spot:
    """A cell of a figure, and where its panel stands.

    Attributes
    ----------
    record : its dimensions and values.
    index : where it is in the arrays of the figure.
    block : labels of the dimensions that are neither columns nor ratio.
    column : label of the dimension that is set side by side.
    place : row and column of the matrix.
    """

    record: Record
    index: tuple[int, ...]
    block: str
    column: str
    place: tuple[str, str]

    @property
    def lines(self) -> list[str]:
        """The panel's name, a line for its block and one for the rest."""
        ratio = "" if self.control or RATIO not in self.record else f"ratio {text(self.record[RATIO])}"
        name = self.column if self.column != ALL else ""
        name = control_name(name) if self.control and self.column == text(self.record[METHOD]) else name
        return [line for line in (self.block, ", ".join(part for part in (name, ratio) if part)) if line]

    @property
    def label(self) -> str:
        """The panel's name in one line."""
        return " / ".join(self.lines)

    @property
    def control(self) -> bool:
        """Whether it is a control's."""
        return is_controls(self.record)


def spots(
    data: xr.Dataset, names: Sequence[str], by: str, ends: Mapping[str, tuple[str, int]] | None = None
) -> list[Spot]:
    """Return the planned cells of a figure in the order of their panels: blocks, then ratios, then columns.

    Controls, which have no ratio, are the first row of their block, from its first column on.
    """
    records, dims, by = records_of(data, names, ends or {}), cell_dims(data), check_by(data, by)
    shape = [str(dim) for dim in data[names[0]].dims]
    where = np.argwhere(data["planned"].transpose(*shape).values)
    others = [dim for dim in dims if dim not in (by, RATIO) and len({str(record[dim]) for record in records}) > 1]
    found: list[tuple[str, str, Record, tuple[int, ...]]] = [
        (" / ".join(_name(record, dim) for dim in others), series(record, by), record, tuple(map(int, index)))
        for record, index in zip(records, where, strict=True)
    ]
    blocks, columns = (list(dict.fromkeys(names)) for names in ([one[0] for one in found], [one[1] for one in found]))
    if by == METHOD:
        columns.sort(key=is_control)
    across: dict[str, dict[str, int]] = {block: {} for block in blocks}
    for block, column, record, _ in found:
        if by != METHOD or not is_controls(record):
            across[block].setdefault(column, len(across[block]))
    result, n_controls = [], dict.fromkeys(blocks, 0)
    for block, column, record, index in found:
        # the columns of a block stand side by side, whatever others have; controls fill a row of their own
        place = (f"{block}, ratio {ratio_of(record):g}", columns[across[block].get(column, 0)])
        if by == METHOD and is_controls(record):
            place = (f"{block}, control", columns[n_controls[block]])
            n_controls[block] += 1
        result.append(Spot(record, index, block, column, place))
    return sorted(result, key=lambda spot: (blocks.index(spot.block), _row(spot), columns.index(spot.place[1])))


def _name(record: Record, dim: str) -> str:
    name = text(record[dim])
    return control_name(name) if dim == METHOD and is_controls(record) else name


def _row(spot: Spot) -> float:
    return 0.0 if spot.control else ratio_of(spot.record)


def by_block(every: Sequence[Spot]) -> dict[str, list[Spot]]:
    """Return the spots of each block."""
    result: dict[str, list[Spot]] = {}
    for spot in every:
        result.setdefault(spot.block, []).append(spot)
    return result


def finish(
    layers: Sequence[alt.Chart], spot: Spot, notes: Sequence[str], *, width: float, height: float
) -> alt.LayerChart:
    """Stack layers into a small panel under its name and notes, cut off where they would reach its neighbour."""
    room = max(int((width + 40) / _LETTER), 12)
    below = [titles.line(part) for note in notes for part in textwrap.wrap(note, room)]
    style: dict[str, Any] = {"fontSize": 11, "limit": width + 45, "offset": 6}
    if spot.lines:
        title = alt.TitleParams(text=list(map(titles.line, spot.lines)), subtitle=below, subtitleFontSize=10, **style)
    else:  # a subtitle below nothing is not drawn
        title = alt.TitleParams(text=below, fontWeight="normal", **style)
    return alt.LayerChart(layer=list(layers)).properties(width=width, height=height, title=title)


def distinct(names: Sequence[str]) -> list[str]:
    """Return names that differ: those that come again are numbered."""
    result: list[str] = []
    for name in names:
        number, own = 1, name
        while own in result:
            number += 1
            own = f"{name} ({number})"
        result.append(own)
    return result


def missing(spot: Spot, width: float, height: float, note: str = "not computed") -> alt.LayerChart:
    """Return the empty panel of a cell without a value."""
    frame = alt.Chart(marks.data([{"note": note}])).mark_text(opacity=0.7)
    middle = frame.encode(x=alt.value(width / 2), y=alt.value(height / 2), text=alt.Text("note:N"))
    return finish([middle], spot, [], width=width, height=height)
