"""The text alternative of a panel: what a reader who cannot see it is told."""

from __future__ import annotations

from rdstats.charts.panel import Panel, Row


def describe(panel: Panel, title: str) -> str:
    """Return the panel in words: its title, then value, interval and verdict of every mark."""
    head = f"{title}, {panel.label}" if panel.label else title
    return f"{head}. " + "; ".join(map(_mark, panel.rows)) + "." if panel.rows else f"{head}: no values."


def _mark(row: Row) -> str:
    where = f"{row['series']} at ratio {row['ratio']:g}" if "ratio" in row else row["series"]
    if row.get("collapsed"):
        return f"{where}: {row['value']:.3f}, collapsed"
    bounds = [row[name] for name in ("lower", "upper")]
    interval = "no interval" if None in bounds else f"interval {bounds[0]:.3f} to {bounds[1]:.3f}"
    words = {"?": "undecided against 1", "<": "below 1", ">": "above 1"}
    verdict = row.get("claim") or row.get("verdict") or ""
    return f"{where}: {row['value']:.3f}, {interval}" + (f", {words.get(verdict, verdict)}" if verdict else "")
