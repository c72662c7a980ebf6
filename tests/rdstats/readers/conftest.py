"""Files for the readers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rdstats.errors import InputError
from rdstats.readers import import_files

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a text file into a folder with a name that is none of the easy ones."""
    folder = tmp_path / "my résults 1"
    folder.mkdir()

    def to(name: str, text: str) -> Path:
        path = folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text, encoding="utf-8", newline="")
        return path

    return to


@pytest.fixture
def refused() -> Callable[..., str]:
    """Return the line that says why files are refused, without their folder."""

    def why(*paths: Path, **options: Any) -> str:
        with pytest.raises(InputError) as caught:
            import_files(paths, **options)
        line = str(caught.value)
        assert "\n" not in line
        return line.replace(f"{paths[0].parent}/", "")

    return why


def counts_of(cube: Any, **where: Any) -> list[list[int]]:
    """Return the matrix of one cell after compression."""
    cell = cube["confusion"].sel(where)
    return np.asarray(cell.values).astype(int).tolist()
