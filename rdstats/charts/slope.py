"""Slope against pruning ratio, beside the control and the slope expected from accuracy alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import altair as alt

from rdstats._labelled import is_control
from rdstats.analysis import Analysis
from rdstats.charts import marks, theme
from rdstats.charts.panel import (
    Panel,
    Row,
    View,
    group,
    pixels,
    place,
    positions,
    require_ratio,
    series,
    view,
)
from rdstats.records import Record, slope_records

Y_TITLE = "intensification slope alpha"


def slope_chart(analysis: Analysis) -> alt.LayerChart | alt.ConcatChart:
    """Draw the mean slope of every method against the pruning ratio, one panel a dataset and arch.

    Points with simultaneous t intervals are means over seeds; the grey line with its band is the control's
    mean slope and interval; short bars are the slopes expected from accuracy alone; a hollow, crossed mark is
    a collapsed cell (its interval and expected slope are left out). An arrow says that an interval goes on
    beyond the frame, a number beside a mark at the edge is its value.

    Parameters
    ----------
    analysis : result of `rdstats.analyze`.

    Raises
    ------
    InputError
        A cube without the dimension ratio.
    """
    return marks.join([panel.chart for panel in slope_panels(analysis)])


def slope_panels(analysis: Analysis) -> list[Panel]:
    """Return the panels of `slope_chart`; configure each with `rdstats.charts.theme.config`."""
    dims = [str(dim) for dim in analysis.summary["mean"].dims]
    require_ratio(dims)
    methods = list(dict.fromkeys(series(record) for record in slope_records(analysis)))
    return [_panel(label, records, methods) for label, records in group(slope_records(analysis), dims).items()]


def _panel(label: str, records: Sequence[Record], methods: Sequence[str]) -> Panel:
    present = {series(record) for record in records}
    names = [name for name in methods if name in present and not is_control(name)]
    controls = [_band(record) for record in records if is_control(series(record)) and record["mean"] is not None]
    planned = [record for record in records if series(record) in names]
    x = positions([record["ratio"] for record in planned], names)
    rows = [_row(record, x[series(record), record["ratio"]]) for record in planned if record["mean"] is not None]
    frame = _frame(rows, controls)
    rows = place(rows, frame)
    ratios = [record["ratio"] for record in planned] or [1.0]
    return Panel(label, (*controls, *rows), _draw(label, rows, controls, names, ratios, frame))


def _row(record: Record, x: float) -> Row:
    return {
        "series": series(record), "ratio": record["ratio"], "x": x, "value": record["mean"],
        "lower": record["lower"], "upper": record["upper"], "n": record["n"], "verdict": record["verdict"],
        "expected": record["expected"], "spread": record["spread"], "cosine": record["cosine"],
        "collapsed": str(record["verdict"]).startswith("collapsed"),
    }  # fmt: skip


def _band(record: Record) -> Row:
    fields = ("lower", "upper", "n")
    return {
        "series": control_name(series(record)),
        "value": record["mean"],
        **{name: record[name] for name in fields},
    }


def control_name(method: str) -> str:
    """Return how the legend names a control."""
    return f"{method} (control)"


def _frame(rows: Sequence[Row], controls: Sequence[Row]) -> View:
    sound = [row for row in rows if not row["collapsed"]]
    shown = [*sound, *controls]
    values = [1.0, *(row["value"] for row in shown), *(row["expected"] for row in sound)]
    return view(values, [row[bound] for row in shown for bound in ("lower", "upper")])


def _draw(
    label: str, rows: list[Row], controls: list[Row], names: list[str], ratios: list[float], frame: View
) -> alt.LayerChart:
    grey = list(dict.fromkeys(row["series"] for row in controls))
    expected = [{**row, "series": theme.EXPECTED, "y": frame.clamp(row["expected"])}
                for row in rows if row["expected"] is not None and not row["collapsed"]]  # fmt: skip
    legend = [*names, *grey, *([theme.EXPECTED] if expected else [])]
    tail = [theme.INK] if expected else []
    colour = marks.colour(legend, [*theme.colours(names), *[theme.CONTROL_COLOUR] * len(grey), *tail])
    shape = marks.shape(legend, [*theme.shapes(names), *[theme.DASH] * len(grey), *[theme.DASH] * len(tail)])
    x, y = marks.x_axis(ratios), partial(marks.y_axis, frame=frame, title=Y_TITLE)
    room = pixels(ratios, len(names), marks.WIDTH)
    dashes = alt.Chart(marks.data(expected)).mark_point(filled=True, size=min(max(room, 5.0), 13.0) ** 2, opacity=0.85)
    layers = [
        *_control_layers(controls, colour, shape, y, frame),
        *marks.level_line(1.0, "slope 1", y),
        dashes.encode(x=x, y=y("y"), color=colour, shape=shape, tooltip=_tooltips()),
        *marks.cells(rows, x=x, y=y, colour=colour, shape=shape, tooltip=_tooltips(), room=room),
    ]
    return marks.finish(layers, label)


def _control_layers(
    controls: list[Row], colour: alt.Color, shape: alt.Shape, y: marks.Vertical, frame: View
) -> list[alt.Chart]:
    rows = place([{**row, "collapsed": False} for row in controls], frame)
    base = alt.Chart(marks.data(rows)).encode(color=colour)
    band = base.mark_rect(opacity=0.18).transform_filter("isValid(datum.y_lower)")
    tooltip = [alt.Tooltip("series:N", title="control"), *_tooltips()[2:5]]
    return [
        band.encode(y=y("y_lower"), y2="y_upper:Q"),
        base.mark_rule(strokeWidth=2).encode(y=y("y"), tooltip=tooltip),
    ]


def _tooltips() -> list[alt.Tooltip]:
    numbers = {"value": "slope alpha", "lower": "interval from", "upper": "to", "expected": "expected slope",
               "spread": "spread ratio", "cosine": "cosine"}  # fmt: skip
    return [
        alt.Tooltip("series:N", title="method"),
        alt.Tooltip("ratio:Q", title="ratio"),
        *(alt.Tooltip(f"{name}:Q", title=title, format=".3f") for name, title in numbers.items()),
        alt.Tooltip("n:Q", title="networks"),
        alt.Tooltip("verdict:N", title="verdict against 1"),
    ]
