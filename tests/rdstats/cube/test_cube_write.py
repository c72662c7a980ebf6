"""The file: what is stored, how, and that it comes back as it was."""

import netCDF4
import numpy as np
import pytest
import xarray as xr

from rdstats.cube import CubeWriter, build, digest, open_cube, save
from rdstats.cube.schema import class_dtype
from rdstats.errors import InputError

LARGE = {
    "confusion": ("i4", -1, (1, 1, 1, 1, 1, 3, 3)),
    "confusion_dense": ("i4", -1, (1, 1, 1, 3, 3)),
    "prediction": ("u1", 255, (1, 1, 1, 1, 1, 12)),
    "prediction_dense": ("u1", 255, (1, 1, 1, 12)),
}


def test_every_cell_comes_back(example, recipe):
    missing = dict.fromkeys(
        (s, d, m, r) for s in (0, 1, 2) for d in ("tri", "duo") for m in ("sham", "mp") for r in (1.0, 2.0, 4.0)
    )
    for seed, dataset, method, ratio, predicted in recipe.cells():
        labels = recipe.LABELS[dataset]
        n, images = labels.max() + 1, len(labels)
        where, suffix = {"seed": seed, "dataset": dataset, "arch": "net"}, "_dense"
        if method is not None:
            where |= {"method": method, "ratio": ratio}
            suffix = ""
            if (seed, dataset, method, ratio) in recipe.STATUS:
                assert example["status"].sel(where) == recipe.STATUS[seed, dataset, method, ratio]
                continue
            del missing[seed, dataset, method, ratio]
            assert example["status"].sel(where) == 1
            assert example["achieved_ratio"].sel(where) == ratio
            np.testing.assert_array_equal(example["kept_weights"].sel(where), [7, np.nan])
        matrix = example["confusion" + suffix].sel(where).values
        assert matrix.dtype == np.float64
        np.testing.assert_array_equal(matrix[:n, :n], recipe.confusion(labels, predicted))
        assert np.isnan(matrix[n:]).all()
        assert np.isnan(matrix[:, n:]).all()
        np.testing.assert_array_equal(example["prediction" + suffix].sel(where)[:images], predicted)
        assert example["prediction" + suffix].sel(where)[images:].isnull().all()
    for seed, dataset, method, ratio in missing:
        where = {"seed": seed, "dataset": dataset, "arch": "net", "method": method, "ratio": ratio}
        assert example["confusion"].sel(where).isnull().all()
        assert example["prediction"].sel(where).isnull().all()
        assert example["achieved_ratio"].sel(where).isnull()
        if (seed, dataset, method, ratio) not in recipe.STATUS:
            assert example["status"].sel(where).isnull()
    assert example["class_name"].values.tolist() == [["tri0", "tri1", "tri2"], ["duo0", "duo1", ""]]
    assert example["dense_id"].values[..., 0].tolist() == [[f"{d}-{s}" for d in ("tri", "duo")] for s in (0, 1, 2)]
    assert example["n_classes"].values.tolist() == [3, 2]
    assert example["label"].sel(dataset="duo").values[:8].tolist() == [0] * 4 + [1] * 4
    assert example["label"].sel(dataset="duo")[8:].isnull().all()


def test_labels_keep_their_order_and_attributes_their_types(example, recipe):
    for dim, labels in recipe.COORDS.items():
        if dim != "sample":
            assert example[dim].values.tolist() == labels
    assert "sample" not in example.coords
    for name, value in recipe.ATTRS.items():
        assert np.asarray(example.attrs[name]).tolist() == value
    assert example.attrs["Conventions"] == "CF-1.11"
    assert example.attrs["rd_schema_version"] == 1


@pytest.mark.parametrize("name", LARGE)
def test_storage_of_large_variables(example_file, name):
    dtype, fill, chunks = LARGE[name]
    with netCDF4.Dataset(example_file) as file:
        variable = file.variables[name]
        assert variable.dtype == np.dtype(dtype)
        assert variable._FillValue == fill
        assert tuple(variable.chunking()) == chunks
        filters = variable.filters()
        assert filters["zlib"]
        assert filters["shuffle"]
        assert filters["fletcher32"]
        assert filters["complevel"] == 1


def test_storage_of_small_variables(example_file):
    with netCDF4.Dataset(example_file) as file:
        status = file.variables["status"]
        assert status.dtype == np.int8
        assert status._FillValue == -1
        assert status.flag_values.tolist() == [0, 1, 2]
        assert status.flag_values.dtype == np.int8
        assert status.flag_meanings == "missing done failed"
        assert file.variables["kept_weights"].dtype == np.int32
        assert file.variables["achieved_ratio"].dtype == np.float64
        assert np.isnan(file.variables["achieved_ratio"]._FillValue)
        assert file.variables["dense_id"].dtype is str
        assert file.variables["seconds"].units == "s"
        assert all(v.long_name for v in file.variables.values())
        assert all(v.filters()["fletcher32"] for v in file.variables.values() if v.dtype is not str and v.ndim > 1)


@pytest.mark.parametrize(("n", "dtype"), [(2, "u1"), (255, "u1"), (256, "u2"), (65535, "u2"), (65536, "u4")])
def test_predictions_are_the_smallest_type_that_leaves_its_maximum_free(n, dtype):
    assert class_dtype(n) == np.dtype(dtype)


def test_the_last_of_255_classes_is_not_taken_for_missing(tmp_path):
    coords = {"true_class": range(255), "predicted_class": range(255), "sample": 3}
    with CubeWriter(tmp_path / "a.nc", coords, dims={"prediction": ("sample",)}) as writer:
        writer.put({}, prediction=[254, 0])
    with xr.open_dataset(tmp_path / "a.nc") as data:
        np.testing.assert_array_equal(data["prediction"], [254, 0, np.nan])


def test_plain_xarray_opens_it_lazily_and_without_a_warning(example_file):
    """Warnings are errors here."""
    with xr.open_dataset(example_file) as plain, open_cube(example_file) as cube:
        xr.testing.assert_identical(plain.load(), cube.load())
    with open_cube(example_file) as cube:
        assert not cube["confusion"].variable._in_memory
        assert "_FillValue" not in cube["confusion"].attrs


@pytest.mark.parametrize("loaded", [True, False], ids=["in memory", "lazy"])
def test_saved_again_it_is_the_same(example, tmp_path, loaded):
    save(example.load() if loaded else example, tmp_path / "again.nc")
    with open_cube(tmp_path / "again.nc") as again:
        xr.testing.assert_identical(again.load(), example.load())
        assert digest(again) == digest(example)
        assert again["confusion"].encoding["chunksizes"] == (1, 1, 1, 1, 1, 3, 3)


def test_a_cube_can_be_saved_over_its_own_file(recipe, tmp_path):
    recipe.write(tmp_path / "a.nc")
    with open_cube(tmp_path / "a.nc") as cube:
        before = digest(cube)
        save(cube.assign_attrs(title="new"), tmp_path / "a.nc")
    with open_cube(tmp_path / "a.nc") as cube:
        assert cube.attrs.pop("title") == "new"
        assert digest(cube) == before


def test_a_bare_pair_and_unlabelled_dimensions(tmp_path):
    pair = build([[9, 1], [3, 7]], [[7, 3], [5, 5]], class_names=["cat", "dog"])
    save(pair, tmp_path / "pair.nc")
    with open_cube(tmp_path / "pair.nc") as again:
        xr.testing.assert_equal(again, pair)
    folds = build(np.ones((2, 2, 2)), np.ones((2, 2, 2)), dims=("fold",)).drop_vars("fold")
    save(folds, tmp_path / "folds.nc")
    with open_cube(tmp_path / "folds.nc") as again:
        assert again["fold"].values.tolist() == [0, 1]
        assert digest(again) == digest(folds)


def test_core_dimensions_anywhere(tmp_path):
    cube = build(np.arange(24.0).reshape(6, 2, 2), np.arange(24.0).reshape(6, 2, 2), dims=("fold",))
    turned = cube.transpose("true_class", "predicted_class", "fold")
    save(turned, tmp_path / "a.nc")
    with open_cube(tmp_path / "a.nc") as again:
        xr.testing.assert_equal(again, turned)


def test_missing_text_is_empty(tmp_path):
    ids = np.array(["a", None, np.nan], object)
    cube = build(np.ones((3, 2, 2)), np.ones((3, 2, 2)), dims=("seed",), variables={"dense_id": (("seed",), ids)})
    save(cube, tmp_path / "a.nc")
    with open_cube(tmp_path / "a.nc") as again:
        assert again["dense_id"].values.tolist() == ["a", "", ""]
        assert digest(again) == digest(cube)


def test_a_mostly_empty_cube_is_small(tmp_path):
    coords = {
        "seed": range(30),
        "dataset": list("abcd"),
        "arch": list("uvwxyz"),
        "method": list("klmno"),
        "ratio": [1.0, 2.0, 4.0, 10.0, 20.0, 50.0],
        "true_class": range(100),
        "predicted_class": range(100),
    }
    with CubeWriter(tmp_path / "a.nc", coords) as writer:
        for seed in (0, 29):
            where = {"seed": seed, "dataset": "d", "arch": "u", "method": "k", "ratio": 2.0}
            writer.put(where, confusion=np.eye(100, dtype=int), status=1)
    assert (tmp_path / "a.nc").stat().st_size < 100_000
    with open_cube(tmp_path / "a.nc") as cube:
        assert cube["confusion"].nbytes > 1e9
        assert int((cube["status"] == 1).sum()) == 2
        assert cube["confusion"][29, 3, 0, 0, 1].sum() == 100


@pytest.fixture
def writer(tmp_path):
    with CubeWriter(
        tmp_path / "a.nc",
        {"seed": [3, 5], "dataset": ["a", "b"], "true_class": [0, 1], "predicted_class": [0, 1], "sample": 4},
        dims={
            "confusion": ("seed", "dataset", "true_class", "predicted_class"),
            "note": ("seed", "dataset"),
            "speed": ("dataset",),
            "seconds": ("seed", "dataset"),
            "prediction": ("seed", "sample"),
            "kept_epoch": ("seed",),
            "status": ("seed", "dataset"),
        },
    ) as writer:
        yield writer


def test_dimensions_that_are_not_named_are_given_whole(writer):
    writer.put({"dataset": "b"}, seconds=[1.0, 2.0], status=[1, np.nan])
    writer.put({"seed": 5}, note=["x", "y"])
    writer.put({}, speed=[0.5, np.nan], confusion=np.ones((2, 2, 2, 2)))
    writer.put_at((0,), "note", ["p", "q"])
    writer.put_at((0, 1), "seconds", 7)
    writer.close()
    with xr.open_dataset(writer.path) as data:
        np.testing.assert_array_equal(data["seconds"], [[np.nan, 7], [np.nan, 2]])
        np.testing.assert_array_equal(data["status"], [[np.nan, 1], [np.nan, np.nan]])
        assert data["note"].values.tolist() == [["p", "q"], ["x", "y"]]
        np.testing.assert_array_equal(data["speed"], [0.5, np.nan])
        assert data["confusion"].sum() == 16


@pytest.mark.parametrize(
    ("where", "values", "message"),
    [
        ({"seed": 4, "dataset": "a"}, {"seconds": 1}, "seed=4 is not in the cube; seed has 3, 5"),
        ({"seed": 3, "dataset": "a"}, {"confusion": [[1.5, 1], [1, 1]]}, r"confusion: cannot store 1\.5; whole"),
        ({"seed": 3, "dataset": "a"}, {"confusion": [[-1, 1], [1, 1]]}, "confusion: cannot store -1"),
        ({"seed": 3, "dataset": "a"}, {"confusion": [[2**31, 1], [1, 1]]}, "cannot store 2.14748e"),
        ({"seed": 3}, {"prediction": [0, 255]}, "prediction: cannot store 255; whole numbers from 0 to 254"),
        ({"seed": 3}, {"kept_epoch": "x"}, "numbers are accepted, got <U1"),
        ({"seed": 3, "dataset": "a"}, {"nothing": 1}, "unknown cube variable 'nothing'"),
        ({"seed": 3, "dataset": "a"}, {"seconds": [1, 2]}, "seconds has dimensions"),
        ({"seed": 3}, {"seconds": 1}, "seconds has dimensions"),
        ({"seed": 3}, {"seconds": [1, 2, 3]}, "3 values along dataset of 2"),
        ({"seed": 3}, {"prediction": [0] * 5}, "5 values along sample of 4"),
    ],
)
def test_values_that_do_not_fit(writer, where, values, message):
    with pytest.raises(ValueError, match=message):
        writer.put(where, **values)


@pytest.mark.parametrize(
    ("attrs", "message"), [({"grid": {"a": 1}}, "neither text, a number nor a list"), ({"x": None}, "neither text")]
)
def test_attributes_are_plain(tmp_path, attrs, message):
    with pytest.raises(InputError, match=message):
        save(build([[1, 2], [3, 4]], [[1, 2], [3, 4]], attrs=attrs), tmp_path / "a.nc")
    assert list(tmp_path.iterdir()) == []


def test_a_fraction_of_a_count_is_refused_not_cut_off(tmp_path):
    whole = build([[1, 2], [3, 4]], [[1, 2], [3, 4]])
    halves = whole.assign(confusion_dense=whole["confusion_dense"] / 2)
    with pytest.raises(InputError, match=r"0\.5 at true_class=0, predicted_class=0; counts are 0 or more, whole"):
        save(halves, tmp_path / "a.nc")
    assert list(tmp_path.iterdir()) == []


def test_negative_counts_are_refused_with_their_cell(tmp_path):
    after = np.ones((2, 3, 2, 2))
    after[1, 2, 0, 1] = -4
    cube = build(np.ones((2, 2, 2)), after, dims=("seed", "method"), coords={"seed": [5, 7], "method": ["a", "b", "c"]})
    with pytest.raises(InputError, match="confusion: -4 at seed=7, method=c, true_class=0, predicted_class=1; counts"):
        save(cube, tmp_path / "a.nc")
    assert list(tmp_path.iterdir()) == []


def test_saving_writes_present_cells_only(tmp_path):
    """Without a status, too: a missing cell is no block of fill values."""
    sizes = {}
    for name, n in (("one", 1), ("all", 600)):
        after = np.full((30, 20, 10, 10), np.nan)
        after.reshape(600, 10, 10)[:n] = np.eye(10)
        save(build(np.ones((30, 20, 10, 10)), after, dims=("seed", "fold")), tmp_path / f"{name}.nc")
        sizes[name] = (tmp_path / f"{name}.nc").stat().st_size
    assert sizes["all"] - sizes["one"] > 599 * 30  # an encoded block has 30 bytes or more
