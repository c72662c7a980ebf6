"""Classes that lose and win, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rdstats._labelled import METHOD, RATIO, is_control
from rdstats._words import words
from rdstats.analysis import Analysis
from rdstats.records import Record, class_records, pair_class_records, slope_records
from rdstats.report.phrases import join
from rdstats.tables.table import Column, Table, between, build, label, name_of, num, percent, probability, single

Place = tuple[str, ...]

MOST = 5
"""Losers and winners of a cell that are named."""


@dataclass(frozen=True)
class Change:
    """What happened to one class of one cell; ``sure`` where chance is excluded as a reason."""

    record: Record
    value: float
    sure: bool


def class_changes(analysis: Analysis) -> list[Change]:
    """Return the change of every class of every cell.

    None where a cube can say nothing of chance, see `judged`; single pairs have intervals over test images
    (`rdstats.recall_changes`).
    """
    records = pair_class_records(analysis) if single(analysis) else class_records(analysis)
    changes = judged(records, float(analysis.summary.attrs["level"]))
    return changes if any(change.record["lower"] is not None for change in changes) else []


def judged(records: Sequence[Record], level: float) -> list[Change]:
    """Return the change of every class; sure where chance is excluded as a reason.

    That is McNemar's p, corrected by Holm over the classes, below 1 - level, or, where it is not known which images
    both models get right or there are several pairs, a simultaneous interval that excludes 0.
    """
    changes = []
    for record in records:
        if record["change"] is None:
            continue
        tested = record.get("p_corrected")
        beyond = record["lower"] is not None and (record["lower"] > 0 or record["upper"] < 0)
        sure = tested < 1 - level if tested is not None else beyond and record["reason"] in (None, "")
        changes.append(Change(record, record["change"], bool(sure)))
    return changes


def largest(changes: Sequence[Change]) -> tuple[list[Change], list[Change]]:
    """Return the sure losers and winners of a cell, the largest changes first."""
    sure = [change for change in changes if change.sure]
    losers = sorted((change for change in sure if change.value < 0), key=lambda change: change.value)
    winners = sorted((change for change in sure if change.value > 0), key=lambda change: -change.value)
    return losers, winners


def columns(changes: Sequence[Change]) -> dict[str, dict[str, list[Change]]]:
    """Return the changes by column and by cell, both named as people read them."""
    dims = _dims(changes)
    varying = [dim for dim in dims if dim != RATIO and len({str(c.record[dim]) for c in changes}) > 1]
    result: dict[str, dict[str, list[Change]]] = {}
    for change in changes:
        control = " (control)" if is_control(change.record.get(METHOD, "")) else ""
        column = (" ".join(label(change.record[dim]) for dim in varying) or "All networks") + control
        ratio = label(change.record[RATIO]) if RATIO in change.record else ""
        result.setdefault(column, {}).setdefault(ratio, []).append(change)
    return result


def _dims(changes: Sequence[Change]) -> list[str]:
    if not changes:
        return []
    keys = list(changes[0].record)
    return [key for key in keys[: keys.index("class_name")] if key != "class"]


def column_sentences(analysis: Analysis, changes: Sequence[Change]) -> list[tuple[str, str]]:
    """Return (column, sentence) pairs: who loses and wins most at its largest ratio that has not collapsed."""
    slopes = {_cell(record, "mean"): record for record in slope_records(analysis)}
    return [(column, _column_sentence(cells, slopes)) for column, cells in columns(changes).items()]


def pair_sentence(analysis: Analysis) -> str:
    """Return which classes of one pair of models lose and win, and by which rule; empty for anything else.

    Empty, too, where a model is no classifier any more, which the finding says.
    """
    if not single(analysis):
        return ""
    changes = [change for change in class_changes(analysis) if not is_control(change.record.get(METHOD, ""))]
    cells = {_cell(change.record, "class_name") for change in changes}
    gone = {_cell(r, "mean") for r in slope_records(analysis) if str(r["verdict"]).startswith("collapsed")}
    if len(cells) != 1 or cells & gone:
        return ""
    ((_, told),) = column_sentences(analysis, changes)
    return (
        f"On these test images: {told[0].lower()}{told[1:]} Decided by {_rule(analysis, changes)}; another training "
        "run may change other classes."
    )


def _tested(changes: Sequence[Change]) -> bool:
    """Return whether it is McNemar's test that decides."""
    return any(change.record.get("p_corrected") is not None for change in changes)


def _rule(analysis: Analysis, changes: Sequence[Change]) -> str:
    """Return what excludes chance."""
    if _tested(changes):
        return "McNemar's test, corrected by Holm over the classes"
    units = "paired t intervals over training runs"
    if single(analysis):
        units = "intervals over test images, whatever images both models get right"
    return f"{units}, simultaneous at {percent(analysis.summary.attrs['level'])} over the classes"


def _column_sentence(cells: Mapping[str, list[Change]], slopes: Mapping[Place, Record]) -> str:
    own = {ratio: slopes.get(_cell(changes[0].record, "class_name")) for ratio, changes in cells.items()}
    gone = [ratio for ratio, record in own.items() if record and str(record["verdict"]).startswith("collapsed")]
    sound = [ratio for ratio in cells if ratio not in gone]
    quiet = [ratio for ratio in sound if not any(change.sure for change in cells[ratio])]
    parts = []
    if sound and sound[-1] not in quiet:
        where, last = _at([sound[-1]], cells), cells[sound[-1]]
        accuracy = _accuracy(own[sound[-1]])
        beyond = _beyond(last, own[sound[-1]])
        text = _sentence(last).removesuffix(".") + beyond
        parts.append(_told(f"{where}{accuracy}", text) if where else f"{_told('', text)[:-1]}{accuracy}.")
    groups: dict[str, list[str]] = {}
    for ratio in sound[:-1]:
        if ratio not in quiet:
            groups.setdefault(_counts(cells[ratio]), []).append(ratio)
    parts += [_told(_at(ratios, cells), f"{counts}.") for counts, ratios in groups.items()]
    if quiet:
        tested = any(_tested(cells[ratio]) for ratio in quiet)
        beyond = "chance" if tested else "its interval"
        parts.append(_told(_at(quiet, cells), f"no class's change is beyond {beyond}."))
    if gone:
        parts.append(_told(_at(gone, cells), "the networks collapsed."))
    return " ".join(parts)


def _told(where: str, what: str) -> str:
    text = f"{where}: {what}" if where else what
    return f"{text[0].upper()}{text[1:]}"


def _at(ratios: Sequence[str], cells: Mapping[str, list[Change]]) -> str:
    if len(cells) < 2:
        return ""
    return (
        "At every ratio" if len(ratios) == len(cells) else f"At ratio{'s' if len(ratios) > 1 else ''} {join(ratios)}"
    )


def _accuracy(record: Record | None) -> str:
    """Return `` (accuracy -4.2 points)``, what all classes share."""
    if record is None or record["accuracy"] is None or record["accuracy_dense"] is None:
        return ""
    return f" (accuracy {_points(record['accuracy'] - record['accuracy_dense'])} points)"


def _beyond(changes: Sequence[Change], record: Record | None) -> str:
    """Return how many of the losers lose more than accuracy does: their whole interval lies below its change."""
    losers, _ = largest(changes)
    if not losers or not _accuracy(record) or record is None or any(c.record.get("upper") is None for c in losers):
        return "."
    fall = record["accuracy"] - record["accuracy_dense"]
    n = sum(change.record["upper"] < fall for change in losers)
    return f"; {n or 'none'} of the losers beyond the change of accuracy."


def _sentence(changes: Sequence[Change]) -> str:
    losers, winners = largest(changes)
    texts = [
        f"{_count(own, len(changes), verb)}: {join([_named(change) for change in own[:3]])}"
        + (" and others" if len(own) > 3 else "")
        for own, verb in ((losers, "lose"), (winners, "win"))
        if own
    ]
    none = "" if losers and winners else f"; none {'wins' if losers else 'loses'}"
    return f"{'; '.join(texts)}{none}."


def _counts(changes: Sequence[Change]) -> str:
    losers, winners = largest(changes)
    return f"{_count(losers, len(changes), 'lose')}, {len(winners) or 'none'} win{'s' if len(winners) < 2 else ''}"


def _count(own: Sequence[Change], n: int, verb: str) -> str:
    return f"{len(own) or 'none'} of {n} classes {verb}{'s' if len(own) < 2 else ''}"


def _named(change: Change) -> str:
    """Return ``ship -3.1 points (-5.0 to -1.2)``; points are hundredths of the score."""
    record, name = change.record, name_of(change.record, "class")
    ends = "" if record.get("lower") is None else f" ({_points(record['lower'])} to {_points(record['upper'])})"
    return f"{f'class {name}' if name.isdecimal() else name} {_points(change.value)} points{ends}"


def _points(value: float) -> str:
    """Return hundredths with a sign: one decimal, more where an end would read 0 and is not."""
    points = 100 * value
    digits = next((n for n in (1, 2, 3) if not points or float(f"{points:.{n}f}")), 3)
    text = f"{points:+.{digits}f}"
    return text if float(text) else "0.0"


def _cell(record: Record, first: str) -> Place:
    """Return which cell a record belongs to; its dimensions stand before the key `first`."""
    keys = list(record)
    return tuple(f"{key}={record[key]}" for key in keys[: keys.index(first)] if key != "class")


def changed_tables(analysis: Analysis, changes: Sequence[Change]) -> list[Table]:
    """Return the largest losers and winners of every cell, up to `MOST` of each; none where no change is sure."""
    shown = []
    for cells in columns(changes).values():
        for own in cells.values():
            losers, winners = largest(own)
            shown += [*losers[:MOST], *reversed(winners[:MOST])]
    if not shown:
        return []
    what, pairs = words(analysis.counts.attrs), single(analysis)
    measure = "recall" if pairs else analysis.slopes.attrs["measure"]
    before, after = ("recall_dense", "recall") if pairs else ("score_dense", "score")
    more = [probability("p corrected", "p_corrected")] if _tested(changes) else [between("interval")]
    table = [
        num("before", before), num("after", after), num("change", "change"), *more,
        Column("direction", lambda record: "loses" if record["change"] < 0 else "wins"),
    ]  # fmt: skip
    caption = (
        f"{measure.capitalize()} of a class before and after compression and its change, up to {MOST} losers and "
        f"{MOST} winners of a cell, only those beyond chance: {_rule(analysis, changes)} of a cell. A change holds "
        f"everything that happened between the two: {what.act}, {what.training}, and the loss of accuracy that all "
        "classes share."
    )
    dims = [*_dims(changes), "class"]
    return build("Classes that lose or win", [change.record for change in shown], dims, table, caption)
