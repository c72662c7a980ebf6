"""Fixtures of the tests of charts."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

import rdstats


@pytest.fixture(scope="session")
def sim():
    """Simulated cubes: `simulate`, `Arm`, `CONTROL`, `COLLAPSED`."""
    return SimpleNamespace(
        **runpy.run_path(str(Path(__file__).parents[1] / "report" / "simulated.py"), run_name="simulated")
    )


@pytest.fixture(scope="session")
def study(sim):
    """An analysis with claims of several kinds: mp intensifies, up de-intensifies, rp collapses at 10."""
    grow, shrink = sim.Arm(spread=1.4), sim.Arm(spread=0.6)
    arms = {"sham": sim.CONTROL, "mp": grow, "up": shrink, "rp": [sim.CONTROL, sim.CONTROL, sim.COLLAPSED]}
    return rdstats.analyze(sim.simulate(arms))


def _walk(spec, datasets):
    """Yield every layer of a specification with its rows (filters not applied), through concats and nested layers."""
    parts = [part for name in ("layer", "concat", "vconcat", "hconcat") for part in spec.get(name, ())]
    for part in parts:
        yield from _walk({**({"data": spec["data"]} if "data" in spec else {}), **part}, datasets)
    if not parts:
        data = spec.get("data", {})
        yield spec, list(data["values"] if "values" in data else datasets.get(data.get("name"), ()))


@pytest.fixture(scope="session")
def layers():
    """Return every layer of a chart with its rows, as (layer, rows) pairs."""

    def of(chart, mark=None):
        spec = chart.to_dict(validate=False)  # test_specs.py validates all figures
        found = list(_walk(spec, spec.get("datasets", {})))
        return [(layer, rows) for layer, rows in found if mark is None or layer["mark"]["type"] == mark]

    return of


@pytest.fixture(scope="session")
def many(make_study):
    """An analysis of six methods with three controls, eleven ratios, achieved ratios, and a collapsed cell."""
    ratios = (1.25, 1.56, 1.95, 2.44, 3.05, 3.81, 4.77, 5.96, 7.45, 9.31, 11.64)
    arms = {"sham": 1.0, "sham-lth": 0.7, "sham-chip": 1.1} | dict.fromkeys(("mp", "gp", "up", "rp"), 1.2)
    cube = make_study(
        arms | {"lth": 1.3, "chip": 0.8}, ratios=ratios, seeds=6, images=40, achieved={"up": 0.7, "chip": 1.04},
        collapse={(seed, "rp", 11.64) for seed in (0, 1, 2)}, missing={(s, "gp", 2.44) for s in range(6)},
    )  # fmt: skip
    return rdstats.analyze(cube, folds=0)
