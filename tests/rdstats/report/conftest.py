"""Fixtures of the report's tests."""

import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

import rdstats
from rdstats.report import analyze_for_report, render_html
from rdstats.report.drawings import FigureView


@pytest.fixture(scope="session")
def sim():
    """Simulated cubes: `simulate`, `Arm`, `CONTROL`, `COLLAPSED`."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("simulated.py")), run_name="simulated"))


@pytest.fixture(scope="session")
def study(sim):
    """An analysis with claims of several kinds: mp intensifies, up de-intensifies, rp collapses at 10."""
    grow, shrink = sim.Arm(spread=1.4), sim.Arm(spread=0.6)
    arms = {"sham": sim.CONTROL, "mp": grow, "up": shrink, "rp": [sim.CONTROL, sim.CONTROL, sim.COLLAPSED]}
    attrs = {
        "grid_name": "tiny",
        "grid": '{"seeds": [0, 1], "name": "tiny"}',
        "versions": '{"torch": "2.0", "rd": "0.1"}',
        "device": "cpu",
        "git_commit": "abc123",
        "provenance": '{"host": "somewhere"}',
        "scaled": "",
    }
    return rdstats.analyze(sim.simulate(arms, attrs=attrs))


HOSTILE = (
    "<script>window.hacked = 1</script>", '</script><img src=x onerror="window.hacked = 2">', '"; DROP TABLE x; --',
    "=cmd()|'/C calc'!A0", "a\u2028b\u202ec", "|`[x](javascript:hacked)`|", "x" * 200, "{{7*7}} ${7*7}", "@all #1",
    "datum.x; window.hacked = 3",
)  # fmt: skip


@pytest.fixture(scope="session")
def hostile_names():
    """Names that try to be more than text."""
    return HOSTILE


@pytest.fixture(scope="session")
def hostile(make_study):
    """An analysis whose methods, data sets, classes and attributes try to be more than text."""
    script, broken, quoted, formula = HOSTILE[:4]
    attrs = {
        "grid_name": broken, "device": script, "versions": json.dumps({script: "1"}), "git_commit": formula,
        "grid": json.dumps({"name": script, "training": {broken: {"momentum": script, "train": [[quoted, 1]]}}}),
        "provenance": json.dumps({"datasets": {script: quoted}}),
    }  # fmt: skip
    cube = make_study(
        {"sham": 1.0, script: 1.6, formula: 0.5}, places=[(broken, quoted)], classes=10, images=30, seeds=5,
        keep="predictions", class_names=list(HOSTILE), attrs=attrs,
    )  # fmt: skip
    return analyze_for_report(cube)


@pytest.fixture(scope="session")
def report(make_study):
    """The analysis behind a report with everything: predictions, long tables, empty cells, a collapsed cell."""
    names = ["plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck", "van"]
    cube = make_study(
        {"sham": 1.0, "mp": (1.4, 1.7, 1.9), "up": (0.6, 0.5, 0.4)}, ratios=(2, 4, 10), classes=11, images=40, seeds=6,
        keep="predictions", class_names=names, missing={(s, "up", 10.0) for s in range(6)},
        collapse={(s, "mp", 10.0) for s in range(6)}, attrs={"grid_name": "small"},
    )  # fmt: skip
    return analyze_for_report(cube)


@pytest.fixture(scope="session")
def report_page(report):
    """The page of `report`."""
    return render_html(report)


@pytest.fixture
def no_charts(monkeypatch):
    """Leave the charts of a page out: they are slow, and tested elsewhere."""
    absent = FigureView(absent="needs more")
    monkeypatch.setattr("rdstats.report.drawings.Drawings.figure", lambda *_, **__: absent)
