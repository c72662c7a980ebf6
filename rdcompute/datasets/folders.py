"""Where data files are looked for."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

SYSTEM_FOLDERS = (Path("/usr/share/datasets"),)
"""Where Debian's packages ``dataset-*`` put their files."""


def default_data_dir() -> Path:
    """Return the data folder of a user who names none: RD_DATA_DIR if set, else the platform's own."""
    chosen = os.environ.get("RD_DATA_DIR", "")
    return Path(os.path.expanduser(chosen)) if chosen else platformdirs.user_data_path("rd")


def search_folders(data_dir: Path | None) -> tuple[Path, ...]:
    """Return the folders to search: `data_dir` alone if given, else the default and the system's."""
    return (data_dir,) if data_dir is not None else (default_data_dir(), *SYSTEM_FOLDERS)
