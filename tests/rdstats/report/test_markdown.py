"""The Markdown document: short, valid, and the same statements as the page."""

import re

import pytest

import rdstats
from rdstats.records import control_records
from rdstats.report import findings, render_markdown
from rdstats.tables.escape import markdown
from rdstats.tables.slopes import control_tables, summary_tables


@pytest.fixture(scope="module")
def document(report):
    return render_markdown(report)


def test_parts_in_order(document, report):
    heads = [line for line in document.splitlines() if line.startswith("#")]
    assert heads[0] == "## Which classes pay for compression: small"
    assert heads[-2:] == ["### Classes that lose and win", "### Warnings"]
    assert next(h for h in heads if "control" in h) == "### Against the control"
    places = [document.index(markdown(text)) for text in (*findings(report).sentences, findings(report).basis)]
    assert places == sorted(places)
    assert document.endswith("</sub>\n")


def test_tables_are_those_of_the_claims(document, report):
    lines = [line for line in document.splitlines() if line.startswith("|")]
    tables = control_tables(report)
    assert len(lines) == sum(len(table.rows) + 2 for table in tables)
    claims = [str(record["claim"]) for record in control_records(report) if record["claim"]]
    assert all(any(f"| {claim} |" in line for line in lines) for claim in claims)


def test_columns_of_every_row_agree(document):
    rows = [re.split(r"(?<!\\)\|", line) for line in document.splitlines() if line.startswith("|")]
    widths = [len(row) for row in rows]
    blocks = re.findall(r"(?:^\|.*\n)+", document, re.MULTILINE)
    assert sum(block.count("\n") for block in blocks) == len(widths)
    for block in blocks:
        assert len({len(re.split(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


def test_warnings_and_provenance(document):
    assert "- Missing cells: cells of the grid not finished: 6" in document
    assert "grid small; seeds 6; test images per class 40" in document


def test_without_control_the_slopes_are_shown(sim):
    analysis = rdstats.analyze(sim.simulate({"mp": sim.CONTROL}))
    text = render_markdown(analysis)
    assert f"### {summary_tables(analysis)[0].title}" in text
    assert "There is no control here" in text


def test_one_pair_of_matrices():
    text = render_markdown(rdstats.analyze(rdstats.build([[90, 10], [30, 70]], [[80, 20], [50, 50]])))
    assert "1 of 2 classes loses: class 1 -20.0 points" in text
    assert "one network only" in text


def test_hostile_names(hostile):
    text = render_markdown(hostile)
    assert "<script" not in text
    assert "<img" not in text
    assert not re.search(r"(?<!\\)\[[^\]\\]*\]\(", text)
    assert not set("\u2028\u202e") & set(text)
    assert not re.search(r"@all|#1", text)
    assert "</sub>" in text.splitlines()[-1]
