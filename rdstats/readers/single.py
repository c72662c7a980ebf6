"""One matrix or one column of a file, for whoever needs no more."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdstats.errors import InputError, one_of
from rdstats.readers.arrow_table import ArrowTable
from rdstats.readers.files import kind_of
from rdstats.readers.json_table import JsonLines, JsonTable, read_json
from rdstats.readers.matrix_file import read_matrix_text
from rdstats.readers.nested import has_matrices, nested_networks
from rdstats.readers.networks import ClassTable
from rdstats.readers.numpy_file import read_numpy
from rdstats.readers.options import Options
from rdstats.readers.roles import USUAL
from rdstats.readers.stacks import CLASS_NAMES, class_texts, coded_array, matrices_of
from rdstats.readers.table import Chunk, Table, column_named
from rdstats.readers.text_table import TextTable
from rdstats.readers.values import label_text, name_of, shown


def read_matrix(path: str | os.PathLike[str]) -> tuple[NDArray[np.int64], list[str] | None]:
    """Return the one confusion matrix of a file `(C, C)`, true class on the rows, and its class names if it has them.

    Raises
    ------
    InputError
        No such file, several matrices, or values that are no counts.
    """
    path, source = _checked(path)
    kind = kind_of(path)
    if kind == "text":
        return read_matrix_text(path)
    if kind == "numpy":
        arrays = read_numpy(path)
        square = [name for name, array in arrays.items() if array.ndim >= 2]
        if len(square) != 1 or arrays[square[0]].ndim != 2:
            shapes = one_of(f"{shown(name)} {array.shape}" for name, array in arrays.items())
            raise InputError(f"{source}: arrays {shapes}; one matrix is accepted")
        matrix = matrices_of(source, square[0], arrays[square[0]])
        if matrix.flat[0] < 0:
            raise InputError(f"{source}: all values are missing; counts are accepted")
        names = next((arrays[name].tolist() for name in CLASS_NAMES if name in arrays and arrays[name].ndim == 1), None)
        return matrix, None if names is None else class_texts(source, names, len(matrix))
    if kind == "json":
        document = read_json(path)
        if has_matrices(document):
            table = ClassTable(Options())
            networks = nested_networks(source, document, Options(), lambda _: table, "", {}).networks
            if len(networks) == 1:
                named = isinstance(document, dict) and any(name in document for name in CLASS_NAMES)
                return networks[0].counts, table.names if named else None
    raise InputError(f"{source}: one confusion matrix is accepted (CSV, .npy, .npz, JSON)")


def read_column(path: str | os.PathLike[str], column: str | None = None) -> NDArray[Any]:
    """Return one value of every example as text: labels or predictions, in the order of the file.

    Parameters
    ----------
    column : its name; not needed where a file has one column, or one with a usual name of labels or predictions.

    Raises
    ------
    InputError
        No such file or column, several that could be meant, or a row without a value.
    """
    path, source = _checked(path)
    kind = kind_of(path)
    if kind == "numpy":
        arrays = {name: array for name, array in read_numpy(path).items() if array.ndim == 1}
        if not arrays:
            raise InputError(f"{source}: no array of one axis; one value an example is accepted")
        name = _chosen(source, list(arrays), column)
        if arrays[name].dtype.kind not in "iufbUS":
            raise InputError(f"{source}: holds {arrays[name].dtype}; labels are accepted")
        chunks = iter([Chunk(source, 1, {name: coded_array(arrays[name])})])
    else:
        table = _table(path, kind)
        name = _chosen(source, table.names, column)
        chunks = iter(table.chunks([name]))
    parts = []
    for chunk in chunks:
        codes, values = chunk.read(name, label_text, "a class is accepted in every row")
        parts.append(np.array(values, object)[codes])
    if not parts or not sum(map(len, parts)):
        raise InputError(f"{source}: no rows of data; one value an example is accepted")
    return np.concatenate(parts)


def _table(path: Path, kind: str) -> Table:
    if kind == "text":
        return TextTable(path)
    if kind == "arrow":
        return ArrowTable(path)
    if kind == "lines":
        return JsonLines(path)
    return JsonTable(path, read_json(path))


def _chosen(source: str, names: list[str], column: str | None) -> str:
    if column is not None:
        return column_named(source, names, column)
    if len(names) == 1:
        return names[0]
    usual = [name for name in names if name.strip().lower() in (*USUAL["predicted"], *USUAL["true"])]
    if len(usual) == 1:
        return usual[0]
    raise InputError(f"{source}: columns {one_of(map(shown, names[:10]))}; say which: FILE:COLUMN")


def _checked(path: str | os.PathLike[str]) -> tuple[Path, str]:
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{name_of(path)}: {'is a folder, not a file' if path.is_dir() else 'no such file'}")
    return path, name_of(path)
