"""Pruning criteria by name: a criterion scores every prunable weight, and the highest scores stay.

The gradients that some of them need are in `rdcompute.criteria.gradient`, a module of its own because it alone
imports torch.
"""

from rdcompute.criteria.methods import (
    CONTROLS,
    CRITERIA,
    MATCHED,
    criterion_names,
    criterion_of,
    is_control,
    is_criterion,
    keeps_exactly,
    matched_label,
    method_names,
    recipe_of,
)
from rdcompute.criteria.scores import Criterion

__all__ = [
    "CONTROLS",
    "CRITERIA",
    "MATCHED",
    "Criterion",
    "criterion_names",
    "criterion_of",
    "is_control",
    "is_criterion",
    "keeps_exactly",
    "matched_label",
    "method_names",
    "recipe_of",
]
