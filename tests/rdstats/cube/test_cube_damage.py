"""Files that are not what was written, and counts that cannot be true."""

import re
import subprocess
import sys

import netCDF4
import numpy as np
import pytest
import xarray as xr

from rdstats.cube import build, class_counts, digest, open_cube, save
from rdstats.errors import InputError

FLIP = """
import sys
from pathlib import Path
from rdstats.cube import class_counts, digest, open_cube
from rdstats.errors import InputError

source, target = map(Path, sys.argv[1:])
whole = source.read_bytes()
with open_cube(source) as cube:
    wanted = digest(cube)
ends = [*range(40), *range(len(whole) - 90, len(whole))]
places = [*ends, *range(40, len(whole) - 90, 37)]
n = {"refused": 0, "same": 0}
for i in places:
    content = bytearray(whole)
    content[i] ^= 255 if i % 2 else 1 << i % 8
    target.write_bytes(content)
    try:
        with open_cube(target) as cube:
            class_counts(cube)
            assert digest(cube) == wanted, f"byte {i}: read as another cube"
        n["same"] += 1
    except ValueError as error:
        assert type(error).__name__ == "InputError", f"byte {i}: {error!r}"
        assert target.name in str(error), f"byte {i}: {error}"
        n["refused"] += 1
print(len(whole), n["refused"], n["same"])
"""


@pytest.fixture
def damaged(example_file, tmp_path):
    """Return a function that writes a changed copy of the example."""

    def write(change):
        content = bytearray(example_file.read_bytes())
        (tmp_path / "damaged.nc").write_bytes(change(content))
        return tmp_path / "damaged.nc"

    return write


def test_flipped_bytes_are_refused_or_change_nothing(example_file, tmp_path):
    """In a process of its own: a crash of the library would be seen."""
    command = [sys.executable, "-c", FLIP, str(example_file), str(tmp_path / "flipped.nc")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]
    length, refused, same = map(int, done.stdout.split())
    assert refused > length / 37
    assert 0 < same < 20  # the words that announce the checksum


@pytest.mark.parametrize("kept", [0, 4, 8, 100, 0.5, 0.9, -200])
def test_truncated(damaged, kept):
    path = damaged(lambda b: b[: int(len(b) * kept) if isinstance(kept, float) else kept])
    with pytest.raises(InputError, match=re.escape(str(path)) + ": (truncated or damaged|not a cube)"):
        open_cube(path)


def test_a_lost_checksum_leaves_a_readable_cube(damaged, example):
    with open_cube(damaged(lambda b: b[: b.index(b"\nrd-sha256:")])) as cube:
        assert digest(cube) == digest(example)


@pytest.mark.parametrize("function", [class_counts, digest])
def test_damage_after_opening(damaged, function):
    path = damaged(bytes)
    with open_cube(path) as cube:
        size = path.stat().st_size
        with open(path, "r+b") as handle:
            handle.seek(size // 3)
            handle.write(bytes(size - size // 3))
        with pytest.raises(InputError, match=r"damaged\.nc: truncated or damaged"):
            function(cube)


@pytest.mark.parametrize("content", ["", "hello, I am text\n", "seed,dataset\n1,2\n", "\x89PNG", "CDF"])
def test_not_netcdf(tmp_path, content):
    (tmp_path / "a.nc").write_text(content, "latin1")
    with pytest.raises(InputError, match=r"a\.nc: (not a cube|truncated or damaged)"):
        open_cube(tmp_path / "a.nc")


def test_netcdf_but_no_cube(tmp_path):
    xr.Dataset({"temperature": ("time", [1.0, 2.0])}).to_netcdf(tmp_path / "a.nc")
    with pytest.raises(InputError, match=r"a\.nc: not a cube: dimension true_class and predicted_class not in"):
        open_cube(tmp_path / "a.nc")


def test_no_file(tmp_path):
    with pytest.raises(InputError, match=r"none\.nc: no such file"):
        open_cube(tmp_path / "none.nc")
    with pytest.raises(InputError, match="is a folder, not a cube file"):
        open_cube(tmp_path)


def test_written_by_xarray(tmp_path):
    """A cube that another program wrote has no checksum, and is one all the same."""
    cube = build([[9, 1], [3, 7]], [[7, 3], [5, 5]])
    for engine in ("netcdf4", "scipy"):
        cube.to_netcdf(tmp_path / f"{engine}.nc", engine=engine)
        with open_cube(tmp_path / f"{engine}.nc") as again:
            assert digest(again) == digest(cube)


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (2, "cube of schema version 2, this rd reads up to 1: pip install --upgrade"),
        ("new", "rd_schema_version is 'new'; a whole number"),
    ],
)
def test_schema_version(tmp_path, version, message):
    cube = build([[9, 1], [3, 7]], [[7, 3], [5, 5]]).assign_attrs(rd_schema_version=version)
    cube.to_netcdf(tmp_path / "a.nc")
    with pytest.raises(InputError, match=r"a\.nc: " + message):
        open_cube(tmp_path / "a.nc")


def with_cells(change, dims=("seed", "method"), attrs=None):
    """Return a cube of two seeds, two methods and three classes of ten images, changed."""
    matrix = np.array([[8.0, 1, 1], [2, 7, 1], [0, 1, 9]])
    before, after = np.tile(matrix, (2, 1, 1)), np.tile(matrix, (2, 2, 1, 1))
    change(before, after)
    coords = {"seed": [4, 6], "method": ["sham", "mp"]}
    return build(before, after, dims=dims, coords=coords, attrs=attrs)


def negative(before, after):
    after[1, 0, 2, 1] = -3


def test_negative_counts_in_memory():
    message = "^confusion: -3 at seed=6, method=sham, true_class=2, predicted_class=1; counts are 0 or more"
    with pytest.raises(InputError, match=message):
        class_counts(with_cells(negative))
    with pytest.raises(InputError, match="-3"):
        class_counts(with_cells(negative).chunk({"method": 1})).compute()


def test_negative_counts_in_a_file(tmp_path):
    with_cells(negative).to_netcdf(tmp_path / "a.nc")
    with open_cube(tmp_path / "a.nc") as cube, pytest.raises(InputError, match="confusion: -3 at seed=6, method=sham"):
        class_counts(cube)


def test_negative_counts_of_one_pair():
    with pytest.raises(InputError, match="confusion_dense: -1 at true_class=0, predicted_class=1"):
        class_counts(build([[1, -1], [0, 1]], [[1, 0], [0, 1]]))


@pytest.mark.parametrize(
    ("matrix", "n"),
    [
        ([[8, 1, 1], [8, 1, 2], [0, 1, 9]], 11),
        ([[8, np.nan, 2], [np.nan] * 3, [0, np.nan, 10]], 0),
    ],
)
def test_other_images_before_and_after(matrix, n):
    def change(before, after):
        after[0, 1] = matrix

    message = f"support differs before and after at seed=4, method=mp, class=1: 10 and {n} test images"
    with pytest.raises(InputError, match=message):
        class_counts(with_cells(change))


def test_a_missing_network_is_no_other_support():
    def change(before, after):
        after[0, 1] = np.nan
        before[1] = np.nan

    counts = class_counts(with_cells(change))
    assert counts["support_dense"].isnull().sum() == 3
    assert counts["support"].isnull().sum() == 3


@pytest.mark.parametrize("row", [[9, 2, 2], [0, 0, 0]])
def test_other_images_in_another_seed(row):
    def change(before, after):
        before[1, 0] = row
        after[1, :, 0] = row

    message = "support differs between seeds at method=sham, class=0: the networks were tested on different images"
    with pytest.warns(UserWarning, match=message) as caught:
        class_counts(with_cells(change))
    assert len(caught) == 1
    assert caught[0].filename == __file__
    with pytest.raises(InputError, match=message):
        class_counts(with_cells(change, attrs={"source": "rdcompute"}))


@pytest.mark.parametrize(("lost", "extra"), [("confusion", ["method", "ratio"]), ("confusion_dense", [])])
def test_finished_cells_without_counts(recipe, tmp_path, lost, extra):
    recipe.write(tmp_path / "a.nc", skip={lost})
    with netCDF4.Dataset(tmp_path / "a.nc", "a") as file:
        dims = ("seed", "dataset", "arch", *extra, "true_class", "predicted_class")
        file.createVariable(lost, "i4", dims, fill_value=-1)
    cell = "seed=0, dataset=tri, arch=net, method=sham, ratio=1.0"
    with open_cube(tmp_path / "a.nc") as cube:
        message = rf"a\.nc: the finished cell at {cell} has no counts \({lost}\): damaged"
        with pytest.raises(InputError, match=message):
            class_counts(cube)


def test_unfinished_cells_are_not_read(tmp_path):
    """What a cell holds counts only once it is done, in memory, lazily and in chunks alike."""
    cube = with_cells(lambda before, after: None).assign(status=(("seed", "method"), [[1, 2], [0, 1]]))
    save(cube, tmp_path / "a.nc")
    with open_cube(tmp_path / "a.nc") as saved:
        for one in (cube, saved, cube.chunk({"method": 1})):
            support = class_counts(one)["support"].compute()
            assert support.isnull().all("class").values.tolist() == [[False, True], [True, False]]
            assert digest(one) == digest(cube)


def test_dense_networks_are_kept_before_any_cell_is_done(tmp_path):
    cube = with_cells(lambda before, after: after.fill(np.nan)).assign(status=(("seed", "method"), [[0, 0], [2, 2]]))
    save(cube, tmp_path / "a.nc")
    with open_cube(tmp_path / "a.nc") as saved:
        np.testing.assert_array_equal(class_counts(saved)["correct_dense"], [[8, 7, 9]] * 2)
