"""The text alternative of a panel: what a reader who cannot see it is told."""

from __future__ import annotations

from rdstats.charts.panel import Panel, Row

MOST = 40
"""Marks that are told one by one."""


def describe(panel: Panel, title: str) -> str:
    """Return the panel in words: its title, then value, interval and verdict of every mark, up to `MOST`."""
    head = f"{title}, {panel.label}" if panel.label else title
    if not panel.rows:
        return f"{head}: no values."
    more = len(panel.rows) - MOST
    marks = "; ".join(map(_mark, panel.rows[:MOST]))
    return f"{head}. {marks}{f'; and {more} more, all of them in the tables' if more > 0 else ''}."


def _mark(row: Row) -> str:
    if "text" in row:  # the chart says itself what a mark means
        return str(row["text"])
    where = f"{row['series']} at ratio {row['ratio']:g}" if row.get("ratio") is not None else row["series"]
    if row.get("collapsed"):
        return f"{where}: {row['value']:.3f}, collapsed"
    bounds = [row[name] for name in ("lower", "upper")]
    interval = "no interval" if None in bounds else f"interval {bounds[0]:.3f} to {bounds[1]:.3f}"
    words = {"?": "undecided against 1", "<": "below 1", ">": "above 1"}
    verdict = row.get("claim") or row.get("verdict") or ""
    return f"{where}: {row['value']:.3f}, {interval}" + (f", {words.get(verdict, verdict)}" if verdict else "")
