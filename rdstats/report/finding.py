"""The finding of an analysis in one paragraph of plain language, written by rule from its numbers.

It repeats the words of the claims against the control and rests nothing on a slope above or below 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from rdstats._labelled import METHOD, RATIO, SEED, is_control
from rdstats.analysis import Analysis
from rdstats.array.control import CLAIMS
from rdstats.records import Record, control_records, slope_records
from rdstats.tables.table import interval, label, number

MIN_SEEDS = 5
MAX_GROUPS = 5
"""Longest enumeration of one claim over several datasets and archs; the table has the rest."""

_COLLAPSED, _NONE, _UP, _DOWN, _CHANGED, _UNDECIDED = CLAIMS
_NO_RESULT = "no result"
_NO_CONTROL = (
    "There is no control (the same fine-tuning without pruning), so no claim about pruning is made; the slopes "
    "are descriptive."
)
_SUPPORTED = (_UP, _DOWN, _CHANGED, _NONE)
_CLAUSE = {
    _UP: "pruning intensified differences in {measure} between classes for {cells}",
    _DOWN: "pruning de-intensified differences in {measure} between classes for {cells}",
    _CHANGED: "the slope changed relative to the control, spread undecided, for {cells}",
    _NONE: "the effect of pruning is practically none (within {margin:g}) for {cells}",
    _COLLAPSED: "networks collapsed (no classifiers any more) for {cells}",
    _NO_RESULT: "there is no result for {cells}",
    _UNDECIDED: "the comparison is undecided for {cells}",
}


def finding(analysis: Analysis) -> str:
    """Return what the analysis found about pruning, as one paragraph.

    Parameters
    ----------
    analysis : result of `rdstats.analyze`.

    Returns
    -------
    Sentences on: the claim of every pruned cell against its control; the strongest supported claim with its
    difference and simultaneous interval; mean slopes beside the control's and those expected from accuracy
    alone; what a slope below 1 means here; seeds and test images.
    """
    records = control_records(analysis)
    if nothing := _nothing_sentence(analysis):
        return nothing
    if not records:
        opening = [_NO_CONTROL, _collapse_sentence(analysis)]
    elif too_few_seeds(records):
        opening = [_few_seeds_sentence(analysis, records)]
    else:
        opening = [claims_sentence(analysis, records), _strongest_sentence(analysis, records)]
    sentences = [*opening, slopes_sentence(analysis), _uncontrolled_sentence(analysis)]
    return " ".join(sentence for sentence in [*sentences, basis_sentence(analysis, records)] if sentence)


def _nothing_sentence(analysis: Analysis) -> str:
    """Return why there is nothing to say about pruning: no slope at all, or the control alone."""
    records = slope_records(analysis)
    if all(record["mean"] is None for record in records):
        return "No network of the cube has a slope, so there is nothing to say about pruning."
    if all(is_control(_method(record)) for record in records):
        slopes = _range(control_slopes(analysis))
        return f"The cube holds the control alone (mean slope {slopes}): nothing was pruned, so no claim is made."
    return ""


def _collapse_sentence(analysis: Analysis) -> str:
    """Return where networks collapsed, for a cube without a control."""
    n = sum(str(record["verdict"]).startswith(_COLLAPSED) for record in slope_records(analysis))
    return f"Networks collapsed (no classifiers any more) in {n} cells; their slopes mean nothing." if n else ""


def word_of(record: Record) -> str:
    """Return the claim of a cell, or that it has no result."""
    return str(record["claim"]) or _NO_RESULT


def too_few_seeds(records: Iterable[Record]) -> bool:
    """Return whether no comparison has the seeds that a claim needs."""
    return max((record["n"] or 0 for record in records), default=0) < MIN_SEEDS


def claims_sentence(analysis: Analysis, records: Sequence[Record]) -> str:
    """Return which claim holds where, the supported ones first."""
    words = {word_of(record) for record in records}
    clauses = [_clause(analysis, records, word) for word in _CLAUSE if word in words and word != _UNDECIDED]
    if {_UP, _DOWN} <= words:
        clauses[1] = f"it de-intensified them for {cells_phrase(records, _DOWN)}"
    if _UNDECIDED in words:
        clauses.append("the comparison is undecided elsewhere" if clauses else _clause(analysis, records, _UNDECIDED))
    names = ", ".join(dict.fromkeys(str(record["control"]) for record in records))
    none = "" if words & set(_SUPPORTED) else "no claim about pruning is supported: "
    return f"Compared with the same fine-tuning without pruning (control: {names}), {none}{'; '.join(clauses)}."


def _clause(analysis: Analysis, records: Sequence[Record], word: str) -> str:
    values = {**analysis.slopes.attrs, **(analysis.control.attrs if analysis.control is not None else {})}
    return _CLAUSE[word].format(**values, cells=cells_phrase(records, word))


def cells_phrase(records: Sequence[Record], word: str) -> str:
    """Return the cells of a claim in words: methods with equal ratios together, likewise places."""
    groups: dict[str, list[str]] = {}
    places = list(dict.fromkeys(_place(record) for record in records))
    for place in places:
        for phrase in _phrases([record for record in records if _place(record) == place], word):
            groups.setdefault(phrase, []).append(place)
    if len(places) < 2:
        return _join(list(groups))
    items = [f"{phrase} ({', '.join(where)})" for phrase, where in groups.items()]
    more = ["and further cells of the table"] if len(items) > MAX_GROUPS else []
    return ", ".join([*items[:MAX_GROUPS], *more])


def _phrases(records: Sequence[Record], word: str) -> list[str]:
    """Return ``mp and up at ratios 2 and 4`` for every group of methods with equal ratios, in one place."""
    methods: dict[str, list[str]] = {}
    for method in dict.fromkeys(_method(record) for record in records):
        own = [record for record in records if _method(record) == method]
        here = [record for record in own if word_of(record) == word]
        if here:
            methods.setdefault(_ratio_phrase(here, len(own)), []).append(method)
    return [f"{_join(names)}{phrase}" for phrase, names in methods.items()]


def _ratio_phrase(records: Sequence[Record], n_all: int) -> str:
    if RATIO not in records[0]:
        return ""
    if len(records) == n_all > 1:
        return " at every ratio"
    ratios = [label(record[RATIO]) for record in records]
    return f" at ratio{'s' if len(ratios) > 1 else ''} {_join(ratios)}"


def strongest(records: Iterable[Record]) -> Record | None:
    """Return the supported claim whose interval lies farthest from 0, changes before "practically none"."""
    supported = [record for record in records if record["claim"] in (_UP, _DOWN, _CHANGED)]
    if supported:
        return max(supported, key=lambda record: max(record["lower"], -record["upper"]))
    none = [record for record in records if record["claim"] == _NONE]
    return max(none, key=lambda record: abs(record["mean"]), default=None)


def _strongest_sentence(analysis: Analysis, records: Sequence[Record]) -> str:
    best = strongest(records)
    if best is None or analysis.control is None:
        return ""
    change = best["claim"] != _NONE
    places = {_place(record) for record in records}
    where = f"{_method(best)}{_ratio_phrase([best], 0)}" + (f" ({_place(best)})" if len(places) > 1 else "")
    by = f"{number(abs(best['mean']))} {'above' if best['mean'] > 0 else 'below'}"
    level = f"{100 * analysis.control.attrs['level']:.4g}%"
    bounds = interval(best["lower"], best["upper"])
    text = (
        f"{'Clearest' if change else 'Largest of these'}: {where}, slope {by} the control's "
        f"({level} simultaneous interval of the difference {bounds})"
    )
    if change and best["log_spread"] is not None:
        text += f"; its balances spread {number(math.exp(best['log_spread']), 2)} times as far"
    return f"{text}."


def slopes_sentence(analysis: Analysis) -> str:
    """Return the range of mean slopes beside the expected ones and the control's; collapsed cells left out.

    It ends with what a slope below 1 can show here.
    """
    pruned = [record for record in slope_records(analysis) if not is_control(_method(record))]
    sound = [record for record in pruned if not str(record["verdict"]).startswith(_COLLAPSED)]
    expected = _range(record["expected"] for record in sound if record["mean"] is not None)
    slopes = _range(record["mean"] for record in sound) or "none"
    beside = f" ({expected} expected from accuracy alone)" if expected else ""
    return f"Mean slopes after pruning: {slopes}{beside}{_control_part(control_slopes(analysis))}"


def _control_part(means: Sequence[float]) -> str:
    no_evidence = "no evidence of a corrective effect"
    if not means:
        return f". A slope below 1 may come from fine-tuning alone and is by itself {no_evidence}."
    text = f"; the control's: {_range(means)}"
    if min(means) >= 1:
        return f"{text}."
    return f"{text}, so slopes below 1 occur without pruning too: by themselves {no_evidence}."


def control_slopes(analysis: Analysis) -> list[float]:
    """Return the mean slope of every control."""
    return [r["mean"] for r in slope_records(analysis) if is_control(_method(r)) and r["mean"] is not None]


def basis_sentence(analysis: Analysis, records: Sequence[Record]) -> str:
    """Return seeds and test images per class, and what the statements are conditional on."""
    ns = sorted({record["n"] for record in records or slope_records(analysis) if record["n"]})
    seeds = _span(ns or [analysis.slopes.sizes.get(SEED, 1)])
    images = _span(analysis.test_images_per_class)
    plural = "" if seeds == "1" else "s"
    return f"Basis: {seeds} seed{plural}, {images} test images per class, this test set only."


def _few_seeds_sentence(analysis: Analysis, records: Sequence[Record]) -> str:
    """Return that no claim is made, and where networks collapsed, which needs no inference."""
    n = max(record["n"] or 0 for record in records)
    text = (
        f"Too few seeds ({n}; {MIN_SEEDS} are needed) to compare pruning with the same fine-tuning without "
        "it (the control), so no claim is made."
    )
    if not any(record["claim"] == _COLLAPSED for record in records):
        return text
    clause = _clause(analysis, records, _COLLAPSED)
    return f"{text} {clause[0].upper()}{clause[1:]}."


def _uncontrolled_sentence(analysis: Analysis) -> str:
    """Return which methods lack the control of their own fine-tuning recipe."""
    compared = {_method(record) for record in control_records(analysis)}
    methods = dict.fromkeys(_method(record) for record in slope_records(analysis))
    alone = [method for method in methods if method not in compared and not is_control(method)]
    if not compared or not alone:
        return ""
    them = "it" if len(alone) == 1 else "them"
    return f"No claim is made for {_join(alone)}: the cube has no control for {them}."


def _method(record: Record) -> str:
    return str(record.get(METHOD, "pruning"))


def _place(record: Record) -> str:
    dims = list(record)[: list(record).index("mean")]
    return " ".join(label(record[dim]) for dim in dims if dim not in (METHOD, RATIO, "control"))


def _range(values: Iterable[float | None]) -> str:
    numbers = [value for value in values if value is not None]
    ends = dict.fromkeys(number(value) for value in (min(numbers), max(numbers))) if numbers else {}
    return " to ".join(ends)


def _span(numbers: Sequence[int]) -> str:
    return " to ".join(dict.fromkeys(f"{value:,}" for value in (min(numbers), max(numbers))))


def _join(items: Sequence[str]) -> str:
    """Return ``a, b and c``."""
    return f"{', '.join(items[:-1])} and {items[-1]}" if len(items) > 1 else "".join(items)
