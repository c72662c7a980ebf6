"""Names come from files: whatever they are, they are shown as text and nothing else, in every figure."""

import functools
import json
import re

import pytest

import rdstats
from rdstats.charts import FIGURES, describe, figure_panels, plot, script_json, specification, to_svg
from rdstats.charts.marks import join
from rdstats.charts.titles import heading, line
from rdstats.errors import UnanswerableError

METHOD, DATASET, ARCH = "<script>alert(1)</script>", "\"; DROP' + datum.x + '", "a.b[0]\\\u2028\u202e|`"
CLASSES = ["=cmd()", "</script>", "datum['x']", "currentColor\u202e"]
PARTS = (METHOD, DATASET, ARCH, *CLASSES)
CODE = ("filter", "labelExpr", "expr", "calculate", "as", "field", "shorthand", "test", "url", "href", "format")
"""Keys of a specification that Vega evaluates or follows."""


@pytest.fixture(scope="module")
def evil(make_study):
    cube = make_study(
        {"sham": 1.0, METHOD: (1.3, 1.4)}, places=[(DATASET, ARCH), (DATASET, "lenet")], seeds=5,
        classes=4, images=30, keep="predictions", achieved={METHOD: 0.5}, class_names=CLASSES,
    )  # fmt: skip
    return rdstats.analyze(cube, family="all", bayes=True, folds=0)


@pytest.fixture(scope="module")
def panels_of(evil):
    return functools.cache(lambda name: figure_panels(evil, name))


def code(part, inside=False):
    """Yield every text that Vega would evaluate, data left out."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key not in ("values", "datasets"):
                yield from code(value, inside or key in CODE)
    elif isinstance(part, list | tuple):
        for value in part:
            yield from code(value, inside)
    elif inside and isinstance(part, str):
        yield part


@pytest.mark.parametrize("name", FIGURES)
def test_names_are_text(name, panels_of):
    panels = panels_of(name)
    spec = specification(join(panels[:2]))
    assert not [text for text in code(spec) for part in PARTS if part in text]
    shown = script_json(spec)
    assert not [sign for sign in "<>&\u2028" if sign in shown]
    assert json.loads(shown) == json.loads(json.dumps(spec))
    assert describe(panels[0], "Title")
    unseen = json.dumps(spec, ensure_ascii=False) + "".join(describe(panel, "") for panel in panels)
    assert not set("\u2028\u202e") & set(unseen)  # written out, so that nothing reverses what follows it


@pytest.mark.parametrize("name", FIGURES)
def test_labels_stand_for_one_panel_each(name, panels_of):
    labels = [panel.label for panel in panels_of(name)]
    assert len(set(labels)) == len(labels)


INHERITED = ("constructor", "toString", "hasOwnProperty", "valueOf")
"""Names that every object has in JavaScript, so that they are found in any that is searched for a name."""


@pytest.fixture(scope="module", params=["methods", "places"])
def inherited(request, make_study):
    names = INHERITED[:2] if request.param == "methods" else ("mp", "up")
    places = [("digits", "lenet")] if request.param == "methods" else [(name, "lenet") for name in INHERITED[:2]]
    arms = {"sham": 1.0} | dict(zip(names, (1.3, 0.8), strict=True))
    cube = make_study(
        arms, places=places, seeds=4, classes=4, images=20, keep="predictions", achieved={names[0]: 0.5},
        class_names=list(INHERITED), ratios=(2,),
    )  # fmt: skip
    return rdstats.analyze(cube, family="all", bayes=True, folds=0)


@pytest.mark.parametrize("name", FIGURES)
def test_names_that_every_object_has_are_drawn(name, inherited):
    svg = to_svg(plot(inherited, name))
    width = float(re.search(r'<svg[^>]* width="([\d.]+)"', svg).group(1))
    assert width > 300
    assert svg.count("<path") > 15
    written = re.sub("<[^>]*>", " ", svg)
    assert [text for text in INHERITED[:2] if text not in written] == []


@pytest.mark.parametrize("name", ["__proto__", "__defineGetter__", "isPrototypeOf", *INHERITED])
def test_no_line_of_a_title_is_such_a_name(name):
    assert line(name) != name
    assert line(name).strip() == name
    assert line(f"{name}, ratio 2") == f"{name}, ratio 2"
    drawn = [heading(name)["title"], heading("a", name)["title"]["subtitle"], *heading("", [name])["title"]["text"]]
    assert drawn == [line(name)] * 3


NEEDS_SEEDS = ("family", "posterior")


@pytest.mark.parametrize("name", [name for name in FIGURES if name not in (*NEEDS_SEEDS, "ratios")])
def test_one_seed(name, pair_of_models):
    panels = figure_panels(pair_of_models, name)
    assert panels[0].rows
    assert specification(panels[0].chart)


@pytest.mark.parametrize("name", NEEDS_SEEDS)
def test_what_one_seed_does_not_answer(name, pair_of_models):
    with pytest.raises(UnanswerableError, match=f"figure {name} needs"):
        figure_panels(pair_of_models, name)
