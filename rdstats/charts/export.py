"""Charts as files: SVG, PNG, PDF, a page of their own, or the specification."""

from __future__ import annotations

import html
import json
import math
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from rdstats.charts import theme
from rdstats.charts.bundle import LICENCE, vega_bundle, vega_lite_version
from rdstats.charts.marks import Chart
from rdstats.errors import InputError, one_of
from rdstats.files import check_writable, write_atomically

PIXELS = 2.0
"""Pixels of a PNG for a unit of the drawing."""

_WORD = re.compile(r'(\bid="|url\(#)')
_SCRIPT = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def specification(chart: Chart) -> dict[str, Any]:
    """Return a chart as a Vega-Lite specification, which follows the text colour of the page it stands on."""
    spec: dict[str, Any] = chart.to_dict(validate=False)  # three times as fast; the tests validate every figure
    return {**spec, "config": theme.config()}


def script_json(value: Any) -> str:
    """Return a value as JSON that can stand inside a script element, whatever its texts are."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return "".join(_SCRIPT.get(sign, sign) for sign in text)


def to_svg(chart: Chart, prefix: str = "chart") -> str:
    """Return a chart as one SVG element that follows the text colour of its page.

    Parameters
    ----------
    chart : a chart of this package.
    prefix : put before every identifier, so that several drawings can share a page.
    """
    return _WORD.sub(rf"\g<1>{prefix}-", _convert("svg", specification(chart)))


def to_html(chart: Chart, mode: str = "", title: str = "Recall distortion") -> str:
    """Return a chart as a page that needs nothing else: no host is asked for anything.

    Parameters
    ----------
    mode : ``light`` or ``dark``; default: what the reader's browser prefers.
    """
    scheme, name = mode or "light dark", html.escape(title)
    light, dark = (f"color:{ink};background:{background}" for ink, background in theme.MODES.values())
    own = {"": f"body{{{light}}}@media(prefers-color-scheme:dark){{body{{{dark}}}}}", "light": f"body{{{light}}}"}
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="{scheme}">
<meta http-equiv="Content-Security-Policy" content="{CONTENT_POLICY}">
<title>{name}</title>
<style>:root{{color-scheme:{scheme}}}{own.get(mode, f"body{{{dark}}}")}body{{margin:1.5rem;font:1rem/1.5 sans-serif}}
h1{{position:absolute;clip-path:inset(50%)}}#frame{{overflow-x:auto}}</style></head>
<body><main><h1>{name}</h1><div id="frame" role="region" tabindex="0" aria-label="{name}">
<div role="img" aria-label="{name}"><div id="chart" aria-hidden="true"></div></div></div></main>
<noscript>This page draws with JavaScript.</noscript>
<!-- {LICENCE} -->
<script>{vega_bundle()}</script>
<script>vegaEmbed("#chart", {script_json(specification(chart))}, {{renderer: "svg", actions: false}});</script>
</body></html>
"""


CONTENT_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:"
)
"""What a page of ours may load: nothing.  Vega compiles the expressions of a specification."""


def save_chart(chart: Chart, path: str | os.PathLike[str], *, mode: str = "", title: str = "") -> None:
    """Write a chart; the ending of the name says how: ``.html .svg .png .pdf .json``.

    No browser and no network is needed.  A file that was there before is replaced only by a complete one.

    Parameters
    ----------
    mode : ``light`` or ``dark``; default: light, and for a page what the reader prefers.
    title : of a page.

    Raises
    ------
    InputError
        Another ending, another mode, a path that cannot be written, or a chart that Vega cannot draw.
    """
    target = check_ending(path)
    if mode and mode not in theme.MODES:
        raise InputError(f"theme {mode!r}: {one_of(theme.MODES)} is accepted")
    content = _CONTENT[target.suffix.lower()](chart, mode, title or "Recall distortion")
    try:
        write_atomically(target, content)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None


def check_ending(path: str | os.PathLike[str]) -> Path:
    """Return a path that a chart can be written to."""
    target = Path(path)
    if target.suffix.lower() not in _CONTENT:
        raise InputError(f"cannot write {path}: a name that ends with {one_of(_CONTENT)} is accepted")
    return check_writable(target)


def _convert(kind: str, spec: dict[str, Any], **options: Any) -> Any:
    import vl_convert

    convert = getattr(vl_convert, f"vegalite_to_{kind}")
    try:
        drawn = convert(spec, vl_version=vega_lite_version(), allowed_base_urls=[], **options)
    except ValueError as error:  # "... conversion failed:", then Vega's words, then where
        raise InputError(f"cannot draw the chart: {' '.join(str(error).splitlines()[:2])}") from None
    if _broken_off(spec, _SIZE[kind](drawn)):
        raise InputError("cannot draw the chart: Vega broke off with an error and drew nothing")
    return drawn


def _broken_off(spec: dict[str, Any], size: tuple[float, float]) -> bool:
    """Return whether a drawing has no room for axes and titles.

    vl-convert logs an error while a chart is laid out and returns what there is, an empty frame: its size is then
    that of the chart's own width and height, none for panels side by side, and the padding.
    """
    width, height = (spec.get(name, 0) + 2 * _PADDING for name in ("width", "height"))
    return size[0] <= width and (size[1] <= height or "width" not in spec)


_PADDING = 5
"""Vega's room around a drawing, in pixels."""


def _svg_size(svg: str) -> tuple[float, float]:
    found = re.search(r'<svg[^>]*? width="([\d.]+)" height="([\d.]+)"', svg)
    return _two(found.groups()) if found else _UNKNOWN


def _png_size(png: bytes) -> tuple[float, float]:
    return _two(int.from_bytes(png[start : start + 4], "big") / PIXELS for start in (16, 20))


def _pdf_size(pdf: bytes) -> tuple[float, float]:
    found = re.search(rb"/MediaBox ?\[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    return _two(found.groups()) if found else _UNKNOWN


def _two(numbers: Iterable[Any]) -> tuple[float, float]:
    width, height = map(float, numbers)
    return width, height


_UNKNOWN = (math.inf, math.inf)
_SIZE: dict[str, Callable[[Any], tuple[float, float]]] = {"svg": _svg_size, "png": _png_size, "pdf": _pdf_size}
"""How large a drawing is, in the unit of its chart."""


def _alone(chart: Chart, mode: str) -> dict[str, Any]:
    return theme.themed(specification(chart), mode or "light")


_CONTENT: dict[str, Callable[[Chart, str, str], bytes]] = {
    ".html": lambda chart, mode, title: to_html(chart, mode, title).encode(),
    ".svg": lambda chart, mode, title: _convert("svg", _alone(chart, mode)).encode(),
    ".png": lambda chart, mode, title: _convert("png", _alone(chart, mode), scale=PIXELS),
    ".pdf": lambda chart, mode, title: _convert("pdf", _alone(chart, mode)),
    ".json": lambda chart, mode, title: (json.dumps(specification(chart), indent=1, allow_nan=False) + "\n").encode(),
}
FORMATS = tuple(ending.removeprefix(".") for ending in _CONTENT)
