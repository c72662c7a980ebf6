"""A report as a file: analysed if need be, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import xarray as xr

from rdstats._labelled import SEED
from rdstats.analysis import Analysis, analyze
from rdstats.errors import InputError, nearest, one_of
from rdstats.files import check_writable, write_document
from rdstats.report.html import render_html
from rdstats.report.markdown import render_markdown

FORMATS: dict[str, Callable[[Analysis], str]] = {"html": render_html, "markdown": render_markdown}


def analyze_for_report(cube: xr.Dataset, **options: Any) -> Analysis:
    """Return the analysis that a report shows: `rdstats.analyze` with all families that the cube can answer.

    Parameters
    ----------
    cube : a cube with matrices before and after compression.
    options : those of `rdstats.analyze`; a `family` that is given stays the only one.
    """
    if options.get("family") is None:
        options["family"] = "all" if cube.sizes.get(SEED, 1) > 1 else None
    return analyze(cube, **options)


def write_report(
    source: Analysis | xr.Dataset, path: str | os.PathLike[str], format: str = "html", **options: Any
) -> None:
    """Write the report of an analysis, or of a cube that is analysed first, as one file.

    A file that was there before is replaced only when the new one is complete.

    Parameters
    ----------
    source : result of `rdstats.analyze`, or a cube.
    path : name of the file.
    format : ``html``, one self-contained page, or ``markdown``, short, for a pull request or a model card.
    options : for a cube, those of `rdstats.analyze`; default family: all that the cube can answer.

    Raises
    ------
    InputError
        A path that cannot be written, an unknown format, options for an analysis that is already done, or wrong
        input to `rdstats.analyze`.
    """
    render = renderer(format)
    target = check_writable(path)
    if isinstance(source, Analysis):
        if options:
            raise InputError(f"{', '.join(options)}: options belong to a cube; this analysis is already done")
        analysis = source
    else:
        analysis = analyze_for_report(source, **options)
    write_document(target, render(analysis))


def renderer(format: str) -> Callable[[Analysis], str]:
    """Return the function that makes a report of this format."""
    if format not in FORMATS:
        raise InputError(f"format {format!r}{nearest(format, FORMATS)}: {one_of(FORMATS)} is accepted")
    return FORMATS[format]
