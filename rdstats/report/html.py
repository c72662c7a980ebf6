"""An analysis as one self-contained HTML file: no font, no image, no script from anywhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import xarray as xr

from rdstats._labelled import RATIO
from rdstats._version import __version__
from rdstats._words import words
from rdstats.analysis import Analysis
from rdstats.report.checks import checks, ratios_differ, skipped_families
from rdstats.report.citation import bibtex
from rdstats.report.drawings import Drawings, FigureView
from rdstats.report.finding import findings
from rdstats.report.losers import changed_tables, class_changes, column_sentences
from rdstats.report.method import method_paragraphs
from rdstats.report.provenance import nested_attributes, run_facts
from rdstats.report.reading import glossary
from rdstats.report.sceptic import sceptic_sentences
from rdstats.report.view import TableView, views
from rdstats.slope import collapsed
from rdstats.tables import TABLES

_SLOPE_TABLES = ("control", "slopes", "sampling", "intervals", "instrumented", "retrain", "posterior", "pairs")


@dataclass(frozen=True)
class _Figures:
    """The figures of every section; a figure with many panels starts folded."""

    delta: FigureView
    slopes: FigureView
    boxes: FigureView
    spread: FigureView
    posterior: FigureView
    classes: FigureView
    confusion: FigureView
    family: FigureView
    tradeoff: FigureView
    sampling: FigureView
    ratios: FigureView


def render_html(analysis: Analysis) -> str:
    """Return the report of an analysis as one HTML page.

    In this order: the finding with the comparison with the control, how to read it, slopes, classes that lose and
    win, families of tests, accuracy against slope, checks, method and provenance.

    Parameters
    ----------
    analysis : result of `rdstats.analyze`; the cube behind it must still be open, since figures read its matrices.
    """
    import jinja2
    from markupsafe import Markup

    from rdstats._text import visible

    def shown(value: Any) -> Any:
        """Write control characters of names out, before Jinja escapes them."""
        return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rdstats.report"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, finalize=shown,
    )  # fmt: skip
    return environment.get_template("report.html").render(_context(analysis))


def _context(analysis: Analysis) -> dict[str, Any]:
    from markupsafe import Markup

    from rdstats.charts import script_json, theme
    from rdstats.charts.bundle import LICENCE, vega_bundle
    from rdstats.charts.export import CONTENT_POLICY

    drawings = Drawings(analysis)
    figures = _figures(drawings)
    tables = _tables(analysis)
    changes = class_changes(analysis)
    tables["changed"] = views(changed_tables(analysis, changes), "changed")
    downloads = {one.id: one.csv for group in tables.values() for one in group if one.csv}
    data = {"config": theme.config(), "charts": drawings.specifications, "csv": downloads}
    return {
        "name": str(analysis.counts.attrs.get("grid_name") or ""),
        "measure": analysis.slopes.attrs["measure"],
        "margin": analysis.margin,
        "words": words(analysis.counts.attrs),
        "finding": findings(analysis),
        "glossary": glossary(analysis),
        "sceptic": sceptic_sentences(analysis),
        "losers": column_sentences(analysis, changes),
        "skipped": skipped_families(analysis),
        "checks": checks(analysis),
        "method": method_paragraphs(analysis),
        "run": run_facts(analysis),
        "attributes": nested_attributes(analysis.counts.attrs),
        "bibtex": bibtex(),
        "version": __version__,
        "figures": figures,
        "tables": tables,
        "policy": CONTENT_POLICY,
        "licence": LICENCE,
        "data": Markup(script_json(data)),
        "bundle": Markup(vega_bundle()),
    }


def _figures(drawings: Drawings) -> _Figures:
    analysis = drawings.analysis

    def last(data: xr.Dataset) -> xr.Dataset:
        return data.assign(planned=data["planned"] & largest_sound(analysis).reindex_like(data["planned"]))

    return _Figures(
        delta=drawings.figure("delta"),
        slopes=drawings.figure("slopes"),
        boxes=drawings.figure("boxes"),
        spread=drawings.figure("spread"),
        posterior=drawings.figure("posterior") if analysis.posterior is not None else FigureView(),
        classes=drawings.figure("classes", prepare=last),
        confusion=drawings.figure("confusion", prepare=last),
        family=drawings.figure("family") if analysis.families else FigureView(),
        tradeoff=drawings.figure("tradeoff"),
        sampling=drawings.figure("sampling"),
        ratios=drawings.figure("ratios") if ratios_differ(analysis) else FigureView(),
    )


def largest_sound(analysis: Analysis) -> xr.DataArray:
    """Return, for every column, which cell is that of the largest ratio that has not collapsed."""
    summary = analysis.summary
    sound = summary["mean"].notnull() & ~collapsed(summary)
    if RATIO not in sound.dims:
        return sound
    ratio = summary[RATIO].broadcast_like(sound).where(sound)
    return sound & (ratio == ratio.max(RATIO))


def _tables(analysis: Analysis) -> dict[str, list[TableView]]:
    """Return the tables of every section, those that this cube can answer."""
    wanted: Sequence[str] = (
        *_SLOPE_TABLES, "classes", "changes", "worst", "tests", "posterior-pairs", "tradeoff", "accuracy",
    )  # fmt: skip
    return {name: views([table for table in TABLES[name].tables(analysis) if table.rows], name) for name in wanted}
