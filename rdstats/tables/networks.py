"""Accuracy, variance of recall, and what is paid for a ratio, as tables."""

from __future__ import annotations

from typing import Any

from rdstats.analysis import Analysis
from rdstats.records import Record, accuracy_records, tradeoff_records, variance_records
from rdstats.tables.table import Column, Table, build, cell_dims, conditional, fixed_text, n_text, num, number


def accuracy_tables(analysis: Analysis) -> list[Table]:
    """Return the accuracy before compression of every column."""
    records, dims = accuracy_records(analysis), [dim for dim in cell_dims(analysis) if dim != "ratio"]
    columns = [_with_error("accuracy before", "accuracy_dense"), num("n", "n", 0)]
    caption = (
        f"Mean accuracy before compression with its standard error over {n_text(records)}"
        f"{fixed_text(records, dims)}, of the networks that the column's compressed ones come from."
    )
    return build("Accuracy before compression", records, dims, columns, caption)


def tradeoff_tables(analysis: Analysis) -> list[Table]:
    """Return accuracy and slope along the ratios, with standard errors."""
    records, dims = tradeoff_records(analysis), cell_dims(analysis)
    achieved = any(record["achieved_ratio"] is not None for record in records)
    columns = [
        *([num("achieved", "achieved_ratio", 2)] if achieved else []),
        _with_error("accuracy before", "accuracy_dense"), _with_error("accuracy", "accuracy"),
        _with_error("slope", "slope"),
    ]  # fmt: skip
    caption = (
        f"Means with standard errors over {n_text(records)}{fixed_text(records, dims)}, {conditional(analysis)}. "
        "A slope of 1 and the accuracy before compression are 'no change'."
    )
    return build("Accuracy and slope against ratio", records, dims, columns, caption)


def variance_tables(analysis: Analysis) -> list[Table]:
    """Return the variance of class scores before and after compression, with both divisors."""
    records, dims = variance_records(analysis), cell_dims(analysis)
    measure = analysis.slopes.attrs["measure"]
    shown = [record for record in records if record["ddof"] == 0]
    by_place = {_place(record): record for record in records if record["ddof"] == 1}
    columns = [
        num("before", "variance_dense", 4), num("after", "variance", 4), num("standard error", "variance_se", 4),
        _other("before (C-1)", "variance_dense", by_place), _other("after (C-1)", "variance", by_place),
    ]  # fmt: skip
    caption = (
        f"Mean variance of {measure} between the C classes of a network over {n_text(records)}"
        f"{fixed_text(shown, dims)}; divisor C, and C - 1 in the last two columns. It holds the sampling variance of "
        "the test images, R(1 - R)/n of each class, too."
    )
    return build(f"Variance of {measure}", shown, dims, columns, caption)


def _other(heading: str, key: str, by_place: dict[str, Record]) -> Column:
    """A column of the records with the other divisor."""

    def value(record: Record) -> Any:
        return by_place[_place(record)][key]

    return Column(heading, lambda record: number(value(record), 4), value)


def _place(record: Record) -> str:
    return str([value for key, value in record.items() if key != "ddof"][: list(record).index("variance_dense") - 1])


def _with_error(heading: str, key: str, digits: int = 3) -> Column:
    """A mean and its standard error: ``0.971 (0.002)``."""

    def text(record: Record) -> str:
        error = record[f"{key}_se"]
        return number(record[key], digits) + (f" ({number(error, digits)})" if error is not None else "")

    return Column(heading, text, lambda record: record[key])
