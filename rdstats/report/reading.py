"""How to read a report: its words, explained to somebody who has not read the paper."""

from __future__ import annotations

from rdstats._labelled import METHOD, is_control
from rdstats._words import words
from rdstats.analysis import Analysis
from rdstats.array.control import CLAIMS
from rdstats.records import control_records, slope_records
from rdstats.report.method import METHODS
from rdstats.report.phrases import join
from rdstats.tables.slopes import margin_meaning
from rdstats.tables.table import percent, single

_COLLAPSED, _NONE, _UP, _DOWN, _CHANGED, _UNDECIDED = CLAIMS

_MEANINGS = {
    _UP: "measured against the average, strong and weak classes moved further apart than "
    "{without} moves them: slope and spread both lie above the control's, and both intervals "
    "exclude 0.",
    _DOWN: "the opposite: slope and spread both lie below the control's, and both intervals exclude 0.",
    _CHANGED: "the slope differs from the control's, but whether classes moved apart or together is not shown.",
    _NONE: "the difference from the control is shown to lie within {margin:g} of 0{meaning}.",
    _UNDECIDED: "the numbers allow no other claim. This is no evidence that nothing happened.",
    _COLLAPSED: "over a tenth of the networks are no classifiers any more (they guess, or name one class nearly "
    "always); slopes of such networks mean nothing.",
}


def glossary(analysis: Analysis) -> list[tuple[str, str]]:
    """Return the terms of the report and the claim words that occur in it, each with its meaning."""
    records = slope_records(analysis)
    controls = list(dict.fromkeys(str(r[METHOD]) for r in records if is_control(r.get(METHOD, ""))))
    own = words(analysis.counts.attrs)
    terms = [
        (
            "slope",
            "how far the classes' distances from the average, relative to it, lie apart after compression, compared "
            "with before: 1 as before, 2 twice as far, 0.5 half as far.",
        ),
        (
            "expected slope",
            "what a slope would be if all classes had moved alike to the accuracy after compression. Slopes rise when "
            "accuracy falls, so a slope is never read without it.",
        ),
        (
            "spread, cosine",
            "the two factors of a slope: how much wider the classes are spread, and how far the order of the classes "
            "stayed the same. A slope below 1 with a spread above 1 means that classes changed places, not that "
            "differences became smaller.",
        ),
    ]
    methods = dict.fromkeys(str(record.get(METHOD, "")) for record in records)
    if known := [f"{method}: {METHODS[method]}" for method in methods if method in METHODS]:
        terms.append((join([method for method in methods if method in METHODS]), f"{'; '.join(known)}."))
    if controls:
        terms.append(
            (
                f"control ({join(controls)})",
                f"the same network, {own.trained} in the same way, with {own.untouched}.",
            )
        )
    if not single(analysis):
        terms.append(
            (
                "interval",
                "the range of mean values that fit the training runs seen here; wider with fewer runs. All intervals "
                f"of a column together hold with {percent(analysis.summary.attrs['level'])} confidence.",
            )
        )
    return [*terms, *_claim_words(analysis)]


def _claim_words(analysis: Analysis) -> list[tuple[str, str]]:
    used = {str(record["claim"]) for record in control_records(analysis)}
    values = {"margin": analysis.margin, "meaning": margin_meaning(analysis)}
    values["without"] = words(analysis.counts.attrs).without
    return [(word, text.format(**values)) for word, text in _MEANINGS.items() if word in used]
