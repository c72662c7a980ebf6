"""Every notebook runs from top to bottom, without warnings, and its stored outputs are those of today."""

import json
import re
import runpy
from pathlib import Path

import nbformat
import pytest

import rdstats
from rdcompute.grid import Grid
from rdcompute.grid_file import load_grid

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
RUN = runpy.run_path(str(NOTEBOOKS / "execute.py"), run_name="execute")
PICTURES = {"any_model": 2, "paper_replication": 6}
BESIDE_RDSTATS = {
    "any_model": {"altair", "numpy", "pandas", "sklearn"},
    "paper_replication": {"altair", "numpy", "pandas"},
}
CUBES = sorted((NOTEBOOKS / "data").glob("*.nc"))

notebooks = pytest.mark.parametrize("name", PICTURES)
cubes = pytest.mark.parametrize("path", CUBES, ids=lambda path: path.stem)


def read(name):
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)


def code_of(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def kinds(cell):
    """Return what a cell shows: its kinds, not its contents."""
    return [sorted(output.get("data", [output.output_type])) for output in cell.outputs]


def test_every_notebook_is_tested():
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} == set(PICTURES)
    targets = (NOTEBOOKS.parent / "Makefile").read_text()
    assert [name for name in PICTURES if f"notebooks/{name}.ipynb --write" not in targets] == []


@notebooks
def test_it_runs_and_gives_what_is_stored(name):
    """One test, since two workers would run the notebook twice."""
    stored = read(name)
    executed = RUN["execute"](stored)
    assert RUN["told_on_stderr"](executed) == []
    assert list(map(kinds, code_of(executed))) == list(map(kinds, code_of(stored)))
    assert sum(["image/png", "text/plain"] in kinds(cell) for cell in code_of(executed)) == PICTURES[name]
    assert stored.metadata["source"] == RUN["source_hash"](stored), "its code has changed: make notebook"
    if stored.metadata["made_with"] != RUN["made_with"]():
        pytest.skip(f"stored outputs are of {dict(stored.metadata['made_with'])}, here is {RUN['made_with']()}")
    assert "\n".join(RUN["changes"](stored, executed)) == "", "it gives other outputs: make notebook"


@notebooks
def test_it_needs_little_beside_rdstats(name):
    lines = "\n".join(cell.source for cell in code_of(read(name))).splitlines()
    imported = {line.split()[1].partition(".")[0] for line in lines if line.startswith(("import ", "from "))}
    assert imported - {"copy", "json", "pathlib", "tempfile"} == BESIDE_RDSTATS[name] | {"rdstats"}


@notebooks
def test_its_links_lead_somewhere(name):
    text = "\n".join(cell.source for cell in read(name).cells if cell.cell_type == "markdown")
    links = [part.partition(")")[0] for part in text.split("](")[1:]]
    assert links
    for link in links:
        target, _, heading = link.partition("#")
        assert (NOTEBOOKS / target).exists(), link
        assert not heading or heading in headings((NOTEBOOKS / target).read_text(encoding="utf-8")), link


def headings(text):
    """Return the anchors of the headings of a Markdown file."""
    found = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@cubes
def test_its_cubes_are_of_shipped_grids(path):
    """A changed grid makes the stored cube one of another grid."""
    with rdstats.open_cube(path) as cube:
        shipped = load_grid(f"{path.stem}.yaml").scaled(json.loads(cube.attrs["scaled"])).resolved()
        stored = Grid.model_validate(json.loads(cube.attrs["grid"]) | {"scale": {}})  # its epochs are scaled
        assert stored.resolved() == shipped | {"scale": {}}
        assert int((cube["status"] != 1).sum()) == int(cube["status"].isnull().sum()), "cells are not finished"


@cubes
def test_its_cubes_name_no_folder(path):
    with rdstats.open_cube(path) as cube:
        said = json.dumps({name: str(value) for name, value in cube.attrs.items()})
    assert re.findall(r"""(?:^|["'\s\\])(?:/\w|[A-Za-z]:\\\\)[^"'\s]*""", said) == []
