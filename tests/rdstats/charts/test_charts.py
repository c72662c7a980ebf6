"""Charts as specifications: what is drawn, where, and that it equals the analysis."""

import math
import re

import altair as alt
import pytest

import rdstats
from rdstats.charts import (
    delta_chart,
    delta_panels,
    describe,
    figure_panels,
    marks,
    plot,
    slope_chart,
    slope_panels,
    theme,
    to_svg,
)
from rdstats.errors import InputError, UnanswerableError
from rdstats.figures import delta_figure, slope_figure
from rdstats.records import control_records, slope_records

BOTH = ((slope_chart, slope_figure), (delta_chart, delta_figure))


def layers(spec):
    """Return every layer with its rows, filters not applied."""
    return [(layer, rows_of(layer, spec)) for layer in spec["layer"]]


def rows_of(layer, spec):
    data = layer.get("data") or spec["data"]
    return list(data["values"] if "values" in data else spec["datasets"][data["name"]])


def mark(layer):
    return layer["mark"]["type"]


def points(spec):
    """Return the layers of sound cells; their rows are those of all cells."""
    return [(la, rows) for la, rows in layers(spec) if {"filter": "!datum.collapsed"} in la.get("transform", [])]


def close(a, b):
    return a == b or math.isclose(a, b, rel_tol=1e-12)


@pytest.fixture(scope="module")
def slopes(study):
    return slope_chart(slope_figure(study)).to_dict()


@pytest.fixture(scope="module")
def deltas(study):
    return delta_chart(delta_figure(study)).to_dict()


def test_slope_points_are_the_summary(slopes, study):
    _, rows = points(slopes)[0]
    expected = [r for r in slope_records(study) if r["method"] != "sham"]
    assert len(rows) == len(expected) == 9
    for row, record in zip(rows, expected, strict=True):
        assert (row["series"], row["ratio"], row["verdict"]) == (record["method"], record["ratio"], record["verdict"])
        names = {"value": "mean", "lower": "lower", "upper": "upper", "expected": "expected"}
        assert all(close(row[ours], record[theirs]) for ours, theirs in names.items())


def test_delta_points_are_the_comparison(deltas, study):
    _, rows = points(deltas)[0]
    records = control_records(study)
    assert [(r["series"], r["ratio"], r["claim"]) for r in rows] == [
        (r["method"], r["ratio"], r["claim"]) for r in records
    ]
    assert all(close(row["value"], record["mean"]) for row, record in zip(rows, records, strict=True))


@pytest.mark.parametrize("chart", ["slopes", "deltas"])
def test_axes_in_words_with_ticks_at_the_ratios(chart, request):
    spec = request.getfixturevalue(chart)
    layer = points(spec)[0][0]
    x, y = layer["encoding"]["x"], layer["encoding"]["y"]
    assert x["scale"]["type"] == "log"
    assert x["axis"]["values"] == [2, 4, 10]
    assert x["title"] == "pruning ratio (all parameters over those kept)"
    assert "slope alpha" in y["title"]
    low, high = x["scale"]["domain"]
    assert low < 2 / 1.2
    assert high > 12


@pytest.mark.parametrize(("chart", "level"), [("slopes", 1.0), ("deltas", 0.0)])
def test_reference_line(chart, level, request):
    spec = request.getfixturevalue(chart)
    rules = [rows for layer, rows in layers(spec) if mark(layer) == "rule" and "x" not in layer["encoding"]]
    assert [{"y": level}] in [[{"y": row["y"]} for row in rows] for rows in rules]


def test_control_is_a_grey_line_with_its_band(slopes, study):
    sham = next(r for r in slope_records(study) if r["method"] == "sham")
    bands = [rows for layer, rows in layers(slopes) if mark(layer) == "rect"]
    assert len(bands) == 1
    assert close(bands[0][0]["value"], sham["mean"])
    assert close(bands[0][0]["y_lower"], sham["lower"])
    assert close(bands[0][0]["y_upper"], sham["upper"])
    colour = points(slopes)[0][0]["encoding"]["color"]["scale"]
    assert dict(zip(colour["domain"], colour["range"], strict=True))["sham (control)"] == theme.CONTROL_COLOUR


def test_expected_slopes_are_labelled_marks_of_their_own(slopes, study):
    rows = [r for layer, r in layers(slopes) if r and r[0].get("series") == "expected from accuracy alone"]
    sound = [r for r in slope_records(study) if r["method"] != "sham" and "collapsed" not in r["verdict"]]
    assert [row["y"] for row in rows[0]] == pytest.approx([r["expected"] for r in sound], rel=1e-12)
    assert "expected from accuracy alone" in points(slopes)[0][0]["encoding"]["color"]["scale"]["domain"]


def test_margin_band_of_the_delta_chart(deltas):
    bands = [rows for layer, rows in layers(deltas) if mark(layer) == "rect"]
    assert bands == [[{"low": -0.1, "high": 0.1}]]


@pytest.mark.parametrize(("chart", "word"), [("slopes", "verdict"), ("deltas", "claim")])
def test_words_in_the_tooltips(chart, word, request):
    layer = points(request.getfixturevalue(chart))[0][0]
    fields = [tip["field"] for tip in layer["encoding"]["tooltip"]]
    assert {word, "value", "lower", "upper", "n", "ratio", "series"} <= set(fields)
    assert {tip["field"] for tip in layer["encoding"]["tooltip"]} <= set(
        points(request.getfixturevalue(chart))[0][1][0]
    )


@pytest.mark.parametrize("chart", ["slopes", "deltas"])
def test_colour_never_alone(chart, request):
    encoding = points(request.getfixturevalue(chart))[0][0]["encoding"]
    colour, shape = encoding["color"]["scale"], encoding["shape"]["scale"]
    assert colour["domain"] == shape["domain"]
    methods = [i for i, name in enumerate(colour["domain"]) if name in ("mp", "up", "rp")]
    assert len({shape["range"][i] for i in methods}) == len({colour["range"][i] for i in methods}) == 3


def test_collapsed_cells_are_hollow_crossed_and_without_interval(deltas):
    hollow = [la for la, _ in layers(deltas) if la.get("transform") == [{"filter": "datum.collapsed"}]]
    assert [la["mark"]["filled"] for la in hollow] == [False, False]
    assert [la["mark"].get("shape") for la in hollow] == [None, theme.CROSS]
    assert {"filter": "!datum.collapsed"} in [t for la, _ in layers(deltas) for t in la.get("transform", [])]
    collapsed = [row for row in points(deltas)[0][1] if row["collapsed"]]
    assert [(row["series"], row["ratio"]) for row in collapsed] == [("rp", 10)]
    assert collapsed[0]["y_lower"] is None
    assert collapsed[0]["y_upper"] is None


@pytest.mark.parametrize("chart", ["slopes", "deltas"])
def test_everything_lies_in_the_frame(chart, request):
    layer, rows = points(request.getfixturevalue(chart))[0]
    low, high = layer["encoding"]["y"]["scale"]["domain"]
    for row in rows:
        assert all(low <= row[name] <= high for name in ("y", "y_lower", "y_upper") if row[name] is not None)
        assert row["off"] == (not low <= row["value"] <= high)


def test_missing_cells_are_left_out(sim):
    arms = {"sham": sim.CONTROL, "mp": sim.CONTROL, "up": sim.CONTROL}
    analysis = rdstats.analyze(sim.simulate(arms, missing=[("mp", 4), *(("up", r) for r in (2, 4, 10))]))
    for chart, figure in BOTH:
        drawn = chart(figure(analysis))
        layer, rows = points(drawn.to_dict())[0]
        assert [(row["series"], row["ratio"]) for row in rows] == [("mp", 2), ("mp", 10)]
        assert layer["encoding"]["x"]["axis"]["values"] == [2, 4, 10]
        assert "<svg" in to_svg(drawn)


@pytest.mark.parametrize("name", ["delta", "slopes", "boxes", "tradeoff", "levels"])
def test_nothing_to_draw_is_refused(name, sim):
    arms = {"sham": sim.CONTROL, "mp": sim.CONTROL}
    analysis = rdstats.analyze(sim.simulate(arms, missing=[("sham", 1), *(("mp", r) for r in (2, 4, 10))]))
    with pytest.raises(InputError, match="nothing to draw"):
        plot(analysis, name)


def test_one_seed_has_points_without_intervals(sim):
    analysis = rdstats.analyze(sim.simulate({"sham": sim.CONTROL, "mp": sim.CONTROL}, seeds=1))
    _, rows = points(slope_chart(slope_figure(analysis)).to_dict())[0]
    assert [row["y_lower"] for row in rows] == [None] * 3
    assert "no interval" in describe(slope_panels(slope_figure(analysis))[0], "Slopes")


def test_a_panel_for_each_dataset_and_arch(sim):
    places = (("digits", "lenet"), ("mnist", "lenet"), ("mnist", "resnet20"))
    analysis = rdstats.analyze(sim.simulate({"sham": sim.CONTROL, "mp": sim.CONTROL}, places=places))
    for name in ("slopes", "delta"):
        titles = [part["title"] for part in plot(analysis, name).to_dict()["concat"]]
        assert titles == [panel.label for panel in figure_panels(analysis, name)]
        assert titles == ["digits / lenet", "mnist / lenet", "mnist / resnet20"]


def test_no_control_no_delta(sim):
    analysis = rdstats.analyze(sim.simulate({"mp": sim.CONTROL}))
    with pytest.raises(UnanswerableError, match="figure delta needs a control"):
        delta_figure(analysis)
    spec = slope_chart(slope_figure(analysis)).to_dict()
    assert not [layer for layer, _ in layers(spec) if mark(layer) == "rect" and rows_of(layer, spec)]


def test_cube_without_methods(sim):
    cube = sim.simulate({"mp": sim.CONTROL}).isel(dataset=0, arch=0, method=0, drop=True)
    panel = slope_panels(slope_figure(rdstats.analyze(cube)))[0]
    assert panel.label == ""
    assert {row["series"] for row in panel.rows} == {"all networks"}
    assert "title" not in panel.chart.to_dict()


def test_many_rows_and_no_global_settings():
    before = (alt.data_transformers.active, dict(alt.data_transformers.options))
    chart = alt.Chart(marks.data([{"x": i} for i in range(6000)])).mark_point().encode(x="x:Q")
    assert [len(rows) for rows in chart.to_dict()["datasets"].values()] == [6000]
    assert (alt.data_transformers.active, dict(alt.data_transformers.options)) == before


def test_colours_belong_to_methods():
    assert theme.colours(["sham", "mp", "gp"]) == [theme.CONTROL_COLOUR, *theme.colours(["mp"]), *theme.colours(["gp"])]
    assert theme.colours(["sham-lth"]) == theme.colours(["sham"])
    named = theme.colours(["other", "mp", "gp", "up", "rp", "another"])
    assert len(set(named)) == 6
    assert theme.colours(["mp", "other"])[0] == theme.colours(["up", "mp"])[1]
    many = [f"m{i}" for i in range(20)]
    assert len(theme.colours(many)) == len(theme.shapes(many)) == 20


def test_svg_escapes_and_keeps_ids_apart(sim):
    evil = "<script>alert(1)</script>"
    analysis = rdstats.analyze(sim.simulate({"sham": sim.CONTROL, evil: sim.CONTROL}))
    svg = to_svg(delta_chart(delta_figure(analysis)), prefix="one")
    assert "<script" not in svg
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in svg
    assert all(name.startswith("one-") for name in re.findall(r'\bid="([^"]*)"', svg))
    clipped = alt.Chart(marks.data([{"x": 1}])).mark_point(clip=True).encode(x="x:Q")
    assert re.findall(r'(?:\bid="|url\(#)([^")]*)', to_svg(clipped, "two")) == ["two-clip1"] * 2


def test_many_methods_are_told_apart():
    own = ["mp", "gp", "up", "rp", "lth", "chip"]
    variants = ["gp-released", "up-released", "up-released-abs", "rp-released", "mp@up-released", "gp@up-released"]
    names = ["sham", "sham-lth", *own, *variants]
    marks = list(zip(theme.colours(names), theme.shapes(names), strict=True))
    assert len(set(marks[2:])) == len(own) + len(variants)
    colour = dict(zip(names, theme.colours(names), strict=True))
    assert colour["mp@up-released"] == colour["mp"]
    assert colour["up-released-abs"] == colour["up-released"] == colour["up"]
    # as long as there are enough colours and shapes, every method has its own
    few = ["mp", "up-released", "up-released-abs", "mp@up-released", "gp-released@up-released"]
    assert len(set(theme.colours(few))) == len(set(theme.shapes(few))) == 5
    assert theme.colours(few[1:], few) == theme.colours(few)[1:]
    assert theme.shapes(few[1:], few) == theme.shapes(few)[1:]
    many = [f"m{i}" for i in range(40)]
    assert len(set(zip(theme.colours(many), theme.shapes(many), strict=True))) == 40


def test_drawing_takes_the_colour_of_the_page(study):
    svg = to_svg(slope_chart(slope_figure(study)))
    assert 'fill="currentColor"' in svg
    assert 'fill="white"' not in svg


def test_one_panel_a_method_keeps_its_own_control(sim):
    arms = {"sham": sim.Arm(0.9), "sham-lth": sim.Arm(0.5), "mp": sim.Arm(1.2), "lth": sim.Arm(1.4)}
    places = (("digits", "lenet"), ("digits", "resnet20"))
    analysis = rdstats.analyze(sim.simulate(arms, places=places, seeds=4))
    records = {(r["method"], r["arch"]): r["mean"] for r in slope_records(analysis) if r["method"].startswith("sham")}
    panels = {panel.label: panel.rows for panel in slope_panels(slope_figure(analysis), by="arch")}
    assert list(panels) == ["mp", "lth"]
    for method, control in (("mp", "sham"), ("lth", "sham-lth")):
        lines = {row["series"]: row["value"] for row in panels[method] if "control" in row["series"]}
        wanted = {f"{control} (control) {arch}": records[control, arch] for arch in ("lenet", "resnet20")}
        assert lines == pytest.approx(wanted, rel=1e-12)
        assert {row["series"] for row in panels[method]} - set(lines) == {"lenet", "resnet20"}


def test_controls_of_networks_that_a_panel_has_not_stay_away(make_study):
    places = (("digits", "lenet"), ("digits", "resnet20"))
    cube = make_study({"sham": 1.0, "mp": 1.2, "up": 0.8}, places=places, seeds=4)
    status = cube["status"].where(~((cube["method"] == "up") & (cube["arch"] == "lenet")))  # not in the grid
    confusion = cube["confusion"].where(status.notnull())
    panels = slope_panels(slope_figure(rdstats.analyze(cube.assign(status=status, confusion=confusion))), by="arch")
    found = {panel.label: {row["series"] for row in panel.rows} for panel in panels}
    assert found["up"] == {"resnet20", "sham (control) resnet20"}
    assert found["mp"] == {"lenet", "resnet20", "sham (control) lenet", "sham (control) resnet20"}


def test_panels_of_delta_by_arch(sim):
    arms = {"sham": sim.CONTROL, "mp": sim.Arm(1.2), "up": sim.Arm(0.6)}
    places = (("digits", "lenet"), ("digits", "resnet20"))
    analysis = rdstats.analyze(sim.simulate(arms, places=places, seeds=4))
    found = {
        (panel.label, row["series"], row["ratio"]): row["value"]
        for panel in delta_panels(delta_figure(analysis), by="arch") for row in panel.rows
    }  # fmt: skip
    wanted = {(r["method"], r["arch"], r["ratio"]): r["mean"] for r in control_records(analysis)}
    assert found == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("name", ["delta", "slopes", "boxes", "tradeoff", "levels"])
def test_by_a_dimension_that_is_not_there(name, study):
    with pytest.raises(InputError, match="by 'layer': accepted are dataset, arch, method"):
        plot(study, name, by="layer")


def test_a_bare_pair_of_matrices(sim):
    cube = rdstats.build([[90, 10], [30, 70]], [[70, 30], [50, 50]])
    analysis = rdstats.analyze(cube)
    for name in ("slopes", "boxes"):
        (panel,) = figure_panels(analysis, name)
        assert panel.label == ""
        assert panel.rows[0]["value"] == pytest.approx(4 / 3, rel=1e-12)
        assert panel.rows[0]["ratio"] is None
        assert "<svg" in to_svg(plot(analysis, name))
    for name in ("tradeoff", "levels", "ratios"):
        with pytest.raises(UnanswerableError, match=f"figure {name} needs a dimension ratio"):
            plot(analysis, name)


def test_unknown_figure(study):
    with pytest.raises(InputError, match=r"figure 'slope'.*slopes"):
        plot(study, "slope")


def test_a_control_of_one_method_has_its_colour(sim):
    arms = {"sham": sim.Arm(0.9), "sham-lth": sim.Arm(0.5), "mp": sim.Arm(1.2), "lth": sim.Arm(1.4)}
    spec = slope_chart(slope_figure(rdstats.analyze(sim.simulate(arms, seeds=4)))).to_dict()
    scale = points(spec)[0][0]["encoding"]["color"]["scale"]
    colour = dict(zip(scale["domain"], scale["range"], strict=True))
    assert colour["sham (control)"] == theme.CONTROL_COLOUR
    assert colour["sham-lth (control)"] == colour["lth"] == theme.colours(["lth"])[0]
    assert not [rows for layer, rows in layers(spec) if mark(layer) == "rect" and rows]  # bands would hide each other
