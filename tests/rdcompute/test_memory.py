"""Memory of processes that compute."""

import os
import subprocess
import sys

import pytest

from rdcompute.memory import HUGE_PAGES, huge_pages, keep_memory

FAULTS = """
import ctypes, resource, sys
from rdcompute.memory import keep_memory
if sys.argv[1] == "keep":
    keep_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes, libc.memset.argtypes = [ctypes.c_void_p], [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
def use(n):
    for _ in range(n):
        blocks = [libc.malloc(2**23) for _ in range(3)]
        for block in blocks:
            libc.memset(block, 1, 2**23)
        for block in blocks:
            libc.free(block)
use(5)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
use(30)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the GNU C library is asked")
def test_what_is_freed_is_used_again_without_new_pages():
    faults = {
        how: int(subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True).stdout)
        for how in ("plain", "keep")
    }
    assert faults["plain"] > 10 * faults["keep"]


def test_elsewhere_nothing_happens(monkeypatch):
    def missing(name):
        raise OSError(name)

    monkeypatch.setattr("ctypes.CDLL", missing)
    keep_memory()


@pytest.mark.parametrize("own", [None, "mine"])
def test_the_environment_is_as_it_was_and_its_own_word_counts(monkeypatch, own):
    (name,) = HUGE_PAGES
    monkeypatch.delenv(name, raising=False)
    if own:
        monkeypatch.setenv(name, own)
    monkeypatch.setattr(sys, "platform", "linux")
    with huge_pages():
        assert os.environ[name] == (own or HUGE_PAGES[name])
    assert os.environ.get(name) == own
