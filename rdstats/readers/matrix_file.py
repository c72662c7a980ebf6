"""One confusion matrix a text file, as scikit-learn users save them: with or without names of rows and columns."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rdstats.errors import InputError
from rdstats.readers.networks import MOST_CLASSES
from rdstats.readers.text_table import find_separator, lines_of, open_text, read_head, read_up_to
from rdstats.readers.values import Unreadable, label_text, name_of, real_number, refuse, shown, whole_count

Matrix = NDArray[np.int64]
_LARGEST = 2**30


class TextMatrix(NamedTuple):
    """Counts `(true, predicted)`, and what the true and the predicted classes are called, if the file says it."""

    counts: Matrix
    rows: list[str] | None
    columns: list[str] | None


def is_matrix(path: Path, separator: str | None = None) -> bool:
    """Return whether a text file looks like one matrix: its second row is numbers, but for a name in front."""
    head, _ = read_head(path)
    lines = lines_of(head)[:2]
    second = _fields(lines[-1:], _separator(lines[-1], path, separator))[0]
    return len(second) > 1 and all(map(_is_number, second[1:]))  # fractions too: they are told apart later


def is_crosstab(path: Path, separator: str | None = None) -> bool:
    """Return whether the names of the rows, each once, are among those of the columns: a matrix whatever its corner."""
    lines = lines_of(read_head(path)[0])[: MOST_CLASSES + 2]
    rows = _fields(lines, _separator(lines[-1], path, separator))
    names = [row[0] for row in rows[1:] if row]
    return len(set(names)) == len(names) and set(names) <= set(rows[0][1:])


def read_matrix_text(path: Path, separator: str | None = None) -> TextMatrix:
    """Return a matrix of counts, true class on the rows, and the names of its classes where the file has them.

    Accepted are C rows of C counts (separated by comma, semicolon, tab, ``|`` or blanks), with a first row of C names,
    a first column of names, or both; with both, predicted classes may be others than true ones (`pandas.crosstab`).

    Raises
    ------
    InputError
        Not square without names of both rows and columns, a name twice, or a value that is no count.
    """
    source = name_of(path)
    _, encoding = read_head(path)
    with open_text(path, encoding) as handle:
        data = read_up_to(handle, _LARGEST + 1)
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


def _has_both(rows: list[list[str]]) -> bool:
    """Return whether a matrix that is not square has a row and a column of names."""
    header, first = rows[0], [row[0] for row in rows[1:] if row]
    if len(header) != len(rows[-1]) or len(header) < 2 or not first or _is_number(header[0]):
        return False
    if not all(map(_is_number, header[1:])) and not all(map(_is_number, first)):
        return True
    within = set(header[1:]) <= set(first) or set(first) <= set(header[1:])  # classes that are numbers
    return within and (not header[0] or all(map(_is_number, [*header[1:], *first])))


def _matrix(source: str, rows: list[list[str]]) -> TextMatrix:
    n_rows, width = len(rows), len(rows[-1])
    both = n_rows != width and _has_both(rows)
    has_header = both or n_rows == width + 1 or (n_rows == width and not _is_number(rows[0][0]))
    named = width == n_rows + 1 and not all(_is_number(row[0]) for row in rows if row)
    has_names = both or named or (n_rows == width and has_header)
    n = n_rows - has_header
    across_n = width - has_names
    if (n != across_n and not both) or max(n, across_n) < 2 or max(n, across_n) > MOST_CLASSES:
        raise InputError(
            f"{source}: {n_rows} rows and {width} columns; a square matrix of 2 to {MOST_CLASSES} classes is accepted, "
            "with or without a row and a column of names"
        )
    across = rows[0][-across_n:] if has_header else None
    down = [row[0] for row in rows[has_header:]] if has_names else None
    result = np.zeros((n, across_n), np.int64)
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
    columns, called = _names(source, "column", across), _names(source, "row", down)
    return TextMatrix(result, columns if called is None else called, called if columns is None else columns)


def _names(source: str, what: str, side: list[str] | None) -> list[str] | None:
    if side is None:
        return None
    try:
        names = [label_text(name) for name in side]
    except Unreadable as error:
        raise InputError(f"{source}: name of a {what}: {error}") from None
    if None in names:
        raise InputError(f"{source}: {what} {names.index(None) + 1} has no name")
    found = [str(name) for name in names]
    if len(set(found)) < len(found):
        twice = next(name for name in found if found.count(name) > 1)
        raise InputError(f"{source}: {what} {shown(twice)} is there twice")
    return found
