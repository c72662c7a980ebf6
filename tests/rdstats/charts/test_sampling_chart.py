"""Raw beside corrected slopes, achieved beside nominal ratios."""

import dataclasses
import math

import pytest

import rdstats
from rdstats.charts import ratio_panels, sampling, sampling_panels
from rdstats.errors import UnanswerableError
from rdstats.figures import ratio_figure, sampling_figure
from rdstats.records import pair_records, sampling_records


def title(panel):
    """Return what the panel says below its label, a line each."""
    heading = panel.chart.to_dict()["title"]
    lines = heading.get("subtitle", heading["text"])
    return [lines] if isinstance(lines, str) else list(lines)


@pytest.fixture(scope="module")
def strong(make_study):
    return rdstats.analyze(make_study({"sham": 1.0, "mp": (1.3, 1.4), "up": (0.7, 0.6)}, images=400), folds=0)


def test_both_slopes_are_the_records(strong):
    (panel,) = sampling_panels(sampling_figure(strong))
    records = sampling_records(strong)
    assert len(panel.rows) == len(records) == 5
    for row, record in zip(panel.rows, records, strict=True):
        assert (row["series"], row["ratio"], row["estimator"]) == (record["method"], record["ratio"], "per seed")
        names = {"raw": "raw", "value": "mean", "lower": "lower", "upper": "upper", "strength": "strength"}
        assert all(math.isclose(row[ours], record[theirs], rel_tol=1e-12) for ours, theirs in names.items())
        assert row["x_raw"] < row["x"]
    assert title(panel) == [sampling.LEGEND]


def test_raw_is_hollow_corrected_filled_and_a_line_joins_them(strong, layers):
    (panel,) = sampling_panels(sampling_figure(strong))
    points = [layer for layer, _ in layers(panel.chart, "point")]
    raw, corrected = points[0], next(p for p in points if p.get("transform") == [{"filter": "!datum.collapsed"}])
    assert (raw["mark"]["filled"], raw["encoding"]["y"]["field"]) == (False, "y_raw")
    assert (corrected["mark"]["filled"], corrected["encoding"]["y"]["field"]) == (True, "y")
    join = next(layer for layer, _ in layers(panel.chart, "rule") if "x2" in layer["encoding"])
    ends = [join["encoding"][channel]["field"] for channel in ("x", "x2", "y", "y2")]
    assert ends == ["x_raw", "x", "y_raw", "y"]


def test_a_weak_test_set_is_marked_not_left_out(make_study, layers):
    analysis = rdstats.analyze(make_study({"sham": 1.0, "mp": (1.0, 1.1)}, deviation=0.0, images=30), folds=0)
    assert {r["estimator"] for r in sampling_records(analysis)} == {"not estimable"}
    (panel,) = sampling_panels(sampling_figure(analysis))
    assert [(row["weak"], row["value"]) for row in panel.rows] == [(True, None)] * 3
    (marked,) = [layer for layer, _ in layers(panel.chart, "text") if layer["mark"].get("text") == "?"]
    assert marked["transform"] == [{"filter": "datum.weak"}]
    assert title(panel) == ["hollow: raw", sampling.WEAK]
    assert "test set too weak" in panel.rows[0]["text"]


def test_bounds_are_an_open_range(make_study, layers):
    cube = make_study({"sham": 1.0, "mp": (1.3, 1.4)}, images=400, keep="matrices")
    analysis = rdstats.analyze(cube, sampling=True)
    (panel,) = sampling_panels(sampling_figure(analysis))
    for row, record in zip(panel.rows, sampling_records(analysis), strict=True):
        assert (row["bound_lower"], row["bound_upper"]) == (record["bound_lower"], record["bound_upper"])
        assert row["value"] is None
        assert not row["weak"]
    bars = [layer for layer, rows in layers(panel.chart, "rule") if rows and "strokeDash" in layer["mark"]]
    assert [bar["encoding"]["y2"]["field"] for bar in bars] == ["y_upper"]
    assert title(panel) == ["hollow: raw", sampling.POSSIBLE]


def test_bounds_that_a_weak_test_set_does_not_have(make_study):
    cube = make_study({"mp": (1.3, 1.4)}, images=30, deviation=0.0, keep="matrices")
    (panel,) = sampling_panels(sampling_figure(rdstats.analyze(cube, sampling=True)))
    assert all(row["weak"] for row in panel.rows)


def test_one_pair_has_intervals_over_test_images(pair_of_models):
    data = sampling_figure(pair_of_models)
    assert data.attrs["units"] == "test images"
    (panel,) = sampling_panels(data)
    records = pair_records(pair_of_models)
    for row, record in zip(panel.rows, records, strict=True):
        assert (row["raw"], row["value"]) == (record["slope"], record["slope_sampling_corrected"])
        assert (row["lower"], row["upper"], row["n"]) == (record["lower"], record["upper"], record["n"])


def test_unknown_images(study):
    with pytest.raises(UnanswerableError, match="figure sampling needs to know which test images both"):
        sampling_figure(study)


def test_ratios_are_those_of_the_networks(many):
    achieved = many.slopes["achieved_ratio"] * (1 + 0.002 * many.slopes["seed"])
    varied = dataclasses.replace(many, slopes=many.slopes.assign(achieved_ratio=achieved))
    (panel,) = ratio_panels(ratio_figure(varied))
    assert {row["series"] for row in panel.rows} == {"mp", "gp", "up", "rp", "lth", "chip"}
    for row in panel.rows:
        own = achieved.sel({"method": row["series"], "ratio": row["ratio"]})
        wanted = (own.mean().item(), own.min().item(), own.max().item(), own.notnull().sum().item())
        assert (row["value"], row["low"], row["high"], row["n"]) == pytest.approx(wanted, rel=1e-12)


def test_only_ratios_over_five_percent_off_are_named(many, layers):
    (panel,) = ratio_panels(ratio_figure(many))
    assert {row["series"] for row in panel.rows if row["noted"]} == {"up"}  # chip is 4 % off
    label = next(layer for layer, _ in layers(panel.chart, "text") if "transform" in layer)
    assert label["transform"] == [{"filter": "datum.noted"}]
    assert label["encoding"]["text"]["field"] == "value"


def test_identity_line_and_levels(many, layers):
    (panel,) = ratio_panels(ratio_figure(many))
    (line,) = layers(panel.chart, "line")
    assert all(row["x"] == row["y"] for row in line[1])
    for channel in ("x", "y"):
        assert line[0]["encoding"][channel]["scale"]["type"] == "log"
    level, spans = next(pair for pair in layers(panel.chart, "rule") if "left" in (pair[1] or [{}])[0])
    assert level["encoding"]["y"]["field"] == "nominal"
    for span in spans:
        own = [row["x"] for row in panel.rows if row["ratio"] == span["nominal"]]
        assert span["left"] < min(own) <= max(own) < span["right"]


def test_achieved_ratios_are_needed(study):
    with pytest.raises(UnanswerableError, match="figure ratios needs"):
        ratio_figure(study)
