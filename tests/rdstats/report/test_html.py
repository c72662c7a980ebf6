"""The HTML page: structure, nothing loaded from anywhere, names as text."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

import rdstats
from rdstats.charts import bundle
from rdstats.charts.export import CONTENT_POLICY
from rdstats.report import findings, render_html
from rdstats.report.drawings import shared_data
from rdstats.report.html import largest_sound
from rdstats.report.provenance import run_facts
from rdstats.tables import TABLES
from rdstats.tables.families import family_tables
from rdstats.tables.slopes import control_tables, summary_tables

VOID = {"meta", "br", "hr", "img", "link", "input"}
SCRIPT = {"type": "application/json", "id": "data"}


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
        shown = (t for t, stack in self.texts if not stack or stack[-1][0] not in ("style", "script"))
        return " ".join("".join(shown).split())

    @property
    def data(self):
        """Return what the page's script reads: configuration, charts and downloads."""
        return next(json.loads(t) for t, stack in self.texts if stack and stack[-1] == ("script", SCRIPT))


@pytest.fixture(scope="module")
def page(report_page):
    return Page(report_page)


@pytest.fixture
def quick(no_charts):
    """Return a function from an analysis to its page without charts."""
    return lambda analysis: Page(render_html(analysis))


def test_sections_in_order(page):
    ids = [attrs["id"] for attrs in page.all("h2")]
    assert ids == ["finding", "reading", "slopes", "classes", "families", "tradeoff", "checks", "method"]
    assert [attrs["aria-labelledby"] for attrs in page.all("section")] == ids
    assert len(page.all("h1")) == len(page.all("main")) == 1
    levels = [int(tag[1]) for tag, _, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert set(levels[1:]) == {2, 3}


def test_every_id_once_and_every_link_goes_somewhere(page):
    ids = [attrs["id"] for _, attrs, _ in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    pointed = [attrs["href"].removeprefix("#") for attrs in page.all("a")]
    pointed += [attrs["aria-labelledby"] for _, attrs, _ in page.elements if "aria-labelledby" in attrs]
    assert set(pointed) <= set(ids)


def test_nothing_is_loaded(page, report_page):
    for tag, attrs, _ in page.elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "image", "use", "base", "form")
        assert not {"src", "srcset", "xlink:href", "data", "action", "poster"} & set(attrs), (tag, attrs)
        assert attrs.get("href", "#").startswith("#")
        assert not any(name.startswith("on") for name in attrs)
    ours = report_page.replace(bundle.vega_bundle(), "")
    assert not re.search(r"url\(\s*['\"]?(?!#)", ours)
    assert "@import" not in ours
    assert "http" not in ours.replace("http-equiv", "")
    policy = [a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy == [CONTENT_POLICY]


def test_libraries_and_configuration_come_once(page, report_page):
    assert report_page.count(bundle.vega_bundle()) == 1
    assert bundle.LICENCE in page.whole
    assert len(page.all("script")) == 3
    assert all({"config", "$schema"}.isdisjoint(chart) for chart in page.data["charts"].values())
    assert page.data["config"]["background"] == "transparent"


def test_charts_are_the_figures_panels(page, report):
    charts = page.data["charts"]
    holders = [a["id"].removeprefix("chart-") for a in page.all("div") if a.get("role") == "img"]
    assert holders == sorted(charts, key=holders.index)
    drawn = json.dumps(charts["delta-1"])
    means = report.control["mean"].values.ravel()
    for value in means[np.isfinite(means)]:
        assert repr(float(value)) in drawn


def test_light_and_dark_and_narrow(page, report_page):
    assert "prefers-color-scheme: dark" in report_page
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all("meta")
    regions = [a for a in page.all("div") if a.get("class") == "scroll"]
    assert len(regions) == len(page.all("table")) > 10
    assert all(a["tabindex"] == "0" and a["role"] == "region" for a in regions)


def test_charts_have_text_alternatives(page, report):
    words = {a["id"]: a["aria-label"] for a in page.all("div") if a.get("role") == "img"}
    delta = report.control.sel({"method": "mp", "ratio": 4}).squeeze()
    low, high = delta["interval"].values
    text = f"mp at ratio 4: {float(delta['mean']):.3f}, interval {low:.3f} to {high:.3f}"
    assert text in words["chart-delta-1"]
    assert "sham (control): " in words["chart-slopes-1"]


def test_finding_and_worked_example(page, report):
    found = findings(report)
    for sentence in (*found.sentences, found.basis):
        assert " ".join(sentence.split()) in page.whole
    accurate, weak = np.array([[9, 1], [3, 7]]), np.array([[7, 3], [5, 5]])
    pair = rdstats.slopes(rdstats.build(1000 * accurate, 1000 * weak))
    assert float(pair["slope"]) == pytest.approx(4 / 3, rel=1e-12)
    assert float(pair["accuracy"]) == pytest.approx(0.6)
    for words in ("recall 0.9 and B with recall 0.7", "0.1/0.8 = 0.125", "0.1/0.6 = 0.167", "= 4/3", "would be 2.07"):
        assert words in page.whole
    assert float(pair["slope_expected"]) == pytest.approx(2.07, abs=0.005)


def test_claim_words_are_explained(page, report):
    used = {str(word) for word in report.control["claim"].values.ravel() if word}
    assert used
    assert used <= set(page.text("dt"))
    assert "practically none" not in set(page.text("dt")) - used


def test_tables_are_those_of_the_table_functions(page, report):
    cells = [cell for cell in (*page.text("td"), *page.text("span")) if cell.strip()]
    for table in (*summary_tables(report), *control_tables(report), *family_tables(report)):
        assert not table.captioned or " ".join(table.caption.split()) in page.whole
        assert set(filter(None, table.columns)) <= set(page.text("th"))
        for row in table.rows:
            assert all(cell in cells for cell in row)


def test_downloads_are_exact(page, report):
    from rdstats.tables import to_csv

    assert page.data["csv"]["table-control-1"] == to_csv(TABLES["control"].records(report))
    assert page.data["csv"]["table-classes"] == to_csv(TABLES["classes"].records(report))


def test_missing_values_say_why(page):
    assert {"title": "not computed"} in page.all("span")
    assert "cells of the grid not finished: 6" in page.whole


def test_only_the_largest_sound_ratio_of_a_method_is_drawn(report):
    chosen = largest_sound(report).squeeze()
    assert {(m, r) for m in ("sham", "mp", "up") for r in (1, 2, 4, 10)
            if bool(chosen.sel({"method": m, "ratio": r}))} == {("sham", 1), ("mp", 4), ("up", 4)}  # fmt: skip


def test_a_figure_that_the_cube_cannot_answer_is_missed_aloud(quick, usual):
    assert "Not drawn: the difference from the control; it needs more." in quick(usual).whole


def test_shared_data_keeps_every_row():
    rows, other = [{"a": 1.5}, {"a": None}], [{"b": "x"}]
    layers = [{"data": {"values": values}, "mark": "point"} for values in (rows, other, rows)]
    spec = {"layer": [*layers, {"layer": [layers[0]]}], "config": {}, "$schema": "s", "width": 3}
    found = shared_data(spec)
    names = [layer["data"]["name"] for layer in found["layer"][:3]]
    assert found["layer"][3]["layer"][0]["data"]["name"] == names[0] == names[2] != names[1]
    assert found["datasets"] == {names[0]: rows, names[1]: other}
    assert set(found) == {"layer", "width", "datasets"}


def test_names_are_text_everywhere(quick, hostile, hostile_names):
    page = quick(hostile)
    assert len(page.all("script")) == 3
    assert page.all("img") == []
    for name in hostile_names[:4]:
        assert " ".join(name.split()) in page.whole
    assert "\u2028" not in page.whole
    assert "a\\u2028b\\u202ec" in page.whole


def test_names_in_the_page_s_data_are_no_markup(hostile):
    source = render_html(hostile)
    data = source[source.index('id="data">') + 10 :]
    data = data[: data.index("</script>")]
    assert not set("<>&\u2028\u2029") & set(data)
    assert any("<script>" in json.dumps(chart) for chart in json.loads(data)["charts"].values())


def test_what_was_run(quick, study):
    facts, page = dict(run_facts(study)), quick(study)
    assert facts["Method"] == "sham (control), mp, up, rp"
    assert facts["Seeds"] == "8"
    assert facts["Test images per class"] == "2,000"
    assert facts["Versions"] == "torch 2.0, rd 0.1"
    assert facts["Git commit"] == "abc123"
    assert "Shortened run" not in facts
    for term, text in facts.items():
        assert term in page.text("dt")
        assert text in page.text("dd")
    assert page.text("summary")[-2:] == ["Resolved grid", "Provenance"]
    assert '"host": "somewhere"' in page.whole


def test_mean_achieved_ratio(sim):
    cube = sim.simulate({"sham": sim.CONTROL, "mp": sim.CONTROL})
    achieved = cube["status"] * cube["ratio"] * 1.5
    facts = dict(run_facts(rdstats.analyze(cube.assign(achieved_ratio=achieved))))
    assert facts["Ratio: nominal (mean achieved)"] == "1 (1.5), 2 (3), 4 (6), 10 (15)"


@pytest.mark.parametrize("attrs", [{}, {"grid": "not json", "versions": "[1, 2]", "provenance": "3", "scaled": ""}])
def test_imported_cubes_have_no_story(quick, sim, attrs):
    page = quick(rdstats.analyze(sim.simulate({"mp": sim.CONTROL}, attrs=attrs)))
    assert "Resolved grid" not in page.text("summary")
    assert "Versions" not in page.text("dt")
    assert "No control is in use here" in page.whole
    assert "How the networks were trained is not recorded" in page.whole


def test_nothing_computed(sim):
    arms = {"sham": sim.CONTROL, "mp": sim.CONTROL}
    cube = sim.simulate(arms, missing=[("sham", 1), *(("mp", r) for r in (2, 4, 10))])
    page = Page(render_html(rdstats.analyze(cube)))
    assert "No network of the cube has a slope" in page.whole
    assert "Test images per class" not in page.text("dt")
    assert {name.rsplit("-", 1)[0] for name in page.data["charts"]} <= {"family"}  # says why there is no test


def test_other_measures_are_named(quick, sim):
    cube = sim.simulate({"sham": sim.CONTROL, "mp": sim.CONTROL})
    page = quick(rdstats.analyze(cube, measure="precision"))
    assert "In this report precision takes the place of recall." in page.whole


def test_a_bare_pair_of_matrices():
    page = Page(render_html(rdstats.analyze(rdstats.build([[90, 10], [30, 70]], [[80, 20], [50, 50]]))))
    assert any("all networks" in a.get("aria-label", "") for a in page.all("div"))
    assert "With one training run nothing is inferred" in page.whole
    assert "McNemar" not in page.whole
    assert "whatever images both networks get right" in page.whole


def test_importing_the_report_draws_nothing():
    code = (
        "import sys, rdstats.report; "
        "print([m for m in ('altair', 'jinja2', 'vl_convert', 'rdstats.charts') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_hundred_classes(quick):
    rng = np.random.default_rng(0)
    rate = np.linspace(0.5, 0.9, 100)
    hits = rng.binomial(100, rate, (5, 3, 100))
    matrices = np.zeros((5, 3, 100, 100))
    at = np.arange(100)
    matrices[..., at, at] = hits
    matrices[..., at, (at + 1) % 100] = 100 - hits
    cube = rdstats.build(matrices[:, 0], matrices[:, 1:], dims=("seed", "ratio"), coords={"ratio": [2, 4]})
    page = quick(rdstats.analyze(cube))
    assert "100 test images per class" in page.whole
    assert any(a.get("class") == "long" for a in page.all("table"))
