"""Read files of any accepted kind."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rdstats.errors import InputError
from rdstats.readers.files import Source, find_sources
from rdstats.readers.imported import Imported, finish
from rdstats.readers.loader import Loader
from rdstats.readers.options import make_options
from rdstats.readers.values import name_of

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


def import_files(paths: Paths, mapping: Mapping[str, Any] | None = None, **options: Any) -> Imported:
    """Read confusion matrices or predictions that any program wrote, ready to be a cube.

    Understood are tables (CSV, Parquet, Arrow, JSON; one row a count or one row an example), stacks of matrices
    (``.npz``, ``.npy``), one matrix a file (text, JSON), folders of these, datasets saved by `datasets`, and logs of
    the LM Evaluation Harness.

    Parameters
    ----------
    paths : a file or folder, or several.
    mapping, options : what columns, names and axes mean, see `rdstats.readers.options.Options`; an option wins over the
        mapping.

    Returns
    -------
    `Imported`: ``cube()`` is the cube in memory, ``save(path)`` writes it, ``preview()`` says what was understood.
    Classes are in the order given, else sorted (as numbers where all are whole numbers).  With predictions of both
    networks, the cube has ``both_correct``, and the predictions themselves up to 100 million.

    Raises
    ------
    InputError
        Anything that is not understood or contradicts itself, in one line: file, row, column, what is accepted.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "predictions.csv"
    >>> _ = path.write_text("label,dense,pruned\\ncat,cat,cat\\ncat,cat,dog\\ndog,dog,dog\\n")
    >>> found = import_files(path)
    >>> found.cube()["confusion"].sel({"method": "pruned"}).values.astype(int).tolist()
    [[1, 1], [0, 1]]
    """
    told = {name: value for name, value in options.items() if value is not None}
    known = make_options({**(mapping or {}), **told}, "mapping")
    several = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if not several:
        raise InputError("no file; files and folders of matrices or predictions are accepted")
    sources, notes = find_sources([Path(path) for path in several], known)
    loader = Loader(known, len(sources))
    for source in sources:
        loader.read(source)
    found = loader.found(notes)
    return finish(found, known, {"provenance": json.dumps({"imported": [_file(one) for one in sources]})})


def _file(source: Source) -> dict[str, Any]:
    with open(source.path, "rb") as handle:
        return {
            "name": name_of(source.path.name), "bytes": source.path.stat().st_size,
            "sha256": hashlib.file_digest(handle, "sha256").hexdigest(),
        }  # fmt: skip
