"""A comparison of files: matrices as text, JSON or NumPy files, predictions as a column of a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rdstats.comparison.compare import compare
from rdstats.comparison.labels import with_gaps
from rdstats.comparison.matrices import Matrix
from rdstats.comparison.result import Comparison
from rdstats.errors import InputError
from rdstats.readers.single import FileColumn, read_column, read_matrix
from rdstats.readers.values import in_order, is_whole, name_of, shown
from rdstats.unknown import MisplacedError


def compare_files(
    before: str, after: str, *, labels: str | None = None, control: str | None = None, **options: Any
) -> Comparison:
    """Compare two models whose matrices or predictions lie in files.

    Parameters
    ----------
    before, after, control : confusion matrices (text with or without names of rows and columns, JSON, ``.npy``, or
        ``.npz`` with one array or ``FILE:ARRAY``; three axes are ``seed`` and the matrix), or, with `labels`,
        predictions: a table (CSV, TSV, Parquet, Arrow, JSON) of one column, or ``FILE:COLUMN``, or a NumPy file.
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
        return _of_matrices(given, options)
    files = {name: read_column(*split(text)) for name, text in (given | {"labels": labels}).items()}
    sizes = {name: file.values.shape[-1] for name, file in files.items()}
    if len(set(sizes.values())) > 1:
        counts = ", ".join(f"{files[name].source} {size}" for name, size in sizes.items())
        taken = [file for name, file in files.items() if file.has_header and sizes[name] + 1 in sizes.values()]
        hint = f" (row 1 of {taken[0].source}, {shown(taken[0].name)}, was read as a header)" if taken else ""
        raise InputError(f"rows differ: {counts}{hint}; one row an image, in the same order, is accepted")
    dims = ("seed",) if files["before"].values.ndim == 2 else ()
    classes = options.pop("classes", None)
    values = _as_numbers(files)
    try:
        return compare(
            values["before"], values["after"], labels=values["labels"], control=values.get("control"), dims=dims,
            classes=_listed(files, values) if classes is None else classes, **options,
        )  # fmt: skip
    except MisplacedError as error:
        raise files[error.name].refusal(error.index, error.told) from None


def _of_matrices(given: dict[str, str], options: dict[str, Any]) -> Comparison:
    matrices = {name: Matrix(*read_matrix(*split(text))) for name, text in given.items()}
    dims = ("seed",) if matrices["before"].counts.ndim == 3 else ()
    try:
        return compare(matrices["before"], matrices["after"], control=matrices.get("control"), dims=dims, **options)
    except MisplacedError as error:
        at = f"row {error.index[-2] + 2}, column {error.index[-1] + 2}"
        raise InputError(f"{name_of(split(given[error.name])[0])}: {at}: {error.told}") from None


def split(text: str) -> tuple[Path, str]:
    """Return the file and the column of ``FILE`` or ``FILE:COLUMN``; a file whose name has the colon is meant whole."""
    if Path(text).exists():
        return Path(text), ""
    path, colon, column = text.rpartition(":")
    if colon and Path(path).exists():
        return Path(path), column
    return Path(text), ""


def _listed(files: dict[str, FileColumn], values: dict[str, NDArray[Any]]) -> list[Any] | None:
    """Return the classes where the file of the labels lists some (``ClassLabel``): those that anything has."""
    listed = set(files["labels"].classes)
    if not listed:
        return None
    used = {value for file in files.values() for value in _distinct(file.values)}
    known = in_order(set(_distinct(files["labels"].values)) | (listed & used))
    return known if values["labels"].dtype == object else [int(value) for value in known]


def _as_numbers(files: dict[str, FileColumn]) -> dict[str, NDArray[Any]]:
    """Return whole numbers where every label is one."""
    if not all(is_whole(value) for file in files.values() for value in _distinct(file.values)):
        return {name: file.values for name, file in files.items()}
    return {name: _numbers(file.values) for name, file in files.items()}


def _distinct(column: NDArray[Any]) -> list[str]:
    return [value for value in pd.unique(column.ravel()).tolist() if value is not None]


def _numbers(column: NDArray[Any]) -> NDArray[Any]:
    codes, values = pd.factorize(column.ravel())
    numbers = np.array([int(value) for value in values] or [0], np.int64)
    found = numbers[codes].reshape(column.shape)
    missing = (codes < 0).reshape(column.shape)
    return with_gaps(found, missing) if missing.any() else found
