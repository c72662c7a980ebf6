"""Recall of every class before and after compression, a slope graph for each cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import xarray as xr

from rdstats._labelled import CLASS, METHOD
from rdstats.charts import marks, multiples, theme
from rdstats.charts.labels import apart
from rdstats.charts.multiples import Spot
from rdstats.charts.panel import Panel, Row, View
from rdstats.records import plain

WIDTH, HEIGHT = 270, 200
_END = 2.1
"""Right end of the horizontal axis, on which 0 is before and 1 is after: room for the names."""
_LINE, _LETTERS = 11.5, 17
Values = np.ndarray[Any, Any]
_SIGN = {"loses": "\u25bc", "wins": "\u25b2", "undecided": "?"}
_STYLE = {
    "loses": (theme.LOSS, [1, 0]),
    "wins": (theme.GAIN, [7, 2]),
    "undecided": (theme.CONTROL_COLOUR, [2, 2]),
}
_NAMES = ("n_classes", "n_losing", "n_winning", "collapsed")
_VALUES = ("score_dense", "score", "change", "p_corrected", "n", "class_name", "direction", "named", "reason")


def class_chart(data: xr.Dataset, *, by: str = METHOD) -> marks.Chart:
    """Draw the mean score of every class from before to after compression.

    Classes that lose beyond their interval are solid with a falling arrow before their name, those that win
    are dashed with a rising one, undecided ones dotted with a question mark; the number behind a name is the
    change in points (hundredths). With many classes the largest losses and gains are named, the others grey.

    Parameters
    ----------
    data : result of `rdstats.figures.class_figure`.
    by : dimension with a column of panels each label; ratios are rows, and every combination of the others is
        a block of rows.  Panels of a row have a common axis, but for collapsed cells.

    Raises
    ------
    InputError
        Another dimension, or a figure without a value.
    """
    return marks.join(class_panels(data, by=by))


def class_panels(data: xr.Dataset, *, by: str = METHOD) -> list[Panel]:
    """Return the panels of `class_chart`."""
    every = multiples.spots(data, _NAMES, by)
    arrays = _arrays(data)
    rows = {spot.index: _rows(arrays, spot.index) for spot in every}
    frames: dict[str, list[Row]] = {}
    for spot in every:
        if not spot.record["collapsed"]:
            frames.setdefault(spot.place[0], []).extend(rows[spot.index])
    return [
        _panel(data, spot, rows[spot.index], _frame(_sound(spot, frames, rows[spot.index]), _band(data, spot)))
        for spot in every
    ]  # fmt: skip


def _sound(spot: Spot, frames: dict[str, list[Row]], own: list[Row]) -> list[Row]:
    return own if spot.record["collapsed"] else frames[spot.place[0]]


def _arrays(data: xr.Dataset) -> dict[str, Values]:
    """Return what is drawn as arrays over cells and classes, bounds as ``lower`` and ``upper``."""
    template = data["change"].transpose(*data["n_classes"].dims, CLASS)
    every = {name: data[name] for name in _VALUES if name in data}
    if "interval" in data:
        every |= {end: data["interval"].sel(ci_bound=end, drop=True) for end in ("lower", "upper")}
    return {name: values.broadcast_like(template).transpose(*template.dims).values for name, values in every.items()}


def _rows(arrays: dict[str, Values], index: tuple[int, ...]) -> list[Row]:
    """Return one row a class with a known change."""
    there = np.flatnonzero(~np.isnan(arrays["change"][index]))
    return [{name: plain(values[index][i]) for name, values in arrays.items()} for i in there]


def _frame(rows: Sequence[Row], band: Sequence[Row]) -> View:
    values = [row[name] for row in rows for name in ("score_dense", "score")]
    values += [row[name] for row in band for name in ("low", "high")]
    low, high = min(values, default=0.0), max(values, default=1.0)
    middle, half = (low + high) / 2, max(0.53 * (high - low), 0.01)
    return View(middle - half, middle + half)


def _panel(data: xr.Dataset, spot: Spot, rows: list[Row], frame: View) -> Panel:
    if not rows:
        return Panel(spot.label, (), multiples.missing(spot, WIDTH, HEIGHT), spot.place)
    measure, notes = str(data.attrs["measure"]), _notes(spot.record, rows, data)
    named = sorted((row for row in rows if row["named"]), key=lambda row: (row["change"], row["class_name"]))
    told = ({"text": "; ".join(notes)}, *({**row, "text": _words(row, measure)} for row in named))
    band = _band(data, spot)
    shown = [row for row in rows if row["named"] or not band]
    layers = [*_layers(shown, band, frame, measure), *_labels(named, frame, measure)]
    chart = multiples.finish(layers, spot, notes, width=WIDTH, height=HEIGHT)
    return Panel(spot.label, told, chart, spot.place)


def _notes(record: Row, rows: Sequence[Row], data: xr.Dataset) -> list[str]:
    """Return what stands above a panel."""
    how = "by McNemar's test" if "p_corrected" in data else "beyond their interval"
    n_named = sum(row["named"] for row in rows)
    of = {"loses": f"{record['n_losing']} lose", "wins": f"{record['n_winning']} win"}
    notes = [f"{_SIGN['loses']} {of['loses']}, {_SIGN['wins']} {of['wins']} {how}, of {record['n_classes']} classes"]
    if all(row.get("lower") is None for row in rows) and "p_corrected" not in data:
        notes = [f"none of {record['n_classes']} classes decided: too few networks"]
    named = f"named: the {n_named} largest losses and gains; " if n_named < len(rows) else ""
    notes.append(f"{named}numbers: change in points")
    if record["collapsed"]:
        notes.append("collapsed: read with care")
    return notes + ([str(data.attrs["summary"])] if "summary" in data.attrs else [])


def _words(row: Row, measure: str) -> str:
    known = row.get("lower") is not None
    interval = f", interval {_points(row['lower'])} to {_points(row['upper'])}" if known else ""
    return (
        f"{row['class_name']}: {measure} {row['score_dense']:.3f} to {row['score']:.3f}, "
        f"change {_points(row['change'])} points{interval}, {row['direction']}"
    )


def _points(change: float) -> str:
    """Return a change in hundredths with its sign."""
    return "0.0" if abs(change) < 0.0005 else f"{100 * change:+.1f}".replace("-", "\u2212")


def _layers(rows: Sequence[Row], band: Sequence[Row], frame: View, measure: str) -> list[alt.Chart]:
    x, y = _axes(frame, measure)
    to = {"x2": alt.X2("to:Q"), "y2": alt.Y2("score:Q")}
    drawn = [{**row, "from": 0, "to": 1} for row in rows]
    place = {"x": alt.X("from:Q", scale=x["scale"], axis=x["axis"], title=None),
             "y": alt.Y("score_dense:Q", scale=y["scale"], axis=y["axis"], title=y["title"])}  # fmt: skip
    words = {"n": "networks", "direction": "change is", "reason": "no interval because"}
    numbers = {"score_dense": "before", "score": "after", "change": "change", "lower": "interval from", "upper": "to",
               "p_corrected": "p, Holm"}  # fmt: skip
    known = set(rows[0])
    tooltip = marks.tooltips(
        {"class_name": "class"}, {name: title for name, title in numbers.items() if name in known}, words
    )
    layers = []
    for name, (colour, dash) in _STYLE.items():
        part = alt.Chart(marks.data([row for row in drawn if row["named"] and row["direction"] == name]))
        rule = part.mark_rule(color=colour, strokeDash=dash, strokeWidth=1.2 if name == "undecided" else 2)
        layers.append(rule.encode(**place, **to, tooltip=tooltip))
    grey = alt.Chart(marks.data([row for row in drawn if not row["named"]]))
    rest = grey.mark_rule(color=theme.CONTROL_COLOUR, strokeWidth=0.6, opacity=0.45)
    return [*_shade(band, x, y), rest.encode(**place, **to, tooltip=tooltip), *layers]


def _axes(frame: View, measure: str) -> tuple[alt.X, alt.Y]:
    ends = alt.Axis(
        values=[0, 1], labelExpr="datum.value == 0 ? 'before' : 'after'", grid=True, domain=False, ticks=False,
        labelFontSize=10, orient="bottom",
    )  # fmt: skip
    share = alt.Axis(format="~%", tickCount=5, titleFontSize=10, labelFontSize=9, grid=False)
    scale = alt.Scale(domain=[frame.low, frame.high], nice=False, zero=False)
    across = alt.Scale(domain=[-0.06, _END], nice=False, zero=False)
    return alt.X("x:Q", scale=across, axis=ends, title=None), alt.Y("y:Q", scale=scale, axis=share, title=measure)


def _band(data: xr.Dataset, spot: Spot) -> list[Row]:
    """Return the ranges of the classes that are not drawn one by one, at both stages; none where all are drawn."""
    if "others" not in data:
        return []
    values = data["others"].transpose(*data["n_classes"].dims, "quartile", "stage").values[spot.index]
    if np.isnan(values).any():
        return []
    return [
        {"x": stage, "low": values[low, stage].item(), "high": values[high, stage].item(), "part": part}
        for low, high, part in ((0, 4, "all"), (1, 3, "middle half")) for stage in (0, 1)
    ]  # fmt: skip


def _shade(band: Sequence[Row], x: alt.X, y: alt.Y) -> list[alt.Chart]:
    if not band:
        return []
    area = alt.Chart(marks.data(band)).mark_area(color=theme.CONTROL_COLOUR, opacity=0.25)
    low = alt.Y("low:Q", scale=y["scale"], axis=y["axis"], title=y["title"])
    return [area.encode(x=x, y=low, y2=alt.Y2("high:Q"), detail=alt.Detail("part:N"))]


def _labels(named: Sequence[Row], frame: View, measure: str) -> list[alt.Chart]:
    """Return the names at the right ends of their lines, moved apart, with connecting lines."""
    span = frame.high - frame.low
    wanted = [(frame.high - row["score"]) / span * HEIGHT for row in named]
    rows = [
        {"x": 1.0, "near": 1.12, "y": row["score"], "level": frame.high - at / HEIGHT * span,
         "label": f"{_SIGN[row['direction']]} {_cut(row['class_name'])}: {_points(row['change'])}"}
        for row, at in zip(named, apart(wanted, _LINE, 2, HEIGHT - 2), strict=True)
    ]  # fmt: skip
    x, y = _axes(frame, measure)
    base = alt.Chart(marks.data(rows))
    near = alt.X("near:Q", scale=x["scale"], axis=x["axis"], title=None)
    level = alt.Y("level:Q", scale=y["scale"], axis=y["axis"], title=measure)
    thread = base.mark_rule(color=theme.INK, opacity=0.35, strokeWidth=0.7)
    name = base.mark_text(align="left", dx=2, fontSize=10)
    return [
        thread.encode(x=x, x2=alt.X2("near:Q"), y=y, y2=alt.Y2("level:Q")),
        name.encode(x=near, y=level, text=alt.Text("label:N")),
    ]


def _cut(name: str) -> str:
    """Return a name that fits beside the panel; the tooltip has all of it."""
    return name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}\u2026"
