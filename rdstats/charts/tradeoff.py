"""Accuracy and slope against pruning ratio on two axes that say "no change" at one height."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import altair as alt
import xarray as xr

from rdstats._labelled import METHOD, RATIO
from rdstats._words import words
from rdstats.charts import marks, matrix, theme
from rdstats.charts.panel import Panel, Row, View, cell_dims, check_by, ratio_of, records_of, text
from rdstats.records import Record

ACCURACY, SLOPE, CONTROL = "accuracy (left axis)", "slope alpha (right axis)", "control"
WIDTH, HEIGHT = 320, 230
_COLOURS = {ACCURACY: theme.GAIN, SLOPE: theme.LOSS}
_SHAPES = {ACCURACY: "circle", SLOPE: "square"}
_DASHES = {ACCURACY: [1, 0], SLOPE: [6, 3]}
_NAMES = (
    "accuracy", "accuracy_se", "n", "slope", "slope_se", "n_slope", "achieved_ratio", "accuracy_dense",
    "accuracy_dense_se", "n_dense", "verdict",
)  # fmt: skip


def tradeoff_chart(data: xr.Dataset, *, by: str = METHOD) -> marks.Chart:
    """Draw mean accuracy and mean slope of every column against the pruning ratio.

    Points are means over seeds, bars reach one standard error to both sides. The middle of the left axis is the
    accuracy before compression, that of the right axis slope 1, and both axes are drawn from there: a dashed line
    says "no change" for both; the thin grey line is the control's mean slope. The first point, at ratio 1, is the
    network before compression. A hollow, crossed point is a collapsed cell, a number beside a mark at the edge its
    value.

    Parameters
    ----------
    data : result of `rdstats.figures.tradeoff_figure`.
    by : dimension with a column of panels each label; every combination of the others has a row.

    Raises
    ------
    InputError
        Another dimension, or a figure without a value.

    Source: paper, Figure 13.
    """
    return marks.join(tradeoff_panels(data, by=by))


def tradeoff_panels(data: xr.Dataset, *, by: str = METHOD) -> list[Panel]:
    """Return the panels of `tradeoff_chart`."""
    records = records_of(data, _NAMES, {})
    dims, by = cell_dims(data), check_by(data, by)
    places = matrix.places(records, dims, by)
    several = len({row for row, _ in places}) > 1
    title = f"{words(data.attrs).act} ratio (1: before compression)"
    return [  # of controls one at most: they have one ratio
        _panel(at, part, matrix.own_control(part[0], records, dims), several, title)
        for at, part in places.items()
    ]


def _panel(at: matrix.Place, part: Sequence[Record], controls: Sequence[Record], several: bool, title: str) -> Panel:
    label = matrix.label_of(at)
    known = [record for record in part if record["accuracy"] is not None]
    dense = next((record for record in known if record["accuracy_dense"] is not None), None)
    before = _before(dense) if dense else []
    after = [row for record in known for row in _rows(record)]
    grey = [_control(record) for record in controls if record["slope"] is not None]
    middle = {ACCURACY: dense["accuracy_dense"] if dense else 1.0, SLOPE: 1.0}
    lines = {ACCURACY: [ACCURACY], SLOPE: [SLOPE, CONTROL]}
    frames = {name: _frame([row for row in (*before, *after, *grey) if row["series"] in lines[name]], middle[name])
              for name in middle}  # fmt: skip
    rows = [_drawn(row, frames[row["series"]]) for row in (*before, *after)]
    x = marks.x_axis([1.0, *marks.ratios(part)], title)
    return Panel(label, (*grey, *rows), _draw(label, rows, grey, x, frames), at if several else None)


def _control(record: Record) -> Row:
    """Return what is drawn of the control: its mean slope."""
    value, error, gone = record["slope"], record["slope_se"], str(record["verdict"]).startswith("collapsed")
    end = "" if error is None else f" (standard error {error:.3f})"
    return {
        "series": CONTROL, "ratio": None, "value": value, "se": error, "n": record["n_slope"], "collapsed": gone,
        "text": f"slope of the control {text(record[METHOD])}: {value:.3f}{end}{', collapsed' if gone else ''}",
    }  # fmt: skip


def _before(record: Record) -> list[Row]:
    """Return the first points of both lines: before compression, where the slope is 1 by definition."""
    first = {"x": 1.0, "ratio": 1, "achieved": None, "collapsed": False, "words": "before compression"}
    accuracy = {"series": ACCURACY, "value": record["accuracy_dense"], "se": record["accuracy_dense_se"]}
    return [first | accuracy | {"n": record["n_dense"]}, first | {"series": SLOPE, "value": 1.0, "se": None, "n": None}]


def _rows(record: Record) -> list[Row]:
    """Return the points of a cell on both lines."""
    verdict = str(record["verdict"])
    shared = {
        "x": ratio_of(record), "ratio": record.get(RATIO), "achieved": record["achieved_ratio"],
        "collapsed": verdict.startswith("collapsed"), "words": verdict,
    }  # fmt: skip
    lines = ((ACCURACY, "accuracy", "n"), (SLOPE, "slope", "n_slope"))
    return [
        shared | {"series": name, "value": record[field], "se": record[f"{field}_se"], "n": record[n]}
        for name, field, n in lines if record[field] is not None
    ]  # fmt: skip


def _frame(rows: Sequence[Row], middle: float) -> View:
    """Return an axis around its middle that holds every mean, and its error as far as values stay readable."""
    sound = [row for row in rows if not row["collapsed"]]
    values = max([abs(row["value"] - middle) for row in sound] or [0.0])
    ends = max([abs(row["value"] - middle) + (row["se"] or 0.0) for row in sound] or [0.0])
    reach = 1.1 * max(min(ends, 1.6 * values), 0.01)
    return View(middle - reach, middle + reach)


def _drawn(row: Row, frame: View) -> Row:
    bar = row["se"] is not None and not row["collapsed"]
    value, se = row["value"], row["se"] or 0.0
    side = "accuracy" if row["series"] == ACCURACY else "slope"
    se_text = "" if row["se"] is None else f" (standard error {se:.3f})"
    where = "" if row["ratio"] is None else f" at ratio {row['ratio']:g}"
    return {
        **row, "y": frame.clamp(value), "off": not frame.low <= value <= frame.high,
        "y_lower": frame.clamp(value - se) if bar else None, "y_upper": frame.clamp(value + se) if bar else None,
        "text": f"{side}{where}: {value:.3f}{se_text}{', collapsed' if row['collapsed'] else ''}",
    }  # fmt: skip


def _draw(
    label: str, rows: Sequence[Row], grey: Sequence[Row], x: alt.X, frames: dict[str, View]
) -> alt.LayerChart:
    sides = [_side(name, [row for row in rows if row["series"] == name], x, frames[name]) for name in frames]
    middle = (frames[SLOPE].low + frames[SLOPE].high) / 2
    control = [{"y": row["value"], "text": CONTROL} for row in grey if not row["collapsed"]]
    line = alt.Chart(marks.data([{"y": middle, "text": "no change"}])).encode(y=_vertical("y", SLOPE, frames[SLOPE]))
    thin = alt.Chart(marks.data(control)).encode(y=_vertical("y", SLOPE, frames[SLOPE]))
    dashed = line.mark_rule(color=theme.INK, opacity=0.6, strokeDash=[4, 3])
    # the names stand on the sides of their lines that are turned away from each other
    above = any(row["y"] > middle for row in control)
    right = [
        *sides[1], thin.mark_rule(color=theme.CONTROL_COLOUR, strokeWidth=1.2), dashed, _end(line, not above),
        _end(thin, above),
    ]  # fmt: skip
    both = [alt.LayerChart(layer=layers) for layers in (sides[0], right)]
    return marks.finish(both, label, width=WIDTH, height=HEIGHT, resolve={"scale": {"y": "independent"}})


def _end(line: alt.Chart, above: bool) -> alt.Chart:
    """Return the name of a line at its right end."""
    baseline: Literal["bottom", "top"] = "bottom" if above else "top"
    mark = line.mark_text(align="right", baseline=baseline, dx=-3, dy=-2 if above else 3, opacity=0.8)
    named: alt.Chart = mark.encode(x=alt.value(WIDTH), text=alt.Text("text:N"))
    return named


def _vertical(field: str, name: str, frame: View) -> alt.Y:
    # no accuracy is above 1
    left: dict[str, Any] = {"orient": "left", "labelExpr": "datum.value > 1 ? '' : datum.label"}
    own = left if name == ACCURACY else {"orient": "right"}
    axis = alt.Axis(grid=False, title=_TITLES[name], **own)
    return alt.Y(f"{field}:Q", axis=axis, scale=alt.Scale(domain=[frame.low, frame.high], nice=False, zero=False))


_TITLES = {ACCURACY: "mean accuracy (solid line; share of test images)", SLOPE: "mean slope alpha (dashed line)"}


def _side(name: str, rows: Sequence[Row], x: alt.X, frame: View) -> list[alt.Chart]:
    """Return the line of one axis: means, standard errors, collapsed cells."""
    colour, shape = marks.scales({n: (_COLOURS[n], _SHAPES[n]) for n in _COLOURS})
    base = alt.Chart(marks.data(rows)).encode(x=x, color=colour)
    y = _vertical("y", name, frame)
    point = base.mark_point(filled=True, size=55, opacity=1).encode(y=y, shape=shape, tooltip=_tooltips(name))
    hollow = base.mark_point(filled=False, size=70, strokeWidth=1.6).encode(y=y, shape=shape, tooltip=_tooltips(name))
    cross = base.mark_point(shape=theme.CROSS, filled=False, size=110, strokeWidth=1.4).encode(y=y)
    line = base.mark_line(strokeWidth=1.8, strokeDash=_DASHES[name])
    beyond = base.mark_text(align="left", dx=8, fontSize=10).encode(y=y, text=alt.Text("value:Q", format=".3~g"))
    return [
        line.encode(y=y, order=alt.Order("x:Q")).transform_filter("!datum.collapsed"),
        base.mark_rule(strokeWidth=1.4).encode(y=_vertical("y_lower", name, frame), y2=alt.Y2("y_upper:Q"))
        .transform_filter("isValid(datum.y_lower)"),
        point.transform_filter("!datum.collapsed"),
        hollow.transform_filter("datum.collapsed"),
        cross.transform_filter("datum.collapsed"),
        beyond.transform_filter("datum.off"),
    ]  # fmt: skip


def _tooltips(name: str) -> list[alt.Tooltip]:
    what = "mean accuracy" if name == ACCURACY else "mean slope alpha"
    numbers = {"achieved": "achieved ratio", "value": what, "se": "standard error"}
    return marks.tooltips({"ratio": "ratio"}, numbers, {"n": "networks", "words": "against 1"})
