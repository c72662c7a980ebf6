"""Formats: nothing is cut off, nothing breaks the markup, and numbers of other programs are exact."""

import csv
import html
import io
import json
import re

import pytest

from rdstats import analyze
from rdstats.errors import InputError
from rdstats.tables import DEFAULT, FORMATS, TABLES, WIDTH, Table, render, to_csv, to_latex, to_markdown, to_text
from rdstats.tables.formats import LONGEST
from rdstats.tables.registry import chosen

STUDIES = ("usual", "crumbling", "pair_of_models", "large")


def test_every_kind_has_tables_here(all_tables):
    assert {kind for _, kind, _ in all_tables} == set(TABLES)
    assert len([1 for study, _, _ in all_tables if study == "large"]) > 80


# --- text ---


def test_text_is_eighty_columns_wide(all_tables):
    for study, kind, table in all_tables:
        for line in to_text(table).splitlines():
            assert len(line) <= WIDTH, (study, kind, line)


def pieces(text, table):
    """Return the parts of a printed table as lists of rows of cells, heading first."""
    body = text.split("\n", 2)[2]
    blocks = body.split("\n\n")
    return [[re.split(r" {2,}", line.strip()) for line in block.splitlines()] for block in blocks if block][
        : len(blocks) - (1 if table.captioned and table.caption else 0)
    ]


def test_continued_tables_repeat_their_keys_and_hold_every_cell(all_tables):
    continued = 0
    for study, kind, table in all_tables:
        if not table.rows or "" in table.columns:
            continue
        parts = pieces(to_text(table), table)
        found = [list(table.columns[: table.keys]), *(list(row[: table.keys]) for row in table.rows)]
        for part in parts:
            assert len(part) == len(table.rows) + 1, (study, kind)
            for whole, line in zip(found, part, strict=True):
                assert line[: table.keys] == whole[: table.keys], (study, kind)
                whole += line[table.keys :]
        expected = [list(table.columns), *(list(row) for row in table.rows)]
        assert [[cell.strip() for cell in row] for row in found] == expected, (study, kind)
        continued += len(parts) > 1
    assert continued > 10


def test_paper_tables_are_continued_too(shown):
    table = next(t for t in shown["large"]["tests"] if t.title == "Corrected p: family ratio")
    assert len(table.columns) == 1 + 20
    text = to_text(table)
    parts = text.split("\n\n")
    assert sum(part.count("50 vs 100") for part in parts[:-1]) == len(parts) - 1 > 3
    for i, heading in enumerate(table.columns[1:], 1):
        assert heading in text
        assert all(row[i] in text for row in table.rows)


def test_the_keys_of_a_table_tell_its_rows_apart(all_tables):
    for study, kind, table in all_tables:
        names = [row[: table.keys] for row in table.rows]
        assert len(set(names)) == len(names), (study, kind, table.title, names[:3])


def test_a_wide_table_in_a_narrow_place():
    table = Table("T", ("method", "ratio", "a", "b", "c"), (("mp", "2", "1.0", "2.0", "3.0"),), "some words", keys=2)
    assert to_text(table, 20) == (
        "T\n-\nmethod  ratio    a\nmp          2  1.0\n\nmethod  ratio    b\nmp          2  2.0\n\n"
        "method  ratio    c\nmp          2  3.0\n\nsome words\n"
    )
    assert to_text(table).splitlines()[2:4] == ["method  ratio    a    b    c", "mp          2  1.0  2.0  3.0"]


def test_numbers_are_aligned_to_the_right_and_words_to_the_left():
    rows = (("mp", "0.1", "<0.001", "0.1 to 0.2", "?"), ("gradient", "-10.0", "–", "–", "0.3"))
    table = Table("Long title", ("name", "x", "p", "interval", "mixed"), rows, "")
    assert [table.is_numeric(i) for i in range(5)] == [False, True, True, True, False]
    assert to_text(table).splitlines() == [
        "Long title",
        "----------",
        "name          x       p    interval  mixed",
        "mp          0.1  <0.001  0.1 to 0.2  ?",
        "gradient  -10.0       –           –  0.3",
    ]


@pytest.mark.parametrize("study", STUDIES[:3])
def test_every_line_of_the_document_fits(request, study):
    analysis = request.getfixturevalue(study)
    text = render(analysis, "table", "slopes,control,tests")
    assert max(map(len, text.splitlines())) <= WIDTH
    flat = re.sub(r"\s+", " ", text)
    assert [flat.count(f"note: {note[:40]}") for note in analysis.warnings] == [1] * len(analysis.warnings)


# --- markdown and latex ---


def test_markdown_of_every_table(all_tables):
    for study, kind, table in all_tables:
        lines = to_markdown(table).splitlines()
        assert lines[0].startswith("### ")
        body = [line for line in lines if line.startswith("|")]
        assert len(body) == 2 + len(table.rows)
        for line, cells in zip([body[0], *body[2:]], [table.columns, *table.rows], strict=True):
            parts = [part.strip() for part in re.split(r"(?<!\\)(?:\\\\)*\|", line)[1:-1]]
            shown = [html.unescape(re.sub(r"\\([\\|*_`\[\]~])", r"\1", part.replace("<!-- -->", ""))) for part in parts]
            assert shown == list(cells), (study, kind)
            assert "<" not in line.replace("<!-- -->", "")
        rule = body[1].strip("|").split("|")
        assert [part.strip() for part in rule] == ["---:" if table.is_numeric(i) else "---" for i in range(len(rule))]
        assert len(rule) == len(table.columns)
        if lines[-1] not in body:
            assert "|" not in re.sub(r"\\\|", "", lines[-1])


UNDO = [(r"\textbackslash{}", "\\"), (r"\textasciitilde{}", "~"), (r"\textasciicircum{}", "^"), ("$<$", "<"),
        ("$>$", ">"), (r"\textbar{}", "|"), *((f"\\{c}", c) for c in "&%$#_{}")]  # fmt: skip


def unlatex(text):
    pattern = "|".join(re.escape(code) for code, _ in UNDO)
    return re.sub(pattern, lambda found: dict(UNDO)[found[0]], text).replace("--", "–")


def test_latex_of_every_table(all_tables):
    for study, kind, table in all_tables:
        lines = to_latex(table).splitlines()
        spec = "".join("r" if table.is_numeric(i) else "l" for i in range(len(table.columns)))
        needs = lines.pop(0)
        if len(table.rows) > LONGEST:
            assert needs == r"% needs \usepackage{booktabs,longtable}"
            assert lines.pop(0) == rf"\begin{{longtable}}{{{spec}}}"
            caption = lines.pop(0).removesuffix(r" \\")
            assert lines.pop() == r"\end{longtable}"
        else:
            assert needs == r"% needs \usepackage{booktabs}"
            assert lines.pop(0) == r"\begin{table}"
            caption = lines.pop(0)
            assert lines.pop(0) == rf"\begin{{tabular}}{{{spec}}}"
            assert [lines.pop(), lines.pop()] == [r"\end{table}", r"\end{tabular}"]
        words = unlatex(caption.removeprefix(r"\caption{").removesuffix("}"))
        assert words == (f"{table.title}. {table.caption}" if table.caption else table.title).replace("--", "–")
        assert (lines.pop(0), lines.pop(1), lines.pop()) == (r"\toprule", r"\midrule", r"\bottomrule")
        body = lines
        for line, cells in zip(body, [table.columns, *table.rows], strict=True):
            assert line.endswith(r" \\")
            parts = re.split(r"(?<!\\)&", line.removesuffix(r" \\"))
            assert [unlatex(part.strip()) for part in parts] == list(cells), (study, kind)
        for line in [caption.removeprefix(r"\caption{").removesuffix("}"), *body]:
            bare = re.sub(r"\\text\w+\{\}|\$[<>]\$|\\[&%$#_{}]|\\\\", "", line)
            assert not re.search(r"[%$#_{}~^\\<>|–]", bare), (study, kind, line)
            depth = re.sub(r"\\[{}]", "", line)
            assert depth.count("{") == depth.count("}")


def test_special_characters_of_latex():
    table = Table("a_b", ("x & y", "50%"), (("#1 ~ $2 {x} \\ ^", "<b>"),), "A_1 – {all}")
    text = to_latex(table)
    assert r"\caption{a\_b. A\_1 -- \{all\}}" in text
    assert r"x \& y & 50\% \\" in text
    assert r"\#1 \textasciitilde{} \$2 \{x\} \textbackslash{} \textasciicircum{} & $<$b$>$ \\" in text
    assert r"\caption{a\_b}" in to_latex(Table("a_b", ("x",), (), ""))


def test_markup_documents_name_every_note(crumbling, usual):
    for name, start in (("markdown", "- note: "), ("latex", "% note: ")):
        document = render(crumbling, name, "slopes")
        notes = [line.removeprefix(start) for line in document.splitlines() if line.startswith(start)]
        assert notes == list(crumbling.warnings) != []
        assert start not in render(usual, name, "slopes")


# --- csv and json ---


@pytest.mark.parametrize("kind", TABLES)
def test_csv_is_exact(every, kind):
    assert to_csv([]) == ""
    records = every["pair_of_models" if kind in ("pairs", "changes") else "large"][kind]
    text = to_csv(records)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == list(records[0])
    for row, record in zip(rows, records, strict=True):
        for key, value in record.items():
            if isinstance(value, int | float):
                assert float(row[key]) == value
            elif isinstance(value, list):
                assert json.loads(row[key]) == value
            else:
                assert row[key] == ("" if value is None else value)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_text_that_a_spreadsheet_would_compute_is_quoted(start):
    text = to_csv([{"method": f"{start}x", "mean": -0.5}])
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row == {"method": f"'{start}x", "mean": "-0.5"}


def test_csv_quotes_separators():
    records = [{"class": 'a, "b"\nc', "pair": ["x,y", "z"], "n": None}]
    (row,) = csv.DictReader(io.StringIO(to_csv(records), newline=""))
    assert (row["class"], json.loads(row["pair"]), row["n"]) == ('a, "b"\nc', ["x,y", "z"], "")


def test_csv_is_one_table(usual, pair_of_models, every):
    assert render(usual, "csv") == to_csv(every["usual"]["tests"])
    assert render(pair_of_models, "csv") == to_csv(every["pair_of_models"]["slopes"])
    assert render(usual, "csv", "classes") == to_csv(every["usual"]["classes"])
    for names in ("slopes,tests", "all"):
        with pytest.raises(
            InputError, match=rf"--table {names}: a CSV file holds one table; choose one of slopes, con"
        ):
            render(usual, "csv", names)


def test_json_has_the_tables_that_were_asked_for(usual, every):
    plain = json.loads(render(usual, "json"))
    assert plain["slopes"] == every["usual"]["slopes"]
    more = json.loads(render(usual, "json", "worst,slopes,retrain"))
    assert set(more) - set(plain) <= {"worst", "retrain"}
    assert more["worst"] == every["usual"]["worst"]
    assert more["retrain"] == every["usual"]["retrain"]
    whole = json.loads(render(usual, "json", "all"))
    for kind in TABLES:
        assert whole[kind] == every["usual"][kind]


# --- which tables ---


def test_the_default_tables(usual, crumbling, pair_of_models):
    assert chosen("", "table", crumbling) == list(DEFAULT)
    assert chosen("", "markdown", usual) == [*DEFAULT, "posterior", "posterior-pairs"]
    assert chosen("", "csv", usual) == ["tests"]
    assert chosen("", "csv", pair_of_models) == ["slopes"]
    assert set(chosen("", "table", pair_of_models)) >= {"slopes", "pairs", "changes"}
    assert chosen("all", "table", usual) == list(TABLES)
    assert chosen(" worst , slopes", "table", usual) == ["worst", "slopes"]


def test_a_table_that_was_asked_for_says_what_it_needs(pair_of_models, usual):
    note = "note: table retrain: nothing to show; it needs several seeds"
    assert note in render(pair_of_models, "table", "slopes,retrain")
    assert "nothing to show" not in render(pair_of_models, "table")
    assert "nothing to show" not in render(usual, "table", "slopes,retrain")


@pytest.mark.parametrize("names", ["slop", "slopes,", "all,slope", "Slopes", " "])
def test_unknown_tables(usual, names):
    with pytest.raises(InputError, match=r"^--table .*is accepted$"):
        chosen(names, "table", usual)


def test_all_among_others_is_all_or_is_refused_with_what_is_accepted(usual):
    """A line that refuses "all" and then names it as accepted helps nobody."""
    line = ""
    try:
        names = chosen("slopes,all", "table", usual)
    except InputError as error:
        line, names = str(error), list(TABLES)
    assert set(names) == set(TABLES)
    assert "--table all: " not in line


def test_the_nearest_name_is_suggested(usual):
    with pytest.raises(InputError, match=r"--table slop \(did you mean 'slopes'\?\): slopes, .*, all is accepted"):
        chosen("slop", "table", usual)


@pytest.mark.parametrize("format", FORMATS)
def test_an_analysis_without_an_answer_is_an_empty_document(make_study, format):
    analysis = analyze(make_study({"mp": 1.2}, keep="matrices", seeds=5))
    assert analysis.control is None
    text = render(analysis, format, "control")
    if format == "json":
        assert json.loads(text)["control"] == []
    else:
        assert "control" not in text.lower() or analysis.warnings
