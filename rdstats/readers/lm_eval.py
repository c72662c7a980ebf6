"""Logs of single examples of the LM Evaluation Harness: ``samples_*.jsonl`` of ``lm_eval --log_samples``.

Understood, of each line: ``target`` (the harness writes it as text), ``filtered_resps``, ``doc_id`` and ``filter``.

- multiple choice: ``filtered_resps`` is one ``[log-likelihood, is greedy]`` a choice, as numbers or as the texts that
  the harness makes of them; the prediction is the number of the choice with the largest, the first among equals, as
  the harness's accuracy has it (not the length-normalised ``acc_norm``).  The target must be the number of a choice.
- generated text: ``filtered_resps`` is one text; the prediction is that text.

Classes are therefore numbers of choices, or answers; a task whose choices mean the same in every question (labels of
a text, yes and no) gives classes in the sense of this project, one whose choices are shuffled does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rdstats.errors import InputError, nearest, one_of
from rdstats.readers.json_table import ROWS, JsonLines
from rdstats.readers.roles import Roles
from rdstats.readers.table import Chunk, coded
from rdstats.readers.values import Unreadable, real_number, refuse, shown

TARGET, PREDICTED, DOC = "target", "filtered_resps", "doc_id"
ROLES = Roles(TARGET, ((PREDICTED, ""),), id=DOC)


def is_log(names: Sequence[str]) -> bool:
    """Return whether records are those of the harness."""
    return {TARGET, PREDICTED, DOC} <= set(names)


class SampleLog:
    """A log as a table of target, prediction and example."""

    def __init__(self, lines: JsonLines, filter_name: str | None) -> None:
        self._lines, self._filter = lines, filter_name
        self.source, self.names = lines.source, [TARGET, PREDICTED, DOC]
        self._choices: list[str] = []
        self.class_names: Mapping[str, Sequence[str]] = {TARGET: self._choices}

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
        """Yield the rows, with the columns asked for only."""
        filters: dict[str, None] = {}
        held: list[tuple[int, dict[str, Any]]] = []
        for row, record in self._lines.records():
            name = str(record.get("filter", "none"))
            filters[name] = None
            if self._filter is None and len(filters) > 1:
                raise InputError(f"{self.source}: filters {one_of(filters)}; choose one with --filter")
            if self._filter is not None and name != self._filter:
                continue
            if held and (len(held) == ROWS or row != held[-1][0] + 1):
                yield self._chunk(held, columns)
                held = []
            held.append((row, {**record, PREDICTED: self._prediction(record, row)}))
        if held:
            yield self._chunk(held, columns)
        elif self._filter is not None and self._filter not in filters:
            raise InputError(
                f"{self.source}: no filter {shown(self._filter)}{nearest(self._filter, filters)}; "
                f"it has {one_of(filters)}"
            )

    def _chunk(self, held: list[tuple[int, dict[str, Any]]], columns: Sequence[str]) -> Chunk:
        return Chunk(self.source, held[0][0], {name: coded([one.get(name) for _, one in held]) for name in columns})

    def _prediction(self, record: dict[str, Any], row: int) -> Any:
        found = record.get(PREDICTED)
        accepted = "one text, or one [log-likelihood, is greedy] a choice is accepted"
        if not isinstance(found, list) or not found:
            raise refuse(self.source, row, PREDICTED, f"{shown(found)}; {accepted}")
        if len(found) == 1 and isinstance(found[0], str):
            return found[0]
        if not all(isinstance(one, list) and len(one) == 2 for one in found) or len(found) < 2:
            raise refuse(self.source, row, PREDICTED, f"{shown(found)}; {accepted}")
        try:
            scores = [real_number(one[0]) for one in found]
        except Unreadable:
            scores = [None]
        if None in scores:
            raise refuse(self.source, row, PREDICTED, f"{shown(found)}; a number for every choice is accepted")
        target = str(record.get(TARGET)).strip()
        if not (target.isascii() and target.isdigit()) or int(target[:9]) >= len(found):
            accepted = f"the number of one of {len(found)} choices is accepted"
            raise refuse(self.source, row, TARGET, f"{shown(record.get(TARGET))}; {accepted}")
        # a choice is a class, whether or not it is ever the right one
        self._choices.extend(map(str, range(len(self._choices), len(scores))))
        return max(range(len(scores)), key=lambda i: (scores[i], -i))


def model_of(path: Path) -> str:
    """Return the model of a log: the harness writes one folder a model."""
    return path.absolute().parent.name

