"""Run the benchmarks named on the command line, or all, and print one table.

    python -m benchmarks                 # all
    python -m benchmarks any_model       # importing and comparing what other programs wrote
    python -m benchmarks compare report  # these two
"""

from __future__ import annotations

import importlib
import os
import platform
import sys

NAMES = ("training", "workers", "commands", "cubes", "analysis", "report", "importing", "compare", "rundirs", "engine",
         "channels", "scoring")  # fmt: skip
GROUPS = {"any_model": ("importing", "compare")}


def modules(names: list[str]) -> list[str]:
    """Return the benchmarks that names of benchmarks and groups mean, each once; all without names."""
    unknown = [name for name in names if name not in (*NAMES, *GROUPS)]
    if unknown:
        raise SystemExit(f"benchmarks: no {', '.join(unknown)}; there are {', '.join((*NAMES, *GROUPS))}")
    return list(dict.fromkeys(one for name in names or NAMES for one in GROUPS.get(name, (name,))))


def main(names: list[str]) -> None:
    """Print a table: what, how long, compared with what."""
    chosen = modules(names)
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, medians of 5 unless said")
    for name in chosen:
        for what, value, ratio in importlib.import_module(f"benchmarks.{name}").rows():
            print(f"{what:42} {value:36} {ratio}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
