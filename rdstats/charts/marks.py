"""Layers and axes that the charts share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from rdstats.charts import theme
from rdstats.charts.panel import Row, View, is_log

WIDTH, HEIGHT = 360, 250

X_TITLE = "pruning ratio (all parameters over those kept)"


def data(rows: Sequence[Row]) -> alt.InlineData:
    """Return rows as data of one chart; Altair's limit on rows concerns data frames only."""
    return alt.InlineData(values=list(rows))


def x_axis(ratios: Sequence[float]) -> alt.X:
    """Return the ratio axis: ticks at the ratios, logarithmic."""
    ordered = sorted(set(ratios))
    log = is_log(ordered)
    low, high = (ordered[0] / 1.45, ordered[-1] * 1.45) if log else (ordered[0] - 0.7, ordered[-1] + 0.7)
    scale = alt.Scale(type="log" if log else "linear", domain=[low, high], nice=False, zero=False)
    axis = alt.Axis(values=ordered, format="~g", grid=False, labelOverlap="greedy")
    return alt.X("x:Q", scale=scale, axis=axis, title=X_TITLE)


def y_scale(frame: View) -> alt.Scale:
    """Return the scale of the drawn range."""
    return alt.Scale(domain=[frame.low, frame.high], nice=False, zero=False)


def colour(names: Sequence[str], values: Sequence[str]) -> alt.Color:
    """Return the colour of each series; its legend is one with that of the shapes."""
    return alt.Color("series:N", scale=alt.Scale(domain=list(names), range=list(values)), legend=alt.Legend())


def shape(names: Sequence[str], values: Sequence[str]) -> alt.Shape:
    """Return the mark of each series."""
    return alt.Shape("series:N", scale=alt.Scale(domain=list(names), range=list(values)), legend=alt.Legend())


def level_line(value: float, text: str, y: alt.Y) -> list[alt.Chart]:
    """Return a thin line across the panel with its name at the right edge."""
    base = alt.Chart(data([{"y": value, "text": text}])).encode(y=y)
    label = base.mark_text(align="right", baseline="bottom", dx=-2, dy=-3, opacity=0.8)
    return [
        base.mark_rule(color=theme.INK, opacity=0.75, strokeWidth=1),
        label.encode(x=alt.value(WIDTH), text="text:N"),
    ]


def cells(
    rows: Sequence[Row], *, x: alt.X, y: alt.Y, colour: alt.Color, shape: alt.Shape, tooltip: list[alt.Tooltip]
) -> list[alt.Chart]:
    """Return intervals with arrows where they leave the frame, points, and crosses over collapsed cells."""
    base = alt.Chart(data(rows)).encode(x=x, color=colour)
    bars = base.mark_rule(strokeWidth=1.6).encode(y=alt.Y("y_lower:Q", scale=y.scale, title=y.title), y2="y_upper:Q")
    sound = base.mark_point(filled=True, size=62, opacity=1).encode(y=y, shape=shape, tooltip=tooltip)
    hollow = base.mark_point(filled=False, size=74, strokeWidth=1.6, opacity=1)
    cross = base.mark_point(shape=theme.CROSS, filled=False, size=40, strokeWidth=1.6, opacity=1)
    return [
        bars.transform_filter("isValid(datum.y_lower)"),
        _arrow(base, "cut_low", "y_lower", "triangle-down", y),
        _arrow(base, "cut_high", "y_upper", "triangle-up", y),
        sound.transform_filter("!datum.collapsed"),
        hollow.encode(y=y, shape=shape, tooltip=tooltip).transform_filter("datum.collapsed"),
        cross.encode(y=y).transform_filter("datum.collapsed"),
        _off_scale(rows, x, y),
    ]


def _arrow(base: alt.Chart, flag: str, field: str, form: str, y: alt.Y) -> alt.Chart:
    mark = base.mark_point(shape=form, filled=True, size=34, opacity=1)
    return mark.encode(y=alt.Y(f"{field}:Q", scale=y.scale, title=y.title)).transform_filter(f"datum.{flag}")


def _off_scale(rows: Sequence[Row], x: alt.X, y: alt.Y) -> alt.Chart:
    """Write the value beside a point that lies outside the frame and is drawn at its edge."""
    beyond = alt.Chart(data([row for row in rows if row["off"]])).mark_text(align="left", dx=8)
    return beyond.encode(x=x, y=y, text=alt.Text("value:Q", format=".3~g"))


def finish(layers: Sequence[alt.Chart], label: str) -> alt.LayerChart:
    """Stack layers into a panel."""
    title: dict[str, Any] = {"title": label} if label else {}
    return alt.layer(*layers).properties(width=WIDTH, height=HEIGHT, **title)


def join(panels: Sequence[alt.LayerChart], columns: int = 2) -> alt.LayerChart | alt.ConcatChart:
    """Return one panel as it is, several beside each other with vertical axes of their own."""
    if len(panels) == 1:
        chart: alt.LayerChart | alt.ConcatChart = panels[0]
    else:
        chart = alt.concat(*panels, columns=columns).resolve_scale(x="independent", y="independent")
    return chart.configure(**theme.config())
