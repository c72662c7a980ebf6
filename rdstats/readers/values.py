"""Single values as files hold them: class labels, whole counts, numbers, and how an error shows them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from rdstats._text import visible
from rdstats.errors import InputError

MISSING_TEXT = frozenset({"", "nan", "NaN", "<NA>"})
"""Texts that say "no value"; ``NA``, ``None`` and ``null`` may be names of classes and are."""

LARGEST_COUNT = 2**31 - 1
_WHOLE = re.compile(r"[+-]?\d{1,300}(?:[.,]0*)?\Z")
_NUMBER = re.compile(r"[+-]?(\d{1,300}([.,]\d{0,300})?|[.,]\d{1,300})([eE][+-]?\d{1,4})?\Z")
_LONGEST = 200


class Unreadable(ValueError):
    """A value that cannot be read; the text says what is accepted."""


def shown(value: object) -> str:
    """Return a value as an error line may show it: on one line, short, nothing hidden."""
    text = visible(value if isinstance(value, str) else repr(value)).replace("\n", "\\n").replace("\r", "\\r")
    text = text.replace("\t", "\\t")
    short = text if len(text) <= 40 else f"{text[:37]}..."
    return f"'{short}'" if isinstance(value, str) else short


def label_text(value: object) -> str | None:
    """Return a class label as text, None where there is none: 3, 3.0, "3" and "3.0 " are one class."""
    if value is None:
        return None
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            raise Unreadable("text in UTF-8 is accepted") from None
    if isinstance(value, str):
        text = value.strip()
        if text in MISSING_TEXT:
            return None
        return _checked(_without_zeros(text))
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if type(value).__name__ == "Decimal" and value == value.to_integral_value():  # type: ignore[attr-defined]
        value = int(value)  # type: ignore[call-overload]
    if isinstance(value, list | dict | tuple | set):
        raise Unreadable("text or a whole number is accepted")
    try:
        return _checked(str(value))
    except ValueError:  # a whole number of thousands of digits
        raise Unreadable("text or a whole number is accepted") from None


def _without_zeros(text: str) -> str:
    """Return ``3.0`` as ``3``: what pandas makes of whole labels in a column with gaps."""
    head, dot, tail = text.partition(".")
    whole = dot and tail and not tail.strip("0") and head.isascii() and head.lstrip("+-").isdigit()
    return head if whole else text


def _checked(text: str) -> str:
    if len(text) > _LONGEST:
        raise Unreadable(f"at most {_LONGEST} characters are accepted")
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise Unreadable("text without null characters and lone surrogates is accepted")
    return text


def whole_count(value: object) -> int | None:
    """Return a count, None where there is none."""
    number = _whole(value)
    if number is None:
        return None
    if not 0 <= number <= LARGEST_COUNT:
        raise Unreadable(f"whole numbers from 0 to {LARGEST_COUNT} are accepted")
    return number


def _whole(value: object) -> int | None:
    refused = Unreadable("whole numbers of test images are accepted")
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        text = value.strip()
        if text in MISSING_TEXT:
            return None
        if _WHOLE.match(text):
            return int(re.split("[.,]", text)[0])
        if not _NUMBER.match(text):
            raise refused
        value = float(text.replace(",", "."))
    if isinstance(value, bool) or not _is_number(value):
        raise refused
    number = float(value) if abs(value) < 2**53 else math.inf  # type: ignore[arg-type]
    if not math.isfinite(number) or not number.is_integer():
        raise Unreadable("whole numbers of test images are accepted, not fractions (normalised matrices?)")
    return int(number)


def real_number(value: object) -> float | None:
    """Return a number, None where there is none; a decimal comma is read as a point."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        text = value.strip()
        if text in MISSING_TEXT:
            return None
        if not _NUMBER.match(text):
            raise Unreadable("a number is accepted")
        return float(text.replace(",", "."))
    if value is None:
        return None
    if isinstance(value, bool) or not _is_number(value):
        raise Unreadable("a number is accepted")
    try:
        number = float(value)  # type: ignore[arg-type]
    except OverflowError:
        raise Unreadable("a number is accepted") from None
    return None if math.isnan(number) else number


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) or type(value).__name__ == "Decimal"


def ratio(value: object) -> float | None:
    """Return a compression ratio, None where there is none."""
    number = real_number(value)
    if number is not None and not 1 <= number < math.inf:
        raise Unreadable("a ratio of 1 or more is accepted")
    return number


def dim_label(dim: str, value: object) -> str | float | None:
    """Return the label of a cell along `dim`: a number for ``ratio``, text for every other dimension."""
    return ratio(value) if dim == "ratio" else label_text(value)


def is_whole(text: str) -> bool:
    """Return whether a text is a whole number as it is written by programs, and fits 64 bits."""
    digits = text[1:] if text.startswith("-") else text
    return digits.isascii() and digits.isdigit() and len(digits) <= 18 and (digits == "0" or digits[0] != "0")


def in_order(labels: Iterable[str]) -> list[str]:
    """Return labels sorted: as numbers where all are whole numbers, else as text."""
    found = list(labels)
    return sorted(found, key=int) if all(map(is_whole, found)) else sorted(found)


def refuse(source: str, row: int | None, column: str | None, what: str) -> InputError:
    """Return the error of one place: ``file: row 7, column 'count': what``."""
    where = [f"row {row}"] if row is not None else []
    where += [f"column {shown(column)}"] if column is not None else []
    return InputError(f"{source}: {', '.join(where)}{': ' if where else ''}{what}")


def name_of(path: Any) -> str:
    """Return a path as an error line may show it."""
    return visible(str(path)).replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
