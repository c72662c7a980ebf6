"""Selecting parts of a cube by label."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from rdstats.cube import build, select
from rdstats.errors import InputError

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def cube():
    after = np.arange(3 * 2 * 3 * 4, dtype=float).reshape(3, 2, 3, 2, 2)
    labels = {"method": ["sham", "mp"], "ratio": [1.0, 2.0, 2.5]}
    return build(after, after, dims=("seed", "method", "ratio"), coords=labels)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"method": "mp"}, {"method": ["mp"]}),
        ({"ratio": "2"}, {"ratio": [2.0]}),
        ({"ratio": 2}, {"ratio": [2.0]}),
        ({"ratio": ["2.5", 1]}, {"ratio": [2.5, 1.0]}),
        ({"seed": [2, 0]}, {"seed": [2, 0]}),
        ({"seed": range(1, 3)}, {"seed": [1, 2]}),
        ({"seed": np.array([1])}, {"seed": [1]}),
        ({"seed": np.int64(1)}, {"seed": [1]}),
        ({"seed": np.array(1)}, {"seed": [1]}),
        ({"method": ("mp", "sham"), "seed": "1"}, {"method": ["mp", "sham"], "seed": [1]}),
        ({"seed": []}, {"seed": []}),
    ],
)
def test_labels_are_found_and_order_and_dims_kept(cube, labels, expected):
    part = select(cube, **labels)
    assert part["confusion"].dims == cube["confusion"].dims
    for dim in cube.dims:
        assert part[dim].values.tolist() == expected.get(dim, cube[dim].values.tolist())
    xr.testing.assert_identical(part, cube.sel(expected))


def test_data_arrays_and_unlabelled_dimensions(cube):
    assert select(cube["confusion"], method="mp").shape == (3, 1, 3, 2, 2)
    bare = cube.drop_vars("seed")
    np.testing.assert_array_equal(select(bare, seed=2)["confusion"], cube["confusion"][[2]])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"method": "shan"}, r"method=shan is not in the data \(did you mean 'sham'\?\); method has sham, mp"),
        ({"ratio": "20"}, r"ratio=20 is not in the data.*ratio has 1, 2, 2\.5"),
        ({"ratio": ["2", "abc"]}, "ratio=abc is not in the data"),
        ({"metod": "mp"}, r"no dimension 'metod' \(did you mean 'method'\?\); there are seed, method, ratio"),
    ],
)
def test_unknown_labels_and_dimensions(cube, labels, message):
    with pytest.raises(InputError, match=message):
        select(cube, **labels)


def test_nobody_gives_xarray_the_method_as_a_keyword():
    """There it is the argument of a lookup, and selects nothing."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.py", "*.md", "*.ipynb"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    files = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    wrong = re.compile(r"\.(sel|reindex)\(\s*(?:[^(){}]*,\s*)?" + "method" + r"\s*=")
    assert wrong.search(".sel(" + "method='mp')")
    assert wrong.search(".reindex(seed=0, " + "method='mp')")
    assert len(files) > 50
    found = [str(path.relative_to(ROOT)) for path in files if path.exists() and wrong.search(path.read_text("utf-8"))]
    assert found == []
