"""Normalised balance after compression against before, a small panel for each cell."""

from __future__ import annotations

import math
from collections.abc import Sequence

import altair as alt
import xarray as xr

from rdstats._labelled import CLASS, METHOD, SEED
from rdstats.charts import marks, multiples, theme
from rdstats.charts.multiples import Spot
from rdstats.charts.panel import Panel, Row, text
from rdstats.records import plain

SIZE = 150
X_TITLE, Y_TITLE = "normalised balance before", "normalised balance after"
_NAMES = ("slope", "r_squared", "n", "accuracy", "collapsed", "limit", "beyond", "reason")


def scatter_chart(data: xr.Dataset, *, by: str = METHOD) -> marks.Chart:
    """Draw the normalised balance of every class of every network after compression against before.

    On the dashed line nothing changed; the solid one is the pooled line through the origin, whose slope stands
    above the panel with r2, mean accuracy and the number of networks. A class to the left of the middle is
    behind the mean of its dense network. Triangles at the edge are dots beyond the frame. Too many dots are
    drawn as squares, the denser the deeper.

    Parameters
    ----------
    data : result of `rdstats.figures.scatter_figure`.
    by : dimension with a column of panels each label; ratios are rows, and every combination of the others is
        a block of rows with common axes.

    Raises
    ------
    InputError
        Another dimension, or a figure without a value.

    Source: paper, Figures 5 to 8.
    """
    return marks.join(scatter_panels(data, by=by))


def scatter_panels(data: xr.Dataset, *, by: str = METHOD) -> list[Panel]:
    """Return the panels of `scatter_chart`."""
    every = multiples.spots(data, _NAMES, by)
    paint = marks.Names(dict.fromkeys(spot.column for spot in every), data.attrs["methods"]).paint
    note = str(data.attrs.get("summary", ""))
    panels = []
    for spots in multiples.by_block(every).values():
        limit = max(spot.record["limit"] for spot in spots)
        panels += [_panel(data, spot, limit, paint[spot.column], note) for spot in spots]
    return panels


def _panel(data: xr.Dataset, spot: Spot, limit: float, colour: str, note: str) -> Panel:
    record = spot.record
    if not record["n"]:
        return Panel(spot.label, (), multiples.missing(spot, SIZE, SIZE, _why(record)), spot.place)
    dots = _squares(data, spot) if "count" in data else _dots(data, spot, limit)
    layers = [*_lines(record, limit), *(_density if "count" in data else _points)(dots, limit, colour)]
    notes = [*_numbers(record), *([note] if note else [])]
    row = {"text": f"{'; '.join(_numbers(record))}; {data.attrs['measure']} balances of {len(dots)} "
           f"{'squares' if 'count' in data else 'dots'}"}  # fmt: skip
    return Panel(spot.label, (row,), multiples.finish(layers, spot, notes, width=SIZE, height=SIZE), spot.place)


def _why(record: Row) -> str:
    return "not computed" if record["reason"] == "missing" else str(record["reason"]).replace("_", " ")


def _numbers(record: Row) -> list[str]:
    """Return what stands above a panel, line by line."""
    slope, fit, share = (record[name] for name in ("slope", "r_squared", "accuracy"))
    return [
        f"pooled slope {_short(slope)}, r² {_short(fit)}",
        f"accuracy {_short(share)}, {record['n']} network{'s' if record['n'] != 1 else ''}",
        *(["collapsed"] if record["collapsed"] else []),
    ]


def _short(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _dots(data: xr.Dataset, spot: Spot, limit: float) -> list[Row]:
    """Return one row a class and network, clamped to the frame."""
    dims = [str(dim) for dim in data["slope"].dims]
    before, after = (data[name].transpose(*dims, SEED, CLASS).values[spot.index] for name in ("before", "after"))
    names = data["class_name"].broadcast_like(data["slope"]).transpose(*dims, CLASS).values[spot.index]
    seeds = data[SEED].values if SEED in data.coords else range(before.shape[0])
    rows = []
    for seed, xs, ys in zip(seeds, before.tolist(), after.tolist(), strict=True):
        for name, x, y in zip(names.tolist(), xs, ys, strict=True):
            if not (math.isnan(x) or math.isnan(y)):
                rows.append({
                    "class": str(name), "seed": text(plain(seed)), "before": x, "after": y,
                    "x": min(max(x, -limit), limit), "y": min(max(y, -limit), limit), "edge": _edge(x, y, limit),
                })  # fmt: skip
    return rows


def _edge(x: float, y: float, limit: float) -> str:
    """Return beyond which edge of the frame a dot lies."""
    if abs(y) > limit:
        return "up" if y > 0 else "down"
    if abs(x) > limit:
        return "right" if x > 0 else "left"
    return ""


def _squares(data: xr.Dataset, spot: Spot) -> list[Row]:
    """Return one row a square with dots; its limits are those of the figure's bins."""
    dims = [str(dim) for dim in data["slope"].dims]
    count = data["count"].transpose(*dims, "bin_after", "bin_before").values[spot.index]
    half, n_bins = spot.record["limit"], count.shape[-1]
    edges = [half * (2 * i / n_bins - 1) for i in range(n_bins + 1)]
    most = int(count.max(initial=1))
    return [
        {"n": int(n), "left": edges[j], "right": edges[j + 1], "low": edges[i], "high": edges[i + 1],
         "depth": 0.15 + 0.85 * math.sqrt(n / most)}
        for i, line in enumerate(count.tolist()) for j, n in enumerate(line) if n
    ]  # fmt: skip


def _axes(limit: float) -> tuple[alt.X, alt.Y]:
    scale = alt.Scale(domain=[-limit, limit], nice=False, zero=False)
    style = alt.Axis(tickCount=4, titleFontSize=10, labelFontSize=9, labelOverlap="greedy")
    return alt.X("x:Q", scale=scale, axis=style, title=X_TITLE), alt.Y("y:Q", scale=scale, axis=style, title=Y_TITLE)


def _lines(record: Row, limit: float) -> list[alt.Chart]:
    """Return the identity, dashed, and the pooled line through the origin."""
    x, y = _axes(limit)
    slopes = {"identity": 1.0} | ({"pooled": record["slope"]} if record["slope"] is not None else {})
    drawn = {}
    for name, slope in slopes.items():
        end = limit / max(abs(slope), 1.0)
        rows = [{"x": -end, "y": -end * slope, "slope": slope}, {"x": end, "y": end * slope, "slope": slope}]
        drawn[name] = alt.Chart(marks.data(rows)).encode(x=x, y=y)
    identity = drawn["identity"].mark_line(color=theme.INK, opacity=0.6, strokeWidth=1, strokeDash=[4, 3])
    if "pooled" not in drawn:
        return [identity]
    tooltip = marks.tooltips({}, {"slope": "pooled slope"}, {})
    return [identity, drawn["pooled"].mark_line(color=theme.INK, strokeWidth=1.6).encode(tooltip=tooltip)]


def _points(rows: Sequence[Row], limit: float, colour: str) -> list[alt.Chart]:
    x, y = _axes(limit)
    tooltip = marks.tooltips({"class": "class", "seed": "seed"}, {"before": X_TITLE, "after": Y_TITLE}, {})
    inside = alt.Chart(marks.data([row for row in rows if not row["edge"]]))
    layers = [inside.mark_point(filled=True, size=11, opacity=0.5, color=colour).encode(x=x, y=y, tooltip=tooltip)]
    for edge in sorted({row["edge"] for row in rows} - {""}):
        beyond = alt.Chart(marks.data([row for row in rows if row["edge"] == edge]))
        mark = beyond.mark_point(shape=f"triangle-{edge}", filled=True, size=22, opacity=0.8, color=colour)
        layers.append(mark.encode(x=x, y=y, tooltip=tooltip))
    return layers


def _density(rows: Sequence[Row], limit: float, colour: str) -> list[alt.Chart]:
    x, y = _axes(limit)
    place = {"x": alt.X("left:Q", scale=x["scale"], axis=x["axis"], title=X_TITLE), "x2": alt.X2("right:Q"),
             "y": alt.Y("low:Q", scale=y["scale"], axis=y["axis"], title=Y_TITLE), "y2": alt.Y2("high:Q")}  # fmt: skip
    names = {"left": f"{X_TITLE} from", "right": "to", "low": f"{Y_TITLE} from", "high": "to "}
    tooltip = marks.tooltips({}, names, {"n": "dots"})
    mark = alt.Chart(marks.data(rows)).mark_rect(color=colour)
    return [mark.encode(**place, opacity=alt.Opacity("depth:Q", scale=None, legend=None), tooltip=tooltip)]
