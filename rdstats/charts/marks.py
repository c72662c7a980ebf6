"""Layers and axes that the charts share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import altair as alt

from rdstats.charts import theme
from rdstats.charts.panel import Row, View, axis_range

Vertical = Callable[[str], alt.Y]
"""Puts a field on the panel's vertical axis."""

WIDTH, HEIGHT = 360, 250

X_TITLE = "pruning ratio (all parameters over those kept)"


def data(rows: Sequence[Row]) -> alt.InlineData:
    """Return rows as data of one chart; Altair's limit on rows concerns data frames only."""
    return alt.InlineData(values=list(rows))


def x_axis(ratios: Sequence[float]) -> alt.X:
    """Return the ratio axis: ticks at the ratios, logarithmic."""
    ordered = sorted(set(ratios))
    scale = alt.Scale(type="log", domain=list(axis_range(ordered)), nice=False)
    axis = alt.Axis(values=ordered, format="~g", grid=False, labelOverlap="greedy")
    return alt.X("x:Q", scale=scale, axis=axis, title=X_TITLE)


def y_axis(field: str, frame: View, title: str) -> alt.Y:
    """Return a field on the vertical axis of the drawn range."""
    return alt.Y(f"{field}:Q", scale=alt.Scale(domain=[frame.low, frame.high], nice=False, zero=False), title=title)


def colour(names: Sequence[str], values: Sequence[str]) -> alt.Color:
    """Return the colour of each series; its legend is one with that of the shapes."""
    return alt.Color("series:N", scale=alt.Scale(domain=list(names), range=list(values)), legend=alt.Legend())


def shape(names: Sequence[str], values: Sequence[str]) -> alt.Shape:
    """Return the mark of each series."""
    return alt.Shape("series:N", scale=alt.Scale(domain=list(names), range=list(values)), legend=alt.Legend())


def level_line(value: float, text: str, y: Vertical) -> list[alt.Chart]:
    """Return a thin line across the panel with its name beside its right end."""
    base = alt.Chart(data([{"y": value, "text": text}])).encode(y=y("y"))
    label = base.mark_text(align="left", baseline="middle", dx=4)
    return [
        base.mark_rule(color=theme.INK, opacity=0.55, strokeWidth=1),
        label.encode(x=alt.value(WIDTH), text="text:N"),
    ]


def cells(
    rows: Sequence[Row],
    *,
    x: alt.X,
    y: Vertical,
    colour: alt.Color,
    shape: alt.Shape,
    tooltip: list[alt.Tooltip],
    room: float,
) -> list[alt.Chart]:
    """Return intervals with arrows where they leave the frame, points, and crosses over collapsed cells.

    `room` is the distance in pixels of series that stand side by side.
    """
    size = min(max((1.15 * room) ** 2, 24.0), 62.0)
    base = alt.Chart(data(rows)).encode(x=x, color=colour)
    bars = base.mark_rule(strokeWidth=1.6).encode(y=y("y_lower"), y2="y_upper:Q")
    sound = base.mark_point(filled=True, size=size, opacity=1).encode(y=y("y"), shape=shape, tooltip=tooltip)
    hollow = base.mark_point(filled=False, size=1.3 * size, strokeWidth=1.6, opacity=1)
    cross = base.mark_point(shape=theme.CROSS, filled=False, size=1.9 * size, strokeWidth=1.4, opacity=1)
    return [
        bars.transform_filter("isValid(datum.y_lower)"),
        _arrow(base, "cut_low", "y_lower", "triangle-down", y),
        _arrow(base, "cut_high", "y_upper", "triangle-up", y),
        sound.transform_filter("!datum.collapsed"),
        hollow.encode(y=y("y"), shape=shape, tooltip=tooltip).transform_filter("datum.collapsed"),
        cross.encode(y=y("y")).transform_filter("datum.collapsed"),
        _off_scale(rows, x, y),
    ]


def _arrow(base: alt.Chart, flag: str, field: str, form: str, y: Vertical) -> alt.Chart:
    mark = base.mark_point(shape=form, filled=True, size=34, opacity=1)
    chart: alt.Chart = mark.encode(y=y(field)).transform_filter(f"datum.{flag}")
    return chart


def _off_scale(rows: Sequence[Row], x: alt.X, y: Vertical) -> alt.Chart:
    """Write the value beside a point that lies outside the frame and is drawn at its edge."""
    beyond = alt.Chart(data([row for row in rows if row["off"]])).mark_text(align="left", dx=8)
    chart: alt.Chart = beyond.encode(x=x, y=y("y"), text=alt.Text("value:Q", format=".3~g"))
    return chart


def finish(layers: Sequence[alt.Chart], label: str) -> alt.LayerChart:
    """Stack layers into a panel."""
    title: dict[str, Any] = {"title": label} if label else {}
    return alt.LayerChart(layer=list(layers)).properties(width=WIDTH, height=HEIGHT, **title)


def join(panels: Sequence[alt.LayerChart], columns: int = 2) -> alt.LayerChart | alt.ConcatChart:
    """Return one panel as it is, several beside each other with vertical axes of their own."""
    chart: alt.LayerChart | alt.ConcatChart = panels[0]
    if len(panels) > 1:
        chart = alt.concat(*panels, columns=columns).resolve_scale(x="independent", y="independent")
    configured: alt.LayerChart | alt.ConcatChart = chart.configure(**theme.config())
    return configured
