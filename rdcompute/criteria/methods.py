"""Which methods a grid can name: the criteria, lottery tickets and CHIP, and the controls that remove nothing."""

from __future__ import annotations

from collections.abc import Mapping

from rdcompute.criteria import scores
from rdcompute.criteria.released import RELEASED
from rdcompute.criteria.scores import Criterion
from rdcompute.registry import Registry

CONTROLS: Mapping[str, str] = {"sham": "", "sham-chip": "chip", "sham-lth": "lth"}
"""Methods that train on like others but remove nothing, and whose recipe they follow; their ratio is 1."""

RECIPES: Mapping[str, str] = {"chip": "chip", "lth": "lth", **CONTROLS}
"""Methods that are no criteria, and the recipe that each follows ("": that of the architecture)."""

CRITERIA: Registry[Criterion] = Registry("method", "rdcompute.criteria", Criterion)
CRITERIA.add(Criterion("mp", needs_gradient=False, score=scores.magnitude))
CRITERIA.add(Criterion("gp", needs_gradient=True, score=scores.gradient))
CRITERIA.add(Criterion("up", needs_gradient=True, score=scores.undecayed))
CRITERIA.add(Criterion("rp", needs_gradient=False, score=scores.random))
for _criterion in RELEASED:
    CRITERIA.add(_criterion)

MATCHED = "@"
"""Between a criterion and the method whose numbers of weights it keeps: ``gp@up-released``."""


def matched_label(name: str, match: str | None) -> str:
    """Return what the cube calls a criterion that keeps as many weights as the method `match`, if any."""
    return f"{name}{MATCHED}{match}" if match else name


def criterion_of(label: str) -> Criterion:
    """Return the criterion of a method as the cube calls it, ``gp`` for ``gp@up-released``."""
    return CRITERIA.get(label.partition(MATCHED)[0])


def keeps_exactly(name: str) -> bool:
    """Return whether a method is a criterion that keeps exactly as many weights as the ratio says."""
    return is_criterion(name) and MATCHED not in name and CRITERIA.get(name).keep is None


def is_control(name: str) -> bool:
    """Return whether the method `name` is a control: the same training, nothing removed."""
    return name in CONTROLS


def is_criterion(name: str) -> bool:
    """Return whether a method prunes once by a score of every weight."""
    return name not in RECIPES


def recipe_of(name: str) -> str:
    """Return the recipe that a method is trained by: ``lth``, ``chip``, or "" for that of the architecture."""
    return RECIPES.get(name, "")


def criterion_names() -> tuple[str, ...]:
    """Return the names of all criteria, those of installed packages included."""
    return CRITERIA.names()


def method_names() -> tuple[str, ...]:
    """Return every accepted method: controls first, then criteria, then the others."""
    return (*sorted(CONTROLS), *criterion_names(), *(name for name in RECIPES if name not in CONTROLS))
