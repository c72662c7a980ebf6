"""Statistics on plain NumPy arrays: core axes last, NaN is missing, float64 inside.

Confusion matrices are `(..., C, C)` [true, predicted], values per class `(..., C)`; seeds are reduced along
an `axis` argument. Every function is vectorised over the leading axes and refuses wrong input with
`rdstats.errors.InputError`.
"""

from rdstats.array.agreement import ChurnBounds, ShareInterval, churn, churn_bounds, paired_change, share_interval
from rdstats.array.balance import (
    REFERENCES,
    balance,
    class_weights,
    intensification_ratio,
    normalized_balance,
    reference_score,
)
from rdstats.array.bootstrap import BcaInterval, bca_interval
from rdstats.array.box import WHISKER, BoxSummary, box_summary
from rdstats.array.confusion import confusion_difference, confusion_shares
from rdstats.array.contribution import slope_contribution
from rdstats.array.control import CLAIMS, Tost, claim, log_spread_difference, tost
from rdstats.array.counts import ClassCounts, accuracy, class_counts
from rdstats.array.crossfit import crossfit_terms, half_splits
from rdstats.array.crossfit_folds import (
    FoldTerms,
    corrected_without_fold,
    crossfit_folds,
    fold_terms,
    slopes_without_fold,
)
from rdstats.array.degenerate import DEGENERATE_REASONS, degenerate, degenerate_reasons
from rdstats.array.effect import EffectSize, effect_size
from rdstats.array.expected import shift_delta, slope_excess, slope_expected_error, slope_expected_shift
from rdstats.array.folds import FoldCounts, fold_counts, stratified_folds, without_fold
from rdstats.array.intercept import InterceptLine, slope_intercept
from rdstats.array.intervals import TInterval, t_interval, verdict
from rdstats.array.jackknife import CrossedInterval, crossed_interval, image_jackknife
from rdstats.array.mcnemar import McNemar, mcnemar
from rdstats.array.multiplicity import CORRECTIONS, correct
from rdstats.array.pairs import PairComparison, compare_matrices
from rdstats.array.pooled import PooledLine, pooled_origin_slope
from rdstats.array.pooling import JackknifeInterval
from rdstats.array.posterior import PosteriorDraws, posterior_draws
from rdstats.array.predictions import both_correct, confusion_matrix
from rdstats.array.ratio import (
    FIELLER_FORMS,
    FiellerInterval,
    InstrumentedSlope,
    fieller_interval,
    seed_instrumented_slope,
)
from rdstats.array.sampling import (
    BothCorrectBounds,
    SlopeTerms,
    both_correct_bounds,
    reliability,
    slope_sampling_corrected,
    slope_terms,
    strength,
)
from rdstats.array.sampling_seeds import SeedSlopes, pooled_slope, seed_slopes, weak_test_set
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
from rdstats.array.worst import worst_class, worst_gap, worst_ratio

__all__ = [
    "ALTERNATIVES",
    "CLAIMS",
    "CORRECTIONS",
    "DEGENERATE_REASONS",
    "FIELLER_FORMS",
    "MEASURES",
    "REFERENCES",
    "WHISKER",
    "BcaInterval",
    "BothCorrectBounds",
    "BoxSummary",
    "ChurnBounds",
    "ClassCounts",
    "CrossedInterval",
    "EffectSize",
    "FiellerInterval",
    "FoldCounts",
    "FoldTerms",
    "InstrumentedSlope",
    "InterceptLine",
    "JackknifeInterval",
    "McNemar",
    "PairComparison",
    "PooledLine",
    "PosteriorDraws",
    "SeedSlopes",
    "ShareInterval",
    "SlopeTerms",
    "TInterval",
    "TTest",
    "Tost",
    "accuracy",
    "balance",
    "bca_interval",
    "both_correct",
    "both_correct_bounds",
    "box_summary",
    "check_same_support",
    "churn",
    "churn_bounds",
    "claim",
    "class_counts",
    "class_weights",
    "compare_matrices",
    "confusion_difference",
    "confusion_matrix",
    "confusion_shares",
    "correct",
    "corrected_without_fold",
    "cosine",
    "crossed_interval",
    "crossfit_folds",
    "crossfit_terms",
    "degenerate",
    "degenerate_reasons",
    "effect_size",
    "f1",
    "fieller_interval",
    "fold_counts",
    "fold_terms",
    "half_splits",
    "image_jackknife",
    "independent_ttest",
    "intensification_ratio",
    "log_spread_difference",
    "mcnemar",
    "normalized_balance",
    "paired_change",
    "paired_ttest",
    "pooled_origin_slope",
    "pooled_slope",
    "posterior_draws",
    "precision",
    "r_squared",
    "recall",
    "recall_variance",
    "reference_score",
    "reliability",
    "score",
    "seed_instrumented_slope",
    "seed_slopes",
    "share_interval",
    "shift_delta",
    "shrunk_score",
    "slope",
    "slope_contribution",
    "slope_excess",
    "slope_expected_error",
    "slope_expected_shift",
    "slope_intercept",
    "slope_reason",
    "slope_sampling_corrected",
    "slope_terms",
    "slopes_without_fold",
    "spread_ratio",
    "stratified_folds",
    "strength",
    "t_interval",
    "tost",
    "verdict",
    "weak_test_set",
    "without_fold",
    "worst_class",
    "worst_gap",
    "worst_ratio",
]
