"""Names from files stay text in every format, and numbers stay numbers."""

import csv
import html
import io
import json
import re

import pytest

from rdstats.charts import script_json
from rdstats.tables import Table, to_csv, to_latex, to_markdown, to_text
from rdstats.tables.escape import csv_cell, latex, markdown, one_line, visible


def unescaped(text):
    """Return what a Markdown reader sees."""
    return html.unescape(re.sub(r"\\([\\|*_`\[\]~])", r"\1", text.replace("<!-- -->", "")))


def test_markdown_reads_as_the_name(hostile_names):
    for name in (*hostile_names, "a & b", "&lt;", "~~x~~", "line\nbreak", "www.example.org", "http://x.y"):
        assert unescaped(markdown(name)) == one_line(name)
        assert "<" not in markdown(name).replace("<!-- -->", "")
        assert "\n" not in markdown(name)


@pytest.mark.parametrize("text", ["@all", "see #12", "http://example.org", "WWW.example.org", "mail@example.org"])
def test_markdown_calls_nobody_and_links_nothing(text):
    assert "<!-- -->" in markdown(text)


def test_a_markdown_table_has_its_columns(hostile_names):
    table = Table("t", ("a", "b"), tuple((name, "1") for name in hostile_names), "c")
    rows = [line for line in to_markdown(table).splitlines() if line.startswith("|")]
    assert len(rows) == len(hostile_names) + 2
    assert {len(re.split(r"(?<!\\)\|", row)) for row in rows} == {4}


def test_control_characters_are_written_out():
    assert visible("a\u202eb\x1b[31m\u2028\ufeff") == "a\\u202eb\\u001b[31m\\u2028\\ufeff"
    assert visible("naïve – 日本 α\n") == "naïve – 日本 α\n"
    assert one_line("a\r\n\tb") == "a b"


def test_plain_text_does_nothing_to_a_terminal():
    text = to_text(Table("t\x1b]0;x\x07", ("a\nb",), (("\x1b[2J\u202e",),), ""))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", text)


def test_latex_has_no_command_but_its_own(hostile_names):
    for name in hostile_names:
        rest = re.sub(r"\\(?:text\w+\{\}|[&%$#_{}])|\$[<>]\$", "", latex(name))
        assert not set('\\{}$&#%_^~<>|"\n') & set(rest), name
    assert latex("\\input{x}") == r"\textbackslash{}input\{x\}"


def test_a_latex_row_is_no_option_of_the_line_before():
    body = to_latex(Table("t", ("a", "b"), (("[5cm]", "1"), ("*", "2")), "")).splitlines()
    assert r"{}[5cm] & 1 \\" in body
    assert r"{}* & 2 \\" in body


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\nx"])
def test_texts_that_look_like_formulas(text):
    assert csv_cell(text).strip('"') == f"'{text}"
    rows = list(csv.reader(io.StringIO(to_csv([{text: 1, "b": text}]), newline="")))
    assert rows == [[f"'{text}", "b"], ["1", f"'{text}"]]


def test_numbers_are_never_changed():
    values = {"a": -0.1, "b": -3, "c": None, "d": 1e-300, "e": 0.1 + 0.2, "f": [-1, "x"], "g": True}
    row = next(csv.DictReader(io.StringIO(to_csv([values]))))
    assert [float(row[key]) for key in "abde"] == [values[key] for key in "abde"]
    assert row["c"] == ""
    assert json.loads(row["f"]) == [-1, "x"]


def test_script_json(hostile_names):
    value = {name: [name, 1.5] for name in hostile_names}
    text = script_json(value)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == value
