"""`rd analyze`, `rd report`, `rd info`: every flag has an effect, every wrong input one line."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rdstats
from rdcli import analyze as module
from rdstats import array
from rdstats.families import FAMILIES
from rdstats.records import document
from rdstats.tables import FORMATS, TABLES


def test_json_is_the_exact_document(rd, cube: Path) -> None:
    assert rd("analyze", cube, "--family", "ratio", "--format", "json") == 0
    found = json.loads(rd.stdout)
    with rdstats.open_cube(cube) as data:
        assert found == json.loads(json.dumps(document(rdstats.analyze(data))))
    assert list(found)[:4] == ["family", "tests", "slopes", "families"]
    first = found["tests"][0]
    assert first["ratio"] == [2, 4]
    assert (first["dataset"], first["method"], first["m"], first["alternative"]) == ("toy", "mp", 2, "less")
    keys = ["estimate", "statistic", "df", "n", "p", "p_corrected", "m", "alternative", "lower", "upper", "reason"]
    assert list(first)[4 : 4 + len(keys)] == keys
    slope = found["slopes"][0]
    assert slope["method"] == "sham"
    assert {
        "mean",
        "sd",
        "n",
        "lower",
        "upper",
        "level",
        "verdict",
        "spread",
        "cosine",
        "expected",
        "n_degenerate",
    } < set(slope)
    assert len(found["slopes"]) == 7  # sham once, mp and up at three ratios


@pytest.mark.parametrize("table", ["tests", "slopes", "control"])
def test_csv_holds_the_records_exactly(rd, cube: Path, table: str) -> None:
    assert rd("analyze", cube, "--format", "csv", "--table", table) == 0
    rows = list(csv.DictReader(io.StringIO(rd.stdout)))
    with rdstats.open_cube(cube) as data:
        records = TABLES[table].records(rdstats.analyze(data))
    assert len(rows) == len(records) > 0
    for row, record in zip(rows, records, strict=True):
        for key, value in record.items():
            if isinstance(value, int | float):
                assert float(row[key]) == value
            elif isinstance(value, list):
                assert json.loads(row[key]) == value
            else:
                assert row[key] == ("" if value is None else value)


def test_text_is_readable_and_says_what_it_is(rd, cube: Path) -> None:
    assert rd("analyze", cube) == 0
    for word in ("Slopes", "Against the control", "paired t-test", "one-sided", "bonferroni", "m = 2", "n = 6", "sham"):
        assert word in rd.stdout
    captions = [line for line in rd.stdout.splitlines() if line.startswith("Family")]
    assert captions
    assert max(map(len, rd.stdout.splitlines())) <= 90


@pytest.mark.parametrize("format", ["markdown", "latex"])
def test_markup(rd, cube: Path, format: str) -> None:
    assert rd("analyze", cube, "--format", format) == 0
    assert {"markdown": "| mp | 2 vs 4 |", "latex": "\\toprule"}[format] in rd.stdout


def test_every_option_changes_the_result(rd, cube: Path) -> None:
    def run(*options: str) -> dict:
        assert rd("analyze", cube, "--format", "json", *options) == 0
        return json.loads(rd.stdout)

    plain = run()
    assert run("--measure", "precision")["slopes"][1]["mean"] != plain["slopes"][1]["mean"]
    assert run("--measure", "f1")["family"]["measure"] == "f1"
    assert run("--reference", "macro")["family"]["reference"] == "macro"
    corrected = {c: [t["p_corrected"] for t in run("--correction", c)["tests"]] for c in array.CORRECTIONS}
    assert corrected["none"] == [t["p"] for t in plain["tests"]]
    assert all(h <= b for h, b in zip(corrected["holm"], corrected["bonferroni"], strict=True))
    assert corrected["bh"] != corrected["bonferroni"]
    wide = run("--level", "0.99")["slopes"][1]
    assert wide["upper"] - wide["lower"] > plain["slopes"][1]["upper"] - plain["slopes"][1]["lower"]
    selected = run("--select", "method=mp", "--select", "ratio=2,10")
    assert [s["ratio"] for s in selected["slopes"]] == [2, 10]
    assert [t["ratio"] for t in selected["tests"]] == [[2, 10]]


def test_exclude_degenerate_drops_the_flagged_networks(rd, tmp_path: Path) -> None:
    before = np.tile(np.array([[90.0, 10], [30, 70]]), (6, 1, 1))
    after = np.tile(before[:, None], (1, 2, 1, 1))
    after[0, 1] = [[100, 0], [100, 0]]  # one network predicts one class only
    path = tmp_path / "one.nc"
    rdstats.save(rdstats.build(before, after, dims=("seed", "ratio"), coords={"ratio": [2.0, 4.0]}), path)
    assert rd("analyze", path, "--format", "json") == 0
    assert [s["n"] for s in json.loads(rd.stdout)["slopes"]] == [6, 6]
    assert rd("analyze", path, "--format", "json", "--exclude", "degenerate") == 0
    assert [s["n"] for s in json.loads(rd.stdout)["slopes"]] == [6, 5]


def test_output_file_holds_what_would_be_printed(rd, cube: Path, tmp_path: Path) -> None:
    target = tmp_path / "slopes.json"
    assert rd("analyze", cube, "--format", "json", "--output", target) == 0
    assert rd.stdout == ""
    written = target.read_text()
    rd("analyze", cube, "--format", "json")
    assert written == rd.stdout


def test_report_is_one_page_and_prints_the_finding(rd, cube: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    assert rd("report", cube, "--output", page) == 0
    assert str(page) in rd.stdout
    assert "sham" in rd.stdout
    assert page.read_text().lstrip().lower().startswith("<!doctype html")


def test_info_shows_labels_cells_and_digest(rd, cube: Path) -> None:
    assert rd("info", cube) == 0
    with rdstats.open_cube(cube) as data:
        assert f"digest: {rdstats.digest(data)}" in rd.stdout
    assert "method: 3 (sham, mp, up)" in rd.stdout
    assert "42 finished" in rd.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--family", "ratios"], ["family", "ratio"]),
        (["--measure", "recal"], ["recal", "recall, precision, f1"]),
        (["--reference", "mean"], ["mean", "accuracy, macro"]),
        (["--correction", "bonf"], ["bonf", "bonferroni"]),
        (["--level", "1.5"], ["1.5"]),
        (["--exclude", "bad"], ["bad", "degenerate"]),
        (["--format", "xml"], ["xml", "json"]),
        (["--table", "test"], ["test", "did you mean 'tests'"]),
        (["--select", "method=mq"], ["method=mq", "did you mean 'mp'", "sham, mp, up"]),
        (["--select", "depth=3"], ["depth", "method"]),
        (["--select", "method"], ["method", "dim=value"]),
        (["--output", "/nowhere/else/x.json"], ["/nowhere/else"]),
    ],
)
def test_wrong_options_are_one_line(rd, cube: Path, options: list[str], words: list[str]) -> None:
    line = rd.refused("analyze", cube, *options)
    assert all(word in line for word in words), line


@pytest.mark.parametrize("command", ["analyze", "info", "report"])
def test_wrong_files_are_one_line(
    rd, cube: Path, tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    whole = cube.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    files = {"text.nc": b"hello", "empty.nc": b"", "short.nc": whole[: len(whole) // 2], "flipped.nc": bytes(flipped)}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        assert name in rd.refused(command, tmp_path / name)
    assert "no such file" in rd.refused(command, tmp_path / "absent.nc")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(files)


def test_report_path_is_checked_before_work(rd, cube: Path, tmp_path: Path) -> None:
    assert "folder" in rd.refused("report", cube, "--output", tmp_path)
    assert "does not exist" in rd.refused("report", cube, "--output", tmp_path / "no" / "r.html")


def test_help_names_what_the_library_accepts() -> None:
    import typing

    def metavar(annotation: object) -> str:
        return typing.get_args(annotation)[1].metavar

    assert metavar(module.Measure) == "|".join(array.MEASURES)
    assert metavar(module.Reference) == "|".join(array.REFERENCES)
    assert metavar(module.Correction) == "|".join(array.CORRECTIONS)
    assert metavar(module.FamilyName) == "|".join([*FAMILIES, "all"])
    hints = typing.get_type_hints(module.analyze, include_extras=True)
    assert metavar(hints["format"]) == "|".join(FORMATS)
    assert metavar(hints["table"]) == "|".join([*TABLES, "all"])


@pytest.mark.parametrize("arguments", [["analyze"], ["info"]])
def test_real_process(cube: Path, arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "rdcli", *arguments, str(cube)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "" if arguments == ["info"] else done.stderr)
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stdout
    assert done.stdout
