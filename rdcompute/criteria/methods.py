"""Which methods a grid can name: the criteria, and the controls that prune nothing."""

from __future__ import annotations

from rdcompute.criteria import scores
from rdcompute.criteria.scores import Criterion
from rdcompute.registry import Registry

CONTROLS = frozenset({"sham"})
"""Methods that fine-tune like every other but mask nothing; their ratio is 1."""

CRITERIA: Registry[Criterion] = Registry("method", "rdcompute.criteria", Criterion)
CRITERIA.add(Criterion("mp", needs_gradient=False, score=scores.magnitude))
CRITERIA.add(Criterion("gp", needs_gradient=True, score=scores.gradient))
CRITERIA.add(Criterion("up", needs_gradient=True, score=scores.undecayed))
CRITERIA.add(Criterion("rp", needs_gradient=False, score=scores.random))


def is_control(name: str) -> bool:
    """Return whether the method `name` is a control: the same fine-tuning, nothing pruned."""
    return name in CONTROLS


def criterion_names() -> tuple[str, ...]:
    """Return the names of all criteria, those of installed packages included."""
    return CRITERIA.names()
