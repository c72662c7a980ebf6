"""The page in a real browser: opened from disk, offline, with keyboard and screen reader in mind."""

import csv
import io
import re
import shutil
from pathlib import Path

import pytest

from rdstats.charts import FIGURES, figure_panels, to_html
from rdstats.charts.marks import join
from rdstats.records import control_records
from rdstats.report import render_html
from rdstats.tables import TABLES, to_csv
from rdstats.tables.slopes import control_tables

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra test)")
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PROGRAM = next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = pytest.mark.skipif(PROGRAM is None, reason=f"no browser here: {', '.join(NAMES)}")

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WIDE, NARROW = {"width": 1200, "height": 900}, {"width": 390, "height": 844}
DRAWN = "document.documentElement.dataset.drawn"


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=PROGRAM, args=ARGUMENTS)
        yield chromium
        chromium.close()


class Visit:
    """A page opened from disk, with what went wrong and what it asked for."""

    def __init__(self, browser, path, **options):
        self.wrong, self.requests = [], []
        self.context = browser.new_context(offline=True, **options)
        self.page = self.context.new_page()
        self.page.on(
            "console", lambda line: self.wrong.append(line.text) if line.type in ("error", "warning") else None
        )
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.wrong.append(dialog.message), dialog.dismiss()))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_function(DRAWN, timeout=60_000)

    def run(self, script, *values):
        return self.page.evaluate(script, *values)

    def check(self):
        """Nothing went wrong, nothing was asked for but the file (tooltips and images of its own are no request)."""
        assert self.wrong == []
        assert [url for url in self.requests if not url.startswith(("file:", "data:", "blob:"))] == []


@pytest.fixture(scope="module")
def path(report_page, tmp_path_factory):
    target = tmp_path_factory.mktemp("page") / "report.html"
    target.write_text(report_page, encoding="utf-8")
    return target


@pytest.fixture(scope="module")
def visit(browser, path):
    found = Visit(browser, path, viewport=WIDE, color_scheme="light")
    yield found
    found.context.close()


@pytest.fixture(scope="module")
def phone(browser, path):
    found = Visit(browser, path, viewport=NARROW, color_scheme="dark")
    yield found
    found.context.close()


def test_opens_from_disk_and_asks_nobody(visit, phone):
    for one in (visit, phone):
        one.check()
        assert one.requests == [one.page.url]


CHARTS = """() => [...document.querySelectorAll(".chart")].map((chart) => {
  const svg = chart.querySelector("svg");
  const box = svg ? svg.viewBox.baseVal : {};
  const parts = chart.querySelectorAll("svg path, svg line, svg text").length;
  return [chart.id, box.width, box.height, parts, chart.getAttribute("role"), chart.getAttribute("aria-label")];
})"""


def test_every_chart_is_drawn(visit, report):
    found = visit.run(CHARTS)
    assert {row[0].removeprefix("chart-").rsplit("-", 1)[0] for row in found} >= {"delta", "slopes"}
    for name, width, height, marks, role, label in found:
        assert 100 < width < 1500, name
        assert 80 < height < 1500, name
        assert marks > 10, name
        assert role == "img"
        assert len(label) > 30, name
    words = visit.run("document.getElementById('chart-delta-1').textContent")
    assert "mp" in words
    assert "pruning ratio" in words
    assert len(found) >= sum(len(figure_panels(report, name)) for name in ("delta", "slopes"))


def test_charts_follow_each_other_quickly(visit):
    assert visit.run(f"Number({DRAWN})") < 15_000  # a shared machine; a quiet one takes a tenth


def table(visit, name):
    return visit.page.locator(f"#table-{name}")


def column(visit, name, index):
    rows = "[...document.querySelectorAll(`#table-${name} tbody tr`)]"
    return visit.run(f"([name, i]) => {rows}.map((row) => row.cells[i].textContent)", [name, index])


def test_tables_sort_by_exact_value_with_dashes_last(visit, report):
    heads = list(control_tables(report)[0].columns)
    exact = [record["mean"] for record in control_records(report)]
    known = sorted(value for value in exact if value is not None)
    assert len(known) < len(exact)
    at = heads.index("delta")
    head = table(visit, "control-1").locator("th").nth(at)
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert column(visit, "control-1", at) == [*(f"{value:.3f}" for value in known), *["–"] * (len(exact) - len(known))]
    head.get_by_role("button").press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert column(visit, "control-1", at)[0] == f"{known[-1]:.3f}"
    assert column(visit, "control-1", at)[-1] == "–"
    ratio = table(visit, "control-1").locator("th").nth(heads.index("ratio"))
    ratio.get_by_role("button").press("Enter")
    assert head.get_attribute("aria-sort") is None
    assert column(visit, "control-1", heads.index("ratio")) == ["2", "2", "4", "4", "10", "10"]


def download(visit, name):
    with visit.page.expect_download() as waiting:
        table(visit, name).get_by_role("button", name="Download CSV").click()
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


def test_downloads_hold_the_exact_records(visit, report):
    for name in ("control-1", "slopes-1", "tradeoff"):
        filename, content = download(visit, name)
        assert filename == f"{name}.csv"
        assert content == to_csv(TABLES[name.split("-")[0]].records(report)).encode()
    rows = list(csv.DictReader(io.StringIO(download(visit, "control-1")[1].decode())))
    assert [row["mean"] for row in rows if row["mean"]] == [
        repr(record["mean"]) for record in control_records(report) if record["mean"] is not None
    ]


def test_long_tables_open_and_sort_as_a_whole(visit):
    visit.run("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    rows = table(visit, "classes").locator("tbody tr")
    shown = "() => [...document.querySelectorAll('#table-classes tbody tr')].filter((row) => row.offsetHeight).length"
    assert rows.count() > 60
    assert visit.run(shown) == 40
    visit.page.emulate_media(media="print")
    assert visit.run(shown) == rows.count()
    visit.page.emulate_media(media="screen")
    table(visit, "classes").get_by_role("button", name="Show all").click()
    assert visit.run(shown) == rows.count()
    table(visit, "classes").get_by_role("button", name="Show the first").click()
    assert visit.run(shown) == 40


def test_no_sideways_scrolling_on_a_phone(phone):
    phone.run("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    assert phone.run("document.scrollingElement.scrollWidth <= innerWidth")
    charts = "[...document.querySelectorAll('.chart svg')]"
    assert phone.run(f"{charts}.filter((s) => s.getBoundingClientRect().right > innerWidth + 1).length") == 0


LUMINANCE = """(selector) => {
  const parts = (text) => text.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = (text) => { const [r, g, b] = parts(text); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const at = getComputedStyle(document.querySelector(selector));
  return [light(at.color), light(getComputedStyle(document.body).backgroundColor)];
}"""


def test_dark_mode_has_its_own_colours_and_contrast(visit, phone):
    for one, dark in ((visit, False), (phone, True)):
        for selector in ("body", ".caption", "th", "a", ".state", ".chart"):
            ink, paper = one.run(LUMINANCE, selector)
            assert (ink > paper) == dark, selector
            assert (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05) >= 4.5, selector
        label = one.run("getComputedStyle(document.querySelector('.chart svg text')).fill")
        assert label == one.run("getComputedStyle(document.body).color")


def test_keyboard_reaches_everything(visit):
    visit.run("document.querySelectorAll('details').forEach((part) => { part.open = false; })")
    visit.run("document.querySelector('h1').tabIndex = -1, document.querySelector('h1').focus()")
    seen = set()
    for _ in range(60):
        visit.page.keyboard.press("Tab")
        seen.add(visit.run("[document.activeElement.tagName, document.activeElement.className].join(' ').trim()"))
    assert {"A", "DIV scroll", "BUTTON sort", "BUTTON", "SUMMARY"} <= seen
    first = visit.page.locator("summary").first
    before = visit.run("document.querySelector('details').open")
    first.press("Enter")
    assert visit.run("document.querySelector('details').open") != before


def test_paper_shows_everything(visit):
    visit.run("document.querySelectorAll('details').forEach((part) => { part.open = false; })")
    visit.run("dispatchEvent(new Event('beforeprint'))")
    visit.page.emulate_media(media="print")
    hidden = "[...document.querySelectorAll('.chart svg, td')].filter((part) => !part.getClientRects().length).length"
    assert visit.run(hidden) == 0
    assert visit.run("getComputedStyle(document.querySelector('.table .actions')).display") == "none"
    visit.page.emulate_media(media="screen")


@pytest.mark.parametrize("mode", ["visit", "phone"])
def test_no_serious_barrier(mode, request):
    one = request.getfixturevalue(mode)
    one.run("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    assert serious(one.page) == []


def test_copying_the_citation(visit):
    box = visit.page.locator(".copy").first
    box.get_by_role("button").click()
    visit.page.wait_for_function("/Copied|Selected/.test(document.querySelector('.copy button').textContent)")


def test_hostile_names_are_text(browser, hostile, hostile_names, tmp_path):
    target = tmp_path / "hostile.html"
    target.write_text(render_html(hostile), encoding="utf-8")
    one = Visit(browser, target, viewport=NARROW)
    one.run("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    assert one.run("[window.hacked, document.querySelectorAll('img').length]") == [None, 0]
    assert one.run("document.scrollingElement.scrollWidth <= innerWidth")
    words = " ".join(one.run("document.body.innerText").split())
    for name in hostile_names[:4]:
        assert " ".join(name.split()) in words
    assert "a\\u2028b\\u202ec" in words
    assert hostile_names[0] in one.run("[...document.querySelectorAll('svg')].map((s) => s.textContent).join(' ')")
    _, content = download(one, "slopes")
    assert b"\n'=cmd()" in content.replace(b",'=cmd()", b"\n'=cmd()")
    assert one.run("[window.hacked]") == [None]
    one.check()
    one.context.close()


def serious(page):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed (extra test)")
    found = axe.Axe().run(page).response["violations"]
    return [(v["id"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in ("serious", "critical")]


def test_page_of_a_single_chart(browser, report, hostile, tmp_path):
    for i, analysis in enumerate((report, hostile)):
        panels = FIGURES["delta"].panels(FIGURES["delta"].data(analysis))
        target = tmp_path / f"{i}.html"
        target.write_text(to_html(join(panels), title="<b>delta</b>"), encoding="utf-8")
        context = browser.new_context(offline=True, color_scheme="dark", viewport=NARROW)
        page, wrong = context.new_page(), []
        page.on("console", lambda line, wrong=wrong: wrong.append(line.text))
        page.on("pageerror", lambda error, wrong=wrong: wrong.append(str(error)))
        page.goto(target.as_uri())
        page.wait_for_selector("#chart svg path")
        assert page.title() == "<b>delta</b>"
        assert page.evaluate("window.hacked") is None
        assert re.search(r"pruning ratio", page.inner_text("#chart"))
        assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
        assert serious(page) == []
        assert wrong == []
        context.close()
