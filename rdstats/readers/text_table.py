"""CSV and its relatives, plain or gzip: separator found, read in chunks, never whole."""

from __future__ import annotations

import csv
import gzip
import io
import re
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from rdstats.errors import InputError
from rdstats.readers.table import Chunk, Column, check_names
from rdstats.readers.values import name_of, shown

ROWS = 2**19
SEPARATORS = (";", "\t", ",", "|")
LONGEST_LINE = 2**24
_HEAD = _PART = 2**20
_BOMB_BYTES, _BOMB_TIMES = 2**30, 200


class TextTable:
    """A text file with a header row; rows are counted with the header as row 1."""

    def __init__(self, path: Path, separator: str | None = None) -> None:
        self.path, self.source = path, name_of(path)
        self.class_names: Mapping[str, Sequence[str]] = {}
        head, self.encoding = read_head(path)
        self.separator = separator or find_separator(lines_of(head)[0], path)
        self.names = check_names(self.source, header_of(path, separator))

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
        """Yield the rows, with the columns asked for only."""
        import pandas as pd

        wanted = [self.names.index(name) for name in columns]
        row = 2
        try:
            with open_text(self.path, self.encoding) as handle, warnings.catch_warnings():
                warnings.simplefilter("error", pd.errors.ParserWarning)
                reader = pd.read_csv(
                    handle, sep=self.separator, header=0, names=list(range(len(self.names))), index_col=False,
                    dtype=str, na_filter=False, skipinitialspace=True, encoding=self.encoding, chunksize=ROWS,
                )  # fmt: skip
                for part in reader:  # all columns: with usecols, pandas cuts rows that are too long without a word
                    found = {name: _column(part[i]) for name, i in zip(columns, wanted, strict=True)}
                    yield Chunk(self.source, row, found)
                    row += len(part)
        except pd.errors.EmptyDataError:
            return
        except pd.errors.ParserWarning:
            raise InputError(f"{self.source}: {self._too_long()}") from None
        except pd.errors.ParserError as error:
            if "Expected" in str(error) and "fields in line" in str(error):
                raise InputError(f"{self.source}: {self._too_long()}") from None
            raise InputError(f"{self.source}: cannot be read as a table ({shown(_plain(str(error)))})") from None
        except MemoryError:
            raise InputError(
                f"{self.source}: from row {row} on, a field that does not fit into memory (a quote left open?)"
            ) from None
        except UnicodeError:
            raise InputError(f"{self.source}: from row {row} on, not text in UTF-8") from None
        except (ValueError, OSError, OverflowError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{self.source}: cannot be read as a table ({shown(str(error))})") from None

    def _too_long(self) -> str:
        """Return which row is too long: pandas warns without saying it, or counts blank lines."""
        n = len(self.names)
        with open_text(self.path, self.encoding) as handle, io.TextIOWrapper(handle, self.encoding, newline="") as text:
            rows = csv.reader(text, delimiter=self.separator, skipinitialspace=True)
            filled = (row for row in rows if row)
            row, size = next(((i, len(row)) for i, row in enumerate(filled, 1) if len(row) > n), (2, n + 1))
        return f"row {row}: {size} fields; {n} are accepted, as in the header row"


def _column(series: Any) -> Column:
    import pandas as pd

    codes, values = pd.factorize(series)  # not as categories: pandas would make numbers of 01 and 1e3
    return Column(codes.astype(np.int64), values.tolist())


def _plain(message: str) -> str:
    """Return pandas' complaint on one line."""
    return " ".join(message.split())


def header_of(path: Path, separator: str | None) -> list[str]:
    """Return the fields of the header row."""
    first = lines_of(read_head(path)[0])[0]
    sign = separator or find_separator(first, path)
    try:
        return [name.strip() for name in next(csv.reader([first], delimiter=sign, skipinitialspace=True), [])]
    except csv.Error as error:
        raise InputError(f"{name_of(path)}: the header row cannot be read ({error})") from None


def find_separator(line: str, path: Path) -> str:
    """Return the separator that the header row has most of, outside quotes."""
    if ".tsv" in path.suffixes:
        return "\t"
    bare = re.sub(r'"[^"]*"', "", line)
    return max(SEPARATORS, key=bare.count) if any(sign in bare for sign in SEPARATORS) else ","


def read_head(path: Path) -> tuple[str, str]:
    """Return the first lines of a text file and its encoding.

    Raises
    ------
    InputError
        Nothing in it, binary, neither UTF-8 nor UTF-16 with a byte order mark, or a first line without end.
    """
    source = name_of(path)
    with open_bytes(path) as handle:
        data = handle.read(_HEAD)
    if not data.strip():
        raise InputError(f"{source}: is empty; a header row and data rows are accepted")
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    if encoding == "utf-8-sig" and b"\0" in data:
        raise InputError(f"{source}: binary file of unknown kind; text, Parquet, Arrow, JSON and NumPy are accepted")
    whole = len(data) < _HEAD
    cut = data if whole or encoding == "utf-16" else data[: data.rfind(b"\n") + 1]
    if not cut:
        raise InputError(f"{source}: no end of line in the first {_HEAD} bytes; a table of rows is accepted")
    try:
        text = cut.decode(encoding, "strict" if whole or encoding != "utf-16" else "ignore")
    except UnicodeDecodeError as error:
        raise InputError(f"{source}: byte {error.start} is not text in UTF-8; save it as UTF-8") from None
    if not lines_of(text):
        raise InputError(f"{source}: is empty; a header row and data rows are accepted")
    return text, encoding


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file that are not blank.

    Raises
    ------
    InputError
        As `read_head`, or more than a table of classes has.
    """
    text, _ = read_head(path)
    if path.stat().st_size >= _HEAD:
        raise InputError(f"{name_of(path)}: has {path.stat().st_size} bytes; up to {_HEAD} are accepted")
    return lines_of(text)


def lines_of(text: str) -> list[str]:
    """Return the lines that are not blank; only line feeds and carriage returns end one, as in CSV."""
    return [line for line in re.split("[\r\n]", text) if line.strip()]


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file, decompressed where it begins as gzip files do; one that swells without end is refused."""
    try:
        handle = open(path, "rb")  # noqa: SIM115
        magic = handle.read(2)
        handle.seek(0)
    except OSError as error:
        raise InputError(f"{name_of(path)}: cannot be read ({error.strerror})") from None
    if magic != b"\x1f\x8b":
        return handle
    return io.BufferedReader(_Guarded(path, handle), 2**20)


def open_text(path: Path, encoding: str) -> IO[bytes]:
    """Open a text file for readers that hold a line at a time: what is no text, or a line without end, is refused."""
    return io.BufferedReader(_Lines(path, open_bytes(path), encoding), 2**20)


def read_up_to(handle: IO[bytes], most: int) -> bytes:
    """Return what a file holds, at most so many bytes; memory is taken as they come."""
    parts = []
    while most > 0 and (part := handle.read(min(most, 2**24))):
        parts.append(part)
        most -= len(part)
    return b"".join(parts)


class _Lines(io.RawIOBase):
    """Text that is given up at a null character or a line without end, before anything reads it into memory."""

    def __init__(self, path: Path, raw: IO[bytes], encoding: str) -> None:
        self._path, self._raw, self._wide = path, raw, encoding == "utf-16"
        self._line, self._read = 0, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._raw.read(min(len(buffer), _PART))
        buffer[: len(data)] = data
        if not self._wide and b"\0" in data:
            at = self._read + data.index(b"\0")
            raise InputError(f"{name_of(self._path)}: byte {at} is a null character; text is accepted")
        end = max(data.rfind(b"\n"), data.rfind(b"\r"))
        self._line = self._line + len(data) if end < 0 else len(data) - end - 1
        self._read += len(data)
        if self._line > LONGEST_LINE:
            raise InputError(f"{name_of(self._path)}: a line of more than {LONGEST_LINE} bytes; rows are accepted")
        return len(data)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Guarded(io.RawIOBase):
    """A gzip file that is given up when it expands beyond what tables do."""

    def __init__(self, path: Path, raw: IO[bytes]) -> None:
        self._path, self._raw, self._file = path, raw, gzip.GzipFile(fileobj=raw)
        self._size, self._read = path.stat().st_size, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._file.read(min(len(buffer), _PART))
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise InputError(f"{name_of(self._path)}: truncated or damaged gzip file ({error})") from None
        buffer[: len(data)] = data
        self._read += len(data)
        if self._read > max(_BOMB_BYTES, _BOMB_TIMES * self._size):
            name = name_of(self._path)
            raise InputError(f"{name}: expands to more than {_BOMB_TIMES} times its size; unpack it first")
        return len(data)

    def close(self) -> None:
        self._file.close()
        self._raw.close()
        super().close()
