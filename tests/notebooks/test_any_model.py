"""The tutorial runs from top to bottom, without warnings, and its stored outputs are those of today."""

import runpy
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
RUN = runpy.run_path(str(NOTEBOOKS / "execute.py"), run_name="execute")


@pytest.fixture
def stored():
    return nbformat.read(NOTEBOOKS / "any_model.ipynb", as_version=4)


def code_of(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def kinds(cell):
    """Return what a cell shows: its kinds, not its contents."""
    return [sorted(output.get("data", [output.output_type])) for output in cell.outputs]


def test_it_runs_and_gives_what_is_stored(stored):
    """One test, since two workers would run the notebook twice."""
    executed = RUN["execute"](stored)
    assert RUN["told_on_stderr"](executed) == []
    assert list(map(kinds, code_of(executed))) == list(map(kinds, code_of(stored)))
    assert sum(["image/png", "text/plain"] in kinds(cell) for cell in code_of(executed)) == 2
    assert stored.metadata["source"] == RUN["source_hash"](stored), "its code has changed: make notebook"
    if stored.metadata["made_with"] != RUN["made_with"]():
        pytest.skip(f"stored outputs are of {dict(stored.metadata['made_with'])}, here is {RUN['made_with']()}")
    assert "\n".join(RUN["changes"](stored, executed)) == "", "it gives other outputs: make notebook"


def test_it_needs_no_extra_but_scikit_learn(stored):
    lines = "\n".join(cell.source for cell in code_of(stored)).splitlines()
    imported = {line.split()[1].partition(".")[0] for line in lines if line.startswith(("import ", "from "))}
    assert imported - {"copy", "tempfile", "pathlib"} == {"altair", "numpy", "pandas", "rdstats", "sklearn"}


def test_its_links_lead_somewhere(stored):
    text = "\n".join(cell.source for cell in stored.cells if cell.cell_type == "markdown")
    links = [part.partition(")")[0] for part in text.split("](")[1:]]
    assert links
    assert [link for link in links if not (NOTEBOOKS / link).exists()] == []
