"""Array types and the arithmetic that every topic shares."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
TextArray = NDArray[np.str_]
Scalar = TypeVar("Scalar", bound=np.generic)

# A spread at or below this many units of the value itself is float64 rounding: the smallest real difference,
# one image among 10 million, is a hundred thousand times larger.
ROUNDING = 1e-12


def divide(part: FloatArray, whole: FloatArray, where: BoolArray) -> FloatArray:
    """part / whole where the condition holds, NaN elsewhere; shapes broadcast."""
    shape = np.broadcast_shapes(np.shape(part), np.shape(whole), np.shape(where))
    result: FloatArray = np.full(shape, np.nan)
    np.divide(part, whole, out=result, where=where)
    return result


def log_ratio(first: FloatArray, second: FloatArray, where: BoolArray, otherwise: FloatArray | float) -> FloatArray:
    """log(first / second) where the condition holds, `otherwise` elsewhere."""
    change = np.log(np.where(where, first, 1.0)) - np.log(np.where(where, second, 1.0))
    return np.where(where, change, otherwise)


def first_reason(*reasons: tuple[BoolArray, str], default: str = "") -> TextArray:
    """Text of the first condition that holds, element by element."""
    conditions = [np.asarray(condition) for condition, _ in reasons]
    return np.select(conditions, [np.str_(text) for _, text in reasons], default=np.str_(default))


def widen(array: NDArray[Scalar], shape: tuple[int, ...]) -> NDArray[Scalar]:
    """A writable copy of `array`, broadcast to `shape`."""
    return np.array(np.broadcast_to(array, shape))
