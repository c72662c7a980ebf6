"""An analysis as one self-contained HTML file: no script, no font, no image from anywhere else."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import xarray as xr

from rdstats._labelled import METHOD, RATIO, SEED, is_control
from rdstats._version import __version__
from rdstats.analysis import Analysis, analyze
from rdstats.errors import InputError
from rdstats.files import check_writable, write_document
from rdstats.report.finding import finding
from rdstats.tables.families import family_tables
from rdstats.tables.slopes import control_tables, summary_tables
from rdstats.tables.table import NONE, Table, label

if TYPE_CHECKING:
    from rdstats.charts import Panel

_REASONS = {
    "missing": "not computed",
    "degenerate_excluded": "all networks are degenerate and were left out",
    "undefined_class": "a class has no defined score (0/0)",
    "no_spread": "all classes of the dense network have one score",
    "no_variation": "all networks give the same value",
    "too_few_seeds": "too few networks",
    "no_control": "the method has no control",
    "unmatched_ratio": "the achieved ratios differ",
    "weak_denominator": "the dense networks' spread is too weak against the sampling of test images",
    "not_estimable": "the test set is too weak",
}
_CHARTS = {
    "delta": "Slope minus the control's slope against pruning ratio",
    "slopes": "Mean intensification slope against pruning ratio",
}


def write_report(source: Analysis | xr.Dataset, path: str | os.PathLike[str], **options: Any) -> None:
    """Write the report of an analysis, or of a cube that is analysed first, as one HTML file.

    A file that was there before is replaced only when the new one is complete.

    Parameters
    ----------
    source : result of `rdstats.analyze`, or a cube.
    path : name of the HTML file.
    options : for a cube, those of `rdstats.analyze`.

    Raises
    ------
    InputError
        A path that cannot be written, options for an analysis that is already done, or wrong input to
        `rdstats.analyze`.
    """
    target = check_writable(path)
    if isinstance(source, Analysis):
        if options:
            raise InputError(f"{', '.join(options)}: options belong to a cube; this analysis is already done")
        analysis = source
    else:
        analysis = analyze(source, **options)
    write_document(target, render_html(analysis))


def render_html(analysis: Analysis) -> str:
    """Return the report of an analysis as HTML: finding, charts, tables, warnings and what was run.

    Parameters
    ----------
    analysis : result of `rdstats.analyze`.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rdstats.report"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("report.html").render(_context(analysis))


def _context(analysis: Analysis) -> dict[str, Any]:
    from rdstats.charts import delta_panels, slope_panels

    control = control_tables(analysis)
    return {
        "name": str(analysis.counts.attrs.get("grid_name") or ""),
        "measure": analysis.slopes.attrs["measure"],
        "finding": finding(analysis),
        "margin": analysis.control.attrs["margin"] if analysis.control is not None else None,
        "delta": _figures("delta", delta_panels, analysis) if control else [],
        "slopes": _figures("slopes", slope_panels, analysis),
        "summary": [_view(part) for part in summary_tables(analysis)],
        "control": [_view(part) for part in control],
        "families": [_view(part) for part in family_tables(analysis)],
        "warnings": analysis.warnings,
        "run": run_facts(analysis),
        "attributes": _nested_attributes(analysis.counts.attrs),
        "version": __version__,
    }


@dataclass(frozen=True)
class Figure:
    """One drawing as inline SVG (its texts were escaped when it was drawn), and what it shows in words."""

    svg: Any
    text: str


def _figures(kind: str, panels: Callable[[Analysis], list[Panel]], analysis: Analysis) -> list[Figure]:
    from markupsafe import Markup

    from rdstats.charts import describe, to_svg

    return [
        Figure(Markup(to_svg(panel.chart, prefix=f"{kind}-{i}")), describe(panel, _CHARTS[kind]))
        for i, panel in enumerate(panels(analysis))
    ]


@dataclass(frozen=True)
class Cell:
    """A cell of a table, with the reason where it is empty."""

    text: str
    reason: str = ""


@dataclass(frozen=True)
class TableView:
    """A table with the reasons of its empty cells, and which of its columns hold numbers."""

    table: Table
    rows: list[list[Cell]]
    numeric: list[bool]


def _view(table: Table) -> TableView:
    reasons = table.reasons or ("",) * len(table.rows)
    rows = [
        [Cell(text, _reason(reason) if text == NONE else "") for text in row]
        for row, reason in zip(table.rows, reasons, strict=True)
    ]
    table = table if table.captioned else replace(table, caption="")
    numeric = [table.is_numeric(i) for i in range(len(table.columns))]
    return TableView(table, rows, numeric)


def _reason(reason: str) -> str:
    return _REASONS.get(reason, reason.replace("_", " ")) or "no value"


def run_facts(analysis: Analysis) -> list[tuple[str, str]]:
    """Return what was run as pairs of a term and its text, without the facts that the cube does not carry."""
    attrs = analysis.counts.attrs
    facts = [("Grid", str(attrs.get("grid_name") or ""))]
    for dim in (str(dim) for dim in analysis.summary["mean"].dims if dim != RATIO):
        labels = analysis.summary[dim].values.tolist() if dim in analysis.summary.coords else []
        facts.append(
            (
                dim.replace("_", " ").capitalize(),
                ", ".join(map(_method_text if dim == METHOD else label, labels)),
            )
        )
    if RATIO in analysis.summary.coords:
        facts.append(("Ratio: nominal (mean achieved)", _ratios_text(analysis.summary)))
    facts += [
        ("Seeds", str(analysis.slopes.sizes.get(SEED, 1))),
        ("Test images per class", _images_text(analysis)),
        ("Device", str(attrs.get("device") or "")),
        ("Versions", ", ".join(f"{k} {v}" for k, v in _json(attrs.get("versions")).items())),
        ("Git commit", str(attrs.get("git_commit") or "")),
        ("Shortened run", ", ".join(f"{k} = {v}" for k, v in _json(attrs.get("scaled")).items())),
    ]
    return [(term, text) for term, text in facts if text]


def _images_text(analysis: Analysis) -> str:
    if not bool((analysis.counts["support"] > 0).any()):
        return ""
    return " to ".join(dict.fromkeys(f"{n:,}" for n in analysis.test_images_per_class))


def _method_text(name: Any) -> str:
    return f"{name} (control)" if is_control(name) else label(name)


def _ratios_text(summary: xr.Dataset) -> str:
    texts = []
    for ratio in summary[RATIO].values.tolist():
        text = label(ratio)
        if "achieved_ratio" in summary:
            values = summary["achieved_ratio"].sel({RATIO: ratio})
            ends = dict.fromkeys(f"{float(end):.3g}" for end in (values.min(), values.max()) if end == end)
            text += f" ({' to '.join(ends)})" if ends else ""
        texts.append(text)
    return ", ".join(texts)


def _json(text: Any) -> dict[str, Any]:
    """Return an attribute that holds a JSON object; anything else is no object."""
    try:
        value = json.loads(str(text or "{}"))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _nested_attributes(attrs: dict[Any, Any]) -> list[tuple[str, str]]:
    """Return the evidence that is kept as JSON text, indented."""
    names = {"grid": "Resolved grid", "provenance": "Provenance"}
    return [
        (title, json.dumps(_json(attrs[name]), indent=2, ensure_ascii=False))
        for name, title in names.items()
        if _json(attrs.get(name))
    ]
