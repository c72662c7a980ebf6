"""Results as tidy records: plain dictionaries with one key a dimension, at full precision."""

from rdstats.records.analysis import control_records, document, slope_records, test_records
from rdstats.records.cells import Record, bounds, cell_records, plain
from rdstats.records.checks import (
    change_records,
    instrumented_records,
    interval_records,
    pair_class_records,
    pair_records,
    posterior_pair_records,
    posterior_records,
    retrain_records,
    sampling_records,
)
from rdstats.records.classes import class_records, contribution_records, model_records, worst_records
from rdstats.records.networks import accuracy_records, tradeoff_records, variance_records

__all__ = [
    "Record",
    "accuracy_records",
    "bounds",
    "cell_records",
    "change_records",
    "class_records",
    "contribution_records",
    "control_records",
    "document",
    "instrumented_records",
    "interval_records",
    "model_records",
    "pair_class_records",
    "pair_records",
    "plain",
    "posterior_pair_records",
    "posterior_records",
    "retrain_records",
    "sampling_records",
    "slope_records",
    "test_records",
    "tradeoff_records",
    "variance_records",
    "worst_records",
]
