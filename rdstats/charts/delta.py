"""The primary comparison: slope minus the control's slope against pruning ratio."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import altair as alt
import xarray as xr

from rdstats._labelled import METHOD, RATIO
from rdstats._words import words
from rdstats.charts import marks, theme
from rdstats.charts.panel import (
    Panel,
    Row,
    View,
    cell_dims,
    check_by,
    group,
    pixels,
    place,
    positions,
    ratio_of,
    records_of,
    series,
    view,
)
from rdstats.records import Record, bounds

Y_TITLE = "slope alpha minus the control's slope"
_NAMES = (
    "mean", "lower", "upper", "n", "claim", "control", "control_slope", "log_spread", "support", "slope", "expected",
    "control_collapsed",
)  # fmt: skip


def delta_chart(data: xr.Dataset, *, by: str = METHOD) -> marks.Chart:
    """Draw by how much the slope of pruned networks differs from the control's.

    Points are means over seeds of differences paired by the dense network, bars their simultaneous t
    intervals; at 0 pruning changed nothing beyond the control's fine-tuning, and the shaded band is the
    margin of differences without practical meaning. Collapsed cells are hollow and crossed, without interval.

    Parameters
    ----------
    data : result of `rdstats.figures.delta_figure`.
    by : dimension whose labels are told apart by colour and shape; the others get a panel each.

    Raises
    ------
    InputError
        Another dimension, or a figure without a value.
    """
    return marks.join(delta_panels(data, by=by))


def delta_panels(data: xr.Dataset, *, by: str = METHOD) -> list[Panel]:
    """Return the panels of `delta_chart`."""
    records = records_of(data, _NAMES, bounds(("", "interval")))
    dims, by = cell_dims(data), check_by(data, by)
    names = marks.Names(dict.fromkeys(series(record, by) for record in records), data.attrs["methods"])
    margin, title = float(data.attrs["margin"]), words(data.attrs).ratio
    return [_panel(label, part, names, margin, by, title) for label, part in group(records, dims, by).items()]


def _panel(
    label: str, records: Sequence[Record], every: marks.Names, margin: float, by: str, title: str
) -> Panel:
    names = every.among(series(record, by) for record in records)
    places = positions([ratio_of(record) for record in records], names)
    rows = [_row(record, places, by) for record in records if record["mean"] is not None]
    sound = [row for row in rows if not row["collapsed"]]
    values = [-margin, margin, *(row["value"] for row in sound)]
    frame = view(values, [row[bound] for row in sound for bound in ("lower", "upper")])
    rows = place(rows, frame)
    x, room = marks.x_axis(marks.ratios(records), title), pixels(marks.ratios(records), len(names), marks.WIDTH)
    return Panel(label, tuple(rows), _draw(label, rows, every, names, x, room, frame, margin))


def _row(record: Record, x: dict[tuple[str, float], float], by: str) -> Row:
    name, ratio = series(record, by), ratio_of(record)
    return {
        "series": name, "ratio": record.get(RATIO), "x": x[name, ratio], "value": record["mean"],
        "lower": record["lower"], "upper": record["upper"], "n": record["n"], "claim": record["claim"],
        "control": record["control"], "control_slope": record["control_slope"],
        "log_spread": record["log_spread"], "slope": record["slope"], "expected": record["expected"],
        "collapsed": record["claim"] == "collapsed" or bool(record["control_collapsed"]),
    }  # fmt: skip


def _draw(
    label: str, rows: list[Row], every: marks.Names, names: list[str], x: alt.X, room: float, frame: View,
    margin: float,
) -> alt.LayerChart:  # fmt: skip
    y = partial(marks.y_axis, frame=frame, title=Y_TITLE)
    encoding: dict[str, Any] = {"colour": every.colour(names), "shape": every.shape(names), "tooltip": _tooltips()}
    layers = [
        _margin_band(margin, y),
        *marks.level_line(0.0, "control", y),
        *marks.cells(rows, x=x, y=y, room=room, **encoding),
    ]
    return marks.finish(layers, label)


def _margin_band(margin: float, y: marks.Vertical) -> alt.Chart:
    band = alt.Chart(marks.data([{"low": -margin, "high": margin}])).mark_rect(color=theme.CONTROL_COLOUR, opacity=0.14)
    placed: alt.Chart = band.encode(y=y("low"), y2=alt.Y2("high:Q"))
    return placed


def _tooltips() -> list[alt.Tooltip]:
    numbers = {"value": "difference from the control", "lower": "interval from", "upper": "to", "slope": "slope alpha",
               "control_slope": "control's slope", "expected": "expected slope",
               "log_spread": "difference of log spread"}  # fmt: skip
    texts = {"control": "control", "n": "networks", "claim": "claim"}
    return marks.tooltips({"series": "series", "ratio": "ratio"}, numbers, texts)
