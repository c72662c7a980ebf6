"""Layers and axes that the charts share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import altair as alt

from rdstats._labelled import METHOD, RATIO, control_of, is_control
from rdstats.charts import theme, titles
from rdstats.charts.panel import Drawing, Panel, Row, View, axis_range, group, ratio_of
from rdstats.errors import InputError
from rdstats.records import Record

Chart = alt.LayerChart | alt.ConcatChart | alt.VConcatChart
"""What the functions of this package return: one panel, or several."""

Vertical = Callable[[str], alt.Y]
"""Puts a field on the panel's vertical axis."""

WIDTH, HEIGHT = 360, 250


class _Rows(alt.InlineData):
    """Data whose rows are not compared with Altair's schema as soon as they are there: milliseconds a layer."""

    _class_is_valid_at_instantiation = False


def data(rows: Sequence[Row]) -> alt.InlineData:
    """Return rows as data of one chart; Altair's limit on rows concerns data frames only."""
    return _Rows(values=tuple(rows))  # what Altair does not copy whenever a chart is put into another


def ratios(records: Iterable[Record]) -> list[float]:
    """Return the ratios on the horizontal axis; none where the cube has no such dimension."""
    return sorted({ratio_of(record) for record in records if "ratio" in record})


def x_axis(ratios: Sequence[float], title: str, beyond: Sequence[float] = ()) -> alt.X:
    """Return the ratio axis: logarithmic, ticks at the ratios; bare where there are none.

    `beyond` are values without a tick that it reaches, too.
    """
    ordered = sorted(set(ratios))
    scale = alt.Scale(type="log", domain=list(axis_range([*ordered, *beyond] or [1.0])), nice=False)
    if not ordered:
        return alt.X("x:Q", scale=scale, axis=alt.Axis(values=[], grid=False, domain=False), title=None)
    axis = alt.Axis(values=ordered, format="~g", grid=False, labelOverlap="greedy", labelSeparation=3)
    return alt.X("x:Q", scale=scale, axis=axis, title=title)


def y_axis(field: str, frame: View, title: str) -> alt.Y:
    """Return a field on the vertical axis of the drawn range."""
    return alt.Y(f"{field}:Q", scale=alt.Scale(domain=[frame.low, frame.high], nice=False, zero=False), title=title)


class Names:
    """The names of a figure's series, with their colours and shapes: the same in all its panels.

    Parameters
    ----------
    names : series of the figure in order.
    methods : all methods of the cube, so that figures of a part of them agree.
    """

    def __init__(self, names: Iterable[str], methods: Sequence[str]) -> None:
        self.every = list(names)
        known = methods if set(self.every) <= set(methods) else self.every
        self.paint = dict(zip(self.every, theme.colours(self.every, known), strict=True))
        self._shapes = dict(zip(self.every, theme.shapes(self.every, known), strict=True))

    def among(self, present: Iterable[str]) -> list[str]:
        """Return the names that are present, in the figure's order."""
        there = set(present)
        return [name for name in self.every if name in there]

    def colour(self, names: Sequence[str], extra: Mapping[str, tuple[str, str]] | None = None) -> alt.Color:
        """Return the colours of these names, and of `extra` entries (name -> colour and shape) behind them."""
        more = {name: pair[0] for name, pair in (extra or {}).items()}
        return alt.Color("series:N", scale=_scale(names, self.paint, more), legend=_legend(names, extra))

    def shape(self, names: Sequence[str], extra: Mapping[str, tuple[str, str]] | None = None) -> alt.Shape:
        """Return the shapes of these names and of `extra` entries; one legend with the colours."""
        more = {name: pair[1] for name, pair in (extra or {}).items()}
        return alt.Shape("series:N", scale=_scale(names, self._shapes, more), legend=_legend(names, extra))


def scales(entries: Mapping[str, tuple[str, str]]) -> tuple[alt.Color, alt.Shape]:
    """Return colours and shapes of these entries alone: name -> colour and shape, one legend."""
    colour, shape = ({name: pair[i] for name, pair in entries.items()} for i in (0, 1))
    legend = _legend(list(entries), None)
    return (
        alt.Color("series:N", scale=_scale([], {}, colour), legend=legend),
        alt.Shape("series:N", scale=_scale([], {}, shape), legend=legend),
    )


def _scale(names: Sequence[str], values: Mapping[str, str], more: Mapping[str, str]) -> alt.Scale:
    shown = {**{name: values[name] for name in names}, **more}
    return alt.Scale(domain=list(shown), range=list(shown.values()))


def _legend(names: Sequence[str], extra: Mapping[str, Any] | None) -> alt.Legend:
    return alt.Legend(symbolLimit=len(names) + len(extra or {}))


def tooltips(head: Mapping[str, str], numbers: Mapping[str, str], words: Mapping[str, str]) -> list[alt.Tooltip]:
    """Return tooltips: field -> title; `numbers` with six significant digits."""
    return [
        *(alt.Tooltip(f"{name}:{'Q' if name == 'ratio' else 'N'}", title=title) for name, title in head.items()),
        *(alt.Tooltip(f"{name}:Q", title=title, format=".6~g") for name, title in numbers.items()),
        *(alt.Tooltip(f"{name}:{'Q' if name == 'n' else 'N'}", title=title) for name, title in words.items()),
    ]


def with_controls(records: Sequence[Record], dims: Sequence[str], by: str) -> dict[str, list[Record]]:
    """Group records into panels; where series are no methods, a method's control joins every panel of its networks."""
    if by == METHOD or METHOD not in dims:
        return group(records, dims, by)
    grey = [record for record in records if is_control(record[METHOD])]
    present = list(dict.fromkeys(str(record[METHOD]) for record in grey))
    others = [dim for dim in dims if dim not in (RATIO, METHOD)]
    places = group([record for record in records if not is_control(record[METHOD])], dims, by)
    for own in places.values():
        control = control_of(str(own[0][METHOD]), present)
        here = {tuple(str(record[dim]) for dim in others) for record in own}
        own += [r for r in grey if r[METHOD] == control and tuple(str(r[dim]) for dim in others) in here]
    return places or group(grey, dims, by)


def roomy(ratios: Sequence[float], names: Sequence[str]) -> tuple[float, float]:
    """Return width and height of a panel: larger where many series stand side by side at many ratios."""
    return (WIDTH, HEIGHT) if len(ratios) * len(names) <= 30 else (1.7 * WIDTH, 1.5 * HEIGHT)


def level_line(value: float, text: str, y: Vertical, width: float = WIDTH) -> list[alt.Chart]:
    """Return a thin line across the panel with its name beside its right end."""
    base = alt.Chart(data([{"y": value, "text": text}])).encode(y=y("y"))
    label = base.mark_text(align="left", baseline="middle", dx=4)
    return [
        base.mark_rule(color=theme.INK, opacity=0.55, strokeWidth=1),
        label.encode(x=alt.value(width), text=alt.Text("text:N")),
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
    bars = base.mark_rule(strokeWidth=1.6).encode(y=y("y_lower"), y2=alt.Y2("y_upper:Q"))
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


def finish(
    layers: Sequence[alt.Chart | alt.LayerChart],
    label: str,
    subtitle: str | Sequence[str] = "",
    *,
    width: float = WIDTH,
    height: float = HEIGHT,
    **options: Any,
) -> alt.LayerChart:
    """Stack layers into a panel; `subtitle` says below its label what a reader must know."""
    return alt.LayerChart(layer=list(layers), width=width, height=height, **titles.heading(label, subtitle), **options)


def join(panels: Sequence[Panel], columns: int = 2, *, about: str = "", caption: Sequence[str] = ()) -> Chart:
    """Return panels as one chart: as a matrix where they have places in one, else one after the other.

    `about` and the sentences of `caption` stand over all of it.
    """
    if not panels:
        raise InputError("nothing to draw: the figure has no panel")
    if len(panels) == 1 and not about:
        return configured(panels[0].chart)
    if panels[0].place is None or len(panels) == 1:
        return _apart([panel.chart for panel in panels], columns, about, caption)
    rows = list(dict.fromkeys(panel.place[0] for panel in panels if panel.place))
    across = list(dict.fromkeys(panel.place[1] for panel in panels if panel.place))
    placed = {panel.place: panel.chart for panel in panels}
    empty = alt.LayerChart(layer=[alt.Chart(data([])).mark_point()]).properties(
        width=getattr(panels[0].chart, "width", WIDTH), height=getattr(panels[0].chart, "height", HEIGHT)
    )
    cells = [placed.get((row, column), empty) for row in rows for column in across]
    return _apart(cells, len(across), about, caption)


def _apart(charts: Sequence[Drawing], columns: int, about: str, caption: Sequence[str]) -> alt.ConcatChart:
    """Return charts side by side, each with its own axes and legend; made in one go, since every change copies all."""
    scales = dict.fromkeys(("x", "y", "color", "shape"), "independent")
    return alt.ConcatChart(
        concat=list(charts),
        columns=columns,
        resolve={"scale": scales},
        config=alt.Config(**theme.config()),
        title=titles.over(about, caption, charts, columns) if about else alt.Undefined,
    )


def configured(chart: Chart) -> Chart:
    """Return a chart with the configuration of this package."""
    result: Chart = chart.configure(**theme.config())
    return result
