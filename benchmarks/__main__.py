"""Run the benchmarks named on the command line, or all, and print one table."""

from __future__ import annotations

import importlib
import platform
import sys

NAMES = (
    "training", "workers", "commands", "cubes", "analysis", "report", "importing", "compare", "rundirs", "engine",
    "scoring",
)  # fmt: skip


def main(names: list[str]) -> None:
    """Print a table: what, how long, compared with what."""
    print(f"Python {platform.python_version()}, {platform.machine()}, medians of 5 unless said")
    for name in names or NAMES:
        for what, value, ratio in importlib.import_module(f"benchmarks.{name}").rows():
            print(f"{what:42} {value:36} {ratio}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
