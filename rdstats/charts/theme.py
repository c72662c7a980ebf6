"""Colours, shapes and type of all charts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rdstats._labelled import is_control

INK = "currentColor"
"""Text and axes take the text colour of the page, so that one drawing serves light and dark."""

MODES = {"light": ("#1c1d1f", "#ffffff"), "dark": ("#e6e7e8", "#15171a")}
"""Ink and background of a drawing that stands alone."""

CONTROL_COLOUR = "#808080"
EXPECTED = "expected from accuracy alone"

# Okabe and Ito's palette without black (unreadable on dark); yellow comes last (faint on white)
_BLUE, _ORANGE, _GREEN, _PURPLE = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
_VERMILION, _SKY, _YELLOW = "#D55E00", "#56B4E9", "#F0E442"
_PALETTE = (_BLUE, _ORANGE, _GREEN, _PURPLE, _VERMILION, _SKY, _YELLOW)
_COLOUR = {"mp": _BLUE, "gp": _ORANGE, "up": _GREEN, "rp": _PURPLE, "lth": _VERMILION, "chip": _SKY}

LOSS, GAIN = _VERMILION, _BLUE
"""What a class loses and wins, always with a sign or a shape beside the colour."""

DIVERGING = (_VERMILION, "#BFBFBF", _BLUE)
"""From loss over nothing to gain; the middle is visible on light and on dark."""

_STAR = "M0,-1.1L.3,-.35L1.05,-.35L.45,.15L.65,.95L0,.5L-.65,.95L-.45,.15L-1.05,-.35L-.3,-.35Z"
_SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", _STAR, "cross", "triangle-right")
_SHAPE = dict(zip(("mp", "gp", "up", "rp", "lth", "chip"), _SHAPES, strict=False))

DASH = "M-1,-.2L1,-.2L1,.2L-1,.2Z"
"""A short level bar, the mark of reference values."""
CROSS = "M-1,-1L1,1M1,-1L-1,1"
"""A diagonal cross, the mark of collapsed cells."""


def colours(names: Sequence[str], every: Sequence[str] = ()) -> list[str]:
    """Return a colour a name: fixed for known methods, grey for controls, the free ones for others.

    Where there are more others than free colours, a variant of a known method (``up-released``, ``mp@up-released``)
    has that method's.  `every` lists all names of the cube, so that charts which show a part of them agree.
    """
    marks = _marks([*every, *names])
    return [marks[name][0] for name in names]


def shapes(names: Sequence[str], every: Sequence[str] = ()) -> list[str]:
    """Return a mark a name, so that no meaning hangs on colour alone; two names of one colour have two marks."""
    marks = _marks([*every, *names])
    return [marks[name][1] for name in names]


def _marks(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return colour and shape of every name."""
    known = list(dict.fromkeys(names))
    marks = {name: (CONTROL_COLOUR, DASH) for name in known if is_control(name)}
    marks |= {name: (_COLOUR[name], _SHAPE[name]) for name in known if name in _COLOUR}
    others = [name for name in known if name not in marks]
    colours = [colour for colour in _PALETTE if all(colour != own for own, _ in marks.values())]
    scarce = len(others) > len(colours)
    colours = colours or list(_PALETTE)
    for i, name in enumerate(others):
        base = name.partition("@")[0].partition("-")[0]
        colour = _COLOUR[base] if scarce and base in _COLOUR else colours[i % len(colours)]
        marks[name] = colour, _free_shape(colour, list(marks.values()))
    return marks


def _free_shape(colour: str, marks: Sequence[tuple[str, str]]) -> str:
    """Return a shape that nothing has, else one that nothing of this colour has, else that which fewest have."""
    taken = [[shape for _, shape in marks], [shape for own, shape in marks if own == colour]]
    free = next((free for used in taken if (free := [s for s in _SHAPES if s not in used])), _SHAPES)
    return min(free, key=taken[1].count)


def config() -> dict[str, Any]:
    """Return the Vega-Lite configuration of all charts."""
    text = {"labelColor": INK, "titleColor": INK, "labelFontSize": 11, "titleFontSize": 12}
    lines = {"domainColor": INK, "tickColor": INK, "gridColor": CONTROL_COLOUR, "gridOpacity": 0.22}
    strokes = {"domainOpacity": 0.6, "tickOpacity": 0.6, "tickSize": 4}
    placing = {"orient": "bottom", "columns": 2, "columnPadding": 20, "rowPadding": 3, "offset": 10}
    symbols = {"symbolSize": 70, "symbolStrokeWidth": 0, "symbolOpacity": 1, "labelLimit": 260}
    heading = {"color": INK, "subtitleColor": INK, "anchor": "start", "offset": 10}
    return {
        "background": "transparent",
        "font": "Helvetica, Arial, 'Liberation Sans', sans-serif",
        "aria": False,  # the element around a drawing describes it in words
        "view": {"stroke": None},
        "axis": {**text, **lines, **strokes, "titleFontWeight": 500},
        "legend": {**text, **placing, **symbols, "title": None},
        "title": {**heading, "fontSize": 13, "fontWeight": 600, "subtitleFontSize": 11},
        "text": {"color": INK, "fontSize": 10},
    }


def themed(spec: dict[str, Any], mode: str) -> dict[str, Any]:
    """Return a specification in the colours of a drawing that stands alone: ``light`` or ``dark``."""
    ink, background = MODES[mode]
    painted: dict[str, Any] = _painted(spec, ink)
    painted["config"] = {**painted.get("config", {}), "background": background}
    return painted


_OF_THE_CUBE = ("values", "datasets", "domain", "title", "subtitle", "text")
"""Parts of a specification whose texts are data or names."""


def _painted(part: Any, ink: str) -> Any:
    """Replace the page's ink by a colour, in everything but data and names."""
    if isinstance(part, dict):
        return {
            key: value if key == "datasets" or (key in _OF_THE_CUBE and not isinstance(value, dict))
            else _painted(value, ink) for key, value in part.items()
        }  # fmt: skip
    if isinstance(part, list):
        return [_painted(value, ink) for value in part]
    return ink if part == INK else part
