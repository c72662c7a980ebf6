"""Charts as SVG text that can stand inside a page."""

from __future__ import annotations

import re
from typing import Any

import altair as alt

from rdstats.charts import theme

_WORD = re.compile(r'(\bid="|url\(#)')


def to_svg(chart: Any, prefix: str = "chart") -> str:
    """Return a chart as one SVG element.

    Parameters
    ----------
    chart : an Altair chart; without a configuration of its own it gets that of this package.
    prefix : put before every identifier, so that several drawings can share a page.
    """
    import vl_convert

    spec: dict[str, Any] = chart.to_dict()
    spec["config"] = theme.config()
    version = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    svg: str = vl_convert.vegalite_to_svg(spec, vl_version=version, allowed_base_urls=[])
    return _WORD.sub(rf"\g<1>{prefix}-", svg)
