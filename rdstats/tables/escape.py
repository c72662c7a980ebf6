"""Names from files as text, whatever they hold: in Markdown, LaTeX, CSV and on a page."""

from __future__ import annotations

import json
import re

from rdstats._text import visible

_QUOTED = set(',"\r\n')
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_MENTION = re.compile(r"([@#])(?=\w)|(?<=\w)(:)(?=//)|\b(www)(?=\.)", re.IGNORECASE)
_LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$",
          "–": "--", "|": r"\textbar{}", '"': r"\textquotedbl{}"} | {c: f"\\{c}" for c in "&%$#_{}"}  # fmt: skip


def one_line(text: str) -> str:
    """Return a visible text without line breaks and tabs."""
    return re.sub(r"[\r\n\t]+", " ", visible(text))


def markdown(text: str) -> str:
    """Return text that GitHub-flavoured Markdown shows as it is.

    Marks, HTML and table bars are escaped; mentions, references and bare addresses are broken by an empty
    comment, since a site looks for them after it has undone escapes.
    """
    escaped = "".join(_ENTITIES.get(sign, f"\\{sign}" if sign in "\\|*_`[]~" else sign) for sign in one_line(text))
    return _MENTION.sub(lambda found: f"{found[0]}<!-- -->", escaped)


def latex(text: str) -> str:
    """Return text that LaTeX sets as it is."""
    return "".join(_LATEX.get(sign, sign) for sign in one_line(text))


def csv_cell(value: object) -> str:
    """Return a value as a cell of a CSV file: empty for None, exact for a number, JSON for a list.

    A text that starts with ``= + - @``, a tab or a line break gets an apostrophe in front, since a spreadsheet
    would take it for a formula; numbers never do.
    """
    if value is None:
        return ""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, list) else str(value)
    if isinstance(value, str) and value.startswith(_FORMULA):
        text = f"'{text}"
    return '"{}"'.format(text.replace('"', '""')) if _QUOTED & set(text) else text
