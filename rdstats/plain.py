"""Arrays of other libraries as NumPy arrays, without importing those libraries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdstats.errors import InputError

ACCEPTED = "NumPy arrays, lists, pandas, polars, xarray, PyTorch (CPU), or anything with __array__ or DLPack"


def as_array(name: str, value: Any) -> NDArray[Any]:
    """Return a value as a NumPy array: numbers in their own type, texts as objects, missing numbers as NaN.

    Parameters
    ----------
    name : what the value is called where it is refused.
    value : NumPy array (also masked), nested lists and other sequences, pandas Series, Index or DataFrame, polars
        Series or DataFrame, pyarrow arrays, xarray DataArray, PyTorch tensor on the CPU (with a gradient, in short
        floats or quantised, too), or an object with ``__array__`` or ``__dlpack__`` (JAX, CuPy arrays that were copied
        to the CPU).

    Raises
    ------
    InputError
        Something else, a single number, data on another device, rows of unequal length, or texts and numbers mixed.

    Examples
    --------
    >>> import pandas as pd
    >>> as_array("labels", pd.Series([1, 2])).tolist(), as_array("labels", ["cat", "dog"]).tolist()
    ([1, 2], ['cat', 'dog'])
    """
    array = _converted(name, value)
    if not array.ndim:
        raise InputError(f"{name}: received a single value ({type(value).__name__}); accepted are {ACCEPTED}")
    return array


def _converted(name: str, value: Any) -> NDArray[Any]:
    if isinstance(value, np.ma.MaskedArray):
        array = _of_masked(value)
    elif isinstance(value, np.ndarray):
        array = value
    elif _is(value, "torch", "Tensor"):
        array = _of_tensor(name, value)
    elif isinstance(value, list | tuple | range):
        array = _of_list(name, value)
    elif value is None or isinstance(value, str | bytes | dict | set | int | float | bool):
        raise InputError(f"{name}: received {type(value).__name__}; accepted are {ACCEPTED}")
    else:
        array = _of_other(name, value)
    return _checked(name, array)


def index_of(value: Any) -> Any:
    """Return the index of a pandas Series or DataFrame, None for anything else."""
    return value.index if _is(value, "pandas", "Series") or _is(value, "pandas", "DataFrame") else None


def frame_axes(value: Any) -> tuple[list[str], list[str]] | None:
    """Return what the rows and the columns of a pandas or polars DataFrame are called; None where nothing is.

    Rows that were never named are called as the columns are.
    """
    if _is(value, "polars", "DataFrame"):
        names = [str(column) for column in value.columns]
        return None if all(column.startswith("column_") for column in names) else (names, names)
    if not _is(value, "pandas", "DataFrame"):
        return None
    rows, columns = ([str(label) for label in axis.tolist()] for axis in (value.index, value.columns))
    if rows != [str(i) for i in range(len(columns))]:
        return rows, columns
    if rows == columns:
        return None
    return (rows if all(map(str.isdecimal, columns)) else columns), columns


def _is(value: object, library: str, kind: str) -> bool:
    """Return whether an object is of a library's class or of one derived from it."""
    return any(one.__name__ == kind and one.__module__.split(".")[0] == library for one in type(value).__mro__)


def _of_masked(value: np.ma.MaskedArray[Any, Any]) -> NDArray[Any]:
    """Numbers with NaN, texts with None where they are masked."""
    missing, values = np.ma.getmaskarray(value), np.ma.getdata(value)
    if values.dtype.kind in "SUT":
        texts = _checked("", np.asarray(values))
        texts[missing] = None
        return texts
    return np.where(missing, np.nan, values) if missing.any() else np.asarray(values)


def _of_tensor(name: str, tensor: Any) -> NDArray[Any]:
    if tensor.device.type != "cpu":
        raise InputError(f"{name}: a tensor on {tensor.device}; give {name}.cpu()")
    dense = tensor.detach()
    if str(dense.layout) != "torch.strided":
        dense = dense.to_dense()
    if getattr(dense, "is_quantized", False):
        dense = dense.dequantize()
    if dense.is_floating_point() and dense.element_size() < 4:  # NumPy lacks most of these
        dense = dense.float()
    array: NDArray[Any] = dense.resolve_conj().resolve_neg().numpy()
    return array


def _of_list(name: str, value: Sequence[Any]) -> NDArray[Any]:
    """Nested lists, or a list of arrays of any library (one a seed)."""
    if len(value) and _is_array(value[0]):
        parts = [_converted(f"{name}[{i}]", part) for i, part in enumerate(value)]
        if len({part.shape for part in parts}) > 1:
            shapes = ", ".join(str(part.shape) for part in parts[:5])
            raise InputError(f"{name}: arrays of one shape are accepted, got {shapes}")
        return np.stack(parts)
    try:
        array = np.asarray(value)
    except ValueError:
        raise InputError(f"{name}: rows of unequal length; a rectangular array is accepted") from None
    except (TypeError, RuntimeError) as error:  # among numbers, arrays that are on another device
        raise InputError(f"{name}: cannot be read as a NumPy array ({' '.join(str(error).split())})") from None
    if array.dtype.kind in "SU":  # NumPy makes texts of numbers
        array = np.asarray(value, dtype=object)
    return array


def _is_array(value: Any) -> bool:
    known = isinstance(value, np.generic | str | bytes | int | float | bool | list | tuple)
    return not known and any(hasattr(value, method) for method in ("__array__", "__dlpack__", "to_numpy"))


def _of_other(name: str, value: Any) -> NDArray[Any]:
    try:
        if _is(value, "pyarrow", "Array"):  # copies of texts and gaps must be asked for
            return np.asarray(value.to_numpy(zero_copy_only=False))
        if callable(getattr(value, "to_numpy", None)):  # pandas, polars, xarray
            return np.asarray(value.to_numpy())
        if hasattr(value, "__array__"):
            return np.asarray(value)
        if hasattr(value, "__dlpack__"):
            return np.from_dlpack(value)
        if isinstance(value, Sequence):
            return _of_list(name, list(value))
    except InputError:
        raise
    except (TypeError, ValueError, BufferError, RuntimeError) as error:
        text = " ".join(str(error).split())
        how = f"give {name}.cpu()" if hasattr(value, "cpu") else "copy it to the CPU first"
        raise InputError(f"{name}: {type(value).__name__} cannot be read as a NumPy array ({text}); {how}") from None
    raise InputError(f"{name}: received {type(value).__name__}; accepted are {ACCEPTED}")


def _checked(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Numbers as they are; texts, and numbers with gaps, from arrays of objects."""
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.kind in "SU":
        return np.char.decode(array).astype(object) if array.dtype.kind == "S" else array.astype(object)
    if array.dtype.kind in "T":  # NumPy's strings of any length
        return array.astype(object)
    if array.dtype.kind != "O":
        raise InputError(f"{name}: holds {array.dtype}; numbers and texts are accepted")
    from pandas.api.types import infer_dtype

    kind = infer_dtype(array.ravel(), skipna=True)
    if kind in ("string", "empty"):
        return array
    if kind in ("integer", "floating", "mixed-integer-float", "boolean", "decimal", "integer-na"):
        missing = _missing(array)
        if not missing.any() and kind in ("integer", "boolean"):
            return array.astype(np.int64)
        return np.where(missing, np.nan, np.where(missing, 0, array).astype(np.float64))
    raise InputError(f"{name}: texts and numbers are mixed ({kind}); one of the two is accepted")


def _missing(array: NDArray[Any]) -> NDArray[np.bool_]:
    import pandas as pd

    return np.asarray(pd.isna(array), dtype=np.bool_)
