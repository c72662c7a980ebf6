"""Only the networks that are there are computed: results and fill values do not show it."""

import numpy as np
import pytest
import xarray as xr

from rdstats._labelled import STACKED, on_present
from rdstats.cube import build, class_counts
from rdstats.slope import slopes

FILL = {"reason": "missing", "degenerate": False, "degenerate_reason": ""}


SPARSE = [("full", "precision"), *((v, "recall") for v in ("no status", "other order", "no seed", "no ratio", "fold"))]


@pytest.mark.parametrize(("variant", "measure"), SPARSE)
def test_slopes_of_a_sparse_cube_are_those_of_each_cell_alone(cubes, variant, measure):
    cube = cubes[variant]
    found = slopes(cube, measure, "macro")
    dims = cube["confusion"].dims[:-2]
    there = cube["confusion"].notnull().any(["true_class", "predicted_class"])
    assert 0 < int(there.sum()) < there.size
    every = list(np.ndindex(*there.shape))
    for index in every[:: max(1, len(every) // 7)]:
        at = dict(zip(dims, index, strict=True))
        cell = found.isel(at)
        if not there.isel(at):
            assert {name: cell[name].item() for name in FILL} == FILL
            numbers = [name for name in cell.data_vars if name not in FILL and cell[name].dtype.kind == "f"]
            assert len(numbers) >= 9
            assert all(np.isnan(cell[name]) for name in set(numbers) - {"accuracy_dense", "status"})
            continue
        alone = slopes(cube.isel({dim: [i] for dim, i in at.items()}), measure, "macro").squeeze()
        for name in cell.data_vars:
            expected = alone[name]
            if expected.dtype.kind == "f":
                np.testing.assert_allclose(cell[name], expected, rtol=1e-12, err_msg=str(name))
            else:
                assert cell[name].item() == expected.item(), name


def test_the_layout_does_not_show_it(cubes):
    found = slopes(cubes["other order"])
    assert found["slope"].dims == ("ratio", "dataset", "seed", "method")
    for name in ("slope", "reason", "degenerate"):
        assert found[name].dims == found["slope"].dims
    assert found["degenerate"].dtype == bool
    assert found["seed"].values.tolist() == [3, 1, 7, 4]
    assert found.attrs == {"measure": "recall", "reference": "accuracy"}
    assert STACKED not in found.dims


def test_a_function_sees_the_present_networks_alone(cubes):
    counts = class_counts(cubes["full"])
    there = counts["support"].notnull().any("class")
    seen = []

    def function(part):
        seen.append(dict(part.sizes))
        number = part["correct"].sum("class")
        return xr.Dataset({"sum": number, "n": number.astype(int), "flag": number > 0}, attrs={"a": 1})

    result = on_present(function, counts, {"flag": False})
    assert seen == [{STACKED: int(there.sum()), "class": 4}]
    xr.testing.assert_equal(result["sum"], counts["correct"].sum("class").where(there))
    assert result["flag"].dtype == bool
    xr.testing.assert_equal(result["flag"], there)
    assert np.isnan(result["n"].values[~there.values]).all()
    assert result.attrs == {"a": 1}


@pytest.mark.parametrize("kind", ["everything is there", "one network", "lazy"])
def test_what_is_handed_over_whole(cubes, kind):
    counts = class_counts(cubes["no status"].isel(seed=[0, 1]))
    counts = {"everything is there": counts, "one network": class_counts(cubes["pair"]), "lazy": counts.chunk()}[kind]
    assert on_present(lambda part: part, counts, {}) is counts


@pytest.mark.parametrize("ids", [False, True])
def test_a_cube_without_a_finished_network(ids):
    """Nothing has been compressed yet: every network is missing, known dense networks or not."""
    before = np.stack([[[9.0, 1], [3, 7]]] * 3)
    variables = {"dense_id": (("seed",), np.array(["a", "b", "c"], object))} if ids else {}
    cube = build(before, np.full((3, 2, 2, 2), np.nan), dims=("seed", "ratio"), coords={"ratio": [2, 4]},
                 variables=variables)  # fmt: skip
    found = slopes(cube)
    assert found["reason"].values.tolist() == [["missing"] * 2] * 3
    assert not found["degenerate"].any()
    assert found["slope"].isnull().all()
