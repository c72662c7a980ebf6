"""Slopes of single networks as box plots against pruning ratio."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import altair as alt
import xarray as xr

from rdstats._labelled import METHOD, RATIO, SEED
from rdstats._words import words
from rdstats.charts import marks, matrix, reference, theme
from rdstats.charts.panel import (
    Panel,
    Row,
    View,
    axis_range,
    cell_dims,
    check_by,
    gap,
    place,
    ratio_of,
    records_of,
    series,
    text,
    view,
)
from rdstats.records import Record, bounds, cell_records

Y_TITLE = "slope alpha of every network"
WIDTH, HEIGHT = 270, 210
NETWORK, DEGENERATE, MEAN = "network", "degenerate network", "mean"
_BOX = ("whisker_low", "quartile_first", "median", "quartile_third", "whisker_high")
_NAMES = ("mean", "lower", "upper", "n", "verdict", "expected", *_BOX)
_WORDS = {"<": "below 1", ">": "above 1", "?": "undecided"}
_COLLAPSED = "\u00d7"
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class _Content:
    """What a panel shows: cells, networks and the control, and where."""

    cells: list[Row]
    networks: list[Row]
    grey: list[Row]
    ratios: list[float]
    axis: list[float]
    colour: str

    @property
    def half(self) -> float:
        """Half the width of a box on the logarithmic axis: at most 15 pixels."""
        low, high = axis_range(self.axis)
        return min(0.3 * gap(self.axis), 15 * math.log(high / low) / WIDTH)


def box_chart(data: xr.Dataset, *, by: str = METHOD) -> marks.Chart:
    """Draw the slopes of the networks of every cell against the pruning ratio.

    Boxes span the quartiles, whiskers reach the farthest network within 1.5 interquartile ranges, and every dot is a
    network (a plus: degenerate; a triangle at the edge: beyond the frame). The grey line with its band is the
    control's mean and interval, a short bar the slope expected from accuracy alone. Below each ratio stands the
    verdict on the mean slope against 1: ``<``, ``>``, ``?`` undecided, a cross where the cell collapsed.

    Parameters
    ----------
    data : result of `rdstats.figures.box_figure`.
    by : dimension with a column of panels each label; every combination of the others has a row.

    Raises
    ------
    InputError
        Another dimension, or a figure without a value.

    Source: paper, Figures 1 to 4.
    """
    return marks.join(box_panels(data, by=by))


def box_panels(data: xr.Dataset, *, by: str = METHOD) -> list[Panel]:
    """Return the panels of `box_chart`."""
    records = records_of(data, _NAMES, bounds(("", "interval")))
    dims, by = cell_dims(data), check_by(data, by)
    own = [dim for dim in dims if dim != RATIO]
    networks: dict[tuple[str, ...], list[Record]] = {}
    for dot in cell_records(data, ("slope", "degenerate"), there=data["slope"].notnull()) if "slope" in data else []:
        networks.setdefault(matrix.key(dot, own), []).append(dot)
    paint = marks.Names(dict.fromkeys(map(series, records)), data.attrs["methods"]).paint
    rows = matrix.by_row(matrix.places(records, dims, by))
    panels = []
    for row, parts in rows.items():
        contents, axis = {}, sorted({ratio_of(record) for part in parts.values() for record in part})
        for column, part in parts.items():
            dots, grey = networks.get(matrix.key(part[0], own), []), matrix.own_control(part[0], records, dims)
            contents[column] = _content(part, dots, grey, axis, paint[series(part[0])])
        frame = _frame(list(contents.values()))
        for column, content in contents.items():
            label = matrix.label_of((row, column))
            x = marks.x_axis(content.ratios, words(data.attrs).ratio, content.axis)
            chart = _draw(label, content, x, frame, str(data.attrs.get("summary", "")))
            panels.append(Panel(label, tuple(content.cells), chart, (row, column) if len(rows) > 1 else None))
    return panels


def _content(
    part: Sequence[Record], dots: Sequence[Record], controls: Sequence[Record], axis: list[float], colour: str
) -> _Content:
    cells = [_cell(record) for record in part if record["mean"] is not None]
    grey = [reference.control_row(record) for record in controls if record["mean"] is not None]
    gone = {cell["x"] for cell in cells if cell["collapsed"]}
    result = _Content(cells, [], grey, marks.ratios(part), axis, colour)
    networks = [
        {"seed": text(dot.get(SEED, "")), "ratio": dot.get(RATIO), "value": dot["slope"], "lower": None, "upper": None,
         # scattered within the box, always the same way
         "x": ratio_of(dot) * math.exp(1.5 * (i * _GOLDEN % 1 - 0.5) * result.half),
         "series": DEGENERATE if dot["degenerate"] else NETWORK, "collapsed": ratio_of(dot) in gone}
        for i, dot in enumerate(dots)
    ]  # fmt: skip
    return replace(result, networks=networks)


def _cell(record: Record) -> Row:
    verdict = str(record["verdict"])
    gone = verdict.startswith("collapsed")
    return {
        "series": series(record), "ratio": record.get(RATIO), "x": ratio_of(record), "value": record["mean"],
        **{name: record[name] for name in ("lower", "upper", "n", "verdict", "expected", *_BOX)},
        "collapsed": gone, "sign": _COLLAPSED if gone else verdict, "words": _WORDS.get(verdict, verdict),
    }  # fmt: skip


def _frame(contents: Sequence[_Content]) -> View:
    """Return one vertical range for a row of panels: boxes, and other networks as far as they leave those readable."""
    sound = [cell for content in contents for cell in content.cells if not cell["collapsed"]]
    grey = [row for content in contents for row in content.grey]
    dots = [dot["value"] for content in contents for dot in content.networks if not dot["collapsed"]]
    inner = [cell[name] for cell in sound for name in ("quartile_first", "quartile_third", "expected")]
    ends = [cell[name] for cell in sound for name in ("whisker_low", "whisker_high")]
    ends += [row[name] for row in grey for name in ("lower", "upper")]
    return view([1.0, *inner, *(row["value"] for row in (*sound, *grey))], [*ends, *dots])


def _draw(label: str, content: _Content, x: alt.X, frame: View, summary: str) -> alt.LayerChart:
    rows = place(content.cells, frame)
    expected = reference.expected_rows(rows, frame)
    present = {dot["series"] for dot in content.networks}
    form = {NETWORK: "circle", DEGENERATE: "cross"}
    entries = {name: (content.colour, form[name]) for name in form if name in present}
    entries |= {MEAN: (theme.INK, "diamond")} if any(row["median"] is not None for row in rows) else {}
    colour, shape = marks.scales(entries | reference.legend(content.grey, expected))
    y = partial(marks.y_axis, frame=frame, title=Y_TITLE)
    if content.ratios:
        x["axis"]["titlePadding"] = 20  # the verdicts stand between labels and title
    low, high = axis_range(content.axis)
    room = 2 * content.half * WIDTH / math.log(high / low)
    style: dict[str, Any] = {"x": x, "color": colour, "shape": shape}
    layers = [
        *reference.control_layers(content.grey, colour, y, frame),
        *marks.level_line(1.0, "slope 1", y, WIDTH),
        *_boxes(rows, content, x, y, frame),
        *_dots(content.networks, style, y, frame),
        *_means(rows, style, y),
        reference.expected_dashes(expected, 1.3 * room).encode(y=y("y"), tooltip=_tooltips(), **style),
        *_verdicts(rows, x),
    ]
    return marks.finish(layers, label, summary, width=WIDTH, height=HEIGHT)


def _boxes(rows: Sequence[Row], content: _Content, x: alt.X, y: marks.Vertical, frame: View) -> list[alt.Chart]:
    """Return whiskers, boxes and medians of the cells that have not collapsed."""
    wide = math.exp(content.half)
    shown = [
        {**row, "left": row["x"] / wide, "right": row["x"] * wide,
         **{f"y_{name}": frame.clamp(row[name]) for name in _BOX}}
        for row in rows if row["median"] is not None and not row["collapsed"]
    ]  # fmt: skip
    base = alt.Chart(marks.data(shown))
    left = alt.X("left:Q", scale=x["scale"])
    whisker = base.mark_rule(color=content.colour, strokeWidth=1.3)
    box = base.mark_rect(color=content.colour, fillOpacity=0.22, stroke=content.colour, strokeWidth=1.3)
    median = base.mark_rule(color=content.colour, strokeWidth=2.4)
    return [
        whisker.encode(x=x, y=y("y_whisker_low"), y2=alt.Y2("y_quartile_first:Q")),
        whisker.encode(x=x, y=y("y_quartile_third"), y2=alt.Y2("y_whisker_high:Q")),
        box.encode(x=left, x2="right:Q", y=y("y_quartile_first"), y2="y_quartile_third:Q", tooltip=_tooltips()),
        median.encode(x=left, x2=alt.X2("right:Q"), y=y("y_median")),
    ]


def _dots(
    networks: Sequence[Row], style: dict[str, Any], y: marks.Vertical, frame: View
) -> list[alt.Chart]:
    base = alt.Chart(marks.data(place(networks, frame)))
    words = {"series": "series", "ratio": "ratio", "seed": "seed"}
    tooltip = marks.tooltips(words, {"value": "slope alpha"}, {})
    dot = base.mark_point(filled=True, size=15, opacity=0.75).encode(y=y("y"), tooltip=tooltip, **style)
    edge = {name: value for name, value in style.items() if name != "shape"}
    beyond = {}
    for form, side in (("triangle-up", f"> {frame.high}"), ("triangle-down", f"< {frame.low}")):
        mark = base.mark_point(shape=form, filled=True, size=26, opacity=0.75).encode(y=y("y"), tooltip=tooltip, **edge)
        beyond[form] = mark.transform_filter(f"datum.value {side}")
    return [dot.transform_filter("!datum.off"), *beyond.values()]


def _means(
    rows: Sequence[Row], style: dict[str, Any], y: marks.Vertical
) -> list[alt.Chart]:
    shown = [{**row, "series": MEAN} for row in rows if row["median"] is not None and not row["collapsed"]]
    mark = alt.Chart(marks.data(shown)).mark_point(filled=True, size=38, opacity=1)
    return [mark.encode(y=y("y"), tooltip=_tooltips(), **style)]


def _verdicts(rows: Sequence[Row], x: alt.X) -> list[alt.Chart]:
    """Return the verdicts below the labels of the axis."""
    base = alt.Chart(marks.data(rows)).encode(y=alt.value(HEIGHT + (28 if x["title"] else 10)))
    head = alt.Chart(marks.data([{"text": "vs 1"}])).mark_text(align="right", fontSize=10)
    tooltip = [alt.Tooltip("words:N", title="mean slope against 1"), *_tooltips()]
    return [
        base.mark_text(fontSize=13, fontWeight="bold").encode(x=x, text=alt.Text("sign:N"), tooltip=tooltip),
        head.encode(x=alt.value(-4), y=alt.value(HEIGHT + (28 if x["title"] else 10)), text=alt.Text("text:N")),
    ]


def _tooltips() -> list[alt.Tooltip]:
    numbers = {"value": "mean slope alpha", "lower": "interval from", "upper": "to", "median": "median",
               "quartile_first": "quarter below", "quartile_third": "quarter above",
               "expected": "expected slope"}  # fmt: skip
    return marks.tooltips({"ratio": "ratio"}, numbers, {"n": "networks", "verdict": "against 1"})
