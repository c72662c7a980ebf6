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
