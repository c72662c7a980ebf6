"""What a person may say about files, in a mapping or as options: one list of names for both."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from rdstats.cube.schema import CELL, CORE
from rdstats.errors import InputError, nearest, one_of
from rdstats.readers.text_table import read_lines
from rdstats.readers.values import Unreadable, label_text, shown
from rdstats.unknown import UNKNOWN

_RESERVED = (*CORE, "sample", "class", "layer", "ci_bound", "fold", "stage")
_DIM = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,40}\Z")


@dataclass(frozen=True)
class Options:
    """What the columns, names and axes of files mean; everything may be left to be guessed.

    Attributes
    ----------
    true, predicted, count, stage, id : names of columns (arrays of an ``.npz``); `predicted` may be several, one a
        model.
    columns : dimension of the cube -> column; ``seed, dataset, arch, method, ratio`` or a name of one's own.
    dims : names of the leading axes of stacks of matrices, in order.
    coords : labels of these dimensions.
    pattern : what the names of files (or of prediction columns) say, such as ``{method}-{ratio}-{seed}.csv``.
    before : name of the network before compression: a method, a column, an array or a file.
    classes : all classes in order, also those that no row has.
    unknown : what a prediction outside the classes is: an ``error``, of a class ``other`` (missing predictions, too),
        or, with ``keep``, of a class of its own.  The classes are `classes`, or, without them, those that a file names
        otherwise than by predicting them: labels, rows of matrices, ``ClassLabel``, choices of a question.
    sum : add rows of counts that repeat each other.
    join : several files are parts of one table.
    predictions : store predictions; None: up to 100 million.
    separator : of CSV; default: what the header row has most of.
    filter : which filter of a log of lm-eval.
    """

    true: str | None = None
    predicted: tuple[str, ...] = ()
    count: str | None = None
    stage: str | None = None
    id: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    dims: tuple[str, ...] = ()
    coords: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    pattern: str | None = None
    before: str | None = None
    classes: tuple[str, ...] | None = None
    unknown: str = "error"
    sum: bool = False
    join: bool = False
    predictions: bool | None = None
    separator: str | None = None
    filter: str | None = None

    @property
    def names_columns(self) -> bool:
        """Whether a column is named, so that files can only be tables."""
        return bool(self.true or self.predicted or self.count or self.columns)


def make_options(mapping: Mapping[str, Any], source: str = "mapping") -> Options:
    """Return checked options.

    Raises
    ------
    InputError
        A name that is no option, or a value of another kind.
    """
    accepted = [one.name for one in fields(Options)]
    made: dict[str, Any] = {}
    for name, value in mapping.items():
        if name not in accepted:
            raise InputError(f"{source}: {shown(name)}{nearest(str(name), accepted)}; accepted are {one_of(accepted)}")
        if value is not None:
            made[str(name)] = _READ.get(str(name), _text)(value, f"{source}: {name}")
    for dim in (*made.get("columns", {}), *made.get("dims", ()), *made.get("coords", {})):
        if dim != "stage" or dim in made.get("columns", {}):
            check_dim(dim, source)
    if len(set(made.get("dims", ()))) < len(made.get("dims", ())):
        raise InputError(f"{source}: dims: {one_of(made['dims'])} has a name twice")
    if made.get("unknown", "error") not in UNKNOWN:
        raise InputError(f"{source}: unknown: {shown(made['unknown'])}; {one_of(UNKNOWN)} is accepted")
    if len(made.get("separator", ",")) != 1 or made.get("separator", ",") in '\n\r"\0':
        raise InputError(f"{source}: separator: {shown(made['separator'])}; one character is accepted")
    return Options(**made)


def check_dim(dim: str, source: str) -> None:
    """Refuse a name that no dimension of a cell can have."""
    if not _DIM.match(dim) or dim in _RESERVED:
        raise InputError(
            f"{source}: dimension {shown(dim)}{nearest(dim, CELL)}; {one_of(CELL)} or a name of letters, digits and _ "
            f"is accepted, but not {one_of(_RESERVED)}"
        )


def _text(value: Any, where: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InputError(f"{where}: {shown(value)}; text is accepted")
    return str(value)


def _texts(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        return (_text(value, where),)
    return tuple(_text(one, where) for one in value)


def _classes(value: Any, where: str) -> tuple[str, ...]:
    found = []
    for one in value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]:
        try:
            text = label_text(one)
        except Unreadable as error:
            raise InputError(f"{where}: {shown(one)}; {error}") from None
        if text is None:
            raise InputError(f"{where}: a class without a name; text or a whole number is accepted")
        if text in found:
            raise InputError(f"{where}: {shown(text)} is there twice")
        found.append(text)
    if not found:
        raise InputError(f"{where}: no class; one or more are accepted")
    return tuple(found)


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise InputError(f"{where}: {shown(value)}; true or false is accepted")
    return value


def _names(value: Any, where: str) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise InputError(f"{where}: {shown(value)}; a mapping from dimension to column is accepted")
    return {_text(dim, where): _text(column, where) for dim, column in value.items()}


def _labels(value: Any, where: str) -> dict[str, tuple[Any, ...]]:
    if not isinstance(value, Mapping):
        raise InputError(f"{where}: {shown(value)}; a mapping from dimension to labels is accepted")
    return {_text(dim, where): _texts(labels, where) for dim, labels in value.items()}


def class_list(text: str | None, folder: Path = Path()) -> list[str] | None:
    """Return classes from ``a,b,c``, or from a file of one a line, in their order.

    Raises
    ------
    InputError
        No class, one twice or without a name, or a file that is no text.
    """
    if text is None:
        return None
    path = folder / text
    is_file = "," not in text and path.is_file()
    parts: Iterable[str] = read_lines(path) if is_file else text.split(",")
    found: list[str] = []
    for part in parts:
        name = label_text(part)
        if name is None or name in found:
            what = "a class has no name" if name is None else f"{shown(name)} is there twice"
            raise InputError(f"--classes {shown(text)}: {what}; every class once is accepted")
        found.append(name)
    return found


_READ = {
    "predicted": _texts, "dims": _texts, "classes": _classes, "columns": _names, "coords": _labels,
    "sum": _flag, "join": _flag, "predictions": _flag,
}  # fmt: skip
