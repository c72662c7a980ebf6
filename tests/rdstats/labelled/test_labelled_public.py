"""The public names of rdstats: lazy, complete, typed."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import rdstats

HEAVY = ["xarray", "scipy", "pandas", "torch", "altair", "arviz", "netCDF4", "statsmodels", "numpy"]


def loaded(statement):
    script = f"import sys; {statement}; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return [name for name in done.stdout.split() if name.partition(".")[0] in ("rdstats", *HEAVY)]


def test_import_loads_only_itself():
    assert loaded("import rdstats") == ["rdstats", "rdstats._version"]
    assert loaded("import rdstats; rdstats.InputError") == ["rdstats", "rdstats._version", "rdstats.errors"]


def test_cubes_need_no_chart_and_no_torch():
    names = {name.partition(".")[0] for name in loaded("import rdstats; rdstats.analyze; rdstats.open_cube")}
    assert names & {"torch", "altair", "arviz", "statsmodels"} == set()
    assert {"xarray", "numpy"} <= names


@pytest.mark.parametrize("name", rdstats.__all__)
def test_every_name_resolves_and_is_documented(name):
    value = getattr(rdstats, name)
    assert name in dir(rdstats)
    if callable(value):
        assert value.__doc__
        assert value.__name__ == name


def test_the_table_names_each_home_and_hides_no_module():
    assert rdstats.__all__ == ["__version__", *sorted(rdstats._HOME)]
    for name, home in rdstats._HOME.items():
        assert getattr(import_module(home), name) is getattr(rdstats, name)
    folder = Path(rdstats.__file__).parent
    modules = {p.stem for p in folder.iterdir() if p.suffix == ".py" or p.is_dir()}
    assert not modules & set(rdstats._HOME)


def test_the_stub_matches_the_table():
    tree = ast.parse(Path(rdstats.__file__).with_suffix(".pyi").read_text("utf-8"))
    found = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                assert alias.asname == alias.name, "only `import name as name` is a re-export"
                found[alias.name] = node.module
    assert found == {"__version__": "rdstats._version", **rdstats._HOME}


@pytest.mark.parametrize(
    "name",
    ["analysis", "array", "control", "cube", "degeneracy", "families", "measures", "pairing", "records", "slope"],
)
def test_modules_are_attributes(name):
    """By the lazy look-up itself: once loaded, a module is an attribute anyway."""
    assert rdstats.__getattr__(name).__name__ == f"rdstats.{name}"


def test_no_such_name():
    with pytest.raises(AttributeError, match="module 'rdstats' has no attribute 'slopess'"):
        _ = rdstats.slopess
