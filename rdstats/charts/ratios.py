"""Achieved against nominal pruning ratio."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import xarray as xr

from rdstats._labelled import METHOD, RATIO
from rdstats._words import words
from rdstats.charts import marks, reference, theme
from rdstats.charts.panel import (
    Panel,
    Row,
    axis_range,
    cell_dims,
    check_by,
    group,
    pixels,
    positions,
    ratio_of,
    records_of,
    series,
)
from rdstats.records import Record

_NAMES = ("mean", "low", "high", "n", "target", "noted")


def ratio_chart(data: xr.Dataset, *, by: str = METHOD) -> marks.Chart:
    """Draw the ratio that networks achieved against the one that was asked for.

    Points are means over networks, bars their range; series stand beside each other around their nominal ratio, and
    the short line across them, like the diagonal, is where achieved and nominal ratio agree. Where they are over 5 %
    apart the achieved ratio is written beside the point.

    Parameters
    ----------
    data : result of `rdstats.figures.ratio_figure`.
    by : dimension whose labels are told apart by colour and shape; the others get a panel each.

    Raises
    ------
    InputError
        Another dimension, or a figure without a value.
    """
    return marks.join(ratio_panels(data, by=by))


def ratio_panels(data: xr.Dataset, *, by: str = METHOD) -> list[Panel]:
    """Return the panels of `ratio_chart`."""
    records = records_of(data, _NAMES, {})
    dims, by = cell_dims(data), check_by(data, by)
    records = [record for record in records if not reference.is_controls(record)] or records
    names = marks.Names(dict.fromkeys(series(record, by) for record in records), data.attrs["methods"])
    what = f"{words(data.attrs).act} ratio"
    return [_panel(label, part, names, by, what) for label, part in group(records, dims, by).items()]


def _panel(label: str, records: Sequence[Record], every: marks.Names, by: str, what: str) -> Panel:
    names, ratios = every.among(series(record, by) for record in records), marks.ratios(records)
    x = positions(ratios, names)
    rows = [_row(record, x, by) for record in records if record["mean"] is not None]
    edges = [x[name, ratio] for name in (names[0], names[-1]) for ratio in ratios]
    width, height = marks.roomy(ratios, names)
    room = pixels(ratios, len(names), width)
    spans = [{"nominal": ratio, "left": x[names[0], ratio], "right": x[names[-1], ratio]} for ratio in ratios]
    horizontal = marks.x_axis(ratios, f"nominal {what} (asked for)")
    vertical = _vertical([*edges, *(row[name] for row in rows for name in ("low", "high"))], ratios, f"achieved {what}")
    base = alt.Chart(marks.data(rows)).encode(x=horizontal, color=every.colour(names))
    points = base.mark_point(filled=True, size=min(max((1.15 * room) ** 2, 24.0), 62.0), opacity=1)
    noted = base.transform_filter("datum.noted").mark_text(align="left", dx=7, fontSize=10)
    layers = [
        *_identity(spans, edges, horizontal, vertical),
        base.mark_rule(strokeWidth=1.6).encode(y=_field(vertical, "low"), y2=alt.Y2("high:Q")),
        points.encode(y=_field(vertical, "value"), shape=every.shape(names), tooltip=_tooltips()),
        noted.encode(y=_field(vertical, "value"), text=alt.Text("value:Q", format=".3~g"), color=alt.value(theme.INK)),
    ]
    told = "number beside a point: achieved ratio, over 5 % from the nominal one" if any(
        row["noted"] for row in rows) else ""  # fmt: skip
    return Panel(label, tuple(rows), marks.finish(layers, label, told, width=width, height=height))


def _row(record: Record, x: dict[tuple[str, float], float], by: str) -> Row:
    name, ratio = series(record, by), ratio_of(record)
    ends = f", {record['low']:.4g} to {record['high']:.4g}" if record["low"] != record["high"] else ""
    return {
        "series": name, "ratio": record[RATIO], "x": x[name, ratio], "value": record["mean"], "low": record["low"],
        "high": record["high"], "n": record["n"], "target": record["target"], "noted": bool(record["noted"]),
        "text": f"{name} at nominal ratio {ratio:g}: achieved {record['mean']:.4g}{ends}",
    }  # fmt: skip


def _vertical(values: Sequence[float], ratios: Sequence[float], title: str) -> alt.Y:
    axis = alt.Axis(values=list(ratios), format="~g", labelOverlap="greedy", labelSeparation=3)
    scale = alt.Scale(type="log", domain=list(axis_range([*values, *ratios])), nice=False)
    return alt.Y("value:Q", scale=scale, axis=axis, title=title)


def _field(y: alt.Y, name: str) -> alt.Y:
    own: alt.Y = y.copy()
    own["shorthand"] = f"{name}:Q"
    return own


def _identity(spans: Sequence[Row], edges: Sequence[float], x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Return where achieved and nominal ratio agree: the diagonal, and a level across the series of a ratio."""
    low, high = axis_range(edges)
    ends = alt.Chart(marks.data([{"x": low, "y": low}, {"x": high, "y": high}]))
    steps = alt.Chart(marks.data([{**span, "left": span["left"] / 1.05, "right": span["right"] * 1.05}
                                  for span in spans]))  # fmt: skip
    right = x["scale"]["domain"][1]
    name = alt.Chart(marks.data([{"x": right, "y": right, "text": "as asked for"}]))
    return [
        ends.mark_line(color=theme.INK, opacity=0.35, strokeWidth=1, strokeDash=[4, 3], clip=True)
        .encode(x=x, y=_field(y, "y")),
        steps.mark_rule(color=theme.INK, opacity=0.6, strokeWidth=1)
        .encode(x=alt.X("left:Q", scale=x["scale"]), x2=alt.X2("right:Q"), y=_field(y, "nominal")),
        name.mark_text(align="left", baseline="middle", dx=4).encode(x=x, y=_field(y, "y"), text=alt.Text("text:N")),
    ]  # fmt: skip


def _tooltips() -> list[alt.Tooltip]:
    numbers = {"value": "mean achieved ratio", "low": "smallest", "high": "largest", "target": "aimed at"}
    return marks.tooltips({"series": "series", "ratio": "nominal ratio"}, numbers, {"n": "networks"})
