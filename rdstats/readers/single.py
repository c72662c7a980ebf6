"""One matrix or one column of a file, for a comparison of two."""

from __future__ import annotations

import os
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdstats.errors import InputError, one_of
from rdstats.readers.arrow_table import ArrowTable
from rdstats.readers.files import kind_of
from rdstats.readers.json_table import JsonLines, JsonTable, read_json
from rdstats.readers.matrix_file import TextMatrix, is_matrix, read_matrix_text
from rdstats.readers.nested import has_matrices, nested_networks, picked
from rdstats.readers.networks import ClassTable
from rdstats.readers.numpy_file import read_numpy
from rdstats.readers.options import Options
from rdstats.readers.stacks import CLASS_NAMES, class_texts, matrices_of, refuse_margins
from rdstats.readers.table import Table, column_named
from rdstats.readers.text_table import TextTable
from rdstats.readers.values import Unreadable, is_whole, label_text, name_of, refuse, shown

_PREDICTIONS = "; predictions need --labels FILE"


@dataclass(frozen=True)
class FileColumn:
    """Class labels of a file as texts `(images,)` or `(seeds, images)`, None where there is none.

    `classes` are those that the file itself lists.
    """

    values: NDArray[Any]
    source: str
    name: str | None
    starts: tuple[tuple[int, int], ...] = ()
    classes: tuple[str, ...] = ()
    has_header: bool = False

    def refusal(self, index: tuple[int, ...], what: str) -> InputError:
        """Return the error of one value: file, row and column, or the position in an array."""
        if self.name is None:
            at = index[0] if len(index) == 1 else index
            return refuse(self.source, None, None, f"position {at}: {what}")
        start, row = self.starts[bisect_right(self.starts, (index[-1], np.inf)) - 1]
        return refuse(self.source, row + index[-1] - start, self.name, what)


def read_matrix(path: str | os.PathLike[str], array: str = "") -> TextMatrix:
    """Return the one confusion matrix of a file `(..., true, predicted)`, and the names of its classes.

    Parameters
    ----------
    array : its name in a file of several.

    Raises
    ------
    InputError
        No such file, several matrices, or values that are no counts.
    """
    path, source = checked(path)
    kind = kind_of(path)
    if kind == "numpy":
        return _of_numpy(path, source, array)
    if array and kind != "json":
        raise InputError(f"{source}:{array}: a column is a model's predictions, which need --labels FILE")
    if kind == "text":
        try:
            found = read_matrix_text(path)
        except InputError as error:
            raise InputError(f"{error}{'' if is_matrix(path) else _PREDICTIONS}") from None
        refuse_margins(source, found.counts)
        return found
    if kind == "json":
        document = read_json(path)
        if has_matrices(document):
            document = picked(source, document, array) if array else document
            table = ClassTable(Options())
            networks = nested_networks(source, document, Options(), lambda _: table, "", {}).networks
            if len(networks) > 1:
                raise InputError(f"{source}: {len(networks)} matrices; name one, FILE:NAME")
            own = table.names if isinstance(document, dict) and any(key in document for key in CLASS_NAMES) else None
            return TextMatrix(networks[0].counts, own, own)
    raise InputError(f"{source}: one confusion matrix is accepted (CSV, .npy, .npz, JSON){_PREDICTIONS}")


def _of_numpy(path: Path, source: str, name: str) -> TextMatrix:
    arrays = read_numpy(path)
    listed = [key for key in CLASS_NAMES if key in arrays and arrays[key].ndim == 1 and key != name]
    own = arrays.pop(listed[0]) if listed else None
    matrix = array_named(source, arrays, name)
    if matrix.ndim < 2:
        raise InputError(f"{source}: an array of shape {matrix.shape}; a matrix (C, C) is accepted{_PREDICTIONS}")
    counts: Any = matrices_of(source, name, matrix)
    if (counts < 0).any():  # a whole matrix that is missing, of one seed
        counts = np.where(counts < 0, np.nan, counts)
    names = None if own is None else class_texts(source, own.tolist(), matrix.shape[-1])
    return TextMatrix(counts, names, names)


def array_named(source: str, arrays: dict[str, NDArray[Any]], name: str) -> NDArray[Any]:
    """Return the array of that name, or the only one."""
    if name and name not in arrays:
        raise InputError(f"{source}: no array {shown(name)}; it has {one_of(map(shown, arrays))}")
    if not name and len(arrays) != 1:
        raise InputError(f"{source}: several arrays; name one, FILE:ARRAY, of {one_of(map(shown, arrays))}")
    return arrays[name or next(iter(arrays))]


def read_column(path: str | os.PathLike[str], column: str = "") -> FileColumn:
    """Return one label of every example: 3, 3.0 and "3" are one class in every file.

    Parameters
    ----------
    column : its name; not needed where a file has one.

    Raises
    ------
    InputError
        No such file or column, several that could be meant, or values that are no labels.
    """
    path, source = checked(path)
    kind = kind_of(path)
    if kind == "numpy":
        return FileColumn(_of_array(source, array_named(source, read_numpy(path), column)), source, None)
    table = _table(path, kind)
    if not column and len(table.names) > 1:
        raise InputError(
            f"{source}: {len(table.names)} columns; name one, FILE:COLUMN, of {one_of(map(shown, table.names[:20]))}"
        )
    name = column_named(source, table.names, column) if column else table.names[0]
    parts: list[NDArray[Any]] = []
    starts: list[tuple[int, int]] = []
    n = 0
    for chunk in table.chunks([name]):
        codes, known = chunk.read(name, label_text, None)
        starts.append((n, chunk.first_row))
        parts.append(np.array([*known, None], object)[codes])  # -1, no value, is the last
        n += len(codes)
    values = np.concatenate(parts) if parts else np.empty(0, object)
    if not column and kind == "text" and _is_headless(name, values):
        values = np.concatenate([np.array([label_text(name)], object), values])
        starts = [(0, 1), *((start + 1, row) for start, row in starts)]
    if not len(values):
        raise InputError(f"{source}: no rows of data; one row an image is accepted")
    has_header = kind == "text" and starts[0][1] > 1
    return FileColumn(values, source, name, tuple(starts), tuple(table.class_names.get(name, ())), has_header)


def _is_headless(name: str, values: NDArray[Any]) -> bool:
    """Return whether a column has no header: its first row is a number, or a label that comes again."""
    first = label_text(name)
    return first is not None and (is_whole(first) or first in set(values))


def _table(path: Path, kind: str) -> Table:
    if kind == "text":
        try:
            return TextTable(path)
        except InputError as error:
            raise InputError(f"{error}{'; a matrix goes without --labels' if is_matrix(path) else ''}") from None
    if kind == "arrow":
        return ArrowTable(path)
    if kind == "lines":
        return JsonLines(path)
    return JsonTable(path, read_json(path))


def _of_array(source: str, array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind not in "iufbUS" or not array.size or array.ndim > 2 or not array.ndim:
        what = f"{array.dtype} of shape {array.shape}"
        raise InputError(f"{source}: {what}; labels (images,) or (seeds, images) are accepted")
    if array.dtype.kind == "f" and ((array != np.floor(array)) & ~np.isnan(array)).any():
        raise InputError(f"{source}: class labels are accepted, not fractions (scores? take argmax(-1) first)")
    values, codes = np.unique(array, return_inverse=True)
    try:
        texts = [label_text(value) for value in values.tolist()]
    except Unreadable as error:
        raise InputError(f"{source}: {error}") from None
    found: NDArray[Any] = np.array([*texts, None], object)[codes.reshape(array.shape)]
    return found


def checked(path: str | os.PathLike[str]) -> tuple[Path, str]:
    """Return the path of a file that is there, and its name as error lines show it."""
    path = Path(path)
    if not path.is_file():
        what = "is a folder; a file is accepted" if path.is_dir() else "no such file"
        raise InputError(f"{name_of(path)}: {what}")
    return path, name_of(path)
