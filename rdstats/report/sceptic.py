"""Is a slope below 1 a correction?  The answer in the numbers of this cube."""

from __future__ import annotations

from collections.abc import Sequence

from rdstats._labelled import METHOD, is_control
from rdstats._words import words
from rdstats.analysis import Analysis
from rdstats.records import Record, instrumented_records, retrain_records, slope_records
from rdstats.report.phrases import join, plural
from rdstats.tables.table import interval, label, number, percent

MOST_NAMED = 3
"""More columns than this are given as a range; the tables have each."""


def sceptic_sentences(analysis: Analysis) -> list[str]:
    """Return why a slope below 1 is no evidence of a correction, a sentence or two an argument.

    The control's mean slope, the slopes between dense networks that were only trained again
    (`rdstats.records.retrain_records`), regression to the mean, and the control's slope along the class pattern of
    the other seeds (`rdstats.records.instrumented_records`).

    Source: docs/statistics.md, nulls and the seed-instrumented slope.
    """
    parts = (_control(analysis), _retrained(analysis), _REGRESSION, _instrumented(analysis), _conclusion(analysis))
    return [part for part in parts if part]


_REGRESSION = (
    "Regression to the mean explains why: part of what a dense network shows is the luck of its training run and of "
    "the test images; luck does not repeat itself, so unusually good and unusually bad classes move towards the "
    "average whatever is done next."
)


def _control(analysis: Analysis) -> str:
    own = words(analysis.counts.attrs)
    records = [r for r in slope_records(analysis) if is_control(r.get(METHOD, "")) and r["mean"] is not None]
    if not records:
        return (
            f"Not by itself. This cube has no control ({own.alike} with nothing {own.done}), which would show how "
            f"far below 1 a slope lies without any {own.act}."
        )
    below = [record for record in records if record["mean"] < 1]
    start = f"Not by itself. The control was {own.trained} in the same way and nothing was {own.done}:"
    if len(records) > MOST_NAMED:
        text = (
            f"in {len(records)} columns its mean slope is {_range(records, 'mean')}, below 1 in {len(below)} of them."
        )
    else:
        text = f"its mean slope is {_each(records, 'mean', analysis)}, {'below' if below else 'not below'} 1 already."
        text = text if below else text.replace(" already", "")
    return f"{start} {text}"


def _retrained(analysis: Analysis) -> str:
    records = retrain_records(analysis)
    if not records:
        return "With one training run it is not known what training again would do to the slope."
    start = "Dense networks that differ in nothing but the seed have, taken one against the next, a mean slope of"
    if len(records) > MOST_NAMED:
        return f"{start} {_range(records, 'mean')} ({len(records)} columns): no compression at all."
    texts = [f"{number(r['mean'])} ({plural(r['n'], 'pair')}{_where(r, records)})" for r in records]
    return f"{start} {join(texts)}: no compression at all."


def _instrumented(analysis: Analysis) -> str:
    every = [r for r in instrumented_records(analysis) if is_control(r.get(METHOD, ""))]
    records = [record for record in every if record["estimate"] is not None]
    if not records:
        return ""
    start = (
        "If the balances of each dense network are replaced by those of the other seeds, which share none of its luck, "
        "the control's slope is"
    )
    known = [record for record in records if record["lower"] is not None]
    below = sum(record["upper"] < 1 for record in known)
    above = sum(record["lower"] > 1 for record in known)
    if len(records) > MOST_NAMED:
        counts = f"the interval holds 1 in {len(known) - below - above} of {len(records)} columns"
        off = [f"lies {word} 1 in {n}" for word, n in (("below", below), ("above", above)) if n]
        return f"{start} {_range(records, 'estimate')}; {', '.join([counts, *off])}."
    if not known:
        return f"{start} {_each(records, 'estimate', analysis)}."
    read = "the pattern that all runs share shrank a little even so" if below else (
        "the pattern that all runs share grew" if above else
        "the interval holds 1, so there is no sign that the pattern which all runs share became weaker"
    )  # fmt: skip
    return f"{start} {_each(records, 'estimate', analysis)}: {read}."


def _conclusion(analysis: Analysis) -> str:
    if analysis.control is None:
        return "So nothing on this page rests on a slope above or below 1."
    done = words(analysis.counts.attrs).done
    return f"So the claims of this page compare {done} networks with the control, never with 1."


def _each(records: Sequence[Record], key: str, analysis: Analysis) -> str:
    level = percent(analysis.summary.attrs["level"])
    texts = []
    for record in records:
        inside = f"{level} interval {interval(record['lower'], record['upper'])}" if record["lower"] is not None else ""
        note = ", ".join(part for part in (inside, _where(record, records).removeprefix(", ")) if part)
        texts.append(f"{number(record[key])}{f' ({note})' if note else ''}")
    return join(texts)


def _where(record: Record, records: Sequence[Record]) -> str:
    """Return what tells a record from the others: ``, mnist lenet``."""
    dims = list(record)[: list(record).index("mean" if "mean" in record else "estimate")]
    varying = [dim for dim in dims if len({str(other[dim]) for other in records}) > 1]
    return f", {' '.join(label(record[dim]) for dim in varying)}" if varying else ""


def _range(records: Sequence[Record], key: str) -> str:
    values = [record[key] for record in records]
    return " to ".join(dict.fromkeys(map(number, (min(values), max(values)))))
