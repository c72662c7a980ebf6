"""The sentences under the nulls A, A+, B and C with a control: they claim no more often than the level allows.

Population recalls are r_c + u_c before, and r_c + r u_c + sqrt(1 - r^2) u'_c after, in the control and in two pruned
arms alike (each with a u' of its own), so pruning does nothing that the control does not. Of the images that a network
and its dense one could both get right, a share q is the same.

| null | r | q of the control | q of the pruned arms |
|---|---|---|---|
| A, identical networks | 1 | 1 | 1 |
| A+, equal population recalls | 1 | 1/2 | 1/2 |
| A+, pruned networks agree less with the dense one | 1 | .9 | .1 |
| B, independent re-training | 0 | 1/2 | 1/2 |
| C, half of the run-specific part kept | 1/2 | 1/2 | 1/2 |

Every column is a study of its own: 8 seeds, control, two ratios. Tolerance: four Monte-Carlo errors.
"""

import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import rdstats
from rdstats.report.finding import findings

NULLS = {"A": (1.0, 1.0, 1.0), "A+": (1.0, 0.5, 0.5), "A+ unequal": (1.0, 0.9, 0.1), "B": (0.0, 0.5, 0.5),
         "C": (0.5, 0.5, 0.5)}  # fmt: skip
COLUMNS, SEEDS, CLASSES, IMAGES, RUN, LEVEL = 120, 8, 10, 100, 0.04, 0.95
PATTERN = 0.7 + 0.12 * np.linspace(-1.5, 1.5, CLASSES)
DIMS = ("seed", "dataset", "method", "ratio")
ARMS = (("sham", 1.0), ("mp", 2.0), ("mp", 4.0))


OWN = {"source": "rdcompute"}
"""Attributes of a cube of ours: its sentences speak of pruning."""


def simulate(null, *, both_correct=True, grow=1.0):
    """A cube of independent columns; `grow` spreads the population recalls of the pruned arms apart."""
    kept, *same = NULLS[null]
    rng = np.random.default_rng(sum(map(ord, null)))
    shape = (SEEDS, COLUMNS, CLASSES)
    run = rng.normal(0, RUN, shape)
    x = np.clip(PATTERN + run, 0.02, 0.98)
    right = rng.binomial(IMAGES, x)
    after = np.full((SEEDS, COLUMNS, 2, 3, CLASSES), np.nan)
    both = after.copy()
    for method, ratio in ARMS:
        at = (..., ("sham", "mp").index(method), (1.0, 2.0, 4.0).index(ratio), slice(None))
        spread = grow if method == "mp" else 1.0
        own = kept * run + np.sqrt(1 - kept**2) * rng.normal(0, RUN, shape)
        y = np.clip(0.7 + spread * (PATTERN - 0.7 + own), 0.02, 0.98)
        together = x * y + same[method == "mp"] * (np.minimum(x, y) - x * y)
        both[at] = rng.binomial(right, np.minimum(together / x, 1))
        after[at] = both[at] + rng.binomial(IMAGES - right, np.clip((y - together) / (1 - x), 0, 1))
    dims = (*DIMS, "true_class")
    more = {"status": (DIMS, np.where(np.isnan(after[..., 0]), np.nan, 1.0))}
    if both_correct:
        more["both_correct"] = (dims, both)
    labels = (range(SEEDS), [f"d{i}" for i in range(COLUMNS)], ["sham", "mp"], [1.0, 2.0, 4.0])
    coords = dict(zip(DIMS, labels, strict=True))
    return rdstats.build(matrices(right), matrices(after), dims=DIMS, coords=coords, variables=more, attrs=OWN)


def matrices(right):
    """Confusion matrices: whatever is wrong is taken for the next class."""
    result = np.zeros((*right.shape, CLASSES))
    result[np.isnan(right)] = np.nan
    for c in range(CLASSES):
        result[..., c, c] = right[..., c]
        result[..., c, (c + 1) % CLASSES] += IMAGES - right[..., c]
    return result


@cache
def sentences(null, both_correct=True, grow=1.0):
    """The finding of every column."""
    analysis = rdstats.analyze(simulate(null, both_correct=both_correct, grow=grow), level=LEVEL, folds=0)
    result = []
    for name in analysis.summary["dataset"].values:
        here = {"dataset": [name]}
        parts = {part: getattr(analysis, part).sel(here) for part in ("counts", "slopes", "summary", "control")}
        result.append(findings(replace(analysis, **parts)))
    return result


def claims(found):
    """Whether sentences say that pruning changed something."""
    text = " ".join(found.sentences)
    intensified = re.search(r"pruning (de-)?intensified [^.;]* in (both|all \d+|\d+ of \d+) comparisons", text)
    return bool(intensified) or "the slope changed, but" in text


@pytest.mark.parametrize(("null", "both_correct"), [*((null, True) for null in NULLS), ("A+ unequal", False)])
def test_false_claims_stay_within_the_level(null, both_correct):
    share = np.mean([claims(found) for found in sentences(null, both_correct)])
    allowed = 1 - LEVEL
    assert share <= allowed + 4 * np.sqrt(allowed * (1 - allowed) / COLUMNS)


def test_identical_networks_are_never_claimed_to_differ():
    assert not any(claims(found) for found in sentences("A"))


@pytest.mark.parametrize("null", ["A+", "C"])
def test_the_same_sentences_see_an_effect(null):
    """So the test above can fail: where pruned recalls spread 2.2 times as far, nearly every study says so."""
    found = sentences(null, True, 2.2)
    assert np.mean(["pruning intensified differences in recall" in one.intensified for one in found]) > 0.9


def test_unequal_agreement_would_deceive_the_raw_difference():
    """The trap of the third null is there: raw intervals exclude 0 far more often than the level allows."""
    control = rdstats.analyze(simulate("A+ unequal"), level=LEVEL, folds=0).control
    lower, upper = (control["interval"].sel(ci_bound=bound) for bound in ("lower", "upper"))
    away = ((lower > 0) | (upper < 0)).any("ratio")
    assert float(away.mean()) > 0.15
