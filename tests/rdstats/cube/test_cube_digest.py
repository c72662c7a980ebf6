"""The digest says whether two cubes hold the same science, wherever they lie."""

import numpy as np
import pytest

from rdstats.cube import build, digest, open_cube, save


@pytest.fixture
def loaded(example):
    return example.load().copy(deep=True)


def cell(**labels):
    return {"seed": 1, "dataset": "tri", "arch": "net", **labels}


def test_equal_in_memory_lazily_in_chunks_and_saved_again(example_file, tmp_path):
    with open_cube(example_file) as lazy:
        expected = digest(lazy)
        assert not lazy["confusion"].variable._in_memory
        assert digest(lazy.chunk({"seed": -1, "dataset": 1})) == expected
        assert digest(lazy.chunk({"seed": 1, "sample": 5})) == expected
        save(lazy, tmp_path / "again.nc")
        assert digest(lazy.load()) == expected
        lazy["confusion"].load().to_dataset().to_netcdf(tmp_path / "part.nc")
    with open_cube(tmp_path / "again.nc") as again:
        assert digest(again) == expected
    assert len(expected) == 64


def test_storage_makes_no_difference(loaded, tmp_path):
    for variable in loaded.variables.values():
        variable.encoding = {}
    loaded.to_netcdf(tmp_path / "plain.nc")
    with open_cube(tmp_path / "plain.nc") as plain:
        assert digest(plain) == digest(loaded)


def test_built_and_saved(tmp_path):
    """Attributes of one element and truth values come back from a file as numbers."""
    attrs = {"seeds": [0], "names": ["a"], "rates": [0.5, 2.0], "scaled": True, "title": "x", "words": ["a", "b"]}
    cube = build(np.ones((2, 3, 2, 2)), np.ones((2, 3, 2, 2)), dims=("seed", "fold"), attrs=attrs)
    save(cube, tmp_path / "a.nc")
    with open_cube(tmp_path / "a.nc") as again:
        assert digest(again) == digest(cube)


def changes():
    def set_cell(name, value, **labels):
        def change(cube):
            cube[name].loc[cell(**labels)] = value
            return cube

        return change

    mp = {"method": "mp", "ratio": 2.0}
    classes = {"true_class": 0, "predicted_class": 1}
    return {
        "a count": set_cell("confusion", 9, **mp, **classes),
        "a dense count": set_cell("confusion_dense", 9, **classes),
        "a missing cell": set_cell("confusion", np.nan, **mp),
        "a prediction": set_cell("prediction", 2, **mp, sample=11),
        "a status": set_cell("status", 0, method="mp", ratio=4.0),
        "a dense id": set_cell("dense_id", "other"),
        "kept weights": set_cell("kept_weights", 8, **mp, layer="conv"),
        "a class name": lambda cube: cube.assign(class_name=cube["class_name"].str.upper()),
        "a seed": lambda cube: cube.assign_coords(seed=[0, 1, 3]),
        "a method": lambda cube: cube.assign_coords(method=["sham", "gp"]),
        "the order": lambda cube: cube.isel(seed=[1, 0, 2]),
        "an attribute": lambda cube: cube.assign_attrs(root_seed=1),
        "another attribute": lambda cube: cube.assign_attrs(title="x"),
        "one variable less": lambda cube: cube.drop_vars("achieved_ratio"),
        "one seed less": lambda cube: cube.isel(seed=[0, 1]),
    }


@pytest.mark.parametrize("name", changes())
def test_any_change_shows(loaded, name):
    before = digest(loaded)
    assert digest(changes()[name](loaded)) != before


def test_two_cells_exchanged_show(loaded):
    swapped = loaded.copy(deep=True)
    swapped["confusion"][[0, 1]] = loaded["confusion"][[1, 0]].values
    assert digest(swapped) != digest(loaded)


@pytest.mark.parametrize(
    "change",
    [
        lambda cube: cube.assign(seconds=cube["seconds"] * 2),
        lambda cube: cube.drop_vars("seconds"),
        lambda cube: cube.assign_attrs(provenance='{"host": "there"}'),
        lambda cube: cube.assign_attrs(history="opened"),
        lambda cube: cube.drop_attrs(deep=False).assign_attrs({k: v for k, v in cube.attrs.items() if k[0].islower()}),
    ],
    ids=["seconds", "no seconds", "provenance", "history", "conventions"],
)
def test_time_and_place_do_not(loaded, change):
    before = digest(loaded)
    assert digest(change(loaded)) == before


def test_the_order_of_variables_and_attributes_does_not(loaded):
    turned = loaded[list(loaded.data_vars)[::-1]]
    turned.attrs = dict(reversed(loaded.attrs.items()))
    assert digest(turned) == digest(loaded)


def test_names_and_dimensions_of_variables_show():
    def cube(name, dim):
        variables = {name: ((dim,), [1.0, 2.0])}
        return build(np.ones((2, 2, 2, 2)), np.ones((2, 2, 2, 2)), dims=("seed", "fold"), variables=variables)

    assert len({digest(cube(name, dim)) for name in ("speed", "weight") for dim in ("seed", "fold")}) == 4


def test_the_place_of_the_only_cell_shows():
    def cube(*place):
        after = np.full((3, 3, 2, 2), np.nan)
        after[place] = [[8, 2], [1, 9]]
        return build(np.full((3, 3, 2, 2), np.nan), after, dims=("seed", "fold"))

    assert len({digest(cube(*place)) for place in np.ndindex(3, 3)}) == 9
