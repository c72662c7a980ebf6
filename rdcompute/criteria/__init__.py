"""Pruning criteria by name: a criterion scores every prunable weight, and the highest scores stay.

The gradient that some of them need is `rdcompute.criteria.gradient.training_gradient`, in a module of its
own because it alone imports torch.
"""

from rdcompute.criteria.methods import (
    CONTROLS,
    CRITERIA,
    criterion_names,
    is_control,
    is_criterion,
    method_names,
    recipe_of,
)
from rdcompute.criteria.scores import Criterion

__all__ = [
    "CONTROLS",
    "CRITERIA",
    "Criterion",
    "criterion_names",
    "is_control",
    "is_criterion",
    "method_names",
    "recipe_of",
]
