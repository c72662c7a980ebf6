"""Arrays of other libraries: what each becomes, and what is refused in one line."""

import subprocess
import sys
from array import array
from collections import UserList, deque
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import rdstats
from rdstats.errors import InputError
from rdstats.plain import _of_tensor, as_array, frame_axes

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


class Foreign:
    """An array that only offers `__array__`, as those of JAX and CuPy; also a single value of one."""

    def __init__(self, values):
        self._array = np.asarray(values)

    def __array__(self, dtype=None, copy=None):
        return self._array


class OnGpu:
    """A tensor on a GPU, which is no PyTorch tensor that we know."""

    def __array__(self, *_, **__):
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first.")

    def cpu(self):
        return self


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


TRUE, GUESSED = [0, 0, 1, 1, 2, 2, 0, 1, 2, 0], [0, 0, 1, 1, 2, 1, 0, 1, 2, 1]


def of_pyarrow(values, **options):
    return pytest.importorskip("pyarrow").array(values, **options)


def of_polars(values, kind):
    polars = pytest.importorskip("polars")
    return polars.Series(values, dtype=getattr(polars, kind), strict=False)


def of_torch(values, kind, **options):
    torch = pytest.importorskip("torch")
    return torch.tensor(values, dtype=getattr(torch, kind), **options)


INTEGERS = {
    "list": list, "tuple": tuple, "deque": deque, "array.array": lambda v: array("b", v), "UserList": UserList,
    "memoryview": lambda v: memoryview(np.array(v)), "int8": lambda v: np.array(v, np.int8),
    "uint64": lambda v: np.array(v, np.uint64), "big endian": lambda v: np.array(v, ">i4"),
    "float32": lambda v: np.array(v, np.float32), "strided": lambda v: np.repeat(v, 2)[::2],
    "masked": lambda v: np.ma.masked_array(v, False), "NumPy scalars": lambda v: [*map(np.int64, v)],
    "NumPy single values": lambda v: [*map(np.array, v)], "pandas": pd.Series, "index": pd.Index,
    "nullable": lambda v: pd.Series(v, dtype="Int64"), "category": pd.Categorical, "extension": pd.array,
    "xarray": lambda v: xr.DataArray(v, dims="sample"), "polars": lambda v: of_polars(v, "Int64"),
    "polars UInt8": lambda v: of_polars(v, "UInt8"), "polars Float32": lambda v: of_polars(v, "Float32"),
    "pyarrow": of_pyarrow, "pyarrow dictionary": lambda v: of_pyarrow(v).dictionary_encode(),
    "torch": lambda v: of_torch(v, "int64"), "torch int8": lambda v: of_torch(v, "int8"),
    "torch uint16": lambda v: of_torch(v, "uint16"), "torch float32": lambda v: of_torch(v, "float32"),
    "torch gradient": lambda v: of_torch(v, "float64", requires_grad=True),
    "torch strided": lambda v: of_torch(v, "int64").repeat_interleave(2)[::2],
    "torch single values": lambda v: [of_torch(one, "int64") for one in v],
    "foreign": Foreign, "foreign single values": lambda v: [*map(Foreign, v)], "dlpack": Device,
}  # fmt: skip


@pytest.mark.parametrize("make", INTEGERS.values(), ids=INTEGERS)
def test_labels_of_every_library_give_one_result(make):
    expected = rdstats.compare(TRUE, GUESSED, labels=TRUE).to_dict()
    assert rdstats.compare(make(TRUE), make(GUESSED), labels=make(TRUE)).to_dict() == expected


BOOLEANS = {
    "list": list, "array": np.array, "pandas": pd.Series, "nullable": lambda v: pd.Series(v, dtype="boolean"),
    "polars": lambda v: of_polars(v, "Boolean"), "pyarrow": of_pyarrow, "torch": lambda v: of_torch(v, "bool"),
    "foreign": Foreign,
}  # fmt: skip


@pytest.mark.parametrize("make", BOOLEANS.values(), ids=BOOLEANS)
def test_truth_values_are_classes_0_and_1(make):
    truth, guess = [True, False] * 6, [True, False, False] * 4
    expected = rdstats.compare([*map(int, truth)], [*map(int, guess)], labels=[*map(int, truth)]).to_dict()
    assert rdstats.compare(make(truth), make(guess), labels=make(truth)).to_dict() == expected


@pytest.mark.parametrize("kind", ["pandas", "category", "string", "polars", "polars categorical", "array", "bytes",
                                  "pyarrow", "pyarrow dictionary", "masked", "index"])  # fmt: skip
def test_texts_of_every_library_give_one_result(kind):
    def make(values):
        if kind.startswith("polars"):
            polars = pytest.importorskip("polars")
            return polars.Series(values, dtype=polars.Categorical if "cat" in kind else None)
        return {"pandas": pd.Series, "category": lambda v: pd.Series(v, dtype="category"),
                "string": lambda v: pd.Series(v, dtype="string"), "array": np.array, "pyarrow": of_pyarrow,
                "pyarrow dictionary": lambda v: of_pyarrow(v).dictionary_encode(), "index": pd.Index,
                "masked": lambda v: np.ma.masked_array(v, False),
                "bytes": lambda v: np.array(v, "S3")}[kind](values)  # fmt: skip

    expected = rdstats.compare(LABELS, PREDICTED, labels=LABELS)
    found = rdstats.compare(make(LABELS), make(PREDICTED), labels=make(LABELS))
    assert found.to_dict() == expected.to_dict()


def test_tensors_with_gradient_and_short_floats():
    torch = pytest.importorskip("torch")
    for dtype in (torch.bfloat16, torch.float16, torch.float64, torch.float32):
        tensor = torch.tensor([1.0, 2.0, 0.0], dtype=dtype, requires_grad=True)
        assert as_array("x", tensor).tolist() == [1, 2, 0]
    assert as_array("x", torch.nn.Parameter(torch.ones(2))).tolist() == [1, 1]
    assert as_array("x", torch.tensor([1.0, 2.0]).to(torch.float8_e4m3fn)).tolist() == [1, 2]
    assert as_array("x", [torch.tensor(1.0, requires_grad=True), torch.tensor(0.0)]).tolist() == [1, 0]
    quantised = SimpleNamespace(is_quantized=True, dequantize=lambda: torch.ones(2), layout="torch.strided")
    assert _of_tensor("x", SimpleNamespace(device=torch.ones(1).device, detach=lambda: quantised)).tolist() == [1, 1]
    assert as_array("x", torch.eye(2).to_sparse()).tolist() == [[1, 0], [0, 1]]
    assert as_array("x", [torch.ones(2), torch.zeros(2)]).tolist() == [[1, 1], [0, 0]]
    with pytest.raises(InputError, match=r"a tensor on meta; give x\.cpu\(\)"):
        as_array("x", torch.ones(2, device="meta"))


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "received NoneType"), ("cat", "received str"), ({"a": 1}, "received dict"), (3, "received int"),
     (np.array(3), r"received a single value \(ndarray\)"), (np.int64(3), r"received a single value \(int64\)"),
     ((i for i in range(3)), "received generator"), (OnGpu(), r"Use Tensor\.cpu\(\) first\.\); give before\.cpu\(\)"),
     ([OnGpu(), OnGpu()], r"give before\[0\]\.cpu\(\)"), ([0, OnGpu()], r"before: cannot be read .*cuda:0"),
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
    assert np.isnan(as_array("x", np.ma.masked_array([1, 2], [True, False]))[0])
    assert as_array("x", np.ma.masked_array([1, 2], False)).dtype == np.int64
    assert as_array("x", np.ma.masked_array(["cat", "dog"], [True, False])).tolist() == [None, "dog"]
    assert np.isnan(as_array("x", of_pyarrow([1, None]))[1])
    assert as_array("x", of_pyarrow(["cat", None])).tolist() == ["cat", None]
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


def test_a_column_that_is_still_a_frame_is_told_from_scores():
    frame = pd.DataFrame({"small": GUESSED})
    with pytest.raises(InputError, match=r"10 labels but predictions of shape \(10, 1\) \(one column: take it out of"):
        rdstats.compare(TRUE, frame, labels=TRUE)
    with pytest.raises(InputError, match=r"of shape \(10, 3\) \(scores of classes\? take argmax"):
        rdstats.compare(TRUE, np.eye(3)[GUESSED], labels=TRUE)
