"""Forest of the posterior: marks equal the summary, probabilities beside them, two columns of panels."""

import math

import pytest

import rdstats
from rdstats.charts import describe, posterior_panels
from rdstats.errors import UnanswerableError
from rdstats.figures import posterior_figure
from rdstats.records import posterior_records


def points(panel):
    """Return the rows behind the points."""
    spec = panel.chart.to_dict()
    layer = next(la for la in spec["layer"] if la["mark"]["type"] == "point" and "shape" in la["encoding"])
    return spec["datasets"][layer["data"]["name"]]


def layers(panel, kind):
    return [la for la in panel.chart.to_dict()["layer"] if la["mark"]["type"] == kind]


@pytest.fixture(scope="module")
def panels(usual):
    return posterior_panels(posterior_figure(usual))


def test_marks_are_the_posterior_of_slope_and_difference(panels, usual):
    records = posterior_records(usual)
    assert [panel.label for panel in panels] == ["mean slope alpha", "slope minus the control's slope"]
    names = {"value": "mean", "lower": "lower", "upper": "upper", "hdi_lower": "hdi_lower", "hdi_upper": "hdi_upper",
             "p": "p_above_one"}  # fmt: skip
    slopes = points(panels[0])
    assert len(slopes) == len(records) == 5
    for row, record in zip(slopes, records, strict=True):
        assert all(math.isclose(row[ours], record[theirs], rel_tol=1e-12) for ours, theirs in names.items())
    names = {"value": "delta_mean", "lower": "delta_lower", "upper": "delta_upper", "p": "p_delta_positive"}
    deltas = points(panels[1])
    compared = [record for record in records if record["delta_mean"] is not None]
    assert [row["series"] for row in deltas] == ["mp", "mp", "up", "up"]
    for row, record in zip(deltas, compared, strict=True):
        assert all(math.isclose(row[ours], record[theirs], rel_tol=1e-12) for ours, theirs in names.items())


def test_cells_probabilities_and_null(panels):
    assert [row["cell"] for row in points(panels[0])] == [
        "sham (control)", "mp, ratio 2", "mp, ratio 4", "up, ratio 2", "up, ratio 4",
    ]  # fmt: skip
    for panel, null in zip(panels, (1.0, 0.0), strict=True):
        spec = panel.chart.to_dict()
        lines = [spec["datasets"][la["data"]["name"]] for la in layers(panel, "rule")]
        assert [{"null": null}] in [list(rows) for rows in lines]
        bands = [spec["datasets"][la["data"]["name"]] for la in layers(panel, "rect")]
        assert [list(rows) for rows in bands] == [[{"low": null - 0.1, "high": null + 0.1}]]
        for row in points(panel):
            p = row["p"]
            assert row["beside"] == ("< .001" if p < 0.001 else "> .999" if p > 0.999 else f"{p:.3f}"[1:])


def test_thick_is_highest_density_thin_is_equal_tails(panels):
    wide, thin = (la for la in layers(panels[0], "rule") if "x2" in la["encoding"])
    assert wide["mark"]["strokeWidth"] > thin["mark"]["strokeWidth"]
    assert wide["encoding"]["x2"]["field"] == "x_hdi_upper"
    assert thin["encoding"]["x2"]["field"] == "y_upper"
    assert "thick: highest density" in panels[0].chart.to_dict()["title"]["subtitle"][0]


def test_described_in_words(panels):
    text = describe(panels[1], "Posterior")
    assert "up, ratio 4: slope minus the control's slope" in text
    assert "probability of difference > 0" in text


def test_no_posterior_no_figure(crumbling):
    with pytest.raises(UnanswerableError, match="--bayes"):
        posterior_figure(crumbling)


def test_without_control_there_is_one_column(make_study):
    cube = make_study({"mp": (1.3, 1.4)}, places=(("a", "x"), ("b", "x")), keep="matrices", collapse={(0, "mp", 4.0)})
    panels = posterior_panels(posterior_figure(rdstats.analyze(cube, bayes=True)))
    assert [panel.label for panel in panels] == ["a / mean slope alpha", "b / mean slope alpha"]
    assert [panel.place for panel in panels] == [("a", "mean slope alpha"), ("b", "mean slope alpha")]
    assert [row["collapsed"] for row in points(panels[0])] == [False, True]
    low, high = panels[0].chart.to_dict()["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert all(low <= row["y"] <= high for row in points(panels[0]))


def test_other_series_than_methods(make_study):
    places = (("a", "x"), ("a", "y"))
    analysis = rdstats.analyze(make_study({"sham": 1.0, "mp": (1.3, 1.4)}, images=30, places=places), bayes=True)
    panels = posterior_panels(posterior_figure(analysis), by="arch")
    assert [panel.label for panel in panels] == [
        "sham / mean slope alpha",
        "mp / mean slope alpha",
        "mp / slope minus the control's slope",
    ]
    assert {row["series"] for row in points(panels[1])} == {"x", "y"}
