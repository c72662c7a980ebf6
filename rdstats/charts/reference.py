"""What is drawn beside slopes: the control's mean, and the slope expected from accuracy alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import altair as alt

from rdstats._labelled import METHOD, is_control
from rdstats.charts import marks, theme
from rdstats.charts.panel import Row, View, place
from rdstats.charts.panel import series as series_of
from rdstats.records import Record


def is_controls(record: Record) -> bool:
    """Return whether a record is a control's."""
    return is_control(record.get(METHOD, ""))


def control_name(method: str) -> str:
    """Return how the legend names a control."""
    return f"{method} (control)"


def control_row(record: Record, by: str = METHOD) -> Row:
    """Return what is drawn of a control, from a record with ``mean, lower, upper, n``."""
    method = str(record[METHOD])
    own = method.removeprefix("sham-") if by == METHOD else series_of(record, by)
    fields = ("lower", "upper", "n")
    return {
        "series": control_name(method) if by == METHOD else f"{control_name(method)} {own}",
        "of": own,
        "value": record["mean"],
        **{name: record[name] for name in fields},
    }


def legend(
    grey: Sequence[Row], expected: Sequence[Row], names: marks.Names | None = None
) -> dict[str, tuple[str, str]]:
    """Return the entries of the legend for controls and expected slopes: name -> colour and shape.

    A control is grey; one that belongs to a single series has the colour of that series.
    """
    own = names.paint if names else {}
    extra = {row["series"]: (own.get(row["of"], theme.CONTROL_COLOUR), theme.DASH) for row in grey}
    return extra | ({theme.EXPECTED: (theme.INK, theme.DASH)} if expected else {})


def control_layers(
    grey: Sequence[Row], colour: alt.Color, y: marks.Vertical, frame: View, title: str = "slope alpha"
) -> list[alt.Chart]:
    """Return lines across the panel at the controls' means; the interval of one alone is a band."""
    rows = place([{**row, "collapsed": False} for row in grey], frame)
    base = alt.Chart(marks.data(rows)).encode(color=colour)
    alone = alt.Chart(marks.data(rows if len(rows) == 1 else [])).encode(color=colour)
    band = alone.mark_rect(opacity=0.18).transform_filter("isValid(datum.y_lower)")
    tooltip = marks.tooltips({"series": "control"}, {"value": title, "lower": "interval from", "upper": "to"},
                             {"n": "networks"})  # fmt: skip
    return [
        band.encode(y=y("y_lower"), y2=alt.Y2("y_upper:Q")),
        base.mark_rule(strokeWidth=2).encode(y=y("y"), tooltip=tooltip),
    ]


def expected_rows(rows: Iterable[Row], frame: View, *, named: bool = True) -> list[Row]:
    """Return what is drawn of expected slopes: none of collapsed cells; `named`: as a series of their own."""
    sound = [row for row in rows if row["expected"] is not None and not row["collapsed"]]
    series = {"series": theme.EXPECTED} if named else {}
    return [{**row, **series, "y": frame.clamp(row["expected"])} for row in sound]


def expected_dashes(rows: Sequence[Row], room: float) -> alt.Chart:
    """Return short bars for expected slopes; `room` is the distance in pixels of their neighbours."""
    size = min(max(room, 5.0), 13.0) ** 2
    chart: alt.Chart = alt.Chart(marks.data(rows)).mark_point(filled=True, size=size, opacity=0.85)
    return chart
