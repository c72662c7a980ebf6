"""Memory that processes which compute keep and reuse, where the C library can be told so.

A training step asks for the same few hundred blocks again and again.  By default the GNU C library gives large ones
back to the system, which clears every page anew when it is asked for again; and pages of 4 KiB are many.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h
_LARGEST = 32 * 2**20  # that the library takes as its mmap threshold
HUGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.arena_max=1"}
"""Environment with which the C library's memory lies in huge pages, where the system leaves that to programs, and in
one arena; PyTorch's own switch (THP_MEM_ALLOC_ENABLE) takes a third more memory for no more speed."""


def keep_memory() -> None:
    """Let this process keep what it frees for its next use; elsewhere than with the GNU C library, do nothing."""
    with contextlib.suppress(OSError, AttributeError):
        set_option = ctypes.CDLL("libc.so.6").mallopt
        set_option(_TRIM_THRESHOLD, 2**31 - 1)
        set_option(_MMAP_THRESHOLD, _LARGEST)


@contextlib.contextmanager
def huge_pages() -> Iterator[None]:
    """Let processes that are started in the block use huge pages, unless their environment says what it wants."""
    added = {name: value for name, value in HUGE_PAGES.items() if name not in os.environ and sys.platform == "linux"}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
