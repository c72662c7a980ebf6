"""A file of schema version 1 opens for ever, and says the same for ever (made by tests/data/make_cube_v1.py)."""

import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from rdstats import analyze, slopes
from rdstats.cube import class_counts, digest, open_cube

PATH = Path(__file__).resolve().parents[2] / "data" / "cube_v1.nc"
DIGEST = "2598c85095a5981a82dbe04b42e2b81ce32c2258229cbda4f3c4d007cedb4e02"

# (seed, dataset, method, ratio) -> slope; exact: the formula in fractions.Fraction on the matrices as netCDF4
# 1.7.5 reads them, 2026-11-22
SLOPES = {
    (0, "quad", "sham", 1): "170/93",
    (0, "quad", "mp", 2): "68/45",
    (0, "quad", "mp", 4): "85/93",
    (0, "duo", "sham", 1): "0",
    (0, "duo", "mp", 2): "1/2",
    (1, "quad", "sham", 1): "61/273",
    (1, "quad", "mp", 2): "4941/5369",
    (1, "quad", "mp", 4): "1037/819",
    (1, "duo", "sham", 1): "0",
    (2, "quad", "sham", 1): "217/177",
    (2, "quad", "mp", 2): "31/42",
    (2, "duo", "sham", 1): "3",
    (2, "duo", "mp", 2): "43/20",
}


@pytest.fixture
def frozen():
    with open_cube(PATH) as cube:
        yield cube


def test_size():
    assert PATH.stat().st_size < 60_000


def test_digest(frozen):
    assert digest(frozen) == DIGEST


def test_content(frozen):
    assert frozen.attrs["rd_schema_version"] == 1
    assert frozen["dataset"].values.tolist() == ["quad", "duo"]
    assert frozen["class_name"].values.tolist()[1] == ["duo 0", "duo 1", "", ""]
    assert frozen["dense_id"].values.ravel().tolist() == ["quad0", "duo0", "quad1", "duo1", "quad2", "duo2"]
    cell = frozen.isel(seed=0, dataset=0, arch=0, method=1, ratio=1)
    assert cell["confusion"].values.tolist() == [[18, 0, 1, 1], [3, 14, 3, 0], [2, 1, 16, 1], [4, 1, 3, 12]]
    assert cell["kept_weights"].values.tolist() == [50, 15]
    right = cell["prediction"] == cell["label"]
    assert right.sum() == 18 + 14 + 16 + 12
    assert np.unique(frozen["status"], return_counts=True, equal_nan=True)[1].tolist() == [1, 13, 1, 21]
    counts = class_counts(frozen)
    assert counts["support"].isel(seed=0, dataset=0, method=0, ratio=0).values.tolist() == [[20] * 4]
    assert counts["support"].isel(seed=0, dataset=1, method=0, ratio=0).values[0, :2].tolist() == [25, 25]


def test_slopes(frozen):
    networks = slopes(frozen)
    found = networks["slope"]
    assert found.notnull().sum() == len(SLOPES)
    for (seed, dataset, method, ratio), expected in SLOPES.items():
        where = {"seed": seed, "dataset": dataset, "arch": "net", "method": method, "ratio": ratio}
        assert found.sel(where).item() == pytest.approx(float(Fraction(expected)), rel=1e-10, abs=1e-15)
    assert not networks["degenerate"].any()


def test_analysis(frozen):
    analysis = analyze(frozen)
    assert [(m.column, m.first["ratio"], m.second["ratio"]) for m in analysis.family.members] == [("quad net mp", 2, 4)]
    estimate = np.mean([68 / 45 - 85 / 93, 4941 / 5369 - 1037 / 819])
    assert analysis.tests["estimate"].item() == pytest.approx(estimate, rel=1e-10)
    assert analysis.control is not None


def test_plain_xarray_opens_it_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with xr.open_dataset(PATH) as plain, open_cube(PATH) as cube:
            xr.testing.assert_identical(plain.load(), cube.load())
