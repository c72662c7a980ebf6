"""Records about whole networks: accuracy, variance of recall, and what is paid for a ratio."""

from __future__ import annotations

from rdstats._entering import entering_counts, entering_networks
from rdstats._labelled import planned
from rdstats.analysis import Analysis
from rdstats.columns import accuracies, tradeoff
from rdstats.records.cells import Record, cell_records
from rdstats.variance import recall_variances

_TRADEOFF = (
    "achieved_ratio", "accuracy", "accuracy_se", "n", "slope", "slope_se", "n_slope", "accuracy_dense",
    "accuracy_dense_se", "n_dense",
)  # fmt: skip
_VARIANCE = ("variance_dense", "variance_dense_se", "n_dense", "variance", "variance_se", "n")


def accuracy_records(analysis: Analysis) -> list[Record]:
    """Return one record a column: accuracy of its dense networks, with standard error and n."""
    found = accuracies(analysis.slopes)
    return cell_records(found, ("accuracy_dense", "accuracy_dense_se", "n"), there=found["planned"])


def variance_records(analysis: Analysis) -> list[Record]:
    """Return one record a cell and divisor: variance of the class scores before and after."""
    found = recall_variances(entering_counts(analysis), analysis.summary.attrs["measure"])
    there = planned(analysis.slopes).broadcast_like(found["variance"])
    return cell_records(found, _VARIANCE, there=there, like="variance")


def tradeoff_records(analysis: Analysis) -> list[Record]:
    """Return one record a cell: accuracy and slope with standard errors, beside the dense networks' accuracy."""
    found = tradeoff(entering_networks(analysis))
    return cell_records(found, _TRADEOFF, there=planned(analysis.slopes), like="accuracy")
