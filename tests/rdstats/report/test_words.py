"""Pruning is what our own grids do; of other cubes sentences speak of compression."""

import html
import re

import numpy as np
import pytest

import rdstats
from rdstats._words import COMPRESSION, PRUNING, words
from rdstats.charts import FIGURES, plot, specification
from rdstats.report import analyze_for_report, findings, render_html, render_markdown
from rdstats.report.citation import TITLE
from rdstats.report.method import METHODS
from rdstats.tables import TABLES

ARMS = {"sham": 1.0, "mp": (1.5, 1.8), "int8": (0.6, 0.5)}
OTHER = {"source": "import"}
MAPPED = {
    PRUNING.ratio: COMPRESSION.ratio, PRUNING.untouched: COMPRESSION.untouched, "pruning": "compression",
    "pruned": "compressed", "Pruning": "Compression", "fine-tuning": "training", "fine-tuned": "trained",
}  # fmt: skip


@pytest.fixture(scope="module")
def both(make_study):
    """The same networks as a cube of ours and as an imported one."""
    options = {"images": 40, "achieved": {"int8": 0.8}, "collapse": {(0, "int8", 4.0)}, "keep": "predictions"}
    return [analyze_for_report(make_study(ARMS, attrs=attrs, **options), bayes=True) for attrs in ({}, OTHER)]


def without_names(text):
    """Return a text without the paper's title and the descriptions of methods."""
    for name in (TITLE, *METHODS.values()):
        text = text.replace(name, "")
    return text


def page_text(page):
    """Return what a page says, its charts with it, without the scripts that draw them."""
    return without_names(html.unescape(re.sub(r"<script>.*?</script>|<style>.*?</style>", "", page, flags=re.DOTALL)))


def mapped(text):
    for one, other in MAPPED.items():
        text = text.replace(one, other)
    return text


def test_cubes_of_ours_alone_were_pruned():
    assert words({"source": "rdcompute"}) is PRUNING
    for attrs in ({}, {"source": "import"}, {"source": "rdcompute 2"}):
        assert words(attrs) is COMPRESSION


def test_a_page_of_others_never_says_pruning(both, report_page):
    own, other = page_text(report_page), page_text(render_html(both[1]))
    assert not re.findall(r".{60}prun.{20}|.{60}fine-tun.{20}", other, re.IGNORECASE)
    for said in ("Slope after pruning minus", "After pruning the recalls", "fine-tuning alone moves slopes",
                 "was fine-tuned without pruning", "pruning ratio (all parameters over those kept)",
                 "nothing removed from it", "Trained again, nothing pruned", "the same fine-tuning, nothing pruned",
                 "compare pruned networks with the control", "between the two: pruning, fine-tuning, and"):  # fmt: skip
        assert said in own, said
        assert mapped(said) in other, said


def test_sentences_differ_in_their_words_alone(both):
    own, other = both
    assert [mapped(text) for text in findings(own).sentences] == list(findings(other).sentences)
    assert mapped(findings(own).basis) == findings(other).basis
    assert "prun" in " ".join(findings(own).sentences)
    assert "prun" not in without_names(render_markdown(other))
    for name, kind in TABLES.items():
        for one, two in zip(kind.tables(own), kind.tables(other), strict=True):
            assert (mapped(one.title), mapped(one.caption)) == (two.title, two.caption), name


@pytest.mark.parametrize("name", FIGURES)
def test_figures_of_others_never_say_pruning(both, name):
    """What those of ours say, the specifications of test_specs.py hold."""
    text = str(specification(plot(both[1], name)))
    assert "prun" not in text
    if name in ("slopes", "boxes", "delta", "sampling", "levels"):
        assert "compression ratio'" in text


@pytest.mark.parametrize("case", ["no control", "control alone", "few seeds", "not in use", "all fine"])
def test_every_kind_of_finding(sim, case):
    arms = {"sham": sim.CONTROL, "int8": sim.CONTROL}
    arms = {"no control": {"int8": sim.CONTROL}, "control alone": {"sham": sim.CONTROL}}.get(case, arms)
    options = {"arms": arms, "seeds": 3 if case == "few seeds" else 8}
    cubes = [sim.simulate(attrs=attrs, **options) for attrs in ({}, OTHER)]
    against = "one" if case == "not in use" else None
    own, other = (findings(rdstats.analyze(cube, against=against)) for cube in cubes)
    assert [mapped(text) for text in (*own.sentences, own.basis)] == [*other.sentences, other.basis]
    assert "prun" in " ".join(own.sentences)


def test_comparisons_and_arrays_are_not_ours():
    found = rdstats.compare([[90, 10], [30, 70]], [[70, 30], [50, 50]])
    text = page_text(render_html(found.analysis))
    assert not re.findall(r".{60}prun.{20}|.{60}fine-tun.{20}", text, re.IGNORECASE)
    assert "There is no control here (the same training without compression)" in text
    runs = np.array([[[90, 10], [30, 70]], [[91, 9], [30, 70]], [[92, 8], [31, 69]]])
    several = rdstats.compare(runs, runs[:, ::-1, ::-1], dims="seed")
    assert "No control (the same training without compression) was given" in several.summary()
