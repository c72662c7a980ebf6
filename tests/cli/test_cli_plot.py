"""`rd plot`: every flag has an effect, every wrong input one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import rdstats
from rdstats.charts import FIGURES, FORMATS
from rdstats.errors import UnanswerableError

MAGIC = {"html": b"<!DOCTYPE html>", "svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF", "json": b"{"}


def spec(rd, cube: Path, tmp_path: Path, *arguments: object) -> str:
    """The specification that a call writes."""
    target = tmp_path / "chart.json"
    assert rd("plot", cube, "--figure", "slopes", "--output", target, *arguments) == 0, rd.stderr
    return target.read_text()


@pytest.mark.parametrize("format", FORMATS)
def test_every_format(rd, cube: Path, tmp_path: Path, format: str) -> None:
    target = tmp_path / f"a name with spaces.{format}"
    assert rd("plot", cube, "--figure", "delta", "--output", target) == 0
    assert target.read_bytes().startswith(MAGIC[format])
    assert rd.stdout == f"delta: {target}\n"
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn_or_says_what_it_needs(rd, cube: Path, tmp_path: Path, name: str) -> None:
    target = tmp_path / "x.json"
    status = rd("plot", cube, "--figure", name, "--output", target)
    assert status in (0, 2)
    with rdstats.open_cube(cube) as data:
        analysis = rdstats.analyze(data, bayes=name == "posterior", folds=0)
        if status == 0:
            assert json.loads(target.read_text())["$schema"].startswith("https://vega.github.io/schema/vega-lite/")
            FIGURES[name].data(analysis)
            return
        with pytest.raises(UnanswerableError) as error:
            FIGURES[name].data(analysis)
    assert rd.stderr == f"rd: {error.value}\n"
    assert not target.exists()


def test_named_after_the_figure_by_default(rd, cube: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert rd("plot", cube, "--figure", "slopes") == 0
    assert (tmp_path / "slopes.html").read_text().startswith("<!DOCTYPE html>")


def test_options_change_what_is_drawn(rd, cube: Path, tmp_path: Path) -> None:
    whole = spec(rd, cube, tmp_path)
    assert '"up"' in whole
    assert '"up"' not in spec(rd, cube, tmp_path, "--select", "method=sham,mp")
    for option in (
        ["--measure", "f1"], ["--reference", "macro", "--measure", "precision"], ["--level", "0.5"], ["--by", "arch"],
    ):  # fmt: skip
        assert spec(rd, cube, tmp_path, *option) != whole, option


def test_margin_of_the_delta_chart(rd, cube: Path, tmp_path: Path) -> None:
    target = tmp_path / "d.json"
    assert rd("plot", cube, "--figure", "delta", "--margin", "0.25", "--output", target) == 0
    assert [{"high": 0.25, "low": -0.25}] in json.loads(target.read_text())["datasets"].values()


def test_theme(rd, cube: Path, tmp_path: Path) -> None:
    drawings = {}
    for theme in ("light", "dark"):
        target = tmp_path / f"{theme}.svg"
        assert rd("plot", cube, "--figure", "slopes", "--theme", theme, "--output", target) == 0
        drawings[theme] = target.read_text()
    assert "#15171a" in drawings["dark"]
    assert "#15171a" not in drawings["light"]
    assert "currentColor" not in drawings["dark"]


def test_list(rd, cube: Path, tmp_path: Path) -> None:
    assert rd("plot", "--list") == 0
    assert [line.split()[0] for line in rd.stdout.splitlines()] == list(FIGURES)
    single = tmp_path / "one.nc"
    with rdstats.open_cube(cube) as data:
        rdstats.save(rdstats.select(data, method="mp"), single)
    assert rd("plot", single, "--list") == 0
    assert "not for this cube: figure delta needs a control" in rd.stdout


def test_wrong_input_is_one_line_and_loses_nothing(rd, cube: Path, tmp_path: Path) -> None:
    assert "did you mean 'delta'" in rd.refused("plot", cube, "--figure", "dleta")
    assert "--figure is missing" in rd.refused("plot", cube)
    assert "name a cube" in rd.refused("plot", "--figure", "delta")
    assert ".html, .svg, .png, .pdf, .json" in rd.refused("plot", cube, "--figure", "delta", "--output", "x.bmp")
    assert "--theme blue: light, dark" in rd.refused("plot", cube, "--figure", "delta", "--theme", "blue")
    assert "does not exist" in rd.refused("plot", cube, "--figure", "delta", "--output", tmp_path / "no" / "x.svg")
    kept = tmp_path / "kept.json"
    kept.write_text("mine")
    line = rd.refused("plot", cube, "--figure", "slopes", "--by", "colour", "--output", kept)
    assert "by 'colour': accepted are dataset, arch, method" in line
    assert kept.read_text() == "mine"
    copy = tmp_path / "cube.json"
    copy.write_bytes(cube.read_bytes())
    assert "is the cube itself" in rd.refused("plot", copy, "--figure", "slopes", "--output", copy)


def test_as_a_process(cube: Path, tmp_path: Path) -> None:
    target = tmp_path / "x.svg"
    done = subprocess.run(
        [sys.executable, "-m", "rdcli", "plot", cube, "--figure", "delta", "--output", target],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, f"delta: {target}\n"), done.stderr
    assert target.read_text().startswith("<svg")
