"""Colours, shapes and type of all charts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rdstats._labelled import is_control

INK = "currentColor"
"""Text and axes take the text colour of the page, so that one drawing serves light and dark."""

CONTROL_COLOUR = "#808080"
EXPECTED = "expected from accuracy alone"

# Okabe and Ito's palette without black (unreadable on dark); yellow comes last (faint on white)
_BLUE, _ORANGE, _GREEN, _PURPLE = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
_VERMILION, _SKY, _YELLOW = "#D55E00", "#56B4E9", "#F0E442"
_PALETTE = (_BLUE, _ORANGE, _GREEN, _PURPLE, _VERMILION, _SKY, _YELLOW)
_COLOUR = {"mp": _BLUE, "gp": _ORANGE, "up": _GREEN, "rp": _PURPLE, "lth": _VERMILION, "chip": _SKY}

_STAR = "M0,-1.1L.3,-.35L1.05,-.35L.45,.15L.65,.95L0,.5L-.65,.95L-.45,.15L-1.05,-.35L-.3,-.35Z"
_SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", _STAR, "cross", "triangle-right")
_SHAPE = dict(zip(("mp", "gp", "up", "rp", "lth", "chip"), _SHAPES, strict=False))

DASH = "M-1,-.2L1,-.2L1,.2L-1,.2Z"
"""A short level bar, the mark of reference values."""
CROSS = "M-1,-1L1,1M1,-1L-1,1"
"""A diagonal cross, the mark of collapsed cells."""


def colours(methods: Sequence[str]) -> list[str]:
    """Return a colour a method: fixed for the known ones, grey for controls, the free ones for others."""
    return _assign(methods, _COLOUR, _PALETTE, CONTROL_COLOUR)


def shapes(methods: Sequence[str]) -> list[str]:
    """Return a mark a method, so that no meaning hangs on colour alone."""
    return _assign(methods, _SHAPE, _SHAPES, DASH)


def _assign(methods: Sequence[str], fixed: dict[str, str], palette: Sequence[str], control: str) -> list[str]:
    taken = {fixed[method] for method in methods if method in fixed}
    free = [value for value in palette if value not in taken] or list(palette)
    others = [method for method in methods if method not in fixed and not is_control(method)]
    own = {method: free[i % len(free)] for i, method in enumerate(others)}
    return [control if is_control(method) else fixed.get(method) or own[method] for method in methods]


def config() -> dict[str, Any]:
    """Return the Vega-Lite configuration of all charts."""
    text = {"labelColor": INK, "titleColor": INK, "labelFontSize": 11, "titleFontSize": 12}
    lines = {"domainColor": INK, "tickColor": INK, "gridColor": CONTROL_COLOUR, "gridOpacity": 0.22}
    strokes = {"domainOpacity": 0.6, "tickOpacity": 0.6, "tickSize": 4}
    placing = {"orient": "bottom", "columns": 2, "columnPadding": 20, "rowPadding": 3, "offset": 10}
    symbols = {"symbolSize": 70, "symbolStrokeWidth": 0, "symbolOpacity": 1, "labelLimit": 260}
    return {
        "background": "transparent",
        "font": "Helvetica, Arial, 'Liberation Sans', sans-serif",
        "view": {"stroke": None},
        "axis": {**text, **lines, **strokes, "titleFontWeight": 500},
        "legend": {**text, **placing, **symbols, "title": None},
        "title": {"color": INK, "fontSize": 13, "fontWeight": 600, "anchor": "start", "offset": 10},
        "text": {"color": INK, "fontSize": 10},
    }
