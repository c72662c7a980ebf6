"""Raw slopes beside slopes freed of the sampling of test images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import altair as alt
import xarray as xr

from rdstats._labelled import METHOD, RATIO, is_control
from rdstats._words import words
from rdstats.charts import marks
from rdstats.charts.panel import (
    Panel,
    Row,
    View,
    axis_range,
    cell_dims,
    check_by,
    group,
    pixels,
    positions,
    ratio_of,
    records_of,
    series,
    view,
)
from rdstats.records import Record, bounds

Y_TITLE = "slope alpha"
LEGEND = "hollow: raw; filled: on an infinite test set, with interval"
WEAK = "?: test set too weak to correct the slope"
POSSIBLE = "dashed: every slope that the matrices allow"
_NAMES = (
    "raw", "mean", "lower", "upper", "n", "estimator", "strength", "reliability", "reason", "bound_lower",
    "bound_upper", "verdict", "weak",
)  # fmt: skip


def sampling_chart(data: xr.Dataset, *, by: str = METHOD) -> marks.Chart:
    """Draw the raw slope of every cell and, joined to it by a line, the sampling-corrected one.

    Hollow marks are raw slopes; filled ones what the networks would show on an infinite test set, with simultaneous
    intervals. A question mark stands in place of a slope that the test set is too weak to correct, and a dashed bar
    spans the slopes that are possible where two matrices are all there is. An arrow says that an interval goes on
    beyond the frame.

    Parameters
    ----------
    data : result of `rdstats.figures.sampling_figure`.
    by : dimension whose labels are told apart by colour and shape; the others get a panel each.

    Raises
    ------
    InputError
        Another dimension, or a figure without a value.
    """
    return marks.join(sampling_panels(data, by=by))


def sampling_panels(data: xr.Dataset, *, by: str = METHOD) -> list[Panel]:
    """Return the panels of `sampling_chart`."""
    records = records_of(data, _NAMES, bounds(("", "interval")))
    dims, by = cell_dims(data), check_by(data, by)
    names = marks.Names(dict.fromkeys(series(record, by) for record in records), data.attrs["methods"])
    units, title = str(data.attrs["units"]), words(data.attrs).ratio
    return [_panel(label, part, names, by, units, title) for label, part in group(records, dims, by).items()]


def _panel(
    label: str, records: Sequence[Record], every: marks.Names, by: str, units: str, title: str
) -> Panel:
    names = every.among(series(record, by) for record in records)
    ratios = marks.ratios(records)
    size = marks.roomy(ratios, names)
    every_ratio, controls = [ratio_of(record) for record in records], [name for name in names if is_control(name)]
    pruned = [name for name in names if name not in controls]
    x = positions(every_ratio, controls) | positions(every_ratio, pruned)
    known = [record for record in records if record["raw"] is not None]
    room = pixels(ratios or [1.0], len(pruned or names), size[0])
    low, high = axis_range(ratios or [1.0])
    # corrected slopes stand beside raw ones, at most 9 pixels away
    step = math.exp(min(0.45 * room, 9.0) / size[0] * math.log(high / low))
    rows = [_row(record, x[series(record, by), ratio_of(record)], step, by) for record in known]
    frame = _frame(rows)
    rows = [_drawn(row, frame) for row in rows]
    told = [LEGEND if any(row["value"] is not None for row in rows) else "hollow: raw"]
    told += [WEAK] if any(row["weak"] for row in rows) else []
    told += [POSSIBLE] if any(row["bound_lower"] is not None for row in rows) else []
    style: dict[str, Any] = {"colour": every.colour(names), "shape": every.shape(names), "tooltip": _tooltips(units)}
    return Panel(label, tuple(rows), _draw(label, rows, style, marks.x_axis(ratios, title), frame, room, size, told))


def _row(record: Record, x: float, step: float, by: str) -> Row:
    verdict = str(record["verdict"])
    names = ("lower", "upper", "n", "estimator", "strength", "reliability", "bound_lower", "bound_upper", "verdict")
    row = {
        "series": series(record, by), "ratio": record.get(RATIO), "x_raw": x / math.sqrt(step), "raw": record["raw"],
        "x": x * math.sqrt(step), "value": record["mean"], **{name: record[name] for name in names},
        "weak": bool(record["weak"]), "collapsed": verdict.startswith("collapsed"),
    }  # fmt: skip
    return row | {"text": _words(row)}


def _words(row: Row) -> str:
    where = row["series"] if row["ratio"] is None else f"{row['series']} at ratio {row['ratio']:g}"
    head = f"{where}: raw {row['raw']:.3f}"
    if row["weak"]:
        return f"{head}, test set too weak to correct it"
    if row["bound_lower"] is not None:
        return f"{head}, possible {row['bound_lower']:.3f} to {row['bound_upper']:.3f}"
    if row["value"] is None:
        return f"{head}, not corrected"
    ends = "no interval" if row["lower"] is None else f"interval {row['lower']:.3f} to {row['upper']:.3f}"
    return f"{head}, corrected {row['value']:.3f}, {ends}{', collapsed' if row['collapsed'] else ''}"


def _frame(rows: Sequence[Row]) -> View:
    sound = [row for row in rows if not row["collapsed"]]
    values = [1.0, *(row[name] for row in sound for name in ("raw", "value"))]
    return view(values, [row[name] for row in sound for name in ("lower", "upper", "bound_lower", "bound_upper")])


def _drawn(row: Row, frame: View) -> Row:
    """Add what is drawn: `y_lower, y_upper` of the interval, or of what is possible."""
    ends = [row["lower"], row["upper"]] if row["value"] is not None else [row["bound_lower"], row["bound_upper"]]
    bar = None not in ends and not row["collapsed"]
    value = row["value"] if row["value"] is not None else row["raw"]
    return {
        **row, "y_raw": frame.clamp(row["raw"]), "y": frame.clamp(value), "off": not frame.low <= value <= frame.high,
        "open": row["value"] is None, "estimated": row["value"] is not None,
        "y_lower": frame.clamp(ends[0]) if bar else None, "y_upper": frame.clamp(ends[1]) if bar else None,
        "cut_low": bar and ends[0] < frame.low, "cut_high": bar and ends[1] > frame.high,
    }  # fmt: skip


def _draw(
    label: str, rows: list[Row], style: Mapping[str, Any], x: alt.X, frame: View, room: float,
    panel: tuple[float, float], told: list[str],
) -> alt.LayerChart:  # fmt: skip
    y = partial(marks.y_axis, frame=frame, title=Y_TITLE)
    colour, shape, tooltip = (style[name] for name in ("colour", "shape", "tooltip"))
    size = min(max((1.1 * room) ** 2, 22.0), 55.0)
    raw_x = alt.X("x_raw:Q", scale=x["scale"], axis=x["axis"], title=x["title"])
    raw = alt.Chart(marks.data(rows)).encode(x=raw_x, y=y("y_raw"), color=colour, tooltip=tooltip)
    estimated = [row for row in rows if row["estimated"]]
    possible = alt.Chart(marks.data([row for row in rows if row["open"]])).encode(x=x, color=colour, tooltip=tooltip)
    return marks.finish(
        [
            *marks.level_line(1.0, "slope 1", y, panel[0]),
            raw.mark_rule(opacity=0.7, strokeWidth=1).encode(x2="x:Q", y2="y:Q").transform_filter("datum.estimated"),
            raw.mark_point(filled=False, size=size, strokeWidth=1.5, opacity=1).encode(shape=shape),
            possible.mark_rule(strokeDash=[3, 2], strokeWidth=1.8).encode(y=y("y_lower"), y2=alt.Y2("y_upper:Q"))
            .transform_filter("isValid(datum.y_lower)"),
            raw.mark_text(text="?", fontSize=12, fontWeight="bold", dy=-11).transform_filter("datum.weak"),
            *marks.cells(estimated, x=x, y=y, room=room, **style),
        ],
        label, told, width=panel[0], height=panel[1],
    )  # fmt: skip


def _tooltips(units: str) -> list[alt.Tooltip]:
    numbers = {"raw": "raw slope", "value": "corrected slope", "lower": "interval from", "upper": "to",
               "bound_lower": "possible from", "bound_upper": "possible to", "strength": "strength of the test set",
               "reliability": "reliability"}  # fmt: skip
    texts = {"n": units, "estimator": "estimator", "verdict": "raw slope against 1"}
    return marks.tooltips({"series": "series", "ratio": "ratio"}, numbers, texts)
