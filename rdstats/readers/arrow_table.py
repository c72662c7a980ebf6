"""Parquet and Arrow files through pyarrow: row groups and batches one at a time, class names of Hugging Face kept."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rdstats.errors import InputError
from rdstats.readers.table import Chunk, Column, check_names
from rdstats.readers.values import name_of, shown

ROWS = 2**19


class ArrowTable:
    """A Parquet file, or an Arrow file or stream; rows are counted from 1."""

    def __init__(self, path: Path) -> None:
        self.path, self.source = path, name_of(path)
        self._arrow = import_pyarrow(self.source)
        with open(path, "rb") as handle:
            magic = handle.read(6)
        self._kind = "parquet" if magic[:4] == b"PAR1" else "file" if magic == b"ARROW1" else "stream"
        with self._reading() as reader:
            schema = reader.schema_arrow if self._kind == "parquet" else reader.schema
            self.names = check_names(self.source, [str(name) for name in schema.names])
            self.class_names: Mapping[str, Sequence[str]] = _class_names(schema.metadata or {})
            self.index = _index(schema.metadata or {})

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
        """Yield the rows, with the columns asked for only."""
        row = 1
        with self._reading() as reader:
            for batch in self._batches(reader, columns):
                found = {name: self._column(batch.column(batch.schema.get_field_index(name)), name) for name in columns}
                if batch.num_rows:
                    yield Chunk(self.source, row, found)
                row += batch.num_rows

    def _reading(self) -> Any:
        return _Reading(self)

    def _batches(self, reader: Any, columns: Sequence[str]) -> Iterator[Any]:
        if self._kind == "parquet":
            yield from reader.iter_batches(batch_size=ROWS, columns=list(columns))
            return
        source = reader if self._kind == "stream" else map(reader.get_batch, range(reader.num_record_batches))
        for batch in source:
            for start in range(0, max(1, batch.num_rows), ROWS):
                part = batch.slice(start, ROWS).select(list(columns))
                part.validate(full=True)
                yield part

    def _column(self, array: Any, name: str) -> Column:
        types = self._arrow.types
        if isinstance(array, self._arrow.ExtensionArray):
            array = array.storage
        if types.is_nested(array.type):
            raise InputError(f"{self.source}: column {shown(name)} holds {array.type}; text and numbers are accepted")
        if types.is_null(array.type):
            return Column(np.full(len(array), -1, np.int64), [])
        if not types.is_dictionary(array.type):
            array = array.dictionary_encode()
        codes = array.indices.cast(self._arrow.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
        values = array.dictionary.to_pylist()
        names = self.class_names.get(name)
        return Column(codes, values if names is None else [_named(value, names) for value in values])


class _Reading:
    """An open file; whatever pyarrow raises becomes one line."""

    def __init__(self, table: ArrowTable) -> None:
        self._table = table

    def __enter__(self) -> Any:
        table, arrow = self._table, self._table._arrow
        try:
            if table._kind == "parquet":
                import pyarrow.parquet

                self._file: Any = pyarrow.parquet.ParquetFile(table.path)
                return self._file
            self._file = arrow.OSFile(str(table.path), "rb")
            return arrow.ipc.open_file(self._file) if table._kind == "file" else arrow.ipc.open_stream(self._file)
        except Exception as error:
            raise self._told(error) from None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._file.close()
        if isinstance(error, Exception) and not isinstance(error, InputError):
            raise self._told(error) from None

    def _told(self, error: Exception) -> Exception:
        kinds = (self._table._arrow.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError)
        if isinstance(error, InputError) or not isinstance(error, kinds):
            return error
        what = "Parquet" if self._table._kind == "parquet" else "Arrow"
        return InputError(f"{self._table.source}: truncated or damaged {what} file ({shown(str(error))})")


def import_pyarrow(source: str) -> Any:
    """Return pyarrow, or say how to install it."""
    try:
        import pyarrow
        import pyarrow.ipc
    except ImportError:
        raise InputError(
            f"{source}: Parquet and Arrow files need pyarrow: pip install 'recall-distortion[parquet]'"
        ) from None
    return pyarrow


def _class_names(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    """Return the names of the classes of every ``ClassLabel`` column, as `datasets` writes them into the schema."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        return {
            str(name): [str(one) for one in feature["names"]]
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and isinstance(feature["names"], list)
        }
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return {}


def _index(metadata: dict[bytes, bytes]) -> list[str]:
    """Return the columns that are the index of a frame, as pandas writes them into the schema."""
    try:
        columns = json.loads(metadata[b"pandas"])["index_columns"]
        return [name for name in columns if isinstance(name, str)]
    except (KeyError, TypeError, ValueError, RecursionError):
        return []


def _named(value: Any, names: Sequence[str]) -> Any:
    """Return the name of a class number; -1 is how `datasets` says "no label"."""
    if isinstance(value, int) and not isinstance(value, bool):
        return None if value == -1 else names[value] if 0 <= value < len(names) else value
    return value
