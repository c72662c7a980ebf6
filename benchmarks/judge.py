"""Two runs side by side: is a difference more than the spread of both?

Of every value and ratio, the ranges (smallest to largest repeat) of both runs are compared.  Where they do not
overlap, the difference is told as such.  Were all repeats draws from one distribution, two ranges of 5 repeats would
be disjoint in 2 of C(10, 5) = 252 cases, of 3 repeats in 2 of 20.  What was measured once is not judged.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.results import Results
from benchmarks.row import Row, Sample
from benchmarks.table import number

WHAT, NUMBER = 62, 12
HEADING = f"{'what':{WHAT}} {'old':>{NUMBER}} {'new':>{NUMBER}} {'new/old':>8}  judged"


@dataclass(frozen=True)
class Difference:
    """What became of a value or a ratio; `better` is 1 if more of it is better, -1 if less is, 0 if neither."""

    benchmark: str
    what: str
    old: Sample
    new: Sample
    better: int

    @property
    def factor(self) -> float:
        return self.new.median / self.old.median if self.old.median else math.nan

    @property
    def judged(self) -> str:
        """``more`` or ``less`` if the ranges do not overlap, ``within the spread``, or ``measured once``."""
        if min(self.old.repeats, self.new.repeats) < 2:
            return "measured once" if min(self.old.repeats, self.new.repeats) else "not measured"
        if self.new.low > self.old.high:
            return "more"
        return "less" if self.new.high < self.old.low else "within the spread"

    def is_worse(self, factor: float) -> bool:
        """Return whether it is worse by more than `factor`, and by more than the spread."""
        lost = {1: 1 / self.factor if self.factor else math.inf, -1: self.factor}.get(self.better, 0.0)
        return self.judged in ("more", "less") and lost > factor

    def line(self) -> str:
        """Return it as a line of the table."""
        verdict = {1: " (better)", -1: " (worse)"}.get(self.better * {"more": 1, "less": -1}.get(self.judged, 0), "")
        old, new, factor = (number(x) for x in (self.old.median, self.new.median, self.factor))
        what = self.what if len(self.what) <= WHAT else self.what[: WHAT - 3] + "..."
        return f"{what:{WHAT}} {old:>{NUMBER}} {new:>{NUMBER}} {factor:>8}  {self.judged}{verdict}"


def differences(old: Results, new: Results, names: list[str]) -> tuple[list[Difference], list[str], list[str]]:
    """Return what is in both runs, and the rows that are only in the old or the new one; all without `names`."""
    before, after = (
        {(part.name, row.what, row.unit): row for part in run.parts for row in part.rows if part.name in names}
        for run in (old, new)
    )
    both = [one for key in after if key in before for one in _of_row(key[0], before[key], after[key])]
    only = [[f"{name}: {what} ({unit})" for name, what, unit in a if (name, what, unit) not in b]
            for a, b in ((before, after), (after, before))]  # fmt: skip
    return both, only[0], only[1]


def _of_row(name: str, old: Row, new: Row) -> Iterator[Difference]:
    yield Difference(name, f"{new.what} [{new.unit}]", old.value, new.value, new.better)
    if old.ratio and new.ratio and old.compared == new.compared:
        yield Difference(name, f"  {new.compared}", old.ratio, new.ratio, new.better_ratio)


def table(old: Results, new: Results, names: list[str]) -> Iterator[str]:
    """Yield the lines that tell two runs apart: machines, rows, rows of only one run."""
    for fact in dict.fromkeys((*old.machine, *new.machine)):
        was, is_now = (str(run.machine.get(fact, "")) for run in (old, new))
        if was != is_now:
            yield f"{fact}: {was} | {is_now}"
    loads = {id(run): {part.name: part for part in run.parts} for run in (old, new)}
    both, removed, added = differences(old, new, names)
    yield HEADING
    told = ""
    for one in both:
        if one.benchmark != told:
            told = one.benchmark
            yield f"{told}: {' | '.join(loads[id(run)][told].load for run in (old, new))}"
        yield one.line()
    for label, rows in (("only in the old run", removed), ("only in the new run", added)):
        if rows:
            yield f"{label}:"
            yield from (f"  {row}" for row in rows)
    yield "judged: more or less where the ranges (min-max) of both runs' repeats do not overlap"
