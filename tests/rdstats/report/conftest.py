"""Fixtures of the report's tests."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

import rdstats


@pytest.fixture(scope="session")
def sim():
    """Simulated cubes: `simulate`, `Arm`, `CONTROL`, `COLLAPSED`."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("simulated.py")), run_name="simulated"))


@pytest.fixture(scope="session")
def study(sim):
    """An analysis with claims of several kinds: mp intensifies, up de-intensifies, rp collapses at 10."""
    grow, shrink = sim.Arm(spread=1.4), sim.Arm(spread=0.6)
    arms = {"sham": sim.CONTROL, "mp": grow, "up": shrink, "rp": [sim.CONTROL, sim.CONTROL, sim.COLLAPSED]}
    attrs = {
        "grid_name": "tiny",
        "grid": '{"seeds": [0, 1], "name": "tiny"}',
        "versions": '{"torch": "2.0", "rd": "0.1"}',
        "device": "cpu",
        "git_commit": "abc123",
        "provenance": '{"host": "somewhere"}',
        "scaled": "",
    }
    return rdstats.analyze(sim.simulate(arms, attrs=attrs))
