"""Checks shared by the array functions: dtype, shape, sign, names, and equal support before and after."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rdstats.array.numeric import BoolArray, FloatArray
from rdstats.errors import InputError, nearest, one_of


def as_float(name: str, value: ArrayLike, *, finite: bool = True) -> FloatArray:
    """Return `value` as float64, masked entries as NaN; complex, text, ragged and (by default) infinite input
    is an `InputError` naming the argument and the index."""
    try:
        raw = np.asarray(np.ma.getdata(value) if isinstance(value, np.ma.MaskedArray) else value)
    except ValueError as error:
        raise InputError(f"{name}: not a rectangular array of numbers ({error})") from None
    if raw.dtype.kind not in "biuf":
        raise InputError(f"{name}: expected numbers, received dtype {raw.dtype}")
    array: FloatArray = np.asarray(raw, dtype=np.float64)
    if isinstance(value, np.ma.MaskedArray):
        array = np.where(np.ma.getmaskarray(value), np.nan, array)
    if finite:
        refuse(name, array, np.isinf(array), "values are finite, NaN where missing")
    return array


def as_counts(name: str, value: ArrayLike) -> FloatArray:
    """Return counts as float64 (NaN: missing); a negative count is an `InputError` with its index."""
    array = as_float(name, value)
    refuse(name, array, array < 0, "counts are 0 or more, NaN where missing")
    return array


def as_share(name: str, value: ArrayLike) -> FloatArray:
    """Return scores, accuracies or p-values as float64; anything outside [0, 1] is an `InputError`."""
    array = as_float(name, value)
    refuse(name, array, (array < 0) | (array > 1), "values lie between 0 and 1, NaN where missing")
    return array


def as_flags(name: str, value: ArrayLike) -> BoolArray:
    """Return booleans as an array; anything else is an `InputError` (as a flag, NaN would count as true)."""
    flags = np.asarray(value)
    if flags.dtype != np.bool_:
        raise InputError(f"{name}: expected booleans, received dtype {flags.dtype}")
    return flags


def refuse(name: str, array: FloatArray, wrong: BoolArray, accepted: str) -> None:
    """Raise `InputError` with the first wrong value and its index, if there is one."""
    if np.any(wrong):
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        where = f" at index {index}" if index else ""
        raise InputError(f"{name}: received {array[index]:g}{where}; {accepted}")


def broadcast(**arrays: NDArray[np.generic]) -> tuple[int, ...]:
    """Return the common shape of named arrays, or raise `InputError` listing their shapes."""
    try:
        return np.broadcast_shapes(*(array.shape for array in arrays.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise InputError(f"shapes do not fit together: {shapes}") from None


def check_classes(**arrays: NDArray[np.generic]) -> None:
    """Raise `InputError` unless every named array is `(..., C)` with one C > 0 and the rest broadcasts."""
    sizes = {array.shape[-1] if array.ndim else 0 for array in arrays.values()}
    if len(sizes) != 1 or 0 in sizes:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise InputError(f"expected shapes (..., C) with one number of classes C, received {shapes}")
    broadcast(**arrays)


def check_level(level: float, name: str = "level") -> float:
    """Return a confidence level between 0 and 1, or raise `InputError` (with a hint for percentages)."""
    if not 0 < level < 1:
        hint = f" (did you mean {level / 100:g}?)" if 1 < level < 100 else ""
        raise InputError(f"{name}: received {level!r}, accepted: a number between 0 and 1{hint}")
    return float(level)


def check_positive(name: str, value: float) -> float:
    """Return a finite number above zero, or raise `InputError`."""
    if not 0 < value < np.inf:
        raise InputError(f"{name}: received {value!r}, accepted: a number above 0")
    return float(value)


def check_choice(name: str, value: str, accepted: Collection[str]) -> str:
    """Return `value` if it is accepted, else raise `InputError` listing the choices and the nearest one."""
    if value not in accepted:
        hint = nearest(str(value), accepted)
        raise InputError(f"{name}: received {value!r}, accepted: {one_of(accepted)}{hint}")
    return value


def check_family_size(name: str, value: ArrayLike) -> FloatArray:
    """Return the number of simultaneous statements as float64; below 1 or missing is an `InputError`."""
    array = as_float(name, value)
    refuse(name, array, ~(array >= 1), "the number of declared members is at least 1")
    return array


def check_same_support(before: ArrayLike, after: ArrayLike) -> None:
    """Check that a network and its compressed version were tested on the same images per class.

    Parameters
    ----------
    before, after : array_like, shape (..., C)
        Test images per class. NaN and 0 both say that the class has no images; a cell that is NaN throughout
        on either side is a missing run and is not compared.

    Raises
    ------
    InputError
        Naming the first cell and class that differ.

    Examples
    --------
    >>> check_same_support([10, 10, float("nan")], [10, 10, 0])
    >>> check_same_support([[10, 10]], [[10, 9]])
    Traceback (most recent call last):
    ...
    rdstats.errors.InputError: support differs before and after: 10 and 9 images of class 1 in cell (0,)
    """
    first, second = as_counts("before", before), as_counts("after", after)
    check_classes(before=first, after=second)
    first, second = np.broadcast_arrays(first, second)
    here = ~(np.isnan(first).all(axis=-1) | np.isnan(second).all(axis=-1))
    first, second = np.nan_to_num(first), np.nan_to_num(second)
    wrong = np.asarray((first != second) & np.expand_dims(here, -1))
    if wrong.any():
        *cell, label = (int(i) for i in np.argwhere(wrong)[0])
        index = (*cell, label)
        where = f" in cell {tuple(cell)}" if cell else ""
        raise InputError(
            f"support differs before and after: {first[index]:g} and {second[index]:g} images of class {label}{where}"
        )
