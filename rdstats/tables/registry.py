"""Every table of an analysis by name: its exact records, and how people read it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rdstats import records
from rdstats.analysis import Analysis
from rdstats.errors import InputError, nearest, one_of
from rdstats.records import Record
from rdstats.tables import checks, classes, families, networks, slopes
from rdstats.tables.table import Table, single


@dataclass(frozen=True)
class TableKind:
    """A kind of table: what it answers, its records and its tables (none where the cube cannot answer)."""

    about: str
    records: Callable[[Analysis], list[Record]]
    tables: Callable[[Analysis], list[Table]]


TABLES = {
    "slopes": TableKind("slope of every cell over seeds", records.slope_records, slopes.summary_tables),
    "control": TableKind("difference from the control", records.control_records, slopes.control_tables),
    "sampling": TableKind(
        "slopes corrected for the sampling of test images", records.sampling_records, checks.sampling_tables
    ),
    "tests": TableKind("families of tests", records.test_records, families.family_tables),
    "pairs": TableKind("one pair of networks, over test images", records.pair_records, checks.pair_tables),
    "changes": TableKind("one pair of networks, class by class", records.change_records, checks.change_tables),
    "intervals": TableKind(
        "t, crossed and bootstrap intervals side by side", records.interval_records, checks.interval_tables
    ),
    "classes": TableKind("which classes pay", records.class_records, classes.class_tables),
    "contributions": TableKind(
        "each class's part of the slope", records.contribution_records, classes.contribution_tables
    ),
    "worst": TableKind("worst class, gap and ratio", records.worst_records, classes.worst_tables),
    "model": TableKind("slope with intercept, and pooled slope", records.model_records, classes.model_tables),
    "accuracy": TableKind(
        "accuracy before compression (paper, Table 10)", records.accuracy_records, networks.accuracy_tables
    ),
    "variance": TableKind(
        "variance of recall between classes (paper, Table 11)", records.variance_records, networks.variance_tables
    ),
    "tradeoff": TableKind(
        "accuracy and slope against ratio (paper, Tables 12, 13)", records.tradeoff_records, networks.tradeoff_tables
    ),
    "instrumented": TableKind(
        "slope along the class pattern of the other seeds", records.instrumented_records, checks.instrumented_tables
    ),
    "retrain": TableKind(
        "slopes between dense networks of neighbouring seeds", records.retrain_records, checks.retrain_tables
    ),
    "posterior": TableKind("posterior of slope and difference", records.posterior_records, checks.posterior_tables),
    "posterior-pairs": TableKind(
        "posterior probabilities of a family's comparisons",
        records.posterior_pair_records,
        checks.posterior_pair_tables,
    ),
}
DEFAULT = ("slopes", "control", "sampling", "tests", "pairs", "changes")
"""Tables that are shown unless others are asked for; one that the cube cannot answer is left out."""


def chosen(names: str, format: str, analysis: Analysis) -> list[str]:
    """Return the tables meant by a list of names with commas, or the default ones."""
    if not names:
        if format == "csv":
            return ["tests" if analysis.families else "slopes"]
        default = ["slopes", "pairs", "changes"] if single(analysis) else DEFAULT
        return [*default, *(["posterior", "posterior-pairs"] if analysis.posterior is not None else [])]
    wanted = [name.strip() for name in names.split(",")]
    if "all" in wanted and len(wanted) > 1:
        raise InputError(f"--table {names}: all stands alone; without it, any of {one_of(TABLES)} is accepted")
    wanted = list(TABLES) if names == "all" else wanted
    for name in wanted:
        if name not in TABLES:
            raise InputError(f"--table {name}{nearest(name, TABLES)}: {one_of([*TABLES, 'all'])} is accepted")
    if format == "csv" and len(wanted) > 1:
        raise InputError(f"--table {names}: a CSV file holds one table; choose one of {one_of(TABLES)}")
    return wanted


_NEEDS = {
    "control": "a control (method sham at ratio 1) and several seeds",
    "sampling": "both_correct or predictions; --sampling gives bounds for recall without them",
    "tests": "a family that this cube can answer",
    "pairs": "a cube of one training run",
    "changes": "a cube of one training run with both_correct or predictions",
    "intervals": "predictions (and --folds not 0) or --bootstrap, and several seeds",
    "instrumented": "several seeds",
    "retrain": "several seeds",
    "posterior": "--bayes, and 3 seeds with different slopes",
    "posterior-pairs": "--bayes, 3 seeds and a family",
}


def absent(analysis: Analysis, names: Sequence[str]) -> list[str]:
    """Return why tables that were asked for by name have nothing to show."""
    return [
        f"table {name}: nothing to show; it needs {_NEEDS.get(name, 'finished networks')}"
        for name in names
        if not TABLES[name].records(analysis)
    ]
