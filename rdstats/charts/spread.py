"""Spread ratio against cosine: the two factors of the slope."""

from __future__ import annotations

import math
from collections.abc import Sequence

import altair as alt
import numpy as np
import xarray as xr

from rdstats._labelled import METHOD, RATIO, SEED
from rdstats.charts import marks, theme
from rdstats.charts.labels import beside
from rdstats.charts.panel import Panel, Row, cell_dims, check_by, records_of, series, text
from rdstats.charts.reference import control_name, is_controls
from rdstats.records import Record, plain

WIDTH, HEIGHT = 400, 320
X_TITLE = "cosine (1: classes keep their places)"
Y_TITLE = "spread ratio (above 1: classes drift apart)"
_NAMES = ("mean", "spread", "cosine", "n", "verdict", "collapsed", "reason")


def spread_chart(data: xr.Dataset, *, by: str = METHOD) -> marks.Chart:
    """Draw the spread ratio of networks against their cosine: the slope is the product of the two.

    Small dots are networks, large marks the means of a cell with the ratio beside them, joined in the order of
    ratios; thin curves join points of equal slope. Far up means that classes drift apart, far to the left that
    they change places. The control is grey; collapsed cells are hollow and crossed, and do not set the range:
    what lies beyond is drawn at the edge.

    Parameters
    ----------
    data : result of `rdstats.figures.spread_figure`.
    by : dimension whose labels are told apart by colour and shape; the others get a panel each.

    Raises
    ------
    InputError
        Another dimension, or a figure without a value.
    """
    return marks.join(spread_panels(data, by=by))


def spread_panels(data: xr.Dataset, *, by: str = METHOD) -> list[Panel]:
    """Return the panels of `spread_chart`."""
    records = records_of(data, _NAMES, {})
    dims, by = cell_dims(data), check_by(data, by)
    dots = _networks(data, dims)
    for record in records:
        record["networks"] = dots.get(_key(record, dims), [])
    names = marks.Names(
        dict.fromkeys(series(record, by) for record in records if not is_controls(record)), data.attrs["methods"]
    )
    return [_panel(label, part, names, by, data) for label, part in marks.with_controls(records, dims, by).items()]


def _key(record: Record, dims: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(record[dim]) for dim in dims)


def _networks(data: xr.Dataset, dims: Sequence[str]) -> dict[tuple[str, ...], list[Row]]:
    """Return the networks of every cell; none where the figure has means only."""
    if "network_spread" not in data:
        return {}
    names = ("network_cosine", "network_spread", "degenerate")
    arrays = [data[name].broadcast_like(data["network_spread"]).transpose(*dims, SEED).values for name in names]
    labels = [data[dim].values if dim in data.coords else np.arange(data.sizes[dim]) for dim in dims]
    seeds = data[SEED].values if SEED in data.coords else np.arange(arrays[0].shape[-1])
    result: dict[tuple[str, ...], list[Row]] = {}
    for index in map(tuple, np.argwhere(~np.isnan(arrays[0]) & ~np.isnan(arrays[1]))):
        key = tuple(str(plain(values[i])) for values, i in zip(labels, index, strict=False))
        cosine, spread, degenerate = (values[index].item() for values in arrays)
        row = {"seed": text(plain(seeds[index[-1]])), "cosine": cosine, "spread": spread, "degenerate": degenerate}
        result.setdefault(key, []).append(row)
    return result


def _panel(label: str, records: Sequence[Record], every: marks.Names, by: str, data: xr.Dataset) -> Panel:
    drawn = ("mean", "spread", "cosine")  # where all classes are alike in the end there is a slope, 0, and no cosine
    means = [_mean(record, by) for record in records if all(record[name] is not None for name in drawn)]
    dots = [
        {**dot, "series": _series(record, by), "ratio": record.get(RATIO), "slope": dot["cosine"] * dot["spread"]}
        for record in records for dot in record["networks"]
    ]  # fmt: skip
    frame = _frame(means, dots)
    means, dots = ([_placed(row, frame) for row in rows] for rows in (means, dots))
    chart = _draw(label, means, dots, every, frame, data)
    return Panel(label, tuple(means), chart)


def _series(record: Record, by: str) -> str:
    if not is_controls(record):
        return series(record, by)
    own = "" if by == METHOD else series(record, by)
    return f"{control_name(str(record[METHOD]))} {own}".rstrip()


def _mean(record: Record, by: str) -> Row:
    name, control = _series(record, by), is_controls(record)
    ratio = None if control or RATIO not in record else record[RATIO]
    where = name if ratio is None else f"{name} at ratio {ratio:g}"
    return {
        "series": name, "ratio": record.get(RATIO), "cosine": record["cosine"], "spread": record["spread"],
        "slope": record["mean"], "n": record["n"], "verdict": record["verdict"], "collapsed": record["collapsed"],
        "beside": "" if ratio is None else f"{ratio:g}",
        "text": f"{where}: slope {record['mean']:.3f}, spread ratio {record['spread']:.3f}, "
        f"cosine {record['cosine']:.3f}" + (", collapsed" if record["collapsed"] else ""),
    }  # fmt: skip


Frame = tuple[float, float, float, float]
"""Left, right, low and high end of what is drawn."""

_TICKS = (
    [i / 10 for i in range(1, 10)] + [1 + i / 10 for i in range(10)] + [2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0],
    [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 20, 50, 100],
)
"""Ticks of a short and of a long axis of spread ratios."""


def _frame(means: Sequence[Row], dots: Sequence[Row]) -> Frame:
    """Return the range of cosine and spread: means that have not collapsed, and dots as far as they leave room."""
    sound = [row for row in means if not row["collapsed"] and row["spread"] > 0] or [{"cosine": 1.0, "spread": 1.0}]
    near = [dot for dot in dots if not dot["degenerate"] and dot["spread"] > 0]
    left, low, high = (
        edge([row[name] for row in sound])
        for edge, name in ((min, "cosine"), (min, "spread"), (max, "spread"))
    )  # fmt: skip
    low, high = min(low, 0.9), max(high, 1.1)
    if near:
        left = max(min(left, *(dot["cosine"] for dot in near)), left - 0.4)
        low = max(min(low, *(dot["spread"] for dot in near)), low / 1.6)
        high = min(max(high, *(dot["spread"] for dot in near)), high * 1.6)
    left = min(left, 0.9)
    return left - 0.03 * (1 - left), 1.0 + 0.03 * (1 - left), low / 1.08, high * 1.08


def _placed(row: Row, frame: Frame) -> Row:
    left, right, low, high = frame
    x, y = min(max(row["cosine"], left), right), min(max(row["spread"], low), high)
    return {**row, "x": x, "y": y, "off": (x, y) != (row["cosine"], row["spread"])}


def _axes(frame: Frame) -> tuple[alt.X, alt.Y]:
    left, right, low, high = frame
    across = alt.Scale(domain=[left, right], nice=False, zero=False)
    up = alt.Scale(type="log", domain=[low, high], nice=False)
    ticks = [tick for tick in _TICKS[high / low > 3] if low <= tick <= high]
    return (
        alt.X("x:Q", scale=across, axis=alt.Axis(tickCount=6), title=X_TITLE),
        alt.Y("y:Q", scale=up, axis=alt.Axis(values=ticks, format="~g"), title=Y_TITLE),
    )


def _pixels(row: Row, frame: Frame) -> tuple[float, float]:
    left, right, low, high = frame
    x = (row["x"] - left) / (right - left) * WIDTH
    return x, (1 - math.log(row["y"] / low) / math.log(high / low)) * HEIGHT


def _draw(
    label: str, means: list[Row], dots: list[Row], every: marks.Names, frame: Frame, data: xr.Dataset
) -> alt.LayerChart:
    present = {row["series"] for row in means}
    names = every.among(present)
    extra = {name: (theme.CONTROL_COLOUR, theme.DASH) for name in dict.fromkeys(row["series"] for row in means)
             if name not in names}  # fmt: skip
    x, y = _axes(frame)
    colour = every.colour(names, extra)
    style = {"x": x, "y": y, "color": colour, "shape": every.shape(names, extra)}
    tooltip = _tooltips()
    small = alt.Chart(marks.data(dots)).mark_point(filled=True, size=12, opacity=0.5)
    seed = [alt.Tooltip("seed:N", title="seed")]
    large = alt.Chart(marks.data(means))
    sound = large.mark_point(filled=True, size=75, opacity=1, stroke=theme.INK, strokeWidth=0.6)
    hollow = large.mark_point(filled=False, size=80, strokeWidth=1.6, opacity=1)
    cross = large.mark_point(shape=theme.CROSS, filled=False, size=110, strokeWidth=1.4, opacity=1)
    layers = [
        *_guides(data, frame, x, y),
        small.encode(**style, tooltip=[*tooltip[:2], *seed, *tooltip[2:5]]),
        _courses(means, x, y, colour),
        sound.encode(**style, tooltip=tooltip).transform_filter("!datum.collapsed"),
        hollow.encode(**style, tooltip=tooltip).transform_filter("datum.collapsed"),
        cross.encode(x=x, y=y, color=colour).transform_filter("datum.collapsed"),
        *_ratios(means, frame, x, y),
    ]
    return marks.finish(layers, label, str(data.attrs.get("summary", "")), width=WIDTH, height=HEIGHT)


def _guides(data: xr.Dataset, frame: Frame, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Return the curves of equal slope within the frame, each named at its right end."""
    left, right, low, high = frame
    curves = data["equal_slope"].transpose("guide", "guide_cosine")
    cosines = data["guide_cosine"].values.tolist()
    rows, ends = [], []
    for slope, line in zip(data["guide"].values.tolist(), curves.values.tolist(), strict=True):
        name = f"slope {slope:g}"
        inside = [
            {"x": cosine, "y": value, "name": name}
            for cosine, value in zip(cosines, line, strict=True)
            if left <= cosine <= right and low <= value <= high
        ]
        rows += inside
        ends += [{**end, "across": end["x"] > cosines[-2]} for end in inside[-1:]]
    base = alt.Chart(marks.data(rows)).mark_line(color=theme.INK, opacity=0.45, strokeWidth=1, strokeDash=[2, 3])
    layers = [base.encode(x=x, y=y, detail=alt.Detail("name:N"))]
    for across, dx, dy in ((True, 16, 0), (False, 2, -9)):  # beside the frame, or above its lower edge
        beyond = alt.Chart(marks.data([end for end in ends if end["across"] == across]))
        layers.append(
            beyond.mark_text(align="left", dx=dx, dy=dy, opacity=0.8).encode(x=x, y=y, text=alt.Text("name:N"))
        )
    return layers


def _courses(means: Sequence[Row], x: alt.X, y: alt.Y, colour: alt.Color) -> alt.Chart:
    """Join the means of a series in the order of ratios."""
    sound = [row for row in means if not row["collapsed"] and row["ratio"] is not None]
    line = alt.Chart(marks.data(sound)).mark_line(strokeWidth=1, opacity=0.7)
    chart: alt.Chart = line.encode(x=x, y=y, color=colour, order=alt.Order("ratio:Q"))
    return chart


def _ratios(means: Sequence[Row], frame: Frame, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Write the ratio beside each mean, where there is room."""
    named = [row for row in means if row["beside"]]
    taken = [_pixels(row, frame) for row in means]
    found = beside([_pixels(row, frame) for row in named], [row["beside"] for row in named], taken)
    layers = []
    for align, dx, dy in dict.fromkeys(offset for offset in found if offset is not None):
        rows = [row for row, offset in zip(named, found, strict=True) if offset == (align, dx, dy)]
        mark = alt.Chart(marks.data(rows)).mark_text(align=align, dx=dx, dy=dy, fontSize=9)
        layers.append(mark.encode(x=x, y=y, text=alt.Text("beside:N")))
    return layers


def _tooltips() -> list[alt.Tooltip]:
    numbers = {"slope": "slope alpha", "spread": "spread ratio", "cosine": "cosine"}
    return marks.tooltips({"series": "series", "ratio": "ratio"}, numbers, {"n": "networks", "verdict": "against 1"})
