"""Statistics on plain NumPy arrays: core axes last, NaN is missing, float64 inside.

Confusion matrices are `(..., C, C)` [true, predicted], values per class `(..., C)`; seeds are reduced along
an `axis` argument. Every function is vectorised over the leading axes and refuses wrong input with
`rdstats.errors.InputError`.
"""

from rdstats.array.balance import (
    REFERENCES,
    balance,
    class_weights,
    intensification_ratio,
    normalized_balance,
    reference_score,
)
from rdstats.array.control import CLAIMS, Tost, claim, log_spread_difference, tost
from rdstats.array.counts import ClassCounts, accuracy, class_counts
from rdstats.array.degenerate import DEGENERATE_REASONS, degenerate, degenerate_reasons
from rdstats.array.expected import shift_delta, slope_excess, slope_expected_error, slope_expected_shift
from rdstats.array.intervals import TInterval, t_interval, verdict
from rdstats.array.multiplicity import CORRECTIONS, correct
from rdstats.array.scores import (
    MEASURES,
    f1,
    precision,
    recall,
    recall_variance,
    score,
    shrunk_score,
)
from rdstats.array.slope import cosine, r_squared, slope, slope_reason, spread_ratio
from rdstats.array.ttest import ALTERNATIVES, TTest, independent_ttest, paired_ttest
from rdstats.array.validate import check_same_support

__all__ = [
    "ALTERNATIVES",
    "CLAIMS",
    "CORRECTIONS",
    "DEGENERATE_REASONS",
    "MEASURES",
    "REFERENCES",
    "ClassCounts",
    "TInterval",
    "TTest",
    "Tost",
    "accuracy",
    "balance",
    "check_same_support",
    "claim",
    "class_counts",
    "class_weights",
    "correct",
    "cosine",
    "degenerate",
    "degenerate_reasons",
    "f1",
    "independent_ttest",
    "intensification_ratio",
    "log_spread_difference",
    "normalized_balance",
    "paired_ttest",
    "precision",
    "r_squared",
    "recall",
    "recall_variance",
    "reference_score",
    "score",
    "shift_delta",
    "shrunk_score",
    "slope",
    "slope_excess",
    "slope_expected_error",
    "slope_expected_shift",
    "slope_reason",
    "spread_ratio",
    "t_interval",
    "tost",
    "verdict",
]
