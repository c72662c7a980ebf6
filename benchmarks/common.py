"""What the benchmarks share."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

Row = tuple[str, str, str]


def seconds(function: Callable[[], object]) -> float:
    """Return the wall-clock seconds of one call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def interleaved(
    first: Callable[[], object], second: Callable[[], object], repeats: int = 5
) -> tuple[float, float, float]:
    """Time two functions alternately; return their median seconds and the median of the pairwise ratios."""
    pairs = [(seconds(first), seconds(second)) for _ in range(repeats)]
    return (
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
        statistics.median(a / b for a, b in pairs),
    )


def aim(text: str, met: bool) -> str:
    """Return what was aimed at, and whether this run met it."""
    return f"aim: {text}, {'met' if met else 'MISSED'}"


def process(*arguments: str) -> tuple[float, float]:
    """Run a Python process; return its seconds and its peak resident memory in GiB."""
    code = (
        "import resource, subprocess, sys, time; t = time.perf_counter();"
        "rc = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode;"
        "print(time.perf_counter() - t, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, rc)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, sys.executable, *arguments], capture_output=True, text=True, check=True
    )
    elapsed, peak, status = done.stdout.split()
    if status != "0":
        raise RuntimeError(f"{arguments} ended with status {status}")
    return float(elapsed), float(peak) / 2**20
