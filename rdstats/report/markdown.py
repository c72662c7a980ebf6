"""A short report in GitHub-flavoured Markdown: for the comment of a pull request, or a model card."""

from __future__ import annotations

from rdstats._version import __version__
from rdstats.analysis import Analysis
from rdstats.report.checks import checks
from rdstats.report.finding import findings
from rdstats.report.losers import class_changes, column_sentences
from rdstats.report.provenance import run_facts
from rdstats.tables.escape import markdown
from rdstats.tables.formats import to_markdown
from rdstats.tables.slopes import control_tables, summary_tables

_PROVENANCE = ("Grid", "Seeds", "Test images per class", "Device", "Git commit", "Analysed with")


def render_markdown(analysis: Analysis) -> str:
    """Return the report of an analysis as a short Markdown document.

    The finding, one table of claims (of slopes where there is no control), classes that lose and win, warnings,
    what it rests on, and a line of provenance.

    Parameters
    ----------
    analysis : result of `rdstats.analyze`.
    """
    found = findings(analysis)
    name = str(analysis.counts.attrs.get("grid_name") or "")
    title = f"## Which classes pay for compression{f': {markdown(name)}' if name else ''}"
    finding = "\n".join(f"- {markdown(sentence)}" for sentence in found.sentences)
    tables = control_tables(analysis) or summary_tables(analysis)
    parts = [title, finding, *(to_markdown(table).strip() for table in tables if table.rows)]
    parts += [*_classes(analysis), *_warnings(analysis), f"<sub>{markdown(found.basis)}</sub>", _line(analysis)]
    return "\n\n".join(parts) + "\n"


def _classes(analysis: Analysis) -> list[str]:
    sentences = column_sentences(analysis, class_changes(analysis))
    if not sentences:
        return []
    lines = [f"- **{markdown(column)}**: {markdown(sentence)}" for column, sentence in sentences]
    return ["### Classes that lose and win", "\n".join(lines)]


def _warnings(analysis: Analysis) -> list[str]:
    lines = [f"- {markdown(f'{check.subject}: {check.text}')}" for check in checks(analysis) if not check.ok]
    return ["### Warnings", "\n".join(lines)] if lines else []


def _line(analysis: Analysis) -> str:
    facts = dict(run_facts(analysis))
    texts = [f"{term.lower()} {facts[term]}" for term in _PROVENANCE if term in facts]
    return f"<sub>{markdown('; '.join(texts) or f'rd {__version__}')}</sub>"
