"""Run the benchmarks named on the command line, or all; print their table and write it as JSON.

    python -m benchmarks                            # all
    python -m benchmarks any_model                  # importing and comparing what other programs wrote
    python -m benchmarks compare report             # these two
    python -m benchmarks training --json mine.json  # the file is mine.json
    python -m benchmarks --compare old.json new.json

A benchmark is a module of this folder with a function ``rows() -> list[Row]`` and its name in `NAMES`.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import judge, machine, table
from benchmarks.results import Part, Results, default_path
from benchmarks.row import Row
from rdstats.errors import InputError, nearest, one_of

NAMES = (
    "training",
    "efficiency",
    "workers",
    "dask_workers",
    "commands",
    "cubes",
    "analysis",
    "report",
    "importing",
    "compare",
    "rundirs",
    "engine",
    "channels",
    "scoring",
    "projection",
)
GROUPS = {"any_model": ("importing", "compare")}


def modules(names: Sequence[str]) -> list[str]:
    """Return the benchmarks that names of benchmarks and groups mean, each once; all without names.

    Raises
    ------
    InputError
        An unknown name.
    """
    known = (*NAMES, *GROUPS)
    for name in names:
        if name not in known:
            raise InputError(f"no benchmark {name!r}{nearest(name, known)}; there are {one_of(known)}")
    return list(dict.fromkeys(one for name in names or NAMES for one in GROUPS.get(name, (name,))))


def run(names: Sequence[str], path: Path | None) -> int:
    """Print the table while it is measured, write it after every benchmark; return 1 if one of them failed."""
    results = Results(machine.facts())
    path = path or default_path(results.machine)
    results.write(path)  # a file that cannot be written is known at once
    print(machine.described(results.machine))
    print(table.HEADING)
    for name in names:
        results.parts.append(_run_one(name))
        results.write(path)
    missed = [row.what for part in results.parts for row in part.rows if row.met is False]
    if missed:
        print(f"aims missed: {'; '.join(missed)}")
    print(f"written: {path}")
    return int(any(part.error for part in results.parts))


def _run_one(name: str) -> Part:
    """Run one benchmark; what it raises becomes its error, so that the others run."""
    print(f"-- {name}", flush=True)
    before, begun = machine.load(), time.perf_counter()
    rows: list[Row] = []
    error = ""
    try:
        rows = importlib.import_module(f"benchmarks.{name}").rows()
    except Exception as raised:  # whatever it is, the other benchmarks are not concerned
        error = f"{type(raised).__name__}: {' '.join(str(raised).split())}"
    for row in rows:
        print(table.lines(row))
    part = Part(name, tuple(rows), round(time.perf_counter() - begun, 1), before, machine.load(), error)
    print(f"   {f'FAILED: {error}; ' if error else ''}{part.seconds:.0f} s, {part.load}", flush=True)
    return part


def compare(old: Path, new: Path, names: Sequence[str], fail_above: float | None) -> int:
    """Print what two runs have of some benchmarks, or all that they have.

    Returns 1 if something became worse by more than a factor `fail_above`.
    """
    before, after = Results.read(old), Results.read(new)
    there = list(dict.fromkeys(part.name for run in (before, after) for part in run.parts))
    chosen = [name for name in there if not names or name in names]
    print("\n".join(judge.table(before, after, chosen)))
    if fail_above is None:
        return 0
    worse = [one for one in judge.differences(before, after, chosen)[0] if one.is_worse(fail_above)]
    for one in worse:
        print(f"worse by more than a factor {fail_above:g}: {one.benchmark}, {one.what.strip()}")
    return int(bool(worse))


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says; return the exit status: 1 failed, 2 wrong input."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Speed, as ratios within one run.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"{one_of(NAMES)}; or {one_of(GROUPS)}; default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the run is written; default: a folder of "
                        "the user's data, by date and commit (its name is printed)")  # fmt: skip
    parser.add_argument("--compare", nargs=2, type=Path, metavar=("OLD", "NEW"), help="compare two such files instead")
    parser.add_argument("--fail-above", type=float, metavar="FACTOR", help="with --compare: exit with 1 if something "
                        "became worse by more than this factor, and more than the spread of both runs")  # fmt: skip
    chosen = parser.parse_args(arguments)
    try:
        names = modules(chosen.names)
        if chosen.compare:
            if chosen.json is not None:
                raise InputError("--json is where a run is written; --compare runs nothing")
            if chosen.fail_above is not None and not chosen.fail_above >= 1:
                raise InputError(f"--fail-above {chosen.fail_above:g}: a factor from 1 is accepted")
            return compare(*chosen.compare, names if chosen.names else (), chosen.fail_above)
        if chosen.fail_above is not None:
            raise InputError("--fail-above belongs to --compare OLD NEW")
        return run(names, chosen.json)
    except InputError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
