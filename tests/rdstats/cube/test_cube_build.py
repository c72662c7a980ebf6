"""Building and validating a cube in memory."""

import numpy as np
import pytest
import xarray as xr

from rdstats.cube import build, validate
from rdstats.errors import InputError

BEFORE, AFTER = [[9, 1], [3, 7]], [[7, 3], [5, 5]]


def test_bare_pair():
    cube = build(BEFORE, AFTER, class_names=["cat", "dog"])
    assert cube["confusion"].dims == cube["confusion_dense"].dims == ("true_class", "predicted_class")
    assert cube["confusion"].dtype == cube["confusion_dense"].dtype == np.float64
    np.testing.assert_array_equal(cube["confusion_dense"], BEFORE)
    np.testing.assert_array_equal(cube["confusion"], AFTER)
    assert cube["class_name"].values.tolist() == ["cat", "dog"]
    assert cube["true_class"].values.tolist() == cube["predicted_class"].values.tolist() == [0, 1]


def test_many_dims_labels_variables_and_attributes():
    before, after = np.full((3, 2, 4, 4), 5), np.full((3, 2, 2, 3, 4, 4), 5)
    cube = build(
        before,
        after,
        dims=("seed", "dataset", "method", "ratio"),
        coords={"dataset": ["b", "a"], "method": ["sham", "mp"], "ratio": [1, 2, 4]},
        variables={"achieved_ratio": (("method", "ratio"), np.ones((2, 3)))},
        attrs={"title": "x"},
    )
    assert cube["confusion_dense"].dims[:2] == ("seed", "dataset")
    assert cube["dataset"].values.tolist() == ["b", "a"]
    assert cube["seed"].values.tolist() == [0, 1, 2]
    assert cube["achieved_ratio"].dims == ("method", "ratio")
    assert cube.attrs == {"rd_schema_version": 1, "title": "x"}


def test_dense_dims_default_to_all_dims_where_the_axes_fit():
    cube = build(np.ones((2, 3, 2, 2)), np.ones((2, 3, 2, 2)), dims=("seed", "method"))
    assert cube["confusion_dense"].dims == ("seed", "method", "true_class", "predicted_class")
    other = build(np.ones((3, 2, 2)), np.ones((2, 3, 2, 2)), dims=("seed", "fold"), dims_dense=("fold",))
    assert other["confusion_dense"].dims == ("fold", "true_class", "predicted_class")


PAIR = {"confusion_dense": BEFORE, "confusion": AFTER}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"confusion": [[1, 2, 3], [1, 2, 3]]}, r"square matrices \(\.\.\., C, C\)"),
        ({"confusion_dense": [1, 2]}, "square matrices"),
        ({"confusion": [[1, 2], [3]]}, "unequal length"),
        ({"confusion": [["a", "b"], ["c", "d"]]}, "counts are accepted, got <U1"),
        ({"confusion": np.array(AFTER, complex)}, "counts are accepted, got complex128"),
        ({"confusion": np.array(AFTER, object)}, "counts are accepted, got object"),
        ({"confusion": np.ones((3, 3))}, "confusion_dense has 2 classes, confusion 3"),
        ({"confusion": np.ones((2, 2, 2))}, "confusion has 1 leading axes, dims name 0"),
        ({"dims": ("seed",)}, "0 leading axes, dims name 1: seed"),
        ({"class_names": ["cat"]}, "1 class names for 2 classes"),
        ({"coords": {"fold": [0, 1]}}, "labels of a dimension that no variable has: fold"),
        ({"coords": {"true_class": [0]}}, "do not fit together"),
        ({"variables": {"x": (("true_class",), [1, 2, 3])}}, "do not fit together"),
        ({"variables": {"x": (("true_class",), [[1, 2]])}}, "do not fit together"),
    ],
)
def test_wrong_input(changed, message):
    with pytest.raises(InputError, match=message):
        build(**{**PAIR, **changed})


def test_before_and_after_of_different_length():
    with pytest.raises(InputError, match="do not fit together"):
        build(np.ones((2, 2, 2)), np.ones((3, 2, 2)), dims=("seed",))


@pytest.mark.parametrize(
    ("coords", "message"),
    [
        ({"seed": [0, 0, 1], "ratio": [1, 2]}, "dimension seed has repeated labels: 0"),
        ({"ratio": [0.5, 2]}, r"ratio must be numbers >= 1, got 0\.5, 2"),
        ({"ratio": [np.nan, 2]}, "ratio must be numbers >= 1"),
        ({"ratio": ["1", "2"]}, "ratio must be numbers >= 1"),
        ({}, "ratio has no labels"),
    ],
)
def test_wrong_labels(coords, message):
    with pytest.raises(InputError, match=message):
        build(np.ones((3, 2, 2)), np.ones((3, 2, 2, 2)), dims=("seed", "ratio"), coords=coords)


def valid():
    return build(np.ones((2, 2, 2)), np.ones((2, 2, 2)), dims=("seed",))


@pytest.mark.parametrize(
    ("cube", "message"),
    [
        (lambda: valid().rename(true_class="class"), "dimension true_class is missing"),
        (lambda: xr.Dataset({"x": ("seed", [1])}), "dimension true_class is missing"),
        (lambda: valid().isel(true_class=[0]), "1 true classes but 2 predicted classes"),
        (lambda: valid().rename(confusion="a", confusion_dense="b"), "neither variable confusion nor"),
        (
            lambda: valid().assign(confusion=lambda d: d["confusion"].sum("predicted_class")),
            "confusion lacks dimension pred",
        ),
        (lambda: valid().astype(str), "holds <U"),
        (lambda: valid().assign_coords(predicted_class=[1, 1]), "predicted_class has repeated labels: 1"),
    ],
)
def test_validate_names_the_source_and_the_fault(cube, message):
    with pytest.raises(InputError, match=f"^here: .*{message}"):
        validate(cube(), source="here")


def test_either_matrix_alone_is_a_cube():
    validate(valid().drop_vars("confusion"))
    validate(valid().drop_vars("confusion_dense"))
