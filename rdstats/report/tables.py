"""Analysis results as tables for people: this is where numbers are rounded and formatted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from rdstats.analysis import Analysis
from rdstats.degeneracy import RULES
from rdstats.records import Record, control_records, mean_accuracies, slope_records, test_records

NONE = "–"
_NUMERIC = re.compile(r"(<?-?[0-9.]+( to -?[0-9.]+)?|–)\Z")


@dataclass(frozen=True)
class Table:
    """A table of text: one heading a column, equally long rows, a title and a caption that says what it is."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str

    def is_numeric(self, column: int) -> bool:
        """Whether a column holds numbers, p-values or intervals only: it is aligned to the right."""
        return all(_NUMERIC.match(row[column]) for row in self.rows)


def number(value: Any, digits: int = 3) -> str:
    """Return a number with `digits` decimals; an en dash where there is none."""
    return NONE if value is None else f"{value:.{digits}f}"


def p_value(value: Any) -> str:
    """Return a p-value as the paper prints it: ``<0.001`` or three decimals."""
    if value is None:
        return NONE
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def interval(lower: Any, upper: Any) -> str:
    """Return ``lower to upper``."""
    return NONE if lower is None or upper is None else f"{lower:.3f} to {upper:.3f}"


def label(value: Any) -> str:
    """Return a coordinate as text: 2 for 2.0, ``2 vs 4`` for a pair."""
    if isinstance(value, list):
        return " vs ".join(map(label, value))
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def summary_table(analysis: Analysis) -> Table:
    """Return accuracy and slope of every planned cell, with the spread, cosine and expected slope beside."""
    records = slope_records(analysis)
    accuracy = mean_accuracies(analysis)
    dims, fixed = _varying(records, analysis)
    columns = (*dims, "accuracy", "slope", "interval", "vs 1", "spread", "cosine", "expected")
    rows = tuple(
        (
            *(label(r[d]) for d in dims), number(a), number(r["mean"]), interval(r["lower"], r["upper"]),
            _verdict(r), number(r["spread"], 2), number(r["cosine"], 2), number(r["expected"]),
        )
        for r, a in zip(records, accuracy, strict=True)
    )  # fmt: skip
    attrs = analysis.summary.attrs
    dropped = "left out" if attrs["exclude_degenerate"] else "included"
    caption = (
        f"Mean intensification slope of {attrs['measure']} over {_n_text(records)}{fixed}, with t intervals "
        f"simultaneous at {100 * attrs['level']:g}% within a column (the control's on its own), "
        f"{attrs['conditional_on']}. 'vs 1' is the paper's verdict: < or > where the interval lies below or above 1, "
        f"? where it does not or fewer than 5 networks. 'expected' is the slope if every class moved by one common "
        f"log-odds shift to the same accuracy. slope = spread x cosine for each network. "
        f"Degenerate networks ({RULES}) are {dropped}."
    )
    return Table("Slopes", columns, rows, caption)


def control_table(analysis: Analysis) -> Table | None:
    """Return what pruning changed beyond the control's fine-tuning, and the claim; None without a control."""
    records = control_records(analysis)
    if analysis.control is None or not records:
        return None
    dims, fixed = _varying(records, analysis)
    columns = (*dims, "delta", "interval", "log spread", "interval", "claim")
    rows = tuple(
        (
            *(label(r[d]) for d in dims), number(r["mean"]), interval(r["lower"], r["upper"]),
            number(r["log_spread"]), interval(r["log_spread_lower"], r["log_spread_upper"]),
            r["claim"] or NONE,
        )
        for r in records
    )  # fmt: skip
    attrs = analysis.control.attrs
    controls = ", ".join(dict.fromkeys(str(r["control"]) for r in records))
    caption = (
        f"delta: slope minus the slope of the control ({controls}: the same fine-tuning, nothing pruned); log "
        f"spread: the same for the log of the spread ratio; paired by the dense network{fixed}; two-sided t "
        f"intervals simultaneous at {100 * attrs['level']:g}% over a column's ratios (k = {_k_text(records)}), over "
        f"training runs, conditional on this test set. 'intensified' needs both intervals above 0, 'de-intensified' "
        f"both below; 'practically none': |delta| < {attrs['margin']:g} shown by two one-sided tests."
    )
    return Table("Against the control", columns, rows, caption)


def family_table(analysis: Analysis) -> Table:
    """Return the tests of the family: estimate, statistic, raw and corrected p."""
    records = test_records(analysis)
    family = analysis.family
    dims, fixed = _varying(records, analysis)
    columns = (*dims, "difference", "interval", "t", "df", "p", "p corrected")
    rows = tuple(
        (
            *(label(r[d]) for d in dims), number(r["estimate"]), interval(r["lower"], r["upper"]),
            number(r["statistic"], 2), number(r["df"], 0), p_value(r["p"]), p_value(r["p_corrected"]),
        )
        for r in records
    )  # fmt: skip
    info = family.describe()
    sides = {"less": "one-sided (first < second)", "greater": "one-sided (first > second)"}
    excluded = "left out" if analysis.tests.attrs["exclude_degenerate"] else "included"
    m = ", ".join(dict.fromkeys(str(v) for v in info["m"].values())) or "0"
    caption = (
        f"Family '{family.name}': {info['test']}, {sides.get(family.alternative, 'two-sided')}, of the mean slope of "
        f"{analysis.slopes.attrs['measure']}{fixed}; correction: {family.correction} within a column of m = {m} "
        f"declared comparisons; {_n_text(records)}; two-sided intervals simultaneous at "
        f"{100 * family.level:g}%; degenerate networks {excluded}; over training runs, conditional on this test set."
    )
    return Table(f"Tests: family {family.name}", columns, rows, caption)


def tables(analysis: Analysis) -> list[Table]:
    """Return all tables of an analysis in reading order."""
    control = control_table(analysis)
    return [summary_table(analysis), *([control] if control else []), family_table(analysis)]


def _verdict(record: Record) -> str:
    """A collapsed cell needs no other reason."""
    if record["verdict"].startswith("collapsed") or not record["reason"]:
        return str(record["verdict"])
    return f"{record['verdict']} ({record['reason']})"


def _varying(records: list[Record], analysis: Analysis) -> tuple[tuple[str, ...], str]:
    """Split dimensions into those that vary (columns of the table) and those that do not (caption)."""
    dims = [str(dim) for dim in analysis.summary["mean"].dims]
    varying = [dim for dim in dims if len({str(record[dim]) for record in records}) > 1]
    fixed = [f"{dim} {label(records[0][dim])}" for dim in dims if dim not in varying] if records else []
    return tuple(varying), f" ({', '.join(fixed)})" if fixed else ""


def _n_text(records: list[Record]) -> str:
    ns = sorted({int(record["n"]) for record in records if record["n"]})
    return f"n = {ns[0]}" + (f" to {ns[-1]}" if len(ns) > 1 else "") + " networks" if ns else "no network"


def _k_text(records: list[Record]) -> str:
    return ", ".join(dict.fromkeys(str(record["k"]) for record in records))
