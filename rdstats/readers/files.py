"""Which files are meant, of which kind each is, and what its name says."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rdstats.errors import InputError, one_of
from rdstats.readers.options import Options
from rdstats.readers.pattern import Pattern, parse_pattern
from rdstats.readers.text_table import open_bytes
from rdstats.readers.values import name_of, shown

MOST_FILES = 100_000
KINDS = {
    ".csv": "text", ".tsv": "text", ".txt": "text", ".parquet": "arrow", ".pq": "arrow", ".arrow": "arrow",
    ".feather": "arrow", ".ipc": "arrow", ".json": "json", ".jsonl": "lines", ".ndjson": "lines", ".npz": "numpy",
    ".npy": "numpy",
}  # fmt: skip
_MAGIC = ((b"PAR1", "arrow"), (b"ARROW1", "arrow"), (b"\xff\xff\xff\xff", "arrow"), (b"\x93NUMPY", "numpy"),
          (b"PK\x03\x04", "numpy"), (b"PK\x05\x06", "numpy"))  # fmt: skip
_CUBE = (b"\x89HDF\r\n\x1a\n", b"CDF\x01", b"CDF\x02", b"CDF\x05")


@dataclass
class Source:
    """One file: its kind, the name of its model, and what the pattern says about it."""

    path: Path
    kind: str
    model: str
    where: dict[str, Any] = field(default_factory=dict)
    from_folder: bool = False
    is_part: bool = False


def find_sources(paths: Sequence[Path], options: Options) -> tuple[list[Source], list[str]]:
    """Return the files, folders opened, and notes on files that were left out.

    Raises
    ------
    InputError
        No such file, an empty folder, or no name that matches the pattern.
    """
    pattern = parse_pattern(options.pattern) if options.pattern is not None else None
    sources: list[Source] = []
    notes: list[str] = []
    for path in paths:
        if path.is_dir():
            sources += _folder(path, pattern, notes)
        elif path.is_file():
            where = pattern.match(path.name) if pattern else None
            sources.append(Source(path, kind_of(path), _stem(path), where or {}))
        else:
            raise InputError(f"{name_of(path)}: {'is no file' if path.exists() else 'no such file'}")
    seen: dict[Path, None] = {}
    for one in sources:
        if (real := one.path.resolve()) in seen:
            raise InputError(f"{name_of(one.path)}: is given twice")
        seen[real] = None
    stems = [one.model for one in sources]
    if len(set(stems)) < len(stems):
        for one in sources:
            one.model = one.path.absolute().parent.name if stems.count(one.model) > 1 else one.model
    return sources, notes


def kind_of(path: Path) -> str:
    """Return what a file holds, by its first bytes and then its name."""
    name = path.name.lower().removesuffix(".gz")
    by_name = next((kind for suffix, kind in KINDS.items() if name.endswith(suffix)), None)
    with open_bytes(path) as handle:
        head = handle.read(4096)
    if not head.strip():
        raise InputError(f"{name_of(path)}: is empty; data with a header row, matrices or predictions are accepted")
    if head.startswith(_CUBE):
        name = name_of(path)
        raise InputError(f"{name}: is a cube already (NetCDF): rd analyze {name} says what is in it")
    by_content = next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)
    if by_content:
        return by_content
    if by_name in ("arrow", "numpy"):
        raise InputError(f"{name_of(path)}: truncated or damaged, not a {path.suffix} file")
    if by_name is None and head.lstrip()[:1] in (b"{", b"["):
        return "json"
    return by_name or "text"


def _stem(path: Path) -> str:
    name = path.name
    for suffix in (".gz", *KINDS):
        name = name.removesuffix(suffix)
    return name


def _folder(folder: Path, pattern: Pattern | None, notes: list[str]) -> list[Source]:
    parts = _dataset_parts(folder)
    if parts:
        return parts
    found, left_out = [], []
    for path in _walk(folder, deep=pattern is not None and "/" in pattern.text):
        name = path.relative_to(folder).as_posix()
        where = pattern.match(name) if pattern else None
        known = any(name.lower().removesuffix(".gz").endswith(suffix) for suffix in KINDS)
        if (pattern and where is None) or not (pattern or known):
            left_out.append(name)
            continue
        found.append(Source(path, kind_of(path), _stem(path), where or {}, from_folder=True))
    few = one_of(map(shown, left_out[:5])) + (", ..." if len(left_out) > 5 else "")
    if not found:
        why = f"no name matches {pattern.text}" if pattern else "no file of a known kind"
        raise InputError(f"{name_of(folder)}: {why}; there {'are ' + few if left_out else 'is nothing'}")
    if left_out:
        notes.append(f"{name_of(folder)}: {len(left_out)} files left out, {_why(pattern)}: {few}")
    return found


def _why(pattern: Pattern | None) -> str:
    return f"their names do not match {pattern.text}" if pattern else "of no known kind"


def _walk(folder: Path, *, deep: bool) -> list[Path]:
    found = []
    try:
        for path in folder.rglob("*") if deep else folder.iterdir():
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
                found.append(path)
            if len(found) > MOST_FILES:
                raise InputError(f"{name_of(folder)}: more than {MOST_FILES} files")
    except OSError as error:
        raise InputError(f"{name_of(folder)}: cannot be read ({error.strerror})") from None
    return sorted(found, key=lambda path: _natural(path.relative_to(folder).as_posix()))


def _natural(name: str) -> list[Any]:
    """Sort 2 before 10."""
    parts = re.split(r"([0-9]+)", name)
    return [(int(part[:18]), part) if i % 2 else (-1, part) for i, part in enumerate(parts)]


def _dataset_parts(folder: Path) -> list[Source]:
    """Return the parts of a dataset that `datasets` saved to a folder, none if it is no such folder.

    Raises
    ------
    InputError
        The folder holds several splits.
    """
    if (folder / "dataset_dict.json").is_file():
        splits = sorted(path.name for path in folder.iterdir() if (path / "dataset_info.json").is_file())
        raise InputError(
            f"{name_of(folder)}: a dataset of splits {one_of(splits)}; the folder of one of them is accepted"
        )
    if not (folder / "dataset_info.json").is_file():
        return []
    names = sorted(path.name for path in folder.glob("*.arrow"))
    try:  # the order of the parts is in state.json
        state = json.loads((folder / "state.json").read_bytes())
        names = [str(part["filename"]) for part in state["_data_files"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    if not names or any(Path(name).name != name or not (folder / name).is_file() for name in names):
        raise InputError(f"{name_of(folder)}: a saved dataset without its .arrow files")
    return [Source(folder / name, "arrow", folder.name, from_folder=True, is_part=True) for name in names]
