"""The primary comparison: slope minus the control's slope against pruning ratio."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import altair as alt

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
from rdstats.errors import InputError
from rdstats.records import Record, control_records

Y_TITLE = "slope alpha minus the control's slope"


def delta_chart(analysis: Analysis) -> alt.LayerChart | alt.ConcatChart:
    """Draw by how much the slope of pruned networks differs from the control's, one panel a dataset and arch.

    Points are means over seeds of differences paired by the dense network, bars their simultaneous t
    intervals; at 0 pruning changed nothing beyond the control's fine-tuning, and the shaded band is the
    margin of differences without practical meaning. Collapsed cells are hollow and crossed, without interval.

    Parameters
    ----------
    analysis : result of `rdstats.analyze`.

    Raises
    ------
    InputError
        An analysis without a control, or a cube without the dimension ratio.
    """
    return marks.join([panel.chart for panel in delta_panels(analysis)])


def delta_panels(analysis: Analysis) -> list[Panel]:
    """Return the panels of `delta_chart`; configure each with `rdstats.charts.theme.config`."""
    records = control_records(analysis)
    if analysis.control is None or not records:
        raise InputError("the cube has no control (method sham), so there is no difference to draw")
    dims = [str(dim) for dim in analysis.control["mean"].dims]
    require_ratio(dims)
    methods = list(dict.fromkeys(series(record) for record in records))
    margin = float(analysis.control.attrs["margin"])
    return [_panel(label, part, methods, margin) for label, part in group(records, dims).items()]


def _panel(label: str, records: Sequence[Record], methods: Sequence[str], margin: float) -> Panel:
    present = {series(record) for record in records}
    names = [name for name in methods if name in present]
    x = positions([record["ratio"] for record in records], names)
    rows = [_row(record, x[series(record), record["ratio"]]) for record in records if record["mean"] is not None]
    sound = [row for row in rows if not row["collapsed"]]
    values = [-margin, margin, *(row["value"] for row in sound)]
    frame = view(values, [row[bound] for row in sound for bound in ("lower", "upper")])
    rows = place(rows, frame)
    ratios = [record["ratio"] for record in records]
    return Panel(label, tuple(rows), _draw(label, rows, names, ratios, frame, margin))


def _row(record: Record, x: float) -> Row:
    return {
        "series": series(record), "ratio": record["ratio"], "x": x, "value": record["mean"],
        "lower": record["lower"], "upper": record["upper"], "n": record["n"], "claim": record["claim"],
        "control": record["control"], "control_slope": record["control_slope"],
        "log_spread": record["log_spread"], "collapsed": record["claim"] == "collapsed",
    }  # fmt: skip


def _draw(
    label: str, rows: list[Row], names: list[str], ratios: list[float], frame: View, margin: float
) -> alt.LayerChart:
    y = partial(marks.y_axis, frame=frame, title=Y_TITLE)
    colour, shape = marks.colour(names, theme.colours(names)), marks.shape(names, theme.shapes(names))
    room = pixels(ratios, len(names), marks.WIDTH)
    layers = [
        _margin_band(margin, y),
        *marks.level_line(0.0, "control", y),
        *marks.cells(rows, x=marks.x_axis(ratios), y=y, colour=colour, shape=shape, tooltip=_tooltips(), room=room),
    ]
    return marks.finish(layers, label)


def _margin_band(margin: float, y: marks.Vertical) -> alt.Chart:
    band = alt.Chart(marks.data([{"low": -margin, "high": margin}])).mark_rect(color=theme.CONTROL_COLOUR, opacity=0.14)
    placed: alt.Chart = band.encode(y=y("low"), y2="high:Q")
    return placed


def _tooltips() -> list[alt.Tooltip]:
    numbers = {"value": "difference from the control", "lower": "interval from", "upper": "to",
               "control_slope": "control's slope", "log_spread": "difference of log spread"}  # fmt: skip
    return [
        alt.Tooltip("series:N", title="method"),
        alt.Tooltip("ratio:Q", title="ratio"),
        *(alt.Tooltip(f"{name}:Q", title=title, format=".3f") for name, title in numbers.items()),
        alt.Tooltip("control:N", title="control"),
        alt.Tooltip("n:Q", title="networks"),
        alt.Tooltip("claim:N", title="claim"),
    ]
