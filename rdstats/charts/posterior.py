"""Posterior of mean slopes, and of their differences from the control, as a forest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import altair as alt
import xarray as xr

from rdstats._labelled import METHOD, RATIO
from rdstats.charts import marks, multiples, theme
from rdstats.charts.panel import Panel, Row, View, cell_dims, check_by, group, place, records_of, series, text, view
from rdstats.charts.reference import control_name, is_controls
from rdstats.records import Record, bounds

WIDTH, _LINE = 270, 17
_LETTERS = 30


@dataclass(frozen=True)
class _Quantity:
    """What a column of panels shows: the prefix of its values, its probability, and where nothing happens."""

    name: str
    prefix: str
    probability: str
    null: float
    claim: str


_QUANTITIES = (
    _Quantity("mean slope alpha", "", "p_above_one", 1.0, "slope > 1"),
    _Quantity("slope minus the control's slope", "delta_", "p_delta_positive", 0.0, "difference > 0"),
)
_ENDS = bounds(("", "interval"), ("hdi_", "hdi"), ("delta_", "delta_interval"), ("delta_hdi_", "delta_hdi"))
_NAMES = ("mean", "delta_mean", *_ENDS, "p_above_one", "p_delta_positive", "n", "k", "collapsed", "reason")


def posterior_chart(data: xr.Dataset, *, by: str = METHOD) -> marks.Chart:
    """Draw the posterior of the mean slope of every cell, and of its difference from the control's.

    Marks are posterior means, thin bars equal-tailed intervals, thick ones intervals of highest density, both
    at 1 - (1 - level)/k of their column; behind them stands the probability that the slope is above 1, or the
    difference above 0. The shaded band is the margin of differences without practical meaning.

    Parameters
    ----------
    data : result of `rdstats.figures.posterior_figure`.
    by : dimension whose labels are told apart by colour and shape; the others get a row of panels each.

    Raises
    ------
    InputError
        Another dimension, or a figure without a value.
    """
    return marks.join(posterior_panels(data, by=by))


def posterior_panels(data: xr.Dataset, *, by: str = METHOD) -> list[Panel]:
    """Return the panels of `posterior_chart`."""
    records = records_of(data, _NAMES, _ENDS)
    dims, by = cell_dims(data), check_by(data, by)
    names = marks.Names(dict.fromkeys(series(record, by) for record in records), data.attrs["methods"])
    there = [one for one in _QUANTITIES if any(record[f"{one.prefix}mean"] is not None for record in records)]
    return [
        _panel(label, part, one, names, by, data.attrs)
        for label, part in group(records, dims, by).items()
        for one in there
        if any(record[f"{one.prefix}mean"] is not None for record in part)
    ]


def _panel(
    label: str, records: Sequence[Record], one: _Quantity, every: marks.Names, by: str, attrs: dict[str, object]
) -> Panel:
    rows = [_row(record, one, by) for record in records if record[f"{one.prefix}mean"] is not None]
    margin = float(str(attrs["margin"]))
    ends = [row[name] for row in rows for name in ("lower", "upper", "hdi_lower", "hdi_upper") if not row["collapsed"]]
    values = [one.null - margin, one.null + margin, *(row["value"] for row in rows if not row["collapsed"])]
    frame = view(values, ends)
    rows = _placed(rows, frame)
    notes = [
        f"thin: equal tails, thick: highest density, {100 * float(str(attrs['level'])):g} % of a column together",
        f"numbers: probability of {one.claim}",
    ]
    whole = " / ".join(part for part in (label, one.name) if part)
    chart = _draw(whole, notes, rows, one, every, frame, margin)
    return Panel(whole, tuple(rows), chart, (label, one.name))


def _row(record: Record, one: _Quantity, by: str) -> Row:
    control = is_controls(record)
    name = series(record, by)
    shown = control_name(name) if control and by == METHOD else name
    ratio = "" if control or RATIO not in record else f", ratio {text(record[RATIO])}"
    values = {end: record[one.prefix + end] for end in ("lower", "upper", "hdi_lower", "hdi_upper")}
    mean, p = record[f"{one.prefix}mean"], record[one.probability]
    low, high = (values[end] for end in ("lower", "upper"))
    return {
        "series": name, "cell": f"{shown[:_LETTERS]}{ratio}", "ratio": record.get(RATIO), "value": mean, **values,
        "p": p, "n": record["n"], "collapsed": bool(record["collapsed"]), "beside": _probability(p),
        "text": f"{shown}{ratio}: {one.name} {mean:.3f}, interval {low:.3f} to {high:.3f}, "
        f"probability of {one.claim} {_probability(p)}" + (", collapsed" if record["collapsed"] else ""),
    }  # fmt: skip


def _probability(p: float) -> str:
    """Return a share of draws; none and all of some thousand draws are no certainty."""
    return "< .001" if p < 0.001 else "> .999" if p > 0.999 else f"{p:.3f}".lstrip("0")


def _placed(rows: list[Row], frame: View) -> list[Row]:
    """Place intervals of all cells, also of collapsed ones, within the frame; rows of one name stay apart."""
    cells = multiples.distinct([row["cell"] for row in rows])
    gone = [row["collapsed"] for row in rows]
    drawn = place([{**row, "collapsed": False} for row in rows], frame)
    return [
        {**row, "cell": cell, "collapsed": collapsed,
         **{f"x_{end}": frame.clamp(row[end]) for end in ("hdi_lower", "hdi_upper")}}
        for row, cell, collapsed in zip(drawn, cells, gone, strict=True)
    ]  # fmt: skip


def _draw(
    label: str, notes: list[str], rows: list[Row], one: _Quantity, every: marks.Names, frame: View, margin: float
) -> alt.LayerChart:
    scale = alt.Scale(domain=[frame.low, frame.high], nice=False, zero=False)
    cells = [row["cell"] for row in rows]
    y = alt.Y("cell:N", scale=alt.Scale(domain=cells), sort=None, title=None,
              axis=alt.Axis(grid=False, ticks=False, domain=False, labelLimit=220))  # fmt: skip

    def x(field: str) -> alt.X:
        return alt.X(f"{field}:Q", scale=scale, title=one.name)

    names = every.among(row["series"] for row in rows)
    colour, shape = every.colour(names), every.shape(names)
    numbers = {"value": one.name, "lower": "equal tails from", "upper": "to", "hdi_lower": "highest density from",
               "hdi_upper": "to ", "p": f"probability of {one.claim}"}  # fmt: skip
    tooltip = marks.tooltips({"cell": "cell"}, numbers, {"n": "networks"})
    base = alt.Chart(marks.data(rows)).encode(y=y, color=colour)
    point = {"x": x("y"), "shape": shape, "tooltip": tooltip}
    layers = [
        *_null(one, margin, x),
        base.mark_rule(strokeWidth=7, opacity=0.35).encode(x=x("x_hdi_lower"), x2=alt.X2("x_hdi_upper:Q")),
        base.mark_rule(strokeWidth=1.6).encode(x=x("y_lower"), x2=alt.X2("y_upper:Q")),
        *(
            base.mark_point(shape=f"triangle-{side}", filled=True, size=34, opacity=1)
            .encode(x=x(field))
            .transform_filter(f"datum.{flag}")
            for side, flag, field in (("left", "cut_low", "y_lower"), ("right", "cut_high", "y_upper"))
        ),
        base.mark_point(filled=True, size=55, opacity=1).encode(**point).transform_filter("!datum.collapsed"),
        base.mark_point(filled=False, size=60, opacity=1).encode(**point).transform_filter("datum.collapsed"),
        base.mark_point(shape=theme.CROSS, filled=False, size=90, opacity=1)
        .encode(x=x("y"))
        .transform_filter("datum.collapsed"),
        alt.Chart(marks.data(rows))
        .mark_text(align="left", dx=6)
        .encode(y=y, x=alt.value(WIDTH), text=alt.Text("beside:N")),
    ]
    return marks.finish(layers, label, notes, width=WIDTH, height=_LINE * max(len(rows), 2))


def _null(one: _Quantity, margin: float, x: Callable[[str], alt.X]) -> list[alt.Chart]:
    """Return the margin as a band and the line where nothing happens."""
    band = alt.Chart(marks.data([{"low": one.null - margin, "high": one.null + margin}]))
    line = alt.Chart(marks.data([{"null": one.null}]))
    return [
        band.mark_rect(color=theme.CONTROL_COLOUR, opacity=0.14).encode(x=x("low"), x2=alt.X2("high:Q")),
        line.mark_rule(color=theme.INK, opacity=0.55).encode(x=x("null")),
    ]
