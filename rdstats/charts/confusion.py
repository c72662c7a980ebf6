"""Where lost recall went: the change of the row-normalised confusion as a heatmap for each cell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt
import xarray as xr

from rdstats._labelled import METHOD
from rdstats.charts import marks, multiples, theme
from rdstats.charts.multiples import Spot
from rdstats.charts.panel import Panel, Row

WRITTEN = 12
"""Up to this number of classes the number stands in every square, above it a sign in the larger ones."""
_ROOM, _SMALL = 31.0, 11.0
_LETTERS = 14
_NAMES = ("n", "n_classes", "collapsed")
_VALUES = ("share_dense", "share", "difference")
_TOLD = 12
"""Largest moves that the description of a panel tells."""


def confusion_chart(data: xr.Dataset, *, by: str = METHOD) -> marks.Chart:
    """Draw how compression moves the test images of each true class (rows) between predictions (columns).

    Colours are percentage points of the images of the true class, after minus before; a loss on the diagonal is
    lost recall, a gain beside it says where those images went.  Each panel has a scale of its own, a square root.

    Parameters
    ----------
    data : result of `rdstats.figures.confusion_figure`.
    by : dimension with a column of panels each label; ratios are rows, and every combination of the others is
        a block of rows.

    Raises
    ------
    InputError
        Another dimension, or a figure without a value.
    """
    return marks.join(confusion_panels(data, by=by))


def confusion_panels(data: xr.Dataset, *, by: str = METHOD) -> list[Panel]:
    """Return the panels of `confusion_chart`."""
    every = multiples.spots(data, _NAMES, by)
    dims = [str(dim) for dim in data["n"].dims]
    arrays = {name: data[name].transpose(*dims, "row", "column").values for name in _VALUES}
    names = {name: data[name].transpose(*dims, ...).values for name in ("true_name", "predicted_name")}
    panels = []
    for spot in every:
        truth, predicted = ([name for name in names[key][spot.index] if name] for key in names)
        rows = [
            {"true": truth[i], "predicted": predicted[j], "row": i, "column": j,
             **{name: float(values[spot.index][i, j]) for name, values in arrays.items()}}
            for i in range(len(truth)) for j in range(len(predicted))
        ]  # fmt: skip
        panels.append(_panel(spot, rows, truth, predicted, str(data.attrs.get("summary", ""))))
    return panels


def _panel(spot: Spot, rows: list[Row], truth: list[str], predicted: list[str], summary: str) -> Panel:
    room = _ROOM if len(truth) <= WRITTEN else _SMALL
    width, height = room * max(len(predicted), 4), room * max(len(truth), 4)
    if not rows:
        return Panel(spot.label, (), multiples.missing(spot, width, height), spot.place)
    n, n_classes, gone = (spot.record[name] for name in _NAMES)
    notes = [f"mean of {n} network{'s' if n != 1 else ''}" + (", collapsed" if gone else "")]
    if len(truth) < n_classes:
        notes.append(f"the {len(truth)} of {n_classes} classes that lose most recall")
    notes += [summary] if summary else []
    largest = sorted(rows, key=lambda row: -abs(row["difference"]))[:_TOLD]
    told = ({"text": "; ".join(notes)}, *({**row, "text": _words(row)} for row in largest))
    layers = _layers(rows, _axes(truth, predicted))
    return Panel(spot.label, told, multiples.finish(layers, spot, notes, width=width, height=height), spot.place)


def _words(row: Row) -> str:
    where = "predicted right" if row["true"] == row["predicted"] else f"predicted as {row['predicted']}"
    return f"{row['true']} {where}: {row['share_dense']:.1f} to {row['share']:.1f} %, {row['difference']:+.1f} points"


def _axes(truth: Sequence[str], predicted: Sequence[str]) -> tuple[alt.X, alt.Y]:
    """Return axes of positions, so that classes of one name stay apart."""
    across, down = _labels(predicted), _labels(truth)
    narrow = max(map(len, across)) <= (4 if len(down) <= WRITTEN else 1)
    style: dict[str, Any] = {"labelFontSize": 9, "titleFontSize": 10, "grid": False, "ticks": False, "domain": False}
    return (
        alt.X("across:N", scale=alt.Scale(domain=across, padding=0), sort=None, title="predicted class",
              axis=alt.Axis(labelAngle=0 if narrow else -90, orient="bottom", **style)),
        alt.Y("down:N", scale=alt.Scale(domain=down, padding=0), sort=None, title="true class", axis=alt.Axis(**style)),
    )  # fmt: skip


def _labels(names: Sequence[str]) -> list[str]:
    """Return names as they stand on an axis: cut, and distinct."""
    return multiples.distinct([name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}\u2026" for name in names])


def _layers(rows: list[Row], axes: tuple[alt.X, alt.Y]) -> list[alt.Chart]:
    x, y = axes
    down, across = y["scale"]["domain"], x["scale"]["domain"]
    most = _nice(max(abs(row["difference"]) for row in rows))
    written = len(down) <= WRITTEN
    drawn = [
        {**row, "down": down[row["row"]], "across": across[row["column"]],
         "label": _number(row["difference"]) if written else _sign(row["difference"], most)}
        for row in rows
    ]  # fmt: skip
    legend = alt.Legend(
        title=["more (+) or fewer (\u2212) of the true class's images, points", "(colours: square root of the change)"],
        orient="bottom", direction="horizontal",
        gradientLength=150, gradientThickness=8, titleFontSize=9, labelFontSize=9, titleLimit=330, format="+~r",
        values=[-most, 0, most],
    )  # fmt: skip
    # a root, so that small moves beside a large one are seen
    scale = alt.Scale(type="sqrt", domain=[-most, 0, most], range=list(theme.DIVERGING))
    tooltip = marks.tooltips(
        {"true": "true class", "predicted": "predicted as"},
        {"share_dense": "before, %", "share": "after, %", "difference": "difference, points"}, {},
    )  # fmt: skip
    base = alt.Chart(marks.data(drawn)).encode(x=x, y=y)
    squares = base.mark_rect(stroke="#ffffff", strokeWidth=0.4)
    text = base.mark_text(fontSize=9, color="#000000").encode(text=alt.Text("label:N"))
    return [squares.encode(color=alt.Color("difference:Q", scale=scale, legend=legend), tooltip=tooltip), text]


def _nice(value: float) -> float:
    """Return 1, 2 or 5 times a power of ten, no less than the value."""
    if value <= 0:
        return 1.0
    power = 10 ** math.floor(math.log10(value))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= value * (1 - 1e-12)))


def _number(value: float) -> str:
    """Return a difference with its sign, in as many letters as a square has room for."""
    if abs(value) < 0.05:
        return "0"
    return f"{value:+.1f}".replace("-", "\u2212") if abs(value) < 9.95 else f"{value:+.0f}".replace("-", "\u2212")


def _sign(value: float, most: float) -> str:
    """Return the sign of a difference that is at least a tenth of the largest."""
    return "" if abs(value) < 0.1 * most else "+" if value > 0 else "\u2212"
