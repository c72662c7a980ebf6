"""Reports: the finding in one paragraph, tables, and one self-contained HTML file."""

from rdstats.report.finding import finding
from rdstats.report.html import render_html, write_report

__all__ = ["finding", "render_html", "write_report"]
