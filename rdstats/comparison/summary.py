"""A comparison in plain sentences, written by rule from its numbers.

One pair of models carries no claim about compression: what is said about the slope is about these two models on
other test images.  Several pairs with a control carry the words of `rdstats.against_control`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rdstats._words import words
from rdstats.analysis import Analysis
from rdstats.array.control import CLAIMS
from rdstats.comparison.inputs import COMPRESSED
from rdstats.comparison.quantities import ALLOWED, Quantity
from rdstats.records import Record, control_records
from rdstats.report.finding import MIN_SEEDS, reason_undecided
from rdstats.report.losers import Change, judged, largest
from rdstats.report.phrases import join, plural
from rdstats.report.view import reason_text
from rdstats.tables.table import interval, name_of, number

_GONE, _NONE, _UP, _DOWN, _CHANGED, _UNDECIDED = CLAIMS
_CLAIMED = {
    _GONE: "The models after compression collapsed: over a tenth of them are no classifiers any more.",
    _NONE: "Compared with the control, the effect of compression on the slope is practically none",
    _UP: "Compared with the control, compression intensified differences in recall between classes",
    _DOWN: "Compared with the control, compression de-intensified differences in recall between classes",
    _CHANGED: "Compared with the control, compression changed the slope; whether the spread changed is undecided",
}
NAMED = 3
"""Classes that are named of those that lose or win."""


def sentences(
    analysis: Analysis, found: Mapping[str, Quantity], classes: Sequence[Record], level: float
) -> tuple[str, ...]:
    """Return what a comparison found, a sentence or two each: accuracy, classes, slope, claim, basis.

    Parameters
    ----------
    analysis : of the comparison's cube.
    found : the quantities of one place, by name.
    classes : the class records of the same place.
    level : confidence level.
    """
    several = int(analysis.slopes.sizes.get("seed", 1)) > 1
    parts = [_accuracy(found), class_sentence(classes, found, level), _slope(found, several)]
    parts += [_degenerate(analysis, found["slope"].place), _claim(analysis, several, found)]
    parts.append(_basis(analysis, several, found))
    return tuple(part for part in parts if part)


def _accuracy(found: Mapping[str, Quantity]) -> str:
    after, drop, churn = found["accuracy"], found["accuracy_drop"], found["churn"]
    if after.value is None or drop.value is None:
        return "A model has no results."
    change = _points(-drop.value)
    ends = "" if drop.lower is None or drop.upper is None else f", {_points(-drop.upper)} to {_points(-drop.lower)}"
    both = f"{_percent(after.value + drop.value)} before, {_percent(after.value)} after"
    text = f"Accuracy {both} ({change} points{ends})."
    if churn.value is not None:
        return f"{text} The prediction changed for {_percent(churn.value)} of the images (churn)."
    if churn.lower is None or churn.upper is None:
        return text
    return (
        f"{text} The prediction changed for {_percent(churn.lower)} to {_percent(churn.upper)} of the images (what the "
        "matrices allow)."
    )


def class_sentence(classes: Sequence[Record], found: Mapping[str, Quantity], level: float) -> str:
    """Return which classes lose and win beyond chance, the largest changes first."""
    changes = judged(classes, level)
    if not changes:
        return ""
    losers, winners = largest(changes)
    told = [_told(own, len(changes), verb) for own, verb in ((losers, "lose"), (winners, "win")) if own]
    n = plural(len(changes), "class").replace("classs", "classes")
    if not told:
        why = "" if any(c.record["lower"] is not None for c in changes) else " (no intervals: too few pairs)"
        worst = min(changes, key=lambda change: change.value)
        fall = f"; the largest fall is {_named(worst)}" if worst.value < 0 else ""
        return f"No change of the {n} is beyond chance{why}{fall}."
    drop = found["accuracy_drop"].value
    more = sum(c.record["upper"] is not None and drop is not None and c.record["upper"] < -drop for c in losers)
    beyond = f" {more or 'None'} of the losers lose{'s' if more == 1 else ''} beyond the change of accuracy."
    return f"Classes: {'; '.join(told)}.{beyond if losers else ''}"


def _told(own: Sequence[Change], n: int, verb: str) -> str:
    names = join([_named(change) for change in own[:NAMED]]) + (" and others" if len(own) > NAMED else "")
    return f"{len(own)} of {n} {verb}{'s' if len(own) == 1 else ''}: {names}"


def _named(change: Change) -> str:
    record, name = change.record, name_of(change.record, "class")
    ends = "" if record["lower"] is None else f" ({_points(record['lower'])} to {_points(record['upper'])})"
    return f"{f'class {name}' if name.isdecimal() else name} {_points(change.value)} points{ends}"


def _slope(found: Mapping[str, Quantity], several: bool) -> str:
    slope = found["slope"]
    if slope.value is None:
        return f"There is no slope: {reason_text(slope.reason)}."
    expected, spread, cosine = (found[name].value for name in ("slope_expected", "spread_ratio", "cosine"))
    beside = "" if expected is None else f", {number(expected)} expected from the change of accuracy alone"
    text = (
        f"{'Mean slope' if several else 'Slope'} {number(slope.value)} (spread {number(spread, 2)} times, cosine "
        f"{number(cosine, 2)}){beside}"
    )
    if several:
        ends = "" if slope.lower is None else f"; interval over training runs {interval(slope.lower, slope.upper)}"
        return f"{text}{ends}."
    corrected = found.get("slope_corrected")
    if corrected is None or corrected.lower is None:
        reason = f" ({reason_text(corrected.reason)})" if corrected is not None and corrected.reason else ""
        return f"{text}; it cannot be freed of the sampling of test images{reason}."
    ends = interval(corrected.lower, corrected.upper)
    if corrected.value is None:
        return f"{text}; freed of the sampling of test images it lies between {ends.replace(' to ', ' and ')}."
    return f"{text}; freed of the sampling of test images {number(corrected.value)} (interval over images {ends})."


def _degenerate(analysis: Analysis, place: Mapping[str, Any]) -> str:
    """Return how many models are no classifiers any more: their slopes say nothing."""
    n = int(analysis.summary["n_degenerate"].sel(dict(place)).sum())
    if not n:
        return ""
    pairs = plural(n, "pair")
    return f"{pairs} with a model that is no classifier (near chance, or one class for all): its slope says nothing."


def _claim(analysis: Analysis, several: bool, found: Mapping[str, Quantity]) -> str:
    if not several:
        return (
            "One pair of models: no claim is made that compression intensified or de-intensified differences between "
            f"classes; that takes several training runs ({MIN_SEEDS} or more) and a control.{_beside(found)}"
        )
    own = [record for record in control_records(analysis) if record["method"] == COMPRESSED]
    if not own:
        return (
            f"No control ({words(analysis.counts.attrs).without}) was given, so no claim about compression is made; a "
            "slope below 1 may come from re-training alone."
        )
    record = own[0]
    word = str(record["claim"])
    if word not in _CLAIMED:
        return f"Compared with the control, everything is undecided: {reason_undecided(record)}."
    if word == _GONE:
        return _CLAIMED[word]
    by = f"{number(abs(record['mean']))} {'above' if record['mean'] > 0 else 'below'} the control's"
    spread = record["log_spread"]
    wider = "" if spread is None else f", balances spread {number(math.exp(spread), 2)} times as far as the control's"
    return f"{_CLAIMED[word]}: the slope lies {by} (interval {interval(record['lower'], record['upper'])}){wider}."


def _beside(found: Mapping[str, Quantity]) -> str:
    """Return the descriptive difference from a single control."""
    delta = found.get("delta")
    if delta is None or delta.value is None:
        return ""
    return f" The slope differs from the control's by {number(delta.value)}, of one run each."


def _basis(analysis: Analysis, several: bool, found: Mapping[str, Quantity]) -> str:
    smallest, largest_ = analysis.test_images_per_class
    images = f"{smallest:,} to {largest_:,}" if smallest != largest_ else f"{smallest:,}"
    if several:
        n = int(analysis.summary["n"].sel(found["slope"].place).max())
        return (
            f"Basis: {n} pairs, {images} test images per class; intervals are over training runs, this test set only."
        )
    wider = ""
    if found["worst_recall_drop"].basis == ALLOWED:
        wider = " Which images both models get right is not known: intervals of classes cover whatever it is."
    return (
        f"Basis: one pair, {images} test images per class; intervals are over test images and say nothing about other "
        f"training runs.{wider}"
    )


def _percent(share: float) -> str:
    text = f"{100 * share:.1f}"
    return f"{text}%" if float(text) or not share else f"{100 * share:.2g}%"


def _points(value: float) -> str:
    text = f"{100 * value:+.1f}"
    return text if float(text) else "0.0"
