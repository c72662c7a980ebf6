"""The tests of families: differences with simultaneous intervals and corrected p."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import xarray as xr

from rdstats._labelled import METHOD
from rdstats.charts import marks, theme
from rdstats.charts.panel import Panel, Row, View, view
from rdstats.errors import InputError
from rdstats.records import Record, plain

WIDTH, STEP, LABELS = 230, 22, 230
_NAMES = (
    "family", "column", "pair", "estimate", "lower", "upper", "p", "p_corrected", "significant", "n", "n_first",
    "n_second", "m", "alpha", "reason", "side", "how", "quantity",
)  # fmt: skip


def family_chart(data: xr.Dataset, *, by: str = METHOD) -> marks.Chart:
    """Draw every test of a family: the difference between first and second with its simultaneous interval.

    A panel is a column of a family, a row in it a pair. Filled diamonds have a corrected p at most 1 - level, hollow
    circles do not; the corrected p stands beside, or why there is no result. Intervals are two-sided, also where one
    side is tested, which the panel says. An arrow says that an interval goes on beyond the frame.

    Parameters
    ----------
    data : result of `rdstats.figures.family_figure`.
    by : the columns of a family say what stands side by side: only the default is accepted.

    Raises
    ------
    InputError
        Another `by`.
    """
    return marks.join(family_panels(data, by=by))


def family_panels(data: xr.Dataset, *, by: str = METHOD) -> list[Panel]:
    """Return the panels of `family_chart`."""
    if by != METHOD:
        raise InputError(f"by {by!r}: the columns of a family say what stands side by side; leave it out")
    columns: dict[tuple[str, str], list[Record]] = {}
    for i in range(data.sizes["test"]):
        record = {name: plain(data[name].values[i]) for name in _NAMES}
        columns.setdefault((record["family"], record["column"]), []).append(record)
    return [_panel(records) for records in columns.values()]


def _panel(records: Sequence[Record]) -> Panel:
    first = records[0]
    label = f"family {first['family']}" + (f": {first['column']}" if first["column"] else "")
    values = [0.0, *(record["estimate"] for record in records)]
    frame = view(values, [record[end] for record in records for end in ("lower", "upper")], 0.05)
    rows = [_row(record, frame) for record in records]
    layers = _layers(rows, frame, f"{first['quantity']}: first minus second")
    below = [first["side"], first["how"], f"filled diamond: corrected p at most {first['alpha']:g}"]
    chart = marks.finish(layers, label, below, width=WIDTH, height=STEP * max(len(rows), 2))
    return Panel(label, tuple(rows), chart)


def _row(record: Record, frame: View) -> Row:
    estimate, p = record["estimate"], record["p_corrected"]
    bar = record["lower"] is not None and record["upper"] is not None
    why = str(record["reason"] or "no value").replace("_", " ")
    note = why if p is None else "p < 0.001" if p < 0.001 else f"p {p:.3f}"
    row = {
        **{name: record[name] for name in ("pair", "estimate", "lower", "upper", "p", "p_corrected", "n", "m")},
        "significant": bool(record["significant"]), "note": note,
        "x": None if estimate is None else frame.clamp(estimate),
        "x_lower": frame.clamp(record["lower"]) if bar else None,
        "x_upper": frame.clamp(record["upper"]) if bar else None,
        "cut_low": bar and record["lower"] < frame.low, "cut_high": bar and record["upper"] > frame.high,
    }  # fmt: skip
    if record["n"] is None:  # independent samples
        row["n"] = f"{record['n_first']} and {record['n_second']}"
    return row | {"text": _words(row)}


def _words(row: Row) -> str:
    if row["estimate"] is None:
        return f"{row['pair']}: no result, {row['note']}"
    ends = "no interval" if row["x_lower"] is None else f"interval {row['lower']:.3f} to {row['upper']:.3f}"
    return f"{row['pair']}: difference {row['estimate']:.3f}, {ends}, corrected {row['note']}"


def _layers(rows: Sequence[Row], frame: View, title: str) -> list[alt.Chart]:
    scale = alt.Scale(domain=[frame.low, frame.high], nice=False, zero=False)
    names = list(dict.fromkeys(row["pair"] for row in rows))
    axis = alt.Axis(domain=False, ticks=False, grid=True, labelLimit=LABELS, labelPadding=6)
    y = alt.Y("pair:N", scale=alt.Scale(domain=names), axis=axis, title=None)

    def x(field: str) -> alt.X:
        return alt.X(f"{field}:Q", scale=scale, title=title, axis=alt.Axis(grid=False, tickCount=5))

    base = alt.Chart(marks.data(rows)).encode(y=y, tooltip=_tooltips())
    filled = base.mark_point(shape="diamond", filled=True, size=75, opacity=1, color=theme.INK)
    hollow = base.mark_point(shape="circle", filled=False, size=50, opacity=1, strokeWidth=1.6, color=theme.INK)
    zero = alt.Chart(marks.data([{"x": 0.0}])).mark_rule(color=theme.INK, opacity=0.55, strokeWidth=1)
    bar = base.transform_filter("isValid(datum.x_lower)").mark_rule(strokeWidth=1.6, color=theme.GAIN)
    note = base.mark_text(align="left", dx=6, fontSize=10).encode(x=alt.value(WIDTH), text=alt.Text("note:N"))
    return [
        zero.encode(x=x("x")),
        bar.encode(x=x("x_lower"), x2=alt.X2("x_upper:Q")),
        _arrow(base, "cut_low", "x_lower", "triangle-left", x),
        _arrow(base, "cut_high", "x_upper", "triangle-right", x),
        filled.encode(x=x("x")).transform_filter("isValid(datum.x) && datum.significant"),
        hollow.encode(x=x("x")).transform_filter("isValid(datum.x) && !datum.significant"),
        note,
    ]


def _arrow(base: alt.Chart, flag: str, field: str, form: str, x: Any) -> alt.Chart:
    mark = base.mark_point(shape=form, filled=True, size=34, opacity=1, color=theme.GAIN)
    chart: alt.Chart = mark.encode(x=x(field)).transform_filter(f"datum.{flag}")
    return chart


def _tooltips() -> list[alt.Tooltip]:
    numbers = {"estimate": "difference", "lower": "interval from", "upper": "to", "p": "p",
               "p_corrected": "corrected p"}  # fmt: skip
    tips = marks.tooltips({"pair": "first vs second"}, numbers, {"m": "declared tests of the column"})
    return [*tips, alt.Tooltip("n:N", title="networks"), alt.Tooltip("note:N", title="result")]
