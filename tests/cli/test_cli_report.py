"""`rd report`: a page or a document, and every option has an effect."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdstats.report.drawings import FigureView

USUAL: list[str] = []
"""The page without options, made once."""


@pytest.fixture(autouse=True)
def no_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts are slow and tested elsewhere."""
    monkeypatch.setattr("rdstats.report.drawings.Drawings.figure", lambda *_, **__: FigureView())


def test_markdown_is_printed_alone(rd, cube: Path) -> None:
    assert rd("report", cube, "--format", "markdown") == 0
    assert rd.stdout.startswith("## Which classes pay for compression")
    assert rd.stdout.endswith("</sub>\n")
    assert "note:" not in rd.stdout
    assert "not run" not in rd.stderr


def test_markdown_goes_to_a_file(rd, cube: Path, tmp_path: Path) -> None:
    assert rd("report", cube, "--format", "markdown", "--output", tmp_path / "r.md") == 0
    written = (tmp_path / "r.md").read_text(encoding="utf-8")
    assert rd("report", cube, "--format", "markdown") == 0
    assert rd.stdout == written


def test_page_is_written_where_it_is_said(rd, cube: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert rd("report", cube) == 0
    assert "report: report.html" in rd.stdout
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    "options",
    [
        {"--level=0.9": "simultaneous at 90%", "--margin=0.2": "within 0.2 of 0", "--bayes": "Posteriors are those of"},
        {
            "--measure=precision": "precision takes the place of recall",
            "--reference=macro": "the plain mean of precision over classes",
            "--correction=holm": "holm over m",
            "--family=method": "Families of tests. method",
        },
        {
            "--against=one": "No control is in use here",
            "--exclude=degenerate": "they are left out",
            "--select=method=sham,mp": "selected part only",
        },
    ],
)
def test_options_reach_the_page(rd, cube: Path, tmp_path: Path, options: dict[str, str]) -> None:
    page = tmp_path / "r.html"
    for chosen in (options, *([{}] if not USUAL else [])):
        assert rd("report", cube, "--output", page, *chosen) == 0
        text = " ".join(page.read_text(encoding="utf-8").split())
        for words in chosen.values():
            assert words in text
        if not chosen:
            USUAL.append(text)
    for words in options.values():
        assert words not in USUAL[0]


def test_every_family_that_can_be_answered_is_there(rd, cube: Path, tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    assert rd("report", cube, "--output", page) == 0
    text = page.read_text(encoding="utf-8")
    assert "Tests: family ratio" in text
    assert "Families that this cube cannot answer: arch: " in text


@pytest.mark.parametrize("options", [["--format", "pdf"], ["--family", "nonsense"], ["--against", "x"]])
def test_wrong_choices_are_one_line(rd, cube: Path, tmp_path: Path, options: list[str]) -> None:
    assert options[1] in rd.refused("report", cube, "--output", tmp_path / "r.html", *options)
    assert not (tmp_path / "r.html").exists()
