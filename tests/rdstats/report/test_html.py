"""The HTML page: structure, nothing loaded from anywhere, names as text."""

import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

import rdstats
from rdstats.report import finding, render_html
from rdstats.report.html import run_facts
from rdstats.tables.families import family_tables
from rdstats.tables.slopes import control_tables, summary_tables

VOID = {"meta", "br", "hr", "img", "link", "input"}
EVIL = "<script>alert(1)</script>"


class Page(HTMLParser):
    """Elements with their attributes and parents, and the text, of a page; unbalanced tags are an error."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.stack, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert not self.stack

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), tuple(name for name, _ in self.stack)))
        if tag not in VOID:
            self.stack.append((tag, dict(attrs)))

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), tuple(name for name, _ in self.stack)))

    def handle_endtag(self, tag):
        assert self.stack.pop()[0] == tag

    def handle_data(self, data):
        self.texts.append((data, tuple(self.stack)))

    def all(self, tag):
        return [attrs for name, attrs, _ in self.elements if name == tag]

    def text(self, tag):
        """Return the texts of the elements of that name, one string each run."""
        return [t for t, stack in self.texts if stack and stack[-1][0] == tag]

    @property
    def whole(self):
        return " ".join("".join(t for t, stack in self.texts if not stack or stack[-1][0] != "style").split())


@pytest.fixture(scope="module")
def source(study):
    return render_html(study)


@pytest.fixture(scope="module")
def page(source):
    return Page(source)


def test_sections_in_order(page):
    ids = [attrs["id"] for attrs in page.all("h2")]
    assert ids == ["finding", "reading", "delta", "slopes", "summary", "claims", "family", "checks", "run"]
    assert [attrs["aria-labelledby"] for attrs in page.all("section")] == ids
    assert len(page.all("h1")) == len(page.all("main")) == 1
    levels = [int(tag[1]) for tag, _, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels == [1] + [2] * len(ids)


def test_every_id_once(source):
    ids = re.findall(r'\sid="([^"]*)"', source)
    assert len(ids) == len(set(ids))


def test_nothing_is_loaded(page, source):
    for tag, attrs, _ in page.elements:
        assert tag not in ("script", "link", "img", "iframe", "object", "embed", "image", "use", "base", "form")
        assert not {"src", "srcset", "href", "xlink:href", "data", "action", "poster"} & set(attrs), (tag, attrs)
        assert not any(name.startswith("on") for name in attrs)
    assert not re.search(r"url\(\s*['\"]?(?!#)", source)
    assert "@import" not in source
    policy = [a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_light_and_dark_and_narrow(page, source):
    assert "prefers-color-scheme: dark" in source
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all("meta")
    for tag, _, parents in page.elements:
        if tag == "table":
            assert "div" in parents
    regions = [a for a in page.all("div") if a.get("class") == "scroll"]
    assert len(regions) == len(page.all("table")) == 7
    assert all(a["tabindex"] == "0" and a["role"] == "region" for a in regions)


def test_charts_have_text_alternatives(page, study):
    charts = [a for a in page.all("div") if a.get("role") == "img"]
    assert len(charts) == len(page.all("svg")) == 2
    delta = study.control.sel({"method": "mp", "ratio": 4}).squeeze()
    low, high = delta["interval"].values
    words = f"mp at ratio 4: {float(delta['mean']):.3f}, interval {low:.3f} to {high:.3f}, intensified"
    assert words in charts[0]["aria-label"]
    assert "sham (control): 0." in charts[1]["aria-label"]
    assert "rp at ratio 10" in charts[1]["aria-label"]


def test_finding_and_worked_example(page, study):
    assert finding(study) in page.whole
    accurate, weak = [[9, 1], [3, 7]], [[7, 3], [5, 5]]
    pair = rdstats.build(accurate, weak)
    assert float(rdstats.slopes(pair)["slope"]) == pytest.approx(4 / 3, rel=1e-12)
    assert "recalls 0.9 and 0.7" in page.whole
    assert "slope is 4/3" in page.whole


def test_tables_are_those_of_the_table_functions(page, study):
    cells = [cell for cell in page.text("td") if cell.strip()]
    for table in (*summary_tables(study), *control_tables(study), *family_tables(study)):
        assert table.caption in page.whole
        assert set(filter(None, table.columns)) <= set(page.text("th"))
        for row in table.rows:
            assert all(cell in cells or cell == "–" for cell in row)


def test_missing_values_say_why(sim):
    arms = {"sham": sim.CONTROL, "mp": sim.CONTROL, "up": sim.CONTROL}
    page = Page(render_html(rdstats.analyze(sim.simulate(arms, missing=[("up", 4)]))))
    assert {"title": "not computed"} in page.all("span")
    assert "–" in page.text("span")
    assert "cells of the grid not finished: 8" in page.whole


@pytest.fixture
def hostile(sim):
    arms = {"sham": sim.CONTROL, EVIL: sim.Arm(spread=1.5)}
    attrs = {"grid_name": EVIL, "device": EVIL, "grid": f'{{"name": "{EVIL}"}}', "versions": f'{{"{EVIL}": "1"}}'}
    places = ((EVIL, "lenet"), ("mnist", "lenet"))
    names = [EVIL, *"bcdefghij"]
    return rdstats.analyze(sim.simulate(arms, places=places, attrs=attrs, class_names=names))


def test_names_are_text_everywhere(hostile):
    source = render_html(hostile)
    page = Page(source)
    assert "<script" not in source
    assert page.all("script") == []
    assert page.whole.count(EVIL) >= 10
    assert any(EVIL in text for text in page.text("text"))
    assert any(EVIL in a["aria-label"] for a in page.all("div") if a.get("role") == "img")


def test_what_was_run(page, study):
    facts = dict(run_facts(study))
    assert facts["Method"] == "sham (control), mp, up, rp"
    assert facts["Seeds"] == "8"
    assert facts["Test images per class"] == "2,000"
    assert facts["Versions"] == "torch 2.0, rd 0.1"
    assert facts["Git commit"] == "abc123"
    assert "Shortened run" not in facts
    for term, text in facts.items():
        assert term in page.text("dt")
        assert text in page.text("dd")
    assert page.text("summary") == ["Resolved grid", "Provenance"]
    assert '"host": "somewhere"' in page.whole


def test_mean_achieved_ratio(sim):
    cube = sim.simulate({"sham": sim.CONTROL, "mp": sim.CONTROL})
    achieved = cube["status"] * cube["ratio"] * 1.5
    facts = dict(run_facts(rdstats.analyze(cube.assign(achieved_ratio=achieved))))
    assert facts["Ratio: nominal (mean achieved)"] == "1 (1.5), 2 (3), 4 (6), 10 (15)"


@pytest.mark.parametrize("attrs", [{}, {"grid": "not json", "versions": "[1, 2]", "provenance": "3", "scaled": ""}])
def test_imported_cubes_have_no_story(sim, attrs):
    analysis = rdstats.analyze(sim.simulate({"mp": sim.CONTROL}, attrs=attrs))
    page = Page(render_html(analysis))
    assert page.all("details") == []
    assert "Versions" not in page.text("dt")
    assert "The cube has no control" in page.whole
    assert "No control, no claim." in page.whole
    assert len(page.all("svg")) == 1


def test_nothing_computed(sim):
    arms = {"sham": sim.CONTROL, "mp": sim.CONTROL}
    cube = sim.simulate(arms, missing=[("sham", 1), *(("mp", r) for r in (2, 4, 10))])
    page = Page(render_html(rdstats.analyze(cube)))
    assert "No network of the cube has a slope" in page.whole
    assert "Test images per class" not in page.text("dt")


def test_other_measures_are_named(sim):
    cube = sim.simulate({"sham": sim.CONTROL, "mp": sim.CONTROL})
    page = Page(render_html(rdstats.analyze(cube, measure="precision")))
    assert "In this report precision takes the place of recall." in page.whole


def test_no_method_no_dataset(sim):
    cube = sim.simulate({"mp": sim.CONTROL}).isel(dataset=0, arch=0, method=0, drop=True)
    page = Page(render_html(rdstats.analyze(cube)))
    assert any("all networks at ratio 2" in a.get("aria-label", "") for a in page.all("div"))


def test_importing_the_report_draws_nothing():
    code = (
        "import sys, rdstats.report; "
        "print([m for m in ('altair', 'jinja2', 'vl_convert', 'rdstats.charts') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_hundred_classes():
    rng = np.random.default_rng(0)
    rate = np.linspace(0.5, 0.9, 100)
    hits = rng.binomial(100, rate, (5, 3, 100))
    matrices = np.zeros((5, 3, 100, 100))
    at = np.arange(100)
    matrices[..., at, at] = hits
    matrices[..., at, (at + 1) % 100] = 100 - hits
    cube = rdstats.build(matrices[:, 0], matrices[:, 1:], dims=("seed", "ratio"), coords={"ratio": [2, 4]})
    assert "100 test images per class" in Page(render_html(rdstats.analyze(cube))).whole
