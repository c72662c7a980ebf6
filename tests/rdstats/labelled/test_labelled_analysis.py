"""The whole analysis in one call: its parts agree with the functions, and its warnings say what matters."""

import json

import numpy as np
import pytest
import xarray as xr

from rdstats import Analysis, against_control, analyze, ratio_family, run_family, slopes, summarize_slopes
from rdstats.cube import build, open_cube, save
from rdstats.errors import InputError

DIMS = ("seed", "method", "ratio")
BY_SEED = ("family ratio: networks are paired by the label of their seed alone",)
"""What is said of every cube without dense_id."""


def cube(designed, n=6, status=None, achieved=None, attrs=None):
    rng = np.random.default_rng(4)
    slope = np.array([[1.0, 0, 0], [0, 1.2, 1.4]]) + rng.normal(scale=0.02, size=(n, 2, 3))
    slope[:, 0, 1:] = slope[:, 1, 0] = np.nan
    variables = {}
    if status is not None:
        values = np.where(np.isnan(slope), np.nan, 1.0)
        values[0, 1, 2] = status
        slope[0, 1, 2] = np.nan
        variables["status"] = (DIMS, values)
    if achieved is not None:
        variables["achieved_ratio"] = (DIMS, np.where(np.isnan(slope), np.nan, achieved))
    coords = {"method": ["sham", "mp"], "ratio": [1.0, 2.0, 4.0]}
    return designed(slope, dims=DIMS, coords=coords, variables=variables, attrs=attrs)


@pytest.mark.parametrize("excluded", [False, True])
def test_the_parts_are_those_of_the_functions(designed, excluded):
    one = cube(designed)
    analysis = analyze(one, level=0.9, margin=0.2, correction="holm", exclude_degenerate=excluded)
    assert isinstance(analysis, Analysis)
    networks = slopes(one)
    xr.testing.assert_identical(analysis.slopes, networks)
    expected = summarize_slopes(networks, level=0.9, exclude_degenerate=excluded, margin=0.2)
    xr.testing.assert_identical(analysis.summary, expected)
    family = ratio_family(networks, correction="holm", level=0.9)
    assert analysis.family == family
    xr.testing.assert_identical(analysis.tests, run_family(networks, family, exclude_degenerate=excluded))
    xr.testing.assert_identical(analysis.control, against_control(networks, level=0.9, margin=0.2))
    assert analysis.test_images_per_class == (3 * 10**7, 3 * 10**7)
    assert analysis.warnings == BY_SEED


def test_measure_and_reference_are_passed_on(cubes):
    with_precision = analyze(cubes["full"], measure="precision", reference="macro")
    xr.testing.assert_identical(with_precision.slopes, slopes(cubes["full"], "precision", "macro"))


def test_excluding_degenerate_networks_reaches_every_part(designed):
    one = cube(designed)
    counts = one["confusion"].values.copy()
    counts[0, 1, 1] = 0
    counts[0, 1, 1, :, 0] = one["confusion"].values[0, 1, 1].sum(-1)
    one = one.assign(confusion=(one["confusion"].dims, counts))
    every, kept = (analyze(one, exclude_degenerate=flag) for flag in (False, True))
    cell = {"method": "mp", "ratio": 2.0}
    for part in ("summary", "control"):
        assert getattr(every, part)["n"].sel(cell).item() == 6
        assert getattr(kept, part)["n"].sel(cell).item() == 5
    assert (every.tests["n"].item(), kept.tests["n"].item()) == (6, 5)
    assert kept.control["claim"].sel(cell).item() == "collapsed"
    assert "degenerate networks (no classifiers any more): 1; cells that read collapsed: 1" in kept.warnings


def test_lazy_and_chunked_cubes(cubes, tmp_path):
    expected = analyze(cubes["full"])
    save(cubes["full"], tmp_path / "a.nc")
    with open_cube(tmp_path / "a.nc") as lazy:
        for one in (lazy, lazy.chunk({"seed": -1, "dataset": 1})):
            analysis = analyze(one)
            xr.testing.assert_allclose(analysis.summary.drop_attrs(), expected.summary.drop_attrs(), rtol=1e-12)
            np.testing.assert_array_equal(analysis.tests["p"], expected.tests["p"])
            assert analysis.warnings == expected.warnings


def test_chunked_cubes_are_checked_too(cubes):
    one = cubes["no status"].copy(deep=True)
    one["confusion"][0, 1, 1, 2, 0, 0] += 1
    with pytest.raises(InputError, match="support differs before and after at seed=3, dataset=four, method=mp"):
        analyze(one.chunk({"dataset": 1}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"family": "ratios"}, r"family 'ratios' \(did you mean 'ratio'\?\); accepted is ratio"),
        ({"level": 95}, r"level 95: a number between 0 and 1 is accepted"),
        ({"correction": "holms"}, "did you mean 'holm'"),
        ({"measure": "recal"}, "recal"),
        ({"reference": "makro"}, "makro"),
        ({"margin": 0}, "margin"),
    ],
)
def test_unknown_choices(designed, options, message):
    with pytest.raises(InputError, match=message):
        analyze(cube(designed), **options)


@pytest.mark.parametrize(
    ("options", "warning"),
    [
        ({"status": 0}, "cells of the grid not finished: 1"),
        ({"status": 2}, "cells of the grid failed: 1"),
        ({"n": 4}, "4 seeds: too few for a verdict (5 are needed)"),
        ({"n": 1}, "one network only: no inference (5 are needed)"),
        (
            {"attrs": {"scaled": json.dumps({"seeds": 2, "epochs": 0.1})}},
            "scaled run (seeds=2, epochs=0.1): shorter than",
        ),
        ({"achieved": [1, 2, 3.0]}, "achieved ratios differ from nominal ones: 4 is really 3"),
        ({"achieved": [1, 2.5, 4.1]}, "achieved ratios differ from nominal ones: 2 is really 2.5"),
        ({"achieved": [1, 2.05, 3.9]}, None),
        ({"attrs": {"scaled": ""}}, None),
    ],
)
def test_warnings(designed, options, warning):
    warnings = analyze(cube(designed, **options)).warnings
    assert any(note.startswith(warning) for note in warnings) if warning else warnings == BY_SEED


def test_the_farthest_achieved_ratio_is_not_an_average_over_methods():
    matrix = np.tile([[9.0, 1], [3, 7]], (5, 2, 1, 1, 1))
    one = build(
        matrix[:, 0, 0],
        matrix,
        dims=("seed", "method", "ratio"),
        coords={"method": ["mp", "up-released"], "ratio": [50.0]},
        variables={"achieved_ratio": (("seed", "method", "ratio"), np.tile([[50.0], [5.0]], (5, 1, 1)))},
    )
    assert "achieved ratios differ from nominal ones: 50 is really 5 (up-released)" in analyze(one).warnings


@pytest.mark.parametrize(
    ("images", "measure", "start"),
    [
        (100, "recall", None),
        (104, "recall", None),
        (150, "recall", "test classes differ in size, up to 1.50 to 1"),
        (100, "f1", None),
        (150, "f1", "test classes differ in size, up to 1.50 to 1"),
    ],
)
def test_balance_warnings(images, measure, start):
    before = np.tile([[images - 10.0, 10], [30, 70]], (5, 1, 1))
    one = build(before, before[:, None], dims=("seed", "ratio"), coords={"ratio": [2]})
    warnings = analyze(one, measure=measure).warnings
    assert [w[: len(start)] for w in warnings] == [start] if start else warnings == ()
    assert analyze(one, measure=measure, reference="macro").warnings == ()


def test_undefined_classes_are_counted(cubes):
    warnings = analyze(cubes["full"], measure="precision").warnings
    assert "networks with a class whose precision is 0/0, so without a slope (undefined_class): 1" in warnings
