"""The finding of an analysis in three sentences of plain language, written by rule from its numbers.

They repeat the words of the claims against the control (`rdstats.against_control`) cell by cell and rest nothing on
a slope above or below 1:

1. what intensified: cells whose claim is "intensified";
2. what did not: "de-intensified" and "practically none";
3. what is undecided and why; cells that collapsed, have no result or no control.

Of one pair of models the classes that lose and win come first: those are about these models on other test images.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rdstats._labelled import is_control
from rdstats._words import words
from rdstats.analysis import Analysis
from rdstats.array.control import CLAIMS
from rdstats.control import NOT_CHECKED, NOT_SUPPORTED, controlled_methods
from rdstats.records import Record, control_records, slope_records
from rdstats.report.basis import basis_sentence, control_slopes, family_sentence, slopes_sentence
from rdstats.report.losers import pair_sentence
from rdstats.report.phrases import all_text, cell_phrase, cells_phrase, join, method_of, plural, range_text
from rdstats.tables.table import interval, number, single

MIN_SEEDS = 5
COLLAPSED, NONE, UP, DOWN, CHANGED, UNDECIDED = CLAIMS
NO_RESULT = "no result"
_GONE = "networks collapsed (no classifiers any more) for {}"


@dataclass(frozen=True)
class Finding:
    """What an analysis found about compression.

    Attributes
    ----------
    intensified : what intensified against the control, with the clearest difference and its interval.
    unchanged : what did not: where differences shrank, or where the effect is shown to be practically none.
    undecided : what is undecided and why, and where nothing can be said.
    basis : slopes beside what accuracy and the control alone give, seeds, test images.
    classes : of one pair of models, which classes lose and win; empty for anything else.
    """

    intensified: str
    unchanged: str
    undecided: str
    basis: str
    classes: str = ""

    @property
    def sentences(self) -> tuple[str, ...]:
        """The sentences in order: what one pair of models shows first, then the three on claims."""
        three = self.intensified, self.unchanged, self.undecided
        return (self.classes, *three) if self.classes else three


def findings(analysis: Analysis) -> Finding:
    """Return what the analysis found, in three sentences (four of one pair) and a line on what they rest on.

    Parameters
    ----------
    analysis : result of `rdstats.analyze`.
    """
    records, slopes = control_records(analysis), slope_records(analysis)
    basis = [slopes_sentence(analysis, slopes), basis_sentence(analysis, records or slopes)]
    basis.append(family_sentence(analysis, records))
    three = _nothing(analysis, slopes) or _without_control(analysis, records, slopes)
    three = three or _few_seeds(analysis, records) or (
        intensified_sentence(analysis, records, slopes), unchanged_sentence(analysis, records, slopes),
        undecided_sentence(records, slopes),
    )  # fmt: skip
    return Finding(*three, " ".join(part for part in basis if part), pair_sentence(analysis))


def finding(analysis: Analysis) -> str:
    """Return what the analysis found, as one paragraph: `findings` in a row.

    Parameters
    ----------
    analysis : result of `rdstats.analyze`.
    """
    found = findings(analysis)
    return " ".join((*found.sentences, found.basis))


def word_of(record: Record) -> str:
    """Return the claim of a cell, or that it has no result."""
    return str(record["claim"]) or NO_RESULT


def claimed(word: str) -> Callable[[Record], bool]:
    """Return whether a record's claim is this word, as a function."""
    return lambda record: word_of(record) == word


def intensified_sentence(analysis: Analysis, records: Sequence[Record], slopes: Sequence[Record]) -> str:
    """Return which cells intensified, the clearest of them with its numbers."""
    controls = ", ".join(dict.fromkeys(str(record["control"]) for record in records))
    own = words(analysis.counts.attrs)
    opening = f"Compared with {own.without} (control: {controls})"
    differences = f"differences in {analysis.slopes.attrs['measure']} between classes"
    found = [record for record in records if word_of(record) == UP]
    if not found:
        where = f"in none of the {plural(len(records), 'comparison')}" if len(records) > 1 else "not"
        return f"{opening}, it is {where} shown that {own.act} intensified {differences}."
    what = f"{own.act} intensified {differences} {_in(found, records, UP)}"
    return f"{opening}, {what}; {_clearest(analysis, found, records, slopes)}{_unchecked(found)}."


def unchanged_sentence(analysis: Analysis, records: Sequence[Record], slopes: Sequence[Record]) -> str:
    """Return where differences shrank, and where the effect is shown to be practically none."""
    act, clauses = words(analysis.counts.attrs).act, []
    if found := [record for record in records if word_of(record) == DOWN]:
        clauses.append(
            f"{act} de-intensified these differences {_in(found, records, DOWN)}; "
            f"{_clearest(analysis, found, records, slopes)}{_unchecked(found)}"
        )
    margin = f"{_margin(analysis):g}"
    if found := [record for record in records if word_of(record) == NONE]:
        largest = max(found, key=lambda record: abs(record["mean"]))
        clauses.append(
            f"the effect of {act} is practically none (the slope differs by less than {margin}) "
            f"{_in(found, records, NONE)}, the largest difference among them being "
            f"{number(largest['mean'])} for {cell_phrase(largest, records)}"
        )
    text = "; ".join(clauses) or (
        f"nowhere is it shown that {act} de-intensified these differences, or that it had practically no effect "
        f"(slope within {margin} of the control's)"
    )
    return f"{text[0].upper()}{text[1:]}."


def undecided_sentence(records: Sequence[Record], slopes: Sequence[Record]) -> str:
    """Return what is undecided and why, what collapsed, and what has no result or no control."""
    clauses = []
    if found := [record for record in records if _open(record)]:
        everything = len(found) == len(records)
        what = all_text(len(found)) if everything and len(found) > 1 else plural(len(found), "comparison")
        who = "" if everything else f" ({cells_phrase(records, _open)})"
        clauses.append(f"undecided {'is' if len(found) == 1 else 'are'} {what}{who}: {_why(found)}")
    for word, text in ((COLLAPSED, _GONE), (NO_RESULT, "there is no result for {}")):
        if any(word_of(record) == word for record in records):
            clauses.append(text.format(cells_phrase(records, claimed(word))))
    text = "; ".join(clauses) or "no comparison is undecided"
    return " ".join(part for part in (f"{text[0].upper()}{text[1:]}.", _uncontrolled(records, slopes)) if part)


def _open(record: Record) -> bool:
    return word_of(record) in (UNDECIDED, CHANGED)


def _in(found: Sequence[Record], records: Sequence[Record], word: str) -> str:
    """Return ``in 2 of 9 comparisons (mp at ratios 4 and 10)``."""
    cells = cells_phrase(records, claimed(word))
    if len(records) == 1:
        return f"for {cells}"
    n = all_text(len(records)) if len(found) == len(records) else f"{len(found)} of {len(records)} comparisons"
    return f"in {n} ({cells})"


def reason_undecided(record: Record) -> str:
    """Return why a cell is undecided, in words that fit any number of cells; the first that applies."""
    if record["control_collapsed"]:
        return "the control collapsed, so there is nothing to compare with"
    if not record["n"]:
        return "the control has no result"
    if record["n"] < MIN_SEEDS:
        return f"too few seeds ({MIN_SEEDS} are needed)"
    if record["reason"]:
        return "all seeds give one difference"
    away = record["lower"] > 0 or record["upper"] < 0
    if word_of(record) == CHANGED:
        return "the slope changed, but the interval of the spread contains 0"
    if away and record["support"] == NOT_SUPPORTED:
        return "the difference does not hold once it is corrected for the sampling of test images"
    if away and record["support"] == NOT_CHECKED:
        return "the slope changed without a change of the spread, and that cannot be checked on this test set"
    if away:
        return "slope and spread changed in opposite directions"
    return "the interval of the difference contains 0"


def _why(found: Sequence[Record]) -> str:
    """Return the reasons, each with how many comparisons it holds for, and how far the intervals reach."""
    reasons = [reason_undecided(record) for record in found]
    several = len(set(reasons)) > 1
    parts = [f"{reason}{f' ({reasons.count(reason)})' if several else ''}" for reason in dict.fromkeys(reasons)]
    usual = [record for record in found if record["lower"] is not None and not record["reason"]]
    halves = [(record["upper"] - record["lower"]) / 2 for record in usual if not record["control_collapsed"]]
    reach = f"; intervals reach ±{range_text(halves).replace(' to ', ' to ±')} around the differences" if halves else ""
    return f"{join(parts)}{reach}"


def strongest(records: Iterable[Record]) -> Record | None:
    """Return the record whose interval lies farthest from 0."""
    return max(records, key=lambda record: max(record["lower"], -record["upper"]), default=None)


def _clearest(
    analysis: Analysis, found: Sequence[Record], records: Sequence[Record], slopes: Sequence[Record]
) -> str:
    best = strongest(found)
    if best is None or analysis.control is None:
        return ""
    by = f"{number(abs(best['mean']))} {'above' if best['mean'] > 0 else 'below'} the control's"
    level = f"{100 * analysis.control.attrs['level']:.4g}%"
    subject = f"clearest for {cell_phrase(best, records)}, where the" if len(found) > 1 else "the"
    return (
        f"{subject} slope{_slope_and_expected(best, slopes)} lies {by} ({level} simultaneous interval of the "
        f"difference {interval(best['lower'], best['upper'])}) and balances spread "
        f"{number(math.exp(best['log_spread']), 2)} times as far as the control's"
    )


def _slope_and_expected(cell: Record, slopes: Sequence[Record]) -> str:
    """Return a cell's mean slope beside what its accuracy alone would give."""
    dims = list(cell)[: list(cell).index("control")]
    for record in slopes:
        if all(record[dim] == cell[dim] for dim in dims) and record["expected"] is not None:
            return f", {number(record['mean'])} ({number(record['expected'])} expected from accuracy alone),"
    return ""


def _unchecked(found: Sequence[Record]) -> str:
    """Return for how many cells the test set does not allow to check a claim for the sampling of its images."""
    n = sum(record["support"] == NOT_CHECKED for record in found)
    which = "it" if len(found) == 1 else "all of them" if n == len(found) else f"{n} of them"
    return f" (the sampling of test images could not be checked for {which})" if n else ""


def _margin(analysis: Analysis) -> float:
    return float(analysis.control.attrs["margin"]) if analysis.control is not None else analysis.margin


def _uncontrolled(records: Sequence[Record], slopes: Sequence[Record]) -> str:
    """Return which methods lack the control of their own recipe."""
    compared = set(map(method_of, records))
    methods = dict.fromkeys(map(method_of, slopes))
    alone = [method for method in methods if method not in compared and not is_control(method)]
    if not compared or not alone:
        return ""
    return f"No claim is made for {join(alone)}: the cube has no control for {'it' if len(alone) == 1 else 'them'}."


def _nothing(analysis: Analysis, slopes: Sequence[Record]) -> tuple[str, str, str] | None:
    """Return why there is nothing to say: no slope at all, or the control alone."""
    own = words(analysis.counts.attrs)
    nothing = "Nothing is shown to be unchanged, either.", f"Everything about {own.act} is undecided."
    if all(record["mean"] is None for record in slopes):
        return f"No network of the cube has a slope, so there is nothing to say about {own.act}.", *nothing
    if all(is_control(method_of(record)) for record in slopes):
        means = range_text(control_slopes(slopes))
        first = f"The cube holds the control alone (mean slope {means}): nothing was {own.done}, so no claim is made."
        return first, *nothing
    return None


def _without_control(
    analysis: Analysis, records: Sequence[Record], slopes: Sequence[Record]
) -> tuple[str, str, str] | None:
    if records:
        return None
    own = words(analysis.counts.attrs)
    there = bool(controlled_methods(analysis.slopes))
    unused = "The control is of one training run only" if single(analysis) else (
        "The control is not in use here, as was asked"
    )  # fmt: skip
    why = unused if there else "There is no control here"
    compressed = [record for record in slopes if not is_control(method_of(record))]
    n = sum(str(record["verdict"]).startswith(COLLAPSED) for record in compressed)
    gone = f" Networks collapsed (no classifiers any more) in {plural(n, 'cell')} of the grid." if n else ""
    return (
        f"{why} ({own.without}), so no claim about {own.act} is made.",
        "Nothing is shown to be unchanged, either: the slopes are descriptive.",
        f"Everything about {own.act} is undecided.{gone}",
    )


def _few_seeds(analysis: Analysis, records: Sequence[Record]) -> tuple[str, str, str] | None:
    """Return that no claim is made, and where networks collapsed, which needs no inference."""
    own = words(analysis.counts.attrs)
    n = max((record["n"] or 0 for record in records), default=0)
    if n >= MIN_SEEDS or any(record["control_collapsed"] for record in records):
        return None
    if not n and any(word_of(record) == UNDECIDED for record in records):
        first = f"The control ({own.without}) has no result, so no claim is made."
        return first, "Nothing is shown to be unchanged, either.", "Everything is undecided: the control has no result."
    first = (
        f"Too few seeds ({n}; {MIN_SEEDS} are needed) to compare {own.act} with {own.alike} without it "
        "(the control), so no claim is made."
    )
    gone = cells_phrase(records, claimed(COLLAPSED))
    third = "Everything else is undecided" if gone else "Everything is undecided"
    parts = [f"{_GONE.format(gone)[0].upper()}{_GONE.format(gone)[1:]}." if gone else "", f"{third}: too few seeds."]
    return first, "Nothing is shown to be unchanged, either.", " ".join(part for part in parts if part)
