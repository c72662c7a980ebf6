"""One confusion matrix a text file, as scikit-learn users save them: with or without names of rows and columns."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rdstats.errors import InputError
from rdstats.readers.networks import MOST_CLASSES
from rdstats.readers.text_table import find_separator, lines_of, open_bytes, read_head
from rdstats.readers.values import Unreadable, label_text, name_of, real_number, refuse, shown, whole_count

Matrix = NDArray[np.int64]
_LARGEST = 2**30


def is_matrix(path: Path, separator: str | None = None) -> bool:
    """Return whether a text file looks like one matrix: its second row is numbers, but for a name in front."""
    head, _ = read_head(path)
    lines = lines_of(head)[:2]
    second = _fields(lines[-1:], _separator(lines[-1], path, separator))[0]
    return len(second) > 1 and all(map(_is_number, second[1:]))  # fractions too: they are told apart later


def read_matrix_text(path: Path, separator: str | None = None) -> tuple[Matrix, list[str] | None]:
    """Return a matrix of counts `(C, C)`, true class on the rows, and the names of its classes where the file has them.

    Accepted are C rows of C counts (separated by comma, semicolon, tab, ``|`` or blanks), with a first row of C names,
    a first column of names, or both.

    Raises
    ------
    InputError
        Not square, names of rows and columns that differ, or a value that is no count.
    """
    source = name_of(path)
    _, encoding = read_head(path)
    with open_bytes(path) as handle:
        data = handle.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise InputError(f"{source}: more than 1 GiB; a matrix of up to {MOST_CLASSES} classes is accepted")
    try:
        lines = lines_of(data.decode(encoding))
    except UnicodeDecodeError as error:
        raise InputError(f"{source}: byte {error.start} is not text in UTF-8; save it as UTF-8") from None
    try:
        rows = _fields(lines, _separator(lines[-1], path, separator))
    except csv.Error as error:
        raise InputError(f"{source}: cannot be read as a matrix ({error})") from None
    return _matrix(source, rows)


def _separator(line: str, path: Path, told: str | None) -> str:
    found = told or find_separator(line, path)
    return found if found in line else " "


def _fields(lines: list[str], separator: str) -> list[list[str]]:
    if separator == " ":
        return [line.split() for line in lines]
    return [[field.strip() for field in row] for row in csv.reader(lines, delimiter=separator, skipinitialspace=True)]


def _is_number(text: str) -> bool:
    try:
        return real_number(text) is not None
    except Unreadable:
        return False


def _matrix(source: str, rows: list[list[str]]) -> tuple[Matrix, list[str] | None]:
    n_rows, width = len(rows), len(rows[-1])
    has_header = n_rows == width + 1 or (n_rows == width and not _is_number(rows[0][0]))
    named = width == n_rows + 1 and not all(_is_number(row[0]) for row in rows if row)
    has_names = named or (n_rows == width and has_header)
    n = n_rows - has_header
    if n < 2 or width - has_names != n or n > MOST_CLASSES:
        raise InputError(
            f"{source}: {n_rows} rows and {width} columns; a square matrix of 2 to {MOST_CLASSES} classes is accepted, "
            "with or without a row and a column of names"
        )
    across = rows[0][-n:] if has_header else None
    down = [row[0] for row in rows[has_header:]] if has_names else None
    result = np.zeros((n, n), np.int64)
    for i, row in enumerate(rows[has_header:]):
        number = i + 1 + has_header
        if len(row) != width:
            raise refuse(source, number, None, f"{len(row)} values; {width} are accepted, as in the other rows")
        for j, text in enumerate(row[has_names:]):
            try:
                value = whole_count(text)
            except Unreadable as error:
                raise refuse(source, number, None, f"value {j + 1}: {shown(text)}; {error}") from None
            if value is None:
                raise refuse(source, number, None, f"value {j + 1}: no value; a count is accepted")
            result[i, j] = value
    return result, _names(source, across, down)


def _names(source: str, across: list[str] | None, down: list[str] | None) -> list[str] | None:
    found = []
    for side in (across, down):
        if side is None:
            continue
        try:
            names = [label_text(name) for name in side]
        except Unreadable as error:
            raise InputError(f"{source}: name of a class: {error}") from None
        if None in names:
            raise InputError(f"{source}: class {names.index(None) + 1} has no name")
        found.append([str(name) for name in names])
    if len(found) == 2 and found[0] != found[1]:
        i = next(i for i, (a, b) in enumerate(zip(*found, strict=True)) if a != b)
        raise InputError(
            f"{source}: column {i + 1} is {shown(found[0][i])}, row {i + 1} {shown(found[1][i])}; "
            "the same classes in the same order are accepted"
        )
    return found[0] if found else None
