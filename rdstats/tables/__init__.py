"""Results as tables for people, and in the formats of other programs."""

from rdstats.tables.formats import FORMATS, WIDTH, render, to_csv, to_latex, to_markdown, to_text
from rdstats.tables.registry import DEFAULT, TABLES, TableKind
from rdstats.tables.table import Table

__all__ = [
    "DEFAULT",
    "FORMATS",
    "TABLES",
    "WIDTH",
    "Table",
    "TableKind",
    "render",
    "to_csv",
    "to_latex",
    "to_markdown",
    "to_text",
]
