"""Charts as files: every format, the page, escaping, colours of light and dark, the kept bundle."""

import json
import os
import re
import stat

import altair as alt
import pytest
import vl_convert

from rdstats.charts import FORMATS, bundle, marks, save_chart, script_json, specification, theme, to_html
from rdstats.charts.panel import Panel
from rdstats.errors import InputError

EVIL = "</script><script>alert(1)</script>"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache folder, and how often the bundle was made; making it takes no time."""
    made = []

    def bundled(globals_, vl_version):
        made.append(vl_version)
        return f"{globals_}\n/* </script> <!-- <script */ window.made = {len(made)};"

    monkeypatch.setattr(vl_convert, "javascript_bundle", bundled)
    monkeypatch.setenv("RD_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache", made


@pytest.fixture(scope="module")
def chart():
    rows = [{"x": 1, "name": EVIL}, {"x": 2, "name": "currentColor"}]
    drawn = alt.Chart(marks.data(rows)).mark_point().encode(x="x:Q", color=alt.Color("name:N"))
    label = drawn.mark_text(color=theme.INK).encode(text="name:N")
    return marks.configured(marks.finish([drawn, label], EVIL))


def test_every_ending_is_written(chart, tmp_path, cache):
    heads = {"svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF", "html": b"<!DOCTYPE html>", "json": b"{"}
    assert set(FORMATS) == set(heads)
    for ending, head in heads.items():
        path = tmp_path / f"chart.{ending}"
        save_chart(chart, path)
        assert path.read_bytes().startswith(head)
    assert json.loads((tmp_path / "chart.json").read_text()) == json.loads(json.dumps(specification(chart)))


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_light_and_dark_differ(ending, chart, tmp_path):
    light, dark = tmp_path / f"light.{ending}", tmp_path / f"dark.{ending}"
    save_chart(chart, light)
    save_chart(chart, dark, mode="dark")
    assert light.read_bytes() != dark.read_bytes()
    if ending == "svg":
        for path, (ink, background) in zip((light, dark), theme.MODES.values(), strict=True):
            text = path.read_text()
            assert ink in text
            assert background in text
            assert "alert(1)" in text
            assert "<script" not in text


def test_wrong_ending_and_mode(chart, tmp_path):
    with pytest.raises(InputError, match=r"chart\.gif: a name that ends with"):
        save_chart(chart, tmp_path / "chart.gif")
    with pytest.raises(InputError, match="theme 'grey': light, dark is accepted"):
        save_chart(chart, tmp_path / "chart.svg", mode="grey")
    with pytest.raises(InputError):
        save_chart(chart, tmp_path / "no" / "folder" / "chart.svg")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_chart_leaves_the_old_file(chart, tmp_path, monkeypatch):
    path = tmp_path / "chart.svg"
    path.write_text("old")

    def broken(*args, **options):
        raise ValueError("broken")

    monkeypatch.setattr(vl_convert, "vegalite_to_svg", broken)
    with pytest.raises(ValueError, match="broken"):
        save_chart(chart, path)
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["chart.svg"]


def test_json_in_a_script_element_ends_no_element():
    value = {"name": EVIL, "more": "a & b <!-- \u2028\u2029", "n": [1.5, None]}
    text = script_json(value)
    assert not re.search("[<>&\u2028\u2029]", text)
    assert json.loads(text) == value
    with pytest.raises(ValueError, match="JSON"):
        script_json({"n": float("nan")})


def test_the_page_asks_no_host_and_names_run_nothing(chart, cache):
    page = to_html(chart, title=EVIL)
    assert page.count("<script") == page.count("</script>") == 2
    assert "alert(1)</script>" not in page.replace("&lt;/script&gt;", "")
    assert "default-src 'none'" in page
    assert not re.search(r'(src|href)="', page)
    assert bundle.LICENCE in page
    assert "prefers-color-scheme:dark" in page
    assert "prefers-color-scheme" not in to_html(chart, mode="dark")


def test_a_name_that_is_the_ink_stays_itself(chart):
    spec = theme.themed(specification(chart), "dark")
    ink, background = theme.MODES["dark"]
    text = json.dumps(spec)
    assert spec["config"]["background"] == background
    assert [row["name"] for rows in spec["datasets"].values() for row in rows] == [EVIL, "currentColor"]
    assert spec["config"]["axis"]["labelColor"] == ink
    assert text.count('"currentColor"') == 1


def test_a_series_that_is_named_like_the_ink_keeps_its_name():
    names = marks.Names(["currentColor", "mp"], [])
    drawn = alt.Chart(marks.data([{"series": "currentColor"}])).mark_point().encode(color=names.colour(names.every))
    spec = theme.themed(specification(marks.finish([drawn], "currentColor")), "dark")
    assert spec["layer"][0]["encoding"]["color"]["scale"]["domain"] == ["currentColor", "mp"]
    assert spec["title"] == "currentColor"


def test_the_bundle_is_made_once_and_kept(cache):
    folder, made = cache
    first = bundle.vega_bundle()
    assert bundle.vega_bundle() == first
    assert made == [bundle.vega_lite_version()]
    (kept,) = folder.iterdir()
    assert bundle.vega_lite_version() in kept.name
    assert not re.search("</script|<script|<!--", first)


DAMAGES = (lambda b: b[:-9], lambda b: b.replace(b"made", b"mode"), lambda b: b"", lambda b: b"\xff")


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_bundle_is_made_again(damage, cache):
    folder, made = cache
    bundle.vega_bundle()
    (kept,) = folder.iterdir()
    kept.write_bytes(damage(kept.read_bytes()))
    again = bundle.vega_bundle()
    assert len(made) == 2
    assert "window.made = 2" in again
    assert bundle.vega_bundle() == again
    assert len(made) == 2


def test_a_cache_that_cannot_be_written_does_no_harm(cache, monkeypatch, tmp_path):
    _, made = cache
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RD_CACHE_DIR", str(tmp_path / "file" / "below"))
    assert "vegaEmbed" in bundle.vega_bundle()
    assert len(made) == 1
    if os.geteuid():  # root writes everywhere
        locked = tmp_path / "locked"
        locked.mkdir()
        locked.chmod(stat.S_IRUSR | stat.S_IXUSR)
        monkeypatch.setenv("RD_CACHE_DIR", str(locked))
        assert "vegaEmbed" in bundle.vega_bundle()


def broken(kind):
    """Return charts that Vega cannot lay out."""
    point = alt.Chart(marks.data([{"x": 1}])).mark_point().encode(x="x:Q")
    fails = marks.finish([point.transform_filter("datum.a.b.c > 1")], "a", width=200, height=100)
    return {"one": marks.configured(fails), "two": alt.ConcatChart(concat=[fails, fails])}[kind]


@pytest.mark.parametrize("kind", ["one", "two"])
@pytest.mark.parametrize("ending", ["svg", "png", "pdf"])
def test_an_empty_picture_is_not_written(kind, ending, tmp_path):
    with pytest.raises(InputError, match=r"^cannot draw the chart: Vega broke off with an error and drew nothing$"):
        save_chart(broken(kind), tmp_path / f"x.{ending}")
    assert list(tmp_path.iterdir()) == []


def test_what_vega_refuses_is_said_in_a_line(tmp_path):
    point = alt.Chart(marks.data([{"x": 1}])).mark_point().encode(x="x:Q")
    chart = marks.configured(alt.LayerChart(layer=[point], title="toString"))  # not by `titles.line`
    with pytest.raises(InputError, match=r"^cannot draw the chart: .*Operator not defined") as found:
        save_chart(chart, tmp_path / "x.svg")
    assert "\n" not in str(found.value)
    assert list(tmp_path.iterdir()) == []


def test_no_panels_are_no_chart():
    with pytest.raises(InputError, match="nothing to draw: the figure has no panel"):
        marks.join([])


def panel(name, place=None):
    drawn = alt.Chart(marks.data([{"x": 1, "name": name}])).mark_point().encode(x="x:Q")
    return Panel(name, (), marks.finish([drawn], name, width=100, height=50), place)


def test_panels_without_places_follow_each_other():
    spec = marks.join([panel(name) for name in "abc"]).to_dict()
    assert spec["columns"] == 2
    assert [part["title"] for part in spec["concat"]] == ["a", "b", "c"]
    assert marks.join([panel("a")]).to_dict()["title"] == "a"


def test_panels_with_places_stand_in_a_matrix_with_holes():
    panels = [panel("a", ("one", "left")), panel("b", ("one", "right")), panel("c", ("two", "right"))]
    spec = marks.join(panels).to_dict()
    assert spec["columns"] == 2
    assert [part.get("title") for part in spec["concat"]] == ["a", "b", None, "c"]
    assert [(part["width"], part["height"]) for part in spec["concat"]] == [(100, 50)] * 4
    assert spec["resolve"]["scale"] == dict.fromkeys(("x", "y", "color", "shape"), "independent")
