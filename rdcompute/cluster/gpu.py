"""Which GPU a worker takes that sees several: one that no other worker of this machine has, as long as there is one."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Sequence
from functools import cache
from itertools import count
from pathlib import Path
from typing import IO

from rdcompute.lock import taken


@cache
def own_gpu() -> str:
    """Return the name of the GPU that this process takes and keeps, for one command after the other: ``cuda:0``.

    Where a worker sees one GPU, because its batch system or dask-cuda gave it one, there is nothing to choose.
    """
    import torch

    n = torch.cuda.device_count()
    names = [str(getattr(torch.cuda.get_device_properties(i), "uuid", i)) for i in range(n)]
    return f"cuda:{_first_free(names, _folder())}" if n > 1 else "cuda:0"


_kept: list[IO[bytes]] = []
"""Locks live as long as this process."""


def _first_free(names: Sequence[str], folder: Path) -> int:
    """Return the position of the name that the fewest processes of this machine have taken, and take it."""
    with contextlib.suppress(OSError):  # no folder for that: all take the first
        folder.mkdir(mode=0o700, exist_ok=True)
        for share in count():
            for i, name in enumerate(names):
                file = open(folder / f"{name}-{share}", "ab")  # noqa: SIM115 - the lock lasts as long as the file
                if taken(file):
                    _kept.append(file)
                    return i
                file.close()
    return 0


def _folder() -> Path:
    return Path(tempfile.gettempdir()) / f"rd-gpus-{getattr(os, 'getuid', os.getpid)()}"
