"""Accuracy above, slope below, against the ratio that was achieved: methods beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import altair as alt
import xarray as xr

from rdstats._labelled import METHOD, RATIO
from rdstats._words import words
from rdstats.charts import marks, reference, theme, titles
from rdstats.charts.panel import Panel, Row, View, cell_dims, check_by, place, ratio_of, records_of, series, view
from rdstats.records import Record

WIDTH, HEIGHT = 360, 150
_TITLES = {"accuracy": "mean accuracy", "slope": "mean slope alpha"}
_COUNTS = {"accuracy": "n", "slope": "n_slope"}
_NAMES = (
    "accuracy", "accuracy_se", "n", "slope", "slope_se", "n_slope", "achieved_ratio", "accuracy_dense", "n_dense",
    "verdict", "expected",
)  # fmt: skip


def level_chart(data: xr.Dataset, *, by: str = METHOD) -> marks.Chart:
    """Draw mean accuracy and, below it, mean slope against the pruning ratio that was achieved.

    Points are means over seeds, bars reach one standard error to both sides. Lines across are the accuracy before
    compression, slope 1 and the control's values; short bars are slopes expected from accuracy alone. A hollow,
    crossed point is a collapsed cell, a number beside a mark at the edge its value. Where a cube does not know
    achieved ratios, points stand at the nominal ones, which the axis says.

    Parameters
    ----------
    data : result of `rdstats.figures.level_figure`.
    by : dimension whose labels are told apart by colour and shape; the others get a panel each.

    Raises
    ------
    InputError
        Another dimension, or a figure without a value.

    Source: paper, Tables 12 and 13.
    """
    return marks.join(level_panels(data, by=by))


def level_panels(data: xr.Dataset, *, by: str = METHOD) -> list[Panel]:
    """Return the panels of `level_chart`."""
    records = records_of(data, _NAMES, {})
    dims, by = cell_dims(data), check_by(data, by)
    shown = [record for record in records if by == METHOD or not reference.is_controls(record)]
    names = marks.Names(dict.fromkeys(series(record, by) for record in shown), data.attrs["methods"])
    title = words(data.attrs).ratio
    return [_panel(label, part, names, by, title) for label, part in marks.with_controls(records, dims, by).items()]


def _panel(label: str, records: Sequence[Record], every: marks.Names, by: str, title: str) -> Panel:
    compressed = [r for r in records if not reference.is_controls(r) and r["accuracy"] is not None]
    controls = [r for r in records if reference.is_controls(r)]
    parts = {side: [_row(record, side, by) for record in compressed if record[side] is not None] for side in _TITLES}
    grey = {side: [_control(record, side, by) for record in controls if record[side] is not None] for side in _TITLES}
    dense = {series(record, by): record["accuracy_dense"] for record in compressed}
    levels = {"accuracy": list(dense.values()), "slope": [1.0]}
    frames = {side: _frame(parts[side], grey[side], levels[side]) for side in _TITLES}
    rows = {side: place(parts[side], frames[side]) for side in _TITLES}
    nominal = marks.ratios(record for record in records if not reference.is_controls(record))
    known = any(record["achieved_ratio"] is not None for record in compressed)
    x = marks.x_axis(nominal, f"achieved {title}" if known else title, [row["x"] for row in parts["accuracy"]])
    y = {side: partial(marks.y_axis, frame=frames[side], title=title) for side, title in _TITLES.items()}
    expected = reference.expected_rows(rows["slope"], frames["slope"], named=False)
    names, extra = every.among(dense), reference.legend([*grey["accuracy"], *grey["slope"]], expected, every)
    style: dict[str, Any] = {"color": every.colour(names, extra), "shape": every.shape(names, extra)}
    above = [
        *_dense_lines(dense, every, y["accuracy"]),
        *reference.control_layers(grey["accuracy"], style["color"], y["accuracy"], frames["accuracy"], "accuracy"),
        *_series(rows["accuracy"], _without_title(x), y["accuracy"], style),
    ]
    below = [
        *marks.level_line(1.0, "slope 1", y["slope"], WIDTH),
        *reference.control_layers(grey["slope"], style["color"], y["slope"], frames["slope"]),
        _expected(expected, x, y["slope"], style["color"]),
        *_series(rows["slope"], x, y["slope"], style),
    ]
    plots = [marks.finish(layers, "", width=WIDTH, height=HEIGHT) for layers in (above, below)]
    chart = alt.VConcatChart(vconcat=plots, spacing=12, **titles.heading(label))
    return Panel(label, (*rows["accuracy"], *rows["slope"]), chart)


def _expected(bars: Sequence[Row], x: alt.X, y: marks.Vertical, colour: alt.Color) -> alt.Chart:
    """Return short bars in the colours of their series, so that each can be told from the others."""
    tooltip = marks.tooltips({"series": "series", "ratio": "nominal ratio"}, {"expected": "expected slope"}, {})
    mark = alt.Chart(marks.data(bars)).mark_point(shape=theme.DASH, filled=True, size=80, opacity=0.9)
    drawn: alt.Chart = mark.encode(x=x, y=y("y"), color=colour, tooltip=tooltip)
    return drawn


def _without_title(x: alt.X) -> alt.X:
    bare: alt.X = x.copy()
    bare["title"] = None
    return bare


def _row(record: Record, side: str, by: str) -> Row:
    achieved, verdict, name = record["achieved_ratio"], str(record["verdict"]), series(record, by)
    at = achieved if achieved is not None else ratio_of(record)
    value, se = record[side], record[f"{side}_se"]
    gone = verdict.startswith("collapsed")
    error = "" if se is None else f" (standard error {se:.3f})"
    return {
        "series": name, "x": at, "ratio": record.get(RATIO), "achieved": achieved, "value": value, "se": se,
        "lower": None if se is None else value - se, "upper": None if se is None else value + se,
        "n": record[_COUNTS[side]], "verdict": verdict, "collapsed": gone,
        "expected": record["expected"] if side == "slope" else None,
        "text": f"{side} of {name} at ratio {at:.4g}: {value:.3f}{error}{', collapsed' if gone else ''}",
    }  # fmt: skip


def _control(record: Record, side: str, by: str) -> Row:
    ends = {"mean": record[side], "lower": None, "upper": None, "n": record[_COUNTS[side]]}
    return reference.control_row(record | ends, by)


def _frame(rows: Sequence[Row], grey: Sequence[Row], levels: Sequence[float | None]) -> View:
    sound = [row for row in rows if not row["collapsed"]]
    values = [*levels, *(row["value"] for row in (*sound, *grey)), *(row["expected"] for row in sound)]
    ends = [row[end] for row in sound for end in ("lower", "upper")]
    inside = [value for value in values if value is not None] or [0.0]
    least = 0.02 if max(inside) <= 1 else 0.2
    return view(inside, ends, least)


def _dense_lines(dense: Mapping[str, float | None], every: marks.Names, y: marks.Vertical) -> list[alt.Chart]:
    """Return the accuracy before compression: one line, or one a series where they start from different networks."""
    values = {name: value for name, value in dense.items() if value is not None}
    if len({round(value, 12) for value in values.values()}) == 1:
        return marks.level_line(next(iter(values.values())), "before", y, WIDTH)
    rows = [{"y": value, "name": f"before {name}", "paint": every.paint[name]} for name, value in values.items()]
    tooltip = marks.tooltips({"name": "series"}, {"y": "accuracy"}, {})
    lines = alt.Chart(marks.data(rows)).mark_rule(strokeDash=[3, 3], strokeWidth=1.2)
    top = alt.Chart(marks.data([{"y": max(values.values(), default=0.0), "text": "before"}][: len(values)]))
    label = top.mark_text(align="left", dx=4).encode(x=alt.value(WIDTH), y=y("y"), text="text:N")
    return [lines.encode(y=y("y"), color=alt.Color("paint:N", scale=None), tooltip=tooltip), label]


def _series(rows: Sequence[Row], x: alt.X, y: marks.Vertical, style: Mapping[str, Any]) -> list[alt.Chart]:
    line = alt.Chart(marks.data([row for row in rows if not row["collapsed"]])).mark_line(strokeWidth=1.4)
    drawn = line.encode(x=x, y=y("y"), color=style["color"], detail=alt.Detail("series:N"), order=alt.Order("x:Q"))
    cells = marks.cells(
        rows, x=x, y=y, colour=style["color"], shape=style["shape"], tooltip=_tooltips(), room=6.5
    )
    return [drawn, *cells]


def _tooltips() -> list[alt.Tooltip]:
    numbers = {"achieved": "achieved ratio", "value": "mean", "se": "standard error"}
    words = {"n": "networks", "verdict": "against 1"}
    return marks.tooltips({"series": "series", "ratio": "nominal ratio"}, numbers, words)
