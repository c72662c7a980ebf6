"""Slope against pruning ratio, beside the control and the slope expected from accuracy alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import altair as alt
import xarray as xr

from rdstats._labelled import METHOD, RATIO
from rdstats._words import words
from rdstats.charts import marks, reference
from rdstats.charts.panel import (
    Panel,
    Row,
    View,
    cell_dims,
    check_by,
    pixels,
    place,
    positions,
    ratio_of,
    records_of,
    series,
    view,
)
from rdstats.records import Record, bounds

Y_TITLE = "intensification slope alpha"
_NAMES = ("mean", "lower", "upper", "n", "verdict", "expected", "spread", "cosine")


def slope_chart(data: xr.Dataset, *, by: str = METHOD) -> marks.Chart:
    """Draw the mean slope of every cell against the pruning ratio, with simultaneous intervals.

    Points with t intervals are means over seeds; the grey line with its band is the control's
    mean slope and interval; short bars are the slopes expected from accuracy alone; a hollow, crossed mark is
    a collapsed cell (its interval and expected slope are left out). An arrow says that an interval goes on
    beyond the frame, a number beside a mark at the edge is its value.

    Parameters
    ----------
    data : result of `rdstats.figures.slope_figure`.
    by : dimension whose labels are told apart by colour and shape; the others get a panel each.

    Raises
    ------
    InputError
        Another dimension, or a figure without a value.

    Source: paper, Figures 9 to 12.
    """
    return marks.join(slope_panels(data, by=by))


def slope_panels(data: xr.Dataset, *, by: str = METHOD) -> list[Panel]:
    """Return the panels of `slope_chart`."""
    records = records_of(data, _NAMES, bounds(("", "interval")))
    dims, by = cell_dims(data), check_by(data, by)
    shown = [record for record in records if by == METHOD or not reference.is_controls(record)]
    names = marks.Names(dict.fromkeys(series(record, by) for record in shown), data.attrs["methods"])
    title = words(data.attrs).ratio
    return [_panel(label, part, names, by, title) for label, part in marks.with_controls(records, dims, by).items()]


def _panel(label: str, records: Sequence[Record], every: marks.Names, by: str, title: str) -> Panel:
    planned = [record for record in records if not reference.is_controls(record)]
    names = every.among(series(record, by) for record in planned)
    controls = [record for record in records if reference.is_controls(record) and record["mean"] is not None]
    grey = [reference.control_row(record, by) for record in controls]
    places = positions([ratio_of(record) for record in planned], names)
    rows = [_row(record, places, by) for record in planned if record["mean"] is not None]
    frame = _frame(rows, grey)
    rows = place(rows, frame)
    x, room = marks.x_axis(marks.ratios(planned), title), pixels(marks.ratios(planned), len(names), marks.WIDTH)
    return Panel(label, (*grey, *rows), _draw(label, rows, grey, every, names, x, room, frame))


def _row(record: Record, x: dict[tuple[str, float], float], by: str) -> Row:
    name, ratio = series(record, by), ratio_of(record)
    return {
        "series": name, "ratio": record.get(RATIO), "x": x[name, ratio], "value": record["mean"],
        "lower": record["lower"], "upper": record["upper"], "n": record["n"], "verdict": record["verdict"],
        "expected": record["expected"], "spread": record["spread"], "cosine": record["cosine"],
        "collapsed": str(record["verdict"]).startswith("collapsed"),
    }  # fmt: skip


def _frame(rows: Sequence[Row], grey: Sequence[Row]) -> View:
    sound = [row for row in rows if not row["collapsed"]]
    shown = [*sound, *grey]
    values = [1.0, *(row["value"] for row in shown), *(row["expected"] for row in sound)]
    return view(values, [row[bound] for row in shown for bound in ("lower", "upper")])


def _draw(
    label: str, rows: list[Row], grey: list[Row], every: marks.Names, names: list[str], x: alt.X, room: float,
    frame: View,
) -> alt.LayerChart:  # fmt: skip
    expected = reference.expected_rows(rows, frame)
    extra = reference.legend(grey, expected, every)
    colour, shape = every.colour(names, extra), every.shape(names, extra)
    y = partial(marks.y_axis, frame=frame, title=Y_TITLE)
    layers = [
        *reference.control_layers(grey, colour, y, frame),
        *marks.level_line(1.0, "slope 1", y),
        reference.expected_dashes(expected, room).encode(x=x, y=y("y"), color=colour, shape=shape, tooltip=_tooltips()),
        *marks.cells(rows, x=x, y=y, colour=colour, shape=shape, tooltip=_tooltips(), room=room),
    ]
    return marks.finish(layers, label)


def _tooltips() -> list[alt.Tooltip]:
    numbers = {"value": "slope alpha", "lower": "interval from", "upper": "to", "expected": "expected slope",
               "spread": "spread ratio", "cosine": "cosine"}  # fmt: skip
    return marks.tooltips({"series": "series", "ratio": "ratio"}, numbers, {"n": "networks", "verdict": "against 1"})
