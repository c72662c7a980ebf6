"""Reports: the finding in plain sentences, one self-contained HTML page, and a short Markdown document."""

from rdstats.report.finding import Finding, finding, findings
from rdstats.report.html import render_html
from rdstats.report.markdown import render_markdown
from rdstats.report.write import FORMATS, analyze_for_report, write_report

__all__ = [
    "FORMATS",
    "Finding",
    "analyze_for_report",
    "finding",
    "findings",
    "render_html",
    "render_markdown",
    "write_report",
]
