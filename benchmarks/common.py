"""What the benchmarks share: clocks, interleaved repeats, processes of their own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks.row import Sample


class Clock(NamedTuple):
    """Seconds of one call: on the wall, and of the processor in this process."""

    wall: float
    processor: float


def clock(function: Callable[[], object]) -> Clock:
    """Return the seconds of one call."""
    wall, processor = time.perf_counter(), time.process_time()
    function()
    return Clock(time.perf_counter() - wall, time.process_time() - processor)


def seconds(function: Callable[[], object]) -> float:
    """Return the wall-clock seconds of one call."""
    return clock(function).wall


def repeated(function: Callable[[], object], repeats: int) -> Sample:
    """Return the wall-clock seconds of some calls."""
    return Sample.of(seconds(function) for _ in range(repeats))


def interleaved(functions: Sequence[Callable[[], object]], repeats: int = 5) -> list[list[Clock]]:
    """Time functions in turn, every other round backwards, so that what drifts meets all; return each one's clocks."""
    clocks: list[list[Clock]] = [[] for _ in functions]
    for i in range(repeats):
        order = list(range(len(functions)))[:: -1 if i % 2 else 1]
        for k in order:
            clocks[k].append(clock(functions[k]))
    return clocks


def ratios(above: Sequence[float], below: Sequence[float]) -> Sample:
    """Return the ratios of what was measured in the same rounds."""
    return Sample.of(a / b for a, b in zip(above, below, strict=True))


def process(*arguments: str) -> tuple[float, float]:
    """Run a Python process; return its seconds and its peak resident memory in GiB.

    Raises
    ------
    RuntimeError
        It failed; the message has the last line that it wrote to stderr.
    """
    code = (
        "import resource, subprocess, sys, time; t = time.perf_counter();"
        "done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE);"
        "print(time.perf_counter() - t, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, done.returncode);"
        "print(done.stderr.decode(errors='replace').strip().rpartition('\\n')[2], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, sys.executable, *arguments], capture_output=True, text=True, check=True
    )
    elapsed, peak, status = done.stdout.split()
    if status != "0":
        raise RuntimeError(f"{' '.join(arguments)} ended with status {status}: {done.stderr.strip()}")
    return float(elapsed), float(peak) / 2**20


def processes(*arguments: str, repeats: int) -> tuple[Sample, Sample]:
    """Return the seconds and the peak memory in GiB of a Python process that is run some times."""
    runs = [process(*arguments) for _ in range(repeats)]
    elapsed, peak = (Sample.of(values) for values in zip(*runs, strict=True))
    return elapsed, peak
