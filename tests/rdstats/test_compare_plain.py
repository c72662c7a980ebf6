"""Arrays of other libraries: what each becomes, and what is refused in one line."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import rdstats
from rdstats.errors import InputError
from rdstats.plain import as_array, frame_axes

BEFORE, AFTER = [[90, 10], [30, 70]], [[70, 30], [50, 50]]
LABELS = ["cat"] * 10 + ["dog"] * 10
PREDICTED = ["cat"] * 9 + ["dog"] * 8 + ["cat"] * 3


def torch_tensor(values):
    return pytest.importorskip("torch").tensor(values)


def polars_frame(values):
    return pytest.importorskip("polars").DataFrame(np.asarray(values), schema=["a", "b"])


class Device:
    """An array that only offers DLPack."""

    def __init__(self, values):
        self._array = np.asarray(values)

    def __dlpack__(self, **options):
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._array.__dlpack_device__()


class Elsewhere:
    """An array on another device, as CuPy has it."""

    def __array__(self, *_, **__):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`")


@pytest.mark.parametrize(
    "make",
    [list, np.array, np.asfortranarray, pd.DataFrame, torch_tensor, polars_frame, Device,
     lambda values: xr.DataArray(values, dims=["true_class", "predicted_class"]),
     lambda values: xr.DataArray(np.transpose(values), dims=["predicted_class", "true_class"]),
     lambda values: np.ma.masked_array(values, False), lambda values: [np.array(row) for row in values],
     lambda values: [tuple(row) for row in values], lambda values: pd.DataFrame(values).astype("Int64")],
    ids=["list", "array", "fortran", "pandas", "torch", "polars", "dlpack", "xarray", "xarray turned", "masked",
         "rows", "tuples", "nullable"],
)  # fmt: skip
def test_matrices_of_every_library_give_one_result(make):
    expected = rdstats.compare(BEFORE, AFTER)
    found = rdstats.compare(make(BEFORE), make(AFTER))
    assert [one.value for one in found.quantities] == [one.value for one in expected.quantities]


@pytest.mark.parametrize("kind", ["pandas", "category", "string", "polars", "polars categorical", "array", "bytes"])
def test_texts_of_every_library_give_one_result(kind):
    def make(values):
        if kind.startswith("polars"):
            polars = pytest.importorskip("polars")
            return polars.Series(values, dtype=polars.Categorical if "cat" in kind else None)
        return {"pandas": pd.Series, "category": lambda v: pd.Series(v, dtype="category"),
                "string": lambda v: pd.Series(v, dtype="string"), "array": np.array,
                "bytes": lambda v: np.array(v, "S3")}[kind](values)  # fmt: skip

    expected = rdstats.compare(LABELS, PREDICTED, labels=LABELS)
    found = rdstats.compare(make(LABELS), make(PREDICTED), labels=make(LABELS))
    assert found.to_dict() == expected.to_dict()


def test_tensors_with_gradient_and_short_floats():
    torch = pytest.importorskip("torch")
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        tensor = torch.tensor([1.0, 2.0, 0.0], dtype=dtype, requires_grad=True)
        assert as_array("x", tensor).tolist() == [1, 2, 0]
    assert as_array("x", torch.nn.Parameter(torch.ones(2))).tolist() == [1, 1]
    assert as_array("x", torch.eye(2).to_sparse()).tolist() == [[1, 0], [0, 1]]
    assert as_array("x", [torch.ones(2), torch.zeros(2)]).tolist() == [[1, 1], [0, 0]]
    with pytest.raises(InputError, match=r"a tensor on meta; give x\.cpu\(\)"):
        as_array("x", torch.ones(2, device="meta"))


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "received NoneType"), ("cat", "received str"), ({"a": 1}, "received dict"), (3, "received int"),
     ([[1, 2], [3]], "rows of unequal length"), ([1, "cat"], "texts and numbers are mixed"),
     (pd.Series([1, "cat"]), "texts and numbers are mixed"), (np.array([1j]), "holds complex128"),
     (pd.to_datetime(pd.Series(["2026-01-01"])), "holds datetime64"), (object(), "received object"),
     (Elsewhere(), r"use `\.get\(\)`\); copy it to the CPU first"),
     ([np.ones(2), np.ones(3)], "arrays of one shape")],
)  # fmt: skip
def test_refused_in_one_line(value, words):
    with pytest.raises(InputError, match=words) as error:
        as_array("before", value)
    assert str(error.value).startswith("before")
    assert "\n" not in str(error.value)


def test_gaps_become_nan_or_none():
    assert np.isnan(as_array("x", pd.Series([1, None], dtype="Int64"))[1])
    assert as_array("x", pd.Series(["a", None])).tolist()[0] == "a"
    assert np.isnan(as_array("x", np.ma.masked_array([1.0, 2.0], [True, False]))[0])
    assert as_array("x", np.array([True, False], object)).tolist() == [1, 0]


def test_names_of_frames():
    frame = pd.DataFrame(BEFORE, ["cat", "dog"], ["cat", "dog"])
    both = (["cat", "dog"], ["cat", "dog"])
    assert frame_axes(frame) == both
    assert frame_axes(pd.DataFrame(BEFORE)) is None
    assert frame_axes(pd.DataFrame(BEFORE, columns=["cat", "dog"])) == both
    assert frame_axes(BEFORE) is None
    assert frame_axes(pd.DataFrame(BEFORE, ["cat", "dog"], ["dog", "owl"])) == (["cat", "dog"], ["dog", "owl"])
    assert frame_axes(pd.DataFrame(BEFORE, [0, 1], [0, 2])) == (["0", "1"], ["0", "2"])
    polars = pytest.importorskip("polars")
    assert frame_axes(polars.DataFrame(np.array(BEFORE))) is None
    assert frame_axes(polars.DataFrame(np.array(BEFORE), schema=["cat", "dog"])) == both


def test_no_other_library_is_imported():
    script = (
        "import sys, rdstats; rdstats.compare([[9, 1], [3, 7]], [[7, 3], [5, 5]]).to_dict();"
        "print(*{name.partition('.')[0] for name in sys.modules} & {'torch', 'polars', 'altair', 'jax'})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
