"""What stands over a figure so that it can be read alone."""

import pytest

from rdstats.charts import FIGURES, figure_panels, plot, specification
from rdstats.charts.titles import over
from rdstats.figures import family_figure, slope_figure


@pytest.fixture(scope="module")
def captions(usual):
    return {name: " ".join(one.caption(one.data(usual))) for name, one in FIGURES.items() if name not in NOT_HERE}


NOT_HERE = ("ratios", "family")


@pytest.mark.parametrize("name", [name for name in FIGURES if name not in NOT_HERE])
def test_every_figure_says_how_it_is_read_and_keeps_its_panels(name, usual, captions):
    spec = specification(plot(usual, name))
    title = spec["title"]
    about = FIGURES[name].about
    assert " ".join(title["text"]) == about[0].upper() + about[1:]
    assert " ".join(title["subtitle"]) == captions[name]
    assert max(map(len, title["subtitle"])) <= 170
    panels = figure_panels(usual, name)
    drawn = [part.get("title") for part in spec["concat"] if "title" in part or len(panels) == 1]
    assert drawn == [panel.chart.to_dict(validate=False).get("title") for panel in panels]


def test_intervals_are_named_with_level_and_condition(captions):
    for name in ("delta", "slopes", "boxes"):
        assert "t intervals, simultaneous at 95 % over the ratios of a column" in captions[name]
    for name in ("tradeoff", "levels"):
        assert "one standard error" in captions[name]
    for name, text in captions.items():
        assert "conditional on this test set" in text or name == "sampling", name
    assert "infinite test set" in captions["sampling"]
    assert "credible intervals" in captions["posterior"]
    for name in ("scatter", "spread", "confusion"):
        assert "No interval" in captions[name]


def test_another_level_is_said(usual):
    data = slope_figure(usual)
    assert "at 99.5 %" in " ".join(FIGURES["slopes"].caption(data.assign_attrs(level=0.995)))


def test_one_seed_has_no_interval(pair_of_models):
    for name in ("slopes", "boxes"):
        text = " ".join(FIGURES[name].caption(FIGURES[name].data(pair_of_models)))
        assert "No interval" in text
        assert "t intervals" not in text
    assert "over test images, given these networks" in " ".join(
        FIGURES["sampling"].caption(FIGURES["sampling"].data(pair_of_models))
    )


def test_a_filled_mark_of_a_family_may_have_an_interval_over_0(study_of_families):
    text = " ".join(FIGURES["family"].caption(family_figure(study_of_families)))
    assert "two-sided t intervals" in text
    assert "a filled mark may have an interval that contains 0" in text
    assert specification(plot(study_of_families, "family"))["title"]["subtitle"]


@pytest.fixture(scope="module")
def study_of_families(make_study):
    import rdstats

    cube = make_study({"sham": 1.0, "mp": 1.2, "up": 0.8}, seeds=4, ratios=(2,), keep="matrices")
    return rdstats.analyze(cube, family="method")


def test_lines_are_as_wide_as_the_panels(usual):
    (panel,) = figure_panels(usual, "slopes")
    text = ["word " * 100]
    narrow, wide = (over("about", text, [panel.chart] * n, n)["subtitle"] for n in (1, 2))
    assert max(map(len, narrow)) < max(map(len, wide)) <= 170
    (levels,) = figure_panels(usual, "levels")
    assert over("about", text, [levels.chart], 1)["subtitle"] == narrow


def test_what_is_said_of_options_is_not_in_what_a_figure_shows():
    assert not [one.about for one in FIGURES.values() if "--" in one.about]
