"""Simulated studies, and analyses of them that several files look at."""

import runpy
from pathlib import Path

import numpy as np
import pytest

import rdstats


@pytest.fixture(scope="session")
def make_study():
    """Return `make_study` of studies.py."""
    return runpy.run_path(str(Path(__file__).with_name("studies.py")), run_name="studies")["make_study"]


@pytest.fixture(scope="session")
def usual_cube(make_study):
    """Return a cube with predictions: a control, one method that intensifies and one that does the opposite."""
    return make_study({"sham": 1.0, "mp": (1.3, 1.4), "up": (0.7, 0.6)}, keep="predictions", images=100)


@pytest.fixture(scope="session")
def usual(usual_cube):
    """Return the analysis of `usual_cube`, with its posterior."""
    return rdstats.analyze(usual_cube, bayes=True)


@pytest.fixture(scope="session")
def crumbling(make_study):
    """Return an analysis with degenerate networks: two of six at (mp, 4)."""
    arms = {"sham": 1.0, "mp": (1.3, 1.4), "up": (0.7, 0.6)}
    return rdstats.analyze(make_study(arms, collapse={(0, "mp", 4.0), (3, "mp", 4.0)}))


@pytest.fixture(scope="session")
def pair_of_models(make_study):
    """Return the analysis of one seed."""
    arms = {"sham": 1.0, "mp": (1.3, 1.4)}
    names = ["cat", "dog", "bird", "fish", "<b>&_x"]
    return rdstats.analyze(make_study(arms, seeds=1, images=150, class_names=names))


LONG_ARCHS = ("resnet20-wide", "resnet32-wide", "resnet56-wide", "resnet110-wide", "resnet1202-wide")
LONG_METHODS = ("magnitude-global", "magnitude-layer", "up-released", "up-released-abs")


@pytest.fixture(scope="session")
def large(make_study):
    """Return the analysis of five archs, four methods and a control, five ratios, all families, and the posterior."""
    arms = {"sham": 1.0} | {name: 1 + 0.1 * np.arange(5) * (-1) ** i for i, name in enumerate(LONG_METHODS)}
    cube = make_study(
        arms, places=[("cifar10-corrupted", arch) for arch in LONG_ARCHS], seeds=5, ratios=(2, 4, 10, 50, 100),
        images=40, collapse={(1, "up-released", 100.0)}, missing={(2, "magnitude-layer", 50.0)}, ids=False,
        achieved={"up-released": 0.9}, keep="predictions",
        class_names=["aeroplane & co.", "automobile_50%", "bird|feather", "<b>cat</b>", "deer #1 ~ $2 {x} \\ ^"],
    )  # fmt: skip
    return rdstats.analyze(cube, family="all", pair_by="seed", bayes=True)


@pytest.fixture(scope="session")
def every(usual, crumbling, pair_of_models, large):
    """Return the records of all kinds of these analyses, by analysis and kind."""
    from rdstats.tables import TABLES

    analyses = {"usual": usual, "crumbling": crumbling, "pair_of_models": pair_of_models, "large": large}
    return {study: {name: kind.records(one) for name, kind in TABLES.items()} for study, one in analyses.items()}
