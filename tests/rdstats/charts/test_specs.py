"""Every figure draws what it drew when somebody last looked at it (tests/data/make_specs.py writes that anew)."""

import json
import math
import runpy
from pathlib import Path

import pytest

from rdstats.charts import FIGURES, plot

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def specs():
    return runpy.run_path(str(DATA / "make_specs.py"), run_name="specs")


@pytest.fixture(scope="module")
def fixed(specs):
    return specs["study"]()


def differences(got, wanted, where="spec"):
    """Yield where two specifications differ; floats may by rounding."""
    if isinstance(got, dict) and isinstance(wanted, dict):
        for key in sorted(got.keys() | wanted.keys()):
            if (key in got) != (key in wanted):
                yield f"{where}.{key}: {'new' if key in got else 'gone'}"
            else:
                yield from differences(got[key], wanted[key], f"{where}.{key}")
    elif isinstance(got, list) and isinstance(wanted, list):
        if len(got) != len(wanted):
            yield f"{where}: {len(got)} items, not {len(wanted)}"
        for i, pair in enumerate(zip(got, wanted, strict=False)):
            yield from differences(*pair, f"{where}[{i}]")
    elif isinstance(got, float | int) and isinstance(wanted, float | int) and type(got) is not bool:
        if not math.isclose(got, wanted, rel_tol=1e-9, abs_tol=1e-12):
            yield f"{where}: {got}, not {wanted}"
    elif got != wanted:
        yield f"{where}: {got!r}, not {wanted!r}"


@pytest.mark.parametrize("name", FIGURES)
def test_a_chart_is_what_it_was(name, specs, fixed):
    wanted = json.loads((DATA / "specs" / f"{name}.json").read_text(encoding="utf-8"))
    chart = plot(fixed, name)
    chart.to_dict(validate=True)
    found = list(differences(specs["plain"](chart), wanted))
    assert not found, "\n".join(found[:12])


def test_one_specification_a_figure():
    assert {path.stem for path in (DATA / "specs").glob("*.json")} == set(FIGURES)


def test_differences_are_seen():
    assert list(differences({"a": [1.0, "x"]}, {"a": [1.0 + 1e-12, "x"]})) == []
    assert list(differences({"a": [1.0, "x"]}, {"a": [1.0 + 1e-8, "y"], "b": 1})) == [
        "spec.a[0]: 1.0, not 1.00000001",
        "spec.a[1]: 'x', not 'y'",
        "spec.b: gone",
    ]
