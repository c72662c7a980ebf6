"""Class counts: the same numbers by every way through a cube."""

import numpy as np
import pytest
import xarray as xr

from rdstats.cube import build, class_counts, open_cube

NAMES = ("correct", "support", "predicted")


def loop(matrices):
    """Return the counts of matrices (..., C, C), cell by cell and class by class."""
    shape = matrices.shape[:-1]
    counts = {name: np.full(shape, np.nan) for name in NAMES}
    for cell in np.ndindex(*shape[:-1]):
        for c in range(shape[-1]):
            row, column = matrices[cell][c], matrices[cell][:, c]
            if not np.isnan(row).all():
                counts["correct"][(*cell, c)] = matrices[cell][c, c]
                counts["support"][(*cell, c)] = np.nansum(row)
                counts["predicted"][(*cell, c)] = np.nansum(column)
    return counts


def test_against_a_loop(example):
    counts = class_counts(example)
    for suffix in ("", "_dense"):
        for name, expected in loop(example["confusion" + suffix].values).items():
            np.testing.assert_array_equal(counts[name + suffix], expected, err_msg=name + suffix)
    assert counts["support"].values[0, 1, 0, 1, 1, :2].tolist() == [4, 4]


def test_lazy_in_memory_and_chunked_are_equal(example_file):
    with open_cube(example_file) as lazy, open_cube(example_file) as loaded:
        expected = class_counts(loaded.load())
        xr.testing.assert_identical(class_counts(lazy), expected)
        assert not lazy["confusion"].variable._in_memory
        chunks = {"seed": -1, "method": -1, "ratio": -1, "dataset": 1, "true_class": 2}
        chunked = class_counts(loaded.chunk(chunks))
        for name in NAMES:
            assert chunked[name].chunks is not None
            assert chunked[name + "_dense"].chunks is not None
        xr.testing.assert_identical(chunked.compute(), expected)


def test_what_else_comes_along(example):
    counts = class_counts(example)
    assert set(counts.data_vars) == {
        *NAMES,
        *(name + "_dense" for name in NAMES),
        *("status", "achieved_ratio", "kept_weights", "dense_id", "n_classes", "class_name", "seconds"),
    }
    assert counts["correct"].dims == ("seed", "dataset", "arch", "method", "ratio", "class")
    assert counts["correct_dense"].dims == ("seed", "dataset", "arch", "class")
    assert counts["class_name"].dims == ("dataset", "class")
    assert counts["class"].values.tolist() == [0, 1, 2]
    assert counts["ratio"].values.tolist() == [1.0, 2.0, 4.0]
    assert counts.attrs == example.attrs
    assert class_counts(counts) is counts


def test_small_variables_are_read_at_once(example_file):
    """So that damage is met here, not deep inside a statistic."""
    with open_cube(example_file) as cube:
        counts = class_counts(cube)
    assert all(counts[name].variable._in_memory for name in counts.data_vars)


def test_bare_pair_and_one_sided_cubes():
    pair = build([[9, 1], [3, 7]], [[7, 3], [5, 5]])
    counts = class_counts(pair)
    assert {name: counts[name].values.tolist() for name in counts.data_vars} == {
        "correct": [7, 5],
        "support": [10, 10],
        "predicted": [12, 8],
        "correct_dense": [9, 7],
        "support_dense": [10, 10],
        "predicted_dense": [12, 8],
    }
    assert set(class_counts(pair.drop_vars("confusion")).data_vars) == {name + "_dense" for name in NAMES}
    assert set(class_counts(pair.drop_vars("confusion_dense")).data_vars) == set(NAMES)


@pytest.mark.parametrize("dtype", ["i4", "u1", "f4"])
def test_any_numeric_type(dtype):
    cube = build(np.ones((2, 2, 2)), np.full((2, 3, 2, 2), 1), dims=("seed", "method"))
    xr.testing.assert_identical(class_counts(cube.astype(dtype)), class_counts(cube))


def test_other_dims_in_any_order():
    rng = np.random.default_rng(1)
    before = np.tile(rng.integers(0, 9, (3, 3)), (2, 4, 1, 1)).astype(float)
    cube = build(before, before, dims=("fold", "trick"))
    expected = loop(before)
    turned = class_counts(cube.transpose("predicted_class", "trick", "true_class", "fold"))
    for name in NAMES:
        assert turned[name].dims == ("trick", "fold", "class")
        np.testing.assert_array_equal(turned[name].transpose("fold", ...), expected[name])
