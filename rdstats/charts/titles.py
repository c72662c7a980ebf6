"""Texts over panels and over whole figures."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import altair as alt

from rdstats.charts.panel import Drawing

_INHERITED = frozenset((
    "constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString", "toString", "valueOf",
    "__defineGetter__", "__defineSetter__", "__lookupGetter__", "__lookupSetter__", "__proto__",
))  # fmt: skip
_LETTER, _BOLD = 5.4, 7.2
"""Width of a letter of a caption and of a title, in pixels."""
_AXES = 80.0
"""Room beside a panel for its axes and what stands at its right, in pixels."""
_LEAST, _MOST = 420.0, 900.0


def line(text: str) -> str:
    """Return a line of a title as it can be drawn, whatever name it is.

    Vega looks for a constant text among the signals of a drawing, an object that inherits these names: a class or
    method called ``toString`` would be taken for a signal and nothing would be drawn.  With a space behind it, it is
    none of them and looks the same.
    """
    return f"{text} " if text in _INHERITED else text


def heading(label: str, subtitle: str | Sequence[str] = "") -> dict[str, Any]:
    """Return the title of a panel; none where there is nothing to say."""
    if not subtitle:
        return {"title": line(label)} if label else {}
    below = line(subtitle) if isinstance(subtitle, str) else list(map(line, subtitle))
    if not label:  # a subtitle below nothing is not drawn
        return {"title": alt.TitleParams(text=below, fontSize=11, fontWeight="normal")}
    return {"title": alt.TitleParams(text=line(label), subtitle=below)}


def over(about: str, caption: Sequence[str], charts: Sequence[Drawing], columns: int) -> alt.TitleParams:
    """Return the title of a figure and, below it, how it is read, wrapped to the width of its panels.

    Parameters
    ----------
    about : what the figure shows.
    caption : sentences.
    charts, columns : its panels, and how many of them stand side by side.
    """
    widest = max(map(_width, charts))
    room = min(max(min(columns, len(charts)) * (widest + _AXES), _LEAST), _MOST)
    title = textwrap.wrap(f"{about[:1].upper()}{about[1:]}", int(room / _BOLD))
    below = [part for sentence in caption for part in textwrap.wrap(sentence, int(room / _LETTER))]
    return alt.TitleParams(text=title, subtitle=below, fontSize=14, offset=16, subtitlePadding=6)


def _width(chart: Drawing) -> float:
    part = chart.vconcat[0] if isinstance(chart, alt.VConcatChart) else chart
    return float(part.width)
