"""Getting datasets with torchvision, which compares the checksums of what it downloads."""

from __future__ import annotations

import contextlib
import socket
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

from rdstats.errors import InputError

PATIENCE = 60.0
"""Seconds without an answer after which a download is given up."""


def fetch(torchvision_name: str, folder: Path) -> None:
    """Download a dataset of torchvision into a data folder, in the layout that is read there.

    What is there already and whole is not downloaded again; a download that was broken off is begun anew.

    Raises
    ------
    InputError
        No torchvision, no network, a folder that cannot be written, files with other checksums.
    """
    try:
        from torchvision import datasets
    except ImportError as error:
        raise InputError("downloading needs torchvision: pip install 'recall-distortion[compute]'") from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _patient(), contextlib.redirect_stdout(sys.stderr):  # torchvision prints what failed
            getattr(datasets, torchvision_name)(folder, download=True)
    except (OSError, RuntimeError, EOFError, tarfile.TarError) as error:
        raise InputError(f"not downloaded into {folder}: {_why(error)}") from error


@contextlib.contextmanager
def _patient() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _why(error: BaseException) -> str:
    """Return the reason in one line: the last of torchvision's, which lists every server that it has tried."""
    if isinstance(error, PermissionError | NotADirectoryError | FileExistsError):
        return f"{error.strerror} ({error.filename})"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:200]
