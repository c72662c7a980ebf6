"""Cubes that were computed in parts: joined, or refused with the cell where they contradict each other."""

import json
import os
import shutil

import numpy as np
import pytest
import xarray as xr

from rdstats.cube import build, digest, merge_cubes, open_cube, save, select
from rdstats.cube import write as write_module
from rdstats.cube.join_grids import join_experiments
from rdstats.errors import InputError


@pytest.fixture(scope="module")
def part(example_file, tmp_path_factory):
    """Return a function that writes a part of the example, once."""
    folder, written = tmp_path_factory.mktemp("parts"), {}

    def part(**labels):
        if str(labels) not in written:
            written[str(labels)] = folder / f"{len(written)}.nc"
            with open_cube(example_file) as cube:
                save(select(cube, **labels), written[str(labels)])
        return written[str(labels)]

    return part


@pytest.fixture
def cubes(example_file, part, tmp_path):
    """Return a function that writes parts of the example, or changed copies, and returns their paths."""
    letters = iter("abcdefgh")

    def make(*changes):
        paths = []
        for change in changes:
            paths.append(tmp_path / f"{next(letters)}.nc")
            if isinstance(change, dict):
                shutil.copy(part(**change), paths[-1])
            else:
                with open_cube(example_file) as cube:
                    save(change(cube.load()), paths[-1])
        return paths

    return make


@pytest.fixture
def refused(cubes, tmp_path):
    """Return the message with which copies of the example are not merged, their folder left out; nothing is left."""

    def refused(*changes):
        paths = [path.rename(tmp_path / f"{name}.nc") for path, name in zip(cubes(*changes), "abcd", strict=False)]
        before = sorted(tmp_path.iterdir())
        with pytest.raises(InputError) as caught:
            merge_cubes(paths, tmp_path / "merged.nc")
        assert sorted(tmp_path.iterdir()) == before
        message = str(caught.value)
        assert "\n" not in message
        return message.replace(f"{tmp_path}{os.sep}", "")

    return refused


SAME = {}


def with_value(name, value, **labels):
    """Return a change of the values of a variable at some labels."""

    def change(cube):
        cube[name].loc[labels] = value
        return cube

    return change


def chain(*changes):
    def change(cube):
        for one in changes:
            cube = one(cube) if callable(one) else select(cube, **one)
        return cube

    return change


def digest_of(path):
    with open_cube(path) as cube:
        return digest(cube)


MP = {"seed": 1, "dataset": "tri", "arch": "net", "method": "mp", "ratio": 2.0}
DENSE = {"seed": 1, "dataset": "tri", "arch": "net"}


@pytest.mark.parametrize(
    "parts",
    [
        [{"seed": [0]}, {"seed": [1, 2]}],
        [{"seed": [0]}, {"seed": [1]}, {"seed": [2]}],
        [{"dataset": ["tri"]}, {"dataset": ["duo"]}],
        [{"method": ["sham"]}, {"method": ["mp"]}],
        [{"ratio": [1, 4]}, {"ratio": [2]}],
        [{"seed": [0, 1]}, {"seed": [1, 2]}],
        [{}, {}],
        [{}, {"seed": [2], "ratio": [4]}],
    ],
    ids=["seeds", "three", "datasets", "methods", "ratios", "overlapping", "itself", "a part of it"],
)
def test_the_parts_of_a_cube_are_the_cube(example_file, cubes, tmp_path, parts):
    merged = merge_cubes(cubes(*parts), tmp_path / "merged.nc")
    assert digest_of(merged.path) == digest_of(example_file)
    with open_cube(merged.path) as cube:
        assert merged.n_done == int((cube["status"] == 1).sum()) == 13
        for name in ("seconds", "status"):
            assert np.isfinite(cube[name]).sum() == {"seconds": 13, "status": 15}[name]


def test_labels_are_those_of_the_first_then_the_new_ones_ratios_ascend(cubes, tmp_path):
    parts = cubes({"seed": [2, 1], "ratio": [4, 1], "dataset": "duo"}, {"seed": [0, 1], "dataset": ["tri", "duo"]})
    with open_cube(merge_cubes(parts, tmp_path / "merged.nc").path) as cube:
        assert cube["seed"].values.tolist() == [2, 1, 0]
        assert cube["dataset"].values.tolist() == ["duo", "tri"]
        assert cube["ratio"].values.tolist() == [1, 2, 4]
        assert cube["status"].sel({"seed": 2, "dataset": "tri"}).isnull().all()
        assert cube["confusion"].sel({**MP, "seed": 0}).notnull().any()
        assert cube["confusion"].sel({**MP, "seed": 2}).isnull().all()


def test_the_order_of_the_cubes_makes_no_difference_where_their_labels_are_equal(cubes, tmp_path):
    first, second = cubes(
        chain(with_value("status", 0, seed=[0, 1]), _attr(device="cpu")),
        chain(with_value("status", 2, seed=2), _attr(device="cuda")),
    )
    found = {digest_of(merge_cubes(paths, tmp_path / f"{i}.nc").path)
             for i, paths in enumerate([(first, second), (second, first)])}  # fmt: skip
    assert len(found) == 1


def _attr(**attrs):
    return lambda cube: cube.assign_attrs(attrs)


@pytest.mark.parametrize("other", [0, 2, np.nan])
def test_a_done_cell_wins(example_file, cubes, tmp_path, other):
    """Its leavings in a cube where it is not done are not read: they may say anything."""
    worse = chain(with_value("status", other, **MP), with_value("achieved_ratio", 99, **MP))
    for i, paths in enumerate([cubes(worse, SAME), cubes(SAME, worse)]):
        assert digest_of(merge_cubes(paths, tmp_path / f"{i}.nc").path) == digest_of(example_file)


@pytest.mark.parametrize(("one", "other", "expected"), [(0, 2, 2), (np.nan, 0, 0), (np.nan, 2, 2), (0, 0, 0)])
def test_failed_beats_missing_and_both_beat_nothing(cubes, tmp_path, one, other, expected):
    changes = [with_value("status", one, **MP), with_value("status", other, **MP)]
    for i, paths in enumerate([cubes(*changes), cubes(*changes[::-1])]):
        with open_cube(merge_cubes(paths, tmp_path / f"{i}.nc").path) as cube:
            assert cube["status"].sel(MP) == expected
            assert cube["confusion"].sel(MP).isnull().all()
            assert cube["achieved_ratio"].sel({**MP, "seed": 0}) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [("confusion", 3), ("prediction", 1), ("achieved_ratio", 2.5), ("kept_weights", 8)],
)
def test_done_cells_that_differ_are_named(refused, name, value):
    expected = "seed 1, dataset tri, arch net, method mp, ratio 2 differs between a.nc and b.nc"
    assert refused(SAME, with_value(name, value, **MP)) == f"{expected} ({name})"


def test_seconds_may_differ(example_file, cubes, tmp_path):
    paths = cubes(with_value("seconds", 9, **MP), SAME)
    with open_cube(merge_cubes(paths, tmp_path / "merged.nc").path) as cube:
        assert cube["seconds"].sel(MP) == 9
        assert digest(cube) == digest_of(example_file)


def test_dense_networks_that_differ_are_named(refused):
    """Even where no compressed network is in both cubes: each must stay with its own dense one."""
    where = "the dense network of seed 1, dataset tri, arch net differs between a.nc and b.nc"
    mp = {"method": "mp"}
    assert refused({"method": "sham"}, chain(mp, with_value("dense_id", "x", **DENSE))) == f"{where} (dense_id)"
    changed = with_value("confusion_dense", 3, **DENSE)
    assert refused({"method": "sham"}, chain(mp, changed)) == f"{where} (confusion_dense)"
    changed = with_value("prediction_dense", 1, **DENSE, sample=0)
    assert refused({"method": "sham"}, chain(mp, changed)) == f"{where} (prediction_dense)"


def test_a_copied_run_is_no_replicate(refused, cubes, tmp_path):
    renamed = chain({"seed": 0}, lambda cube: cube.assign_coords(seed=[7]))
    message = refused({"seed": [0, 1]}, renamed)
    assert message.startswith("seeds 0 and 7 have the same dense network (dataset tri, arch net; a.nc and b.nc)")
    # one pretrained network that several seeds fine-tune is in each cube itself
    one_network = with_value("dense_id", "pretrained")
    paths = cubes(chain(one_network, {"method": "sham"}), chain(one_network, {"method": "mp"}))
    assert merge_cubes(paths, tmp_path / "merged.nc").n_done == 13


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (with_value("label", 1, dataset="tri", sample=0), "label"),
        (with_value("label", np.nan, dataset="tri", sample=11), "label"),
        (with_value("class_name", "cat", dataset="tri", true_class=0), "class_name"),
        (with_value("n_classes", 2, dataset="tri"), "n_classes"),
    ],
    ids=["label", "fewer images", "class name", "number of classes"],
)
def test_one_dataset_is_the_same_in_all(refused, change, name):
    assert refused({"seed": 0}, chain({"seed": 1}, change)) == f"dataset tri differs between a.nc and b.nc ({name})"


def test_other_datasets_may_be_of_other_size(example_file, cubes, tmp_path):
    def without_padding(cube):
        duo = cube.isel({"true_class": [0, 1], "predicted_class": [0, 1], "sample": range(8)})
        return duo.assign_coords(true_class=[0, 1], predicted_class=[0, 1])

    small = chain({"dataset": "duo"}, without_padding)
    for i, parts in enumerate([cubes({"dataset": "tri"}, small), cubes(small, {"dataset": "tri"})[::-1]]):
        assert digest_of(merge_cubes(parts, tmp_path / f"{i}.nc").path) == digest_of(example_file)


def test_numbers_of_classes_that_nothing_explains_are_refused(refused):
    def two_classes(cube):
        cube = cube.isel({"true_class": [0, 1], "predicted_class": [0, 1]})
        return cube.drop_vars(["n_classes", "class_name"])

    assert refused(SAME, two_classes) == "a.nc has 3 classes of dataset tri, b.nc 2"


def test_cubes_from_elsewhere(tmp_path):
    """Without status, other dimensions, text as labels, variables that no schema has."""
    rng = np.random.default_rng(0)

    def make(folds, variables=None, path=None, quality=None):
        counts = rng.integers(0, 9, (2, len(folds), 2, 2)).astype(float)
        counts[1, 0] = np.nan
        cube = build(
            counts[0], counts, dims=("method", "fold"), dims_dense=("fold",),
            coords={"method": ["int8", "int4"], "fold": folds, "true_class": ["n", "y"], "predicted_class": ["n", "y"]},
            variables=variables, attrs={"title": "quantised", "by": path.name},
        )  # fmt: skip
        save(cube, path)
        return cube

    speed = {"speed": (("fold",), [1.5, 2.5]), "host": (("fold",), ["x", "y"])}
    one = make(["p", "q"], speed, tmp_path / "a.nc")
    two = make(["r", "q"], {"host": (("fold",), ["z", "y"])}, tmp_path / "b.nc")
    paths = [tmp_path / "a.nc", tmp_path / "b.nc"]
    with pytest.raises(InputError, match=r"the dense network of fold q differs between .*a.nc and .*b.nc"):
        merge_cubes(paths, tmp_path / "merged.nc")
    save(two.isel(fold=[0]), tmp_path / "b.nc")
    with pytest.warns(UserWarning, match="^by: left out, as the cubes do not agree"):
        merged = merge_cubes(paths, tmp_path / "merged.nc")
    assert merged.n_done == 4
    with open_cube(merged.path) as cube:
        assert cube["fold"].values.tolist() == ["p", "q", "r"]
        expected = xr.concat([one["confusion"], two["confusion"].isel(fold=[0])], "fold")
        xr.testing.assert_equal(cube["confusion"].transpose(*expected.dims), expected)
        assert cube["host"].values.tolist() == ["x", "y", "z"]
        np.testing.assert_array_equal(cube["speed"], [1.5, 2.5, np.nan])
        assert cube.attrs["title"] == "quantised"
        assert "by" not in cube.attrs
        assert json.loads(cube.attrs["provenance"])["merged"] == [{"by": "a.nc"}, {"by": "b.nc"}]


def test_with_and_without_status(example_file, cubes, tmp_path):
    """Where a cube has none, a cell with counts is done."""
    paths = cubes({"seed": [0, 1]}, lambda cube: cube.isel(seed=[2]).drop_vars("status"))
    with open_cube(merge_cubes(paths, tmp_path / "merged.nc").path) as cube, open_cube(example_file) as whole:
        unfinished = whole["status"].isin([0, 2])
        xr.testing.assert_equal(cube["status"].where(~unfinished), whole["status"].where(~unfinished))
        assert cube["status"].where(unfinished).isnull().all()


def test_a_bare_pair_and_one_that_has_seeds(tmp_path):
    matrix = np.array([[3.0, 1.0], [0.0, 4.0]])
    save(build(matrix, matrix), tmp_path / "a.nc")
    save(build(matrix, matrix), tmp_path / "b.nc")
    save(build(matrix, matrix + 1), tmp_path / "c.nc")
    save(build([matrix], [matrix], dims=("seed",)), tmp_path / "d.nc")
    merged = merge_cubes([tmp_path / "a.nc", tmp_path / "b.nc"], tmp_path / "ab.nc")
    assert digest_of(merged.path) == digest_of(tmp_path / "a.nc")
    assert merged.n_done == 1
    with pytest.raises(InputError, match=r"^confusion differs between .*a.nc and .*c.nc$"):
        merge_cubes([tmp_path / "a.nc", tmp_path / "c.nc"], tmp_path / "ac.nc")
    with pytest.raises(InputError, match=r"confusion(_dense)? has no dimension seed in .*a.nc, as it has in .*d.nc"):
        merge_cubes([tmp_path / "a.nc", tmp_path / "d.nc"], tmp_path / "ad.nc")


def test_cells_that_differ_in_their_layer(tmp_path):
    """A dimension that elsewhere holds several values of a cell; ratios that are whole numbers stay so."""
    matrix = np.array([[3.0, 1.0], [0.0, 4.0]])
    for name, layers in (("a", ["conv"]), ("b", ["fc"]), ("ab", ["conv", "fc"])):
        after = np.stack([np.stack([matrix + (layer == "fc")] * 2) for layer in layers])
        coords = {"layer": layers, "ratio": [2, 4]}
        cube = build(matrix, after, dims=("layer", "ratio"), dims_dense=(), coords=coords)
        save(cube, tmp_path / f"{name}.nc")
    merged = merge_cubes([tmp_path / "a.nc", tmp_path / "b.nc"], tmp_path / "merged.nc")
    assert digest_of(merged.path) == digest_of(tmp_path / "ab.nc")
    assert merged.n_done == 4


def test_labels_of_two_kinds(refused):
    message = refused(SAME, lambda cube: cube.assign_coords(seed=["0", "1", "2"]))
    assert message == "labels of dimension seed are numbers in a.nc and text in b.nc"


def test_unknown_variables_must_agree_too(refused):
    def speed(value):
        return lambda cube: cube.assign(speed=("arch", [value]))

    assert refused(speed(1.0), speed(2.0)) == "arch net differs between a.nc and b.nc (speed)"
    assert refused(speed(1.0), speed("fast")) == "speed is text in one of a.nc and b.nc and numbers in another"


GRID = {
    "name": "g", "root_seed": 0, "seeds": [0, 1], "scale": {},
    "experiments": [{"dataset": ["tri"], "arch": ["net"], "method": ["sham", "mp"], "ratio": [2.0]}],
    "training": {"net": {"batch_size": 8}},
}  # fmt: skip


def graded(changed=None, **attrs):
    """Return a change that gives the example the attributes of a computed cube."""
    grid = {**GRID, **(changed or {})}
    usual = {
        "grid": json.dumps(grid, sort_keys=True), "scaled": json.dumps(grid["scale"]) if grid["scale"] else "",
        "device": "cpu", "versions": '{"torch": "2.6"}', "git_commit": "c0ffee", "data_sha256": '{"tri": "1"}',
    }  # fmt: skip
    return lambda cube: cube.assign_attrs({**usual, **attrs})


def test_grids_and_circumstances_are_joined(cubes, tmp_path):
    more = {"dataset": ["tri", "duo"], "arch": ["net"], "method": ["sham", "mp"], "ratio": [2.0, 4.0]}
    paths = cubes(
        chain({"seed": [0, 1]}, graded()),
        chain({"seed": 2}, graded(
            {"seeds": [2, 1], "experiments": [more]}, device="cuda", versions='{"torch": "2.7", "cuda": "12"}',
            data_sha256='{"duo": "2", "tri": "1"}', provenance='{"host": "there", "hosts": "x, y"}',
        )),
    )  # fmt: skip
    with open_cube(merge_cubes(paths, tmp_path / "merged.nc").path) as cube:
        grid = json.loads(cube.attrs["grid"])
        assert grid["seeds"] == [0, 1, 2]
        assert grid["experiments"] == [
            GRID["experiments"][0],
            {"dataset": ["tri"], "arch": ["net"], "method": ["mp"], "ratio": [4.0]},
            {"dataset": ["duo"], "arch": ["net"], "method": ["sham"], "ratio": [1.0]},
            {"dataset": ["duo"], "arch": ["net"], "method": ["mp"], "ratio": [2.0, 4.0]},
        ]
        assert cube.attrs["device"] == "cpu, cuda"
        assert json.loads(cube.attrs["versions"]) == {"torch": "2.6, 2.7", "cuda": "12"}
        assert cube.attrs["git_commit"] == "c0ffee"
        assert cube.attrs["data_sha256"] == '{"duo": "2", "tri": "1"}'
        provenance = json.loads(cube.attrs["provenance"])
        assert provenance["merged"] == [{"host": "here"}, {"host": "there", "hosts": "x, y"}]
        assert provenance["datasets"] == {"duo": "2", "tri": "1"}
        assert provenance["hosts"] == "x, y"


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        ({"name": "h"}, 'name: in a.nc "g", in b.nc "h"'),
        ({"root_seed": 1}, "root_seed: in a.nc 0, in b.nc 1"),
        ({"scale": {"epochs": 0.5}}, "scale.epochs: in a.nc null, in b.nc 0.5"),
        ({"training": {"net": {"batch_size": 9}}}, "training.net.batch_size: in a.nc 8, in b.nc 9"),
    ],
)
def test_other_grids_are_refused_with_what_differs(refused, changed, difference):
    assert refused(graded(), graded(changed)) == f"a.nc and b.nc are of different grids: {difference}"


def test_a_recipe_that_only_one_has_is_no_difference(cubes, tmp_path):
    paths = cubes(graded(), graded({"training": {**GRID["training"], "other": {"batch_size": 9}}}))
    with open_cube(merge_cubes(paths, tmp_path / "merged.nc").path) as cube:
        assert json.loads(cube.attrs["grid"])["training"] == {"net": {"batch_size": 8}, "other": {"batch_size": 9}}


@pytest.mark.parametrize(
    ("seeds", "expected"), [([0, 1], ""), ([0], '{"seeds": 2.0}')], ids=["whole", "still part of it"]
)
def test_the_mark_of_fewer_seeds_goes_where_all_are_there(cubes, tmp_path, seeds, expected):
    shortened = graded({"seeds": [0, 1] if expected else [0], "scale": {"seeds": 2.0 if expected else 1.0}})
    paths = cubes(shortened, graded({"seeds": seeds}))
    with open_cube(merge_cubes(paths, tmp_path / "merged.nc").path) as cube:
        assert cube.attrs["scaled"] == expected


def test_one_dataset_with_two_checksums(refused):
    message = refused(chain({"seed": 0}, graded()), chain({"seed": 1}, graded(data_sha256='{"tri": "2"}')))
    assert message == "a.nc and b.nc were computed on different data called tri"


def test_wrong_arguments(example_file, cubes, tmp_path):
    one, two = cubes({"seed": 0}, {"seed": 1})
    (tmp_path / "text.nc").write_text("no cube")
    os.link(one, tmp_path / "link.nc")
    for paths, output, expected in [
        ([one], "m.nc", "two or more cubes are needed to merge, got 1"),
        ([one, two, one], "m.nc", "a.nc is given twice"),
        ([one, tmp_path / "link.nc"], "m.nc", "link.nc is given twice"),
        ([one, tmp_path / "none.nc"], "m.nc", "none.nc: no such file"),
        ([one, tmp_path / "text.nc"], "m.nc", "text.nc: not a cube"),
        ([one, two], "b.nc", "b.nc is there and would be lost"),
        ([one, two], "no/m.nc", "does not exist"),
        ([one, two], ".", "is a folder"),
    ]:
        before = {path: path.read_bytes() for path in tmp_path.iterdir()}
        with pytest.raises(InputError, match=expected) as caught:
            merge_cubes(paths, tmp_path / output)
        assert "\n" not in str(caught.value)
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_damaged_cube_is_refused(cubes, tmp_path):
    one, two = cubes({"seed": 0}, {"seed": 1})
    content = bytearray(two.read_bytes())
    content[len(content) // 2] ^= 1
    two.write_bytes(content)
    with pytest.raises(InputError, match=r"b\.nc: truncated or damaged"):
        merge_cubes([one, two], tmp_path / "m.nc")
    assert not (tmp_path / "m.nc").exists()


def test_written_whole_or_not_at_all(cubes, tmp_path, monkeypatch):
    paths = cubes({"seed": 0}, {"seed": 1})
    before = sorted(tmp_path.iterdir())

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write_module, "append_checksum", full)
    with pytest.raises(OSError, match="No space"):
        merge_cubes(paths, tmp_path / "m.nc")
    assert sorted(tmp_path.iterdir()) == before


def test_matrices_are_read_a_block_at_a_time(cubes, tmp_path, monkeypatch):
    """What is in memory at once is one place of all dimensions but the first."""
    from rdstats.cube import merge_cells

    sizes = []
    real = merge_cells.Source.block

    def block(self, name, dims, labels, at):
        found = real(self, name, dims, labels, at)
        if found is not None and name in ("confusion", "prediction"):
            sizes.append(found.size)
        return found

    monkeypatch.setattr(merge_cells.Source, "block", block)
    merge_cubes(cubes({"seed": [0, 1]}, {"seed": 2}), tmp_path / "m.nc")
    assert max(sizes) == 3 * 12


def ticket(levels, dataset=("a",), method=("lth",)):
    return {"dataset": list(dataset), "arch": ["x"], "method": list(method), "ratio": [1.0], "levels": levels}


OTHER_METHOD = {"dataset": ["a"], "arch": ["x"], "method": ["mp"], "ratio": [2.0, 4.0]}
OWN_CONTROL = {"dataset": ["a"], "arch": ["x"], "method": ["sham-lth"], "ratio": [1.0]}


@pytest.mark.parametrize(
    ("one", "other", "joined"),
    [
        ([ticket(3)], [ticket(3)], [ticket(3)]),
        ([ticket(3)], [ticket(5)], [ticket(5)]),
        ([ticket(5)], [ticket(3)], [ticket(5)]),
        ([ticket(3, method=["sham-lth", "lth"])], [ticket(5, method=["sham-lth", "lth"])], [OWN_CONTROL, ticket(5)]),
        ([ticket(3), OTHER_METHOD], [ticket(2, dataset=["b"])], [ticket(3), OTHER_METHOD, ticket(2, dataset=["b"])]),
        ([ticket(3)], [ticket(3, dataset=["a", "b"])], [ticket(3), ticket(3, dataset=["b"])]),
        ([ticket(3, dataset=["a", "b"])], [ticket(4, dataset=["b"])], [ticket(3), ticket(4, dataset=["b"])]),
    ],
)
def test_of_a_lottery_ticket_the_most_levels_are_joined(one, other, joined):
    assert join_experiments([one, other]) == joined
