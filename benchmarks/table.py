"""How rows are printed."""

from __future__ import annotations

import math
import textwrap

from benchmarks.row import Row, Sample

WIDTH = 120
WHAT, VALUE, SPREAD = 43, 15, 17
HEADING = f"{'what':{WHAT}} {'median':{VALUE}} {'min-max (repeats)':{SPREAD}} compared; aim; note"


def lines(row: Row) -> str:
    """Return a row as one line; what its last column has no room for follows below, from the second column on."""
    value = "not measured" if math.isnan(row.value.median) else f"{number(row.value.median)} {row.unit}"
    columns = f"{row.what:{WHAT}} {value:{VALUE}} {spread(row.value):{SPREAD}}"
    told = _told(row)
    room, beside = WIDTH - len(columns) - 1, 0
    while beside < len(told) and len("; ".join(told[: beside + 1])) <= room:
        beside += 1
    below = textwrap.wrap("; ".join(told[beside:]), WIDTH - WHAT - 1)
    first = f"{columns} {'; '.join(told[:beside])}".rstrip()
    return "\n".join([first, *(f"{'':{WHAT}} {line}" for line in below)])


def _told(row: Row) -> list[str]:
    """Return what the last column says: the ratio, the aim, the note."""
    told = []
    if row.ratio:
        among = f" ({spread(row.ratio, counted=False)})" if row.ratio.repeats > 1 else ""
        told.append(f"{number(row.ratio.median)} {row.compared}{among}")
    if row.aim:
        told.append(f"aim: {row.aim.bound} {row.aim.number:g}, {'met' if row.met else 'MISSED'}")
    return [*told, row.note] if row.note else told


def spread(sample: Sample, counted: bool = True) -> str:
    """Return the smallest and the largest of the repeats and, if `counted`, how many there were."""
    if sample.repeats < 2:
        return ""
    return f"{number(sample.low)}-{number(sample.high)}" + (f" ({sample.repeats})" if counted else "")


def number(value: float) -> str:
    """Return a number whole from 100 on, with three decimals around 1, with two digits below 0.1."""
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    if size < 0.1:
        return f"{value:.2g}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}" if size >= 2 else f"{value:.3f}"
