"""JSON: a list of records, columns as lists or by row, or one record a line (lines are read one at a time)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rdstats.errors import InputError
from rdstats.readers.table import Chunk, check_names, coded
from rdstats.readers.text_table import LONGEST_LINE, open_bytes, read_up_to
from rdstats.readers.values import Unreadable, name_of, refuse, shown

LARGEST = 2**30
ROWS = 2**17


class JsonLines:
    """One JSON record a line, plain or gzip; rows are lines, counted from 1."""

    def __init__(self, path: Path) -> None:
        self.path, self.source = path, name_of(path)
        self.class_names: Mapping[str, Sequence[str]] = {}
        first = next(self.records(), None)
        if first is None:
            raise InputError(f"{self.source}: is empty; one JSON record a line is accepted")
        self.names = check_names(self.source, list(first[1]))

    def records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the number of each line and its record."""
        with open_bytes(self.path) as handle:
            row = 0
            while line := handle.readline(LONGEST_LINE + 1):
                row += 1
                if len(line) > LONGEST_LINE:
                    raise refuse(self.source, row, None, f"lines of up to {LONGEST_LINE} bytes are accepted")
                if line.strip():
                    yield row, self._record(line.removeprefix(b"\xef\xbb\xbf"), row)

    def _record(self, line: bytes, row: int) -> dict[str, Any]:
        found = parse(line, self.source, row)
        if not isinstance(found, dict):
            raise refuse(self.source, row, None, f"{shown(found)}; a JSON record {{...}} a line is accepted")
        return found

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
        """Yield the rows, with the columns asked for only."""
        held: list[tuple[int, dict[str, Any]]] = []
        for row, record in self.records():
            if held and (len(held) == ROWS or row != held[-1][0] + 1):
                yield self._chunk(held, columns)
                held = []
            held.append((row, record))
        if held:
            yield self._chunk(held, columns)

    def _chunk(self, held: list[tuple[int, dict[str, Any]]], columns: Sequence[str]) -> Chunk:
        found = {name: coded([record.get(name) for _, record in held]) for name in columns}
        return Chunk(self.source, held[0][0], found)


class JsonTable:
    """A list of records, or a record of columns, already read; rows are counted from 1."""

    def __init__(self, path: Path, document: Any) -> None:
        self.source = name_of(path)
        self.class_names: Mapping[str, Sequence[str]] = {}
        self._columns = _columns(document, self.source)
        self.names = check_names(self.source, list(self._columns))

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
        """Yield the rows, with the columns asked for only."""
        if self._columns[self.names[0]]:
            yield Chunk(self.source, 1, {name: coded(self._columns[name]) for name in columns})


def is_table(document: Any) -> bool:
    """Return whether a JSON document is a list of records, or a record of columns of values that are no lists."""
    if isinstance(document, list):
        return bool(document) and all(isinstance(row, dict) for row in document)
    if not isinstance(document, dict) or not document:
        return False
    if all(isinstance(values, dict) for values in document.values()):
        return not any(isinstance(value, list | dict) for values in document.values() for value in values.values())
    lists = all(isinstance(values, list) for values in document.values())
    return lists and not any(isinstance(value, list) for values in document.values() for value in values)


def _columns(document: Any, source: str) -> dict[str, list[Any]]:
    if isinstance(document, list) and document and all(isinstance(row, dict) for row in document):
        names = dict.fromkeys(name for row in document for name in row)
        return {name: [row.get(name) for row in document] for name in names}
    if isinstance(document, list) and document and not any(isinstance(row, dict | list) for row in document):
        return {"": document}
    if not isinstance(document, dict) or not document:
        raise InputError(f"{source}: JSON of another kind; a list of values or records, or lists by name are accepted")
    if all(isinstance(values, dict) for values in document.values()):  # as pandas writes a frame: values by row
        return _by_row(document, source)
    wrong = next((name for name, values in document.items() if not isinstance(values, list)), None)
    if wrong is not None:
        raise InputError(f"{source}: {shown(wrong)} is no list; a list of records, or columns as lists, is accepted")
    sizes = {name: len(values) for name, values in document.items()}
    first = next(iter(sizes))
    for name, size in sizes.items():
        if size != sizes[first]:
            raise InputError(
                f"{source}: {shown(name)} has {size} values, {shown(first)} {sizes[first]}; "
                "lists of one length are accepted"
            )
    return dict(document)


def _by_row(document: dict[str, dict[str, Any]], source: str) -> dict[str, list[Any]]:
    first = next(iter(document))
    for name, values in document.items():
        if list(values) != list(document[first]):
            raise InputError(f"{source}: {shown(name)} and {shown(first)} have other rows; one set of rows is accepted")
    return {name: list(values.values()) for name, values in document.items()}


def read_json(path: Path) -> Any:
    """Return a JSON document; JSON cannot be read in parts, so files beyond 1 GiB are refused."""
    source = name_of(path)
    with open_bytes(path) as handle:
        data = read_up_to(handle, LARGEST + 1)
    if len(data) > LARGEST:
        raise InputError(f"{source}: more than 1 GiB of JSON, which must be read whole; one record a line is accepted")
    return parse(data.removeprefix(b"\xef\xbb\xbf"), source, None)


def parse(data: bytes, source: str, row: int | None) -> Any:
    """Return what JSON text holds; every reason why not is one line."""
    try:
        return json.loads(data, object_pairs_hook=_record_of)
    except UnicodeDecodeError:
        raise refuse(source, row, None, "not text in UTF-8") from None
    except json.JSONDecodeError as error:
        where = error.lineno if row is None else row
        raise refuse(source, where, None, f"not JSON ({error.msg} at character {error.colno})") from None
    except RecursionError:
        raise refuse(source, row, None, "nested too deeply") from None
    except Unreadable as error:
        raise refuse(source, row, None, str(error)) from None
    except ValueError as error:
        raise refuse(source, row, None, f"not JSON ({shown(str(error))})") from None


def _record_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; of a name that is there twice, nobody knows which value is meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Unreadable(f"{shown(twice)} is there twice in one record; once is accepted")
    return found
