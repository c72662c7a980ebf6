"""A comparison of files: matrices as text or NumPy files, predictions as a column of a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rdstats.comparison.compare import compare
from rdstats.comparison.inputs import with_gaps
from rdstats.comparison.result import Comparison
from rdstats.errors import InputError, one_of
from rdstats.readers.arrow_table import ArrowTable
from rdstats.readers.files import kind_of
from rdstats.readers.json_table import JsonLines, JsonTable, read_json
from rdstats.readers.matrix_file import is_matrix, read_matrix_text
from rdstats.readers.numpy_file import read_numpy
from rdstats.readers.table import Table, column_named
from rdstats.readers.text_table import TextTable
from rdstats.readers.values import Unreadable, is_whole, label_text, name_of, refuse, shown


def compare_files(
    before: str, after: str, *, labels: str | None = None, control: str | None = None, **options: Any
) -> Comparison:
    """Compare two models whose matrices or predictions lie in files.

    Parameters
    ----------
    before, after, control : confusion matrices (text with or without names of rows and columns, ``.npy``, or ``.npz``
        with one array or ``FILE:ARRAY``; three axes are ``seed`` and the matrix), or, with `labels`, predictions: a
        table (CSV, TSV, Parquet, Arrow, JSON) of one column, or ``FILE:COLUMN``, or a NumPy file.
    labels : true classes, in the same forms.
    options : those of `rdstats.compare`.

    Raises
    ------
    InputError
        A file that cannot be read (file, row, column), or wrong input to `rdstats.compare`.
    """
    names = {"before": before, "after": after, "control": control}
    given = {name: text for name, text in names.items() if text is not None}
    if labels is None:
        matrices = {name: _matrix(text) for name, text in given.items()}
        dims = ("seed",) if np.ndim(matrices["before"]) == 3 else ()
        return compare(matrices["before"], matrices["after"], control=matrices.get("control"), dims=dims, **options)
    columns = {name: _labels(text) for name, text in (given | {"labels": labels}).items()}
    rows = {len(column) if column.ndim == 1 else column.shape[-1] for column in columns.values()}
    if len(rows) > 1:
        counts = ", ".join(f"{(given | {'labels': labels})[name]} {columns[name].shape[-1]}" for name in columns)
        raise InputError(f"rows differ: {counts}; one row an image, in the same order, is accepted")
    dims = ("seed",) if columns["before"].ndim == 2 else ()
    named = _as_numbers(columns)
    return compare(
        named["before"], named["after"], labels=named["labels"], control=named.get("control"), dims=dims, **options
    )


def path_of(text: str) -> Path:
    """Return the file of ``FILE`` or ``FILE:COLUMN``."""
    return _split(text)[0]


def _split(text: str) -> tuple[Path, str]:
    """Return a path and what stands behind its last colon; a file whose name has the colon is meant whole."""
    if Path(text).exists():
        return Path(text), ""
    path, colon, column = text.rpartition(":")
    if colon and Path(path).is_file():
        return Path(path), column
    return Path(text), ""


def _checked(text: str) -> tuple[Path, str, str]:
    path, column = _split(text)
    if not path.is_file():
        what = "is a folder; a file is accepted" if path.is_dir() else "no such file"
        raise InputError(f"{name_of(path)}: {what}")
    return path, column, kind_of(path)


def _matrix(text: str) -> Any:
    path, column, kind = _checked(text)
    if kind == "numpy":
        return _array(path, column)
    if column:
        raise InputError(f"{name_of(text)}: a column is a model's predictions, which need --labels FILE")
    if kind != "text":
        raise InputError(f"{name_of(path)}: predictions need --labels FILE; matrices are text, .npy or .npz files")
    try:
        counts, names = read_matrix_text(path)
    except InputError as error:
        raise InputError(f"{error}{'' if is_matrix(path) else '; predictions need --labels FILE'}") from None
    return counts if names is None else pd.DataFrame(counts, index=names, columns=names)


def _array(path: Path, name: str) -> NDArray[Any]:
    arrays = read_numpy(path)
    if name and name not in arrays:
        raise InputError(f"{name_of(path)}: no array {shown(name)}; it has {one_of(map(shown, arrays))}")
    if not name and len(arrays) > 1:
        raise InputError(f"{name_of(path)}: several arrays; name one, FILE:ARRAY, of {one_of(map(shown, arrays))}")
    return arrays[name or next(iter(arrays))]


def _labels(text: str) -> NDArray[Any]:
    """Return class labels as texts, None where there is none: 3, 3.0 and "3" are one class in every file."""
    path, column, kind = _checked(text)
    if kind == "numpy":
        return _of_array(path, _array(path, column))
    table = _table(path, kind)
    if not column and len(table.names) > 1:
        raise InputError(
            f"{name_of(path)}: {len(table.names)} columns; name one, FILE:COLUMN, of "
            f"{one_of(shown(name) for name in table.names[:20])}"
        )
    name = column_named(table.source, table.names, column) if column else table.names[0]
    values: list[NDArray[Any]] = []
    for chunk in table.chunks([name]):
        codes, known = chunk.read(name, label_text, None)
        values.append(np.array([*known, None], object)[codes])  # -1, no value, is the last
    found = np.concatenate(values) if values else np.empty(0, object)
    if not column and kind == "text":
        found = _with_first(name, found)
    if not len(found):
        raise InputError(f"{name_of(path)}: is empty; one row an image is accepted")
    return found


def _table(path: Path, kind: str) -> Table:
    if kind == "arrow":
        return ArrowTable(path)
    if kind == "lines":
        return JsonLines(path)
    if kind == "json":
        return JsonTable(path, read_json(path))
    return TextTable(path)


def _with_first(name: str, found: NDArray[Any]) -> NDArray[Any]:
    """A column without a header: its first row is a number, or a label that comes again."""
    first = label_text(name)
    headless = first is not None and (is_whole(first) or first in set(found))
    return np.concatenate([np.array([first], object), found]) if headless else found


def _of_array(path: Path, array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind == "f" and array.size and ((array != np.floor(array)) & ~np.isnan(array)).any():
        raise InputError(f"{name_of(path)}: class labels are accepted, not fractions (scores? take argmax(-1) first)")
    values, codes = np.unique(array, return_inverse=True)
    try:
        texts = [label_text(value) for value in values.tolist()]
    except Unreadable as error:
        raise refuse(name_of(path), None, None, str(error)) from None
    return np.array([*texts, None], object)[codes.reshape(array.shape)]


def _as_numbers(columns: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return whole numbers where every label is one."""
    known = {name: _distinct(column) for name, column in columns.items()}
    if not all(is_whole(value) for values in known.values() for value in values):
        return columns
    return {name: _numbers(column) for name, column in columns.items()}


def _distinct(column: NDArray[Any]) -> Sequence[str]:
    return [value for value in pd.unique(column.ravel()).tolist() if value is not None]


def _numbers(column: NDArray[Any]) -> NDArray[Any]:
    codes, values = pd.factorize(column.ravel())
    numbers = np.array([int(value) for value in values] or [0], np.int64)
    found = numbers[codes].reshape(column.shape)
    missing = (codes < 0).reshape(column.shape)
    return with_gaps(found, missing) if missing.any() else found


def class_list(text: str | None) -> list[str] | None:
    """Return classes from ``a,b,c``, or from a file of one a line, in their order."""
    if not text:
        return None
    if Path(text).is_file():
        return list(_lines(Path(text).read_text("utf-8-sig").splitlines()))
    return list(_lines(text.split(",")))


def _lines(parts: Iterable[str]) -> Iterable[str]:
    return (part.strip() for part in parts if part.strip())
