"""Slopes of every cell, and what compression changed beyond the control."""

from __future__ import annotations

from rdstats._words import words
from rdstats.analysis import Analysis
from rdstats.array.intervals import MIN_VERDICT
from rdstats.degeneracy import RULES
from rdstats.records import Record, control_records, slope_records
from rdstats.tables.table import (
    NONE,
    Column,
    Table,
    between,
    build,
    cell_dims,
    conditional,
    dropped,
    fixed_text,
    interval,
    k_text,
    n_text,
    num,
    number,
    percent,
    single,
)


def summary_tables(analysis: Analysis) -> list[Table]:
    """Return accuracy and slope of every planned cell, with spread, cosine and expected slope beside."""
    records, dims = slope_records(analysis), cell_dims(analysis)
    inference = [] if single(analysis) else [between("interval"), Column("vs 1", verdict_text)]
    unequal = len({record["n"] for record in records}) > 1
    columns = [
        num("accuracy", "accuracy"), num("slope", "mean"), *([num("n", "n", 0)] if unequal else []), *inference,
        num("spread", "spread", 2), num("cosine", "cosine", 2), num("expected", "expected"),
    ]  # fmt: skip
    attrs = analysis.summary.attrs
    over_runs = (
        f"Mean intensification slope of {attrs['measure']} over {n_text(records)}{fixed_text(records, dims)}, with t "
        f"intervals simultaneous at {percent(attrs['level'])} within a column (the control's on its own), "
        f"{conditional(analysis)}. 'vs 1' is the paper's verdict: < or > where the interval lies below or above 1, "
        f"? where it does not or fewer than 5 networks. "
    )
    alone = (
        f"Intensification slope of {attrs['measure']} of single networks{fixed_text(records, dims)}: one training run, "
        "so nothing is inferred about others. "
    )
    caption = (
        f"{alone if single(analysis) else over_runs}'expected' is the slope if every class moved by one common "
        f"log-odds shift to the same accuracy. slope = spread x cosine for each network. "
        f"Degenerate networks ({RULES}) are {dropped(analysis)}."
    )
    return [*build("Slopes", records, dims, columns, caption), *_slopes_without(analysis, records, dims)]


def _slopes_without(analysis: Analysis, records: list[Record], dims: list[str]) -> list[Table]:
    """Return the cells that degenerate networks change, without them."""
    changed = [record for record in records if record["n_degenerate"]] if analysis.without else []
    if not changed:
        return []
    columns = [
        num("slope", "mean"), num("n", "n", 0), num("slope without", "mean_without"), num("n without", "n_without", 0),
        Column(
            "interval without", lambda r: interval(r["lower_without"], r["upper_without"]), lambda r: r["lower_without"]
        ),
        Column("vs 1", lambda r: str(r["verdict_without"] or NONE)),
    ]  # fmt: skip
    caption = f"The cells with degenerate networks, with and without them{fixed_text(changed, dims)}."
    return build("Slopes without degenerate networks", changed, dims, columns, caption)


def control_tables(analysis: Analysis) -> list[Table]:
    """Return what compression changed beyond the control's training, and the claim; none without a control."""
    records, dims = control_records(analysis), cell_dims(analysis)
    if analysis.control is None or not records:
        return []
    corrected = any(record["corrected_estimator"] for record in records)
    unequal = len({record["n"] for record in records}) > 1
    columns = [
        num("delta", "mean"), *([num("n", "n", 0)] if unequal else []), between("interval"),
        Column("claim", _claim_text),
        *([Column("corrected", _corrected_text, lambda record: record["corrected"])] if corrected else []),
        num("log spread", "log_spread"), between("interval of log spread", "log_spread_"),
    ]  # fmt: skip
    attrs = analysis.control.attrs
    controls = ", ".join(dict.fromkeys(str(record["control"]) for record in records))
    caption = (
        f"delta: slope minus the slope of the control ({controls}: {words(analysis.counts.attrs).control}); log "
        f"spread: the same for the log of the spread ratio; paired by {_PAIRS[attrs['pair_by']]}"
        f"{fixed_text(records, dims)}; {n_text(records)}; two-sided t intervals "
        f"simultaneous at {percent(attrs['level'])} over a column's ratios "
        f"(k = {k_text(records)}), {conditional(analysis)}. "
        + (
            "corrected: delta on an infinite test set, * where its verdict differs from the raw one, which is then "
            "not supported and reads undecided; ? where the test set is too weak to tell. "
            if corrected
            else ""
        )
        + "'intensified' needs both intervals above 0, 'de-intensified' both below; 'practically none': |delta| < "
        f"{attrs['margin']:g} shown by two one-sided tests at {(1 - attrs['level']) * 100:.3g}%/k"
        f"{margin_meaning(analysis)}. Degenerate networks are {dropped(analysis)}."
    )
    return [
        *build("Against the control", records, dims, columns, caption),
        *_control_without(analysis, records, dims),
    ]


def margin_meaning(analysis: Analysis) -> str:
    """Return what the margin means for the recall of the worst class."""
    points = analysis.margin_points
    if points is None or analysis.control is None:
        return ""
    margin = analysis.control.attrs["margin"]
    return (
        f" ({margin:g} of slope moves the worst class by {points:.2g} points of {analysis.slopes.attrs['measure']} "
        "at the dense networks' accuracy)"
    )


def _control_without(analysis: Analysis, records: list[Record], dims: list[str]) -> list[Table]:
    changed = [r for r in records if analysis.without and (r["n_without"], r["claim_without"]) != (r["n"], r["claim"])]
    if not changed:
        return []
    columns = [
        num("delta", "mean"), num("n", "n", 0), num("delta without", "mean_without"),
        num("n without", "n_without", 0), between("interval without", "without_"),
        Column("claim without", lambda r: str(r["claim_without"] or NONE)),
    ]  # fmt: skip
    shown = [r | {"without_lower": r["lower_without"], "without_upper": r["upper_without"]} for r in changed]
    caption = f"The cells that degenerate networks change, without them{fixed_text(changed, dims)}."
    return build("Against the control without degenerate networks", shown, dims, columns, caption)


_BRIEF = {"too_few_seeds": "few seeds"}


def verdict_text(record: Record) -> str:
    """Return the verdict against 1; a collapsed cell needs no other reason."""
    if record["verdict"] == "?" and not record["reason"] and record["n"] < MIN_VERDICT:
        return "? (few seeds)"
    if record["verdict"].startswith("collapsed") or not record["reason"]:
        return str(record["verdict"])
    return f"{record['verdict']} ({_BRIEF.get(record['reason'], str(record['reason']).replace('_', ' '))})"


def _corrected_text(record: Record) -> str:
    if record["corrected"] is None:
        return "?" if record["corrected_reason"] == "not_estimable" else NONE
    return number(record["corrected"]) + ("*" if record["support"] == "not supported" else "")


_PAIRS = {"dense_id": "the dense network", "seed": "the label of the seed alone"}
_SHORT = {"changed relative to the control, spread undecided": "changed, spread undecided"}


def _claim_text(record: Record) -> str:
    claim = str(record["claim"] or NONE)
    return _SHORT.get(claim, claim)
