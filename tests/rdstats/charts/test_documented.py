"""docs/figures.md names every figure, and no other."""

import re
from pathlib import Path

from rdstats.charts import FIGURES

DOCUMENT = Path(__file__).parents[3] / "docs" / "figures.md"


def test_every_figure_has_its_row():
    rows = re.findall(r"^\| `([a-z]+)` \|", DOCUMENT.read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(FIGURES)


def test_the_figures_of_the_paper_are_all_there():
    text = " ".join(figure.paper for figure in FIGURES.values())
    spans = [range(int(a), int(b or a) + 1) for a, b in re.findall(r"Figures? (\d+)(?: to (\d+))?", text)]
    assert {number for span in spans for number in span} == set(range(1, 14))
