"""What the name of a file says, by a pattern such as ``{method}-{ratio}-{seed}.csv``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from rdstats.errors import InputError
from rdstats.readers.options import check_dim
from rdstats.readers.roles import AFTER, BEFORE
from rdstats.readers.values import Unreadable, dim_label, shown

_FIELD = re.compile(r"\{([^{}]*)\}")
_NUMBERS = {"ratio": re.compile(r"\d{1,9}(\.\d{1,9})?\Z"), "seed": re.compile(r"\d{1,18}\Z")}
SKIP, STAGE = "_", "stage"


@dataclass(frozen=True)
class Pattern:
    """A parsed pattern: `fixed` are the texts before, between and after the `fields`.

    A field matches one or more characters but no slash; ``ratio`` and ``seed`` match numbers, ``stage`` before or
    after, ``{_}`` anything that has no meaning.
    """

    text: str
    fields: tuple[str, ...]
    fixed: tuple[str, ...]

    def match(self, name: str) -> dict[str, Any] | None:
        """Return the label of every field, None if the name does not match.

        Raises
        ------
        InputError
            The name can be read in two ways, or a label is not accepted.
        """
        readings = self._readings(name)
        if not readings:
            return None
        if len(readings) > 1:
            one, other = ("; ".join(f"{f} {shown(v)}" for f, v in zip(self.fields, r, strict=True)) for r in readings)
            raise InputError(f"{shown(name)}: {self.text} can be read in two ways: {one}, or {other}")
        labels: dict[str, Any] = {}
        for field, value in zip(self.fields, readings[0], strict=True):
            if field == SKIP:
                continue
            try:
                labels[field] = dim_label(field, value)
            except Unreadable as error:
                raise InputError(f"{shown(name)}: {field} {shown(value)}; {error}") from None
            if labels[field] is None:
                raise InputError(f"{shown(name)}: {field} {shown(value)} says nothing")
            if field == STAGE:
                labels[field] = "before" if value.lower() in BEFORE else "after"
        return labels

    def _readings(self, name: str) -> list[tuple[str, ...]]:
        """Return up to two ways to read a name, going through its characters once a field."""
        if not name.startswith(self.fixed[0]):
            return []
        ways: dict[int, list[tuple[str, ...]]] = {len(self.fixed[0]): [()]}
        for i, field in enumerate(self.fields):
            after, last = self.fixed[i + 1], i == len(self.fields) - 1
            further: dict[int, list[tuple[str, ...]]] = {}
            for start, readings in ways.items():
                ends = [len(name) - len(after)] if last else range(start + 1, len(name) + 1)
                for end in ends:
                    if end > start and name.startswith(after, end) and _fits(field, name[start:end]):
                        found = further.setdefault(end + len(after), [])
                        found.extend((*reading, name[start:end]) for reading in readings[: 2 - len(found)])
            ways = further
        return ways.get(len(name), [])


def _fits(field: str, value: str) -> bool:
    if field == STAGE:
        return value.lower() in (*BEFORE, *AFTER)
    return _NUMBERS[field].match(value) is not None if field in _NUMBERS else "/" not in value


def parse_pattern(text: str) -> Pattern:
    """Return a parsed pattern.

    Raises
    ------
    InputError
        No field, one twice, two without anything between them, or a name that is no dimension.
    """
    fields = _FIELD.findall(text)
    fixed = _FIELD.split(text)[::2]
    where = f"--pattern {shown(text)}"
    if not fields or any("{" in part or "}" in part for part in fixed):
        raise InputError(f"{where}: fields in braces are accepted, such as {{method}}-{{ratio}}-{{seed}}.csv")
    for field in fields:
        if field not in (SKIP, STAGE):
            check_dim(field, where)
        if field != SKIP and fields.count(field) > 1:
            raise InputError(f"{where}: {{{field}}} is there twice")
    for i, between in enumerate(fixed[1:-1]):
        if not between:
            raise InputError(
                f"{where}: nothing between {{{fields[i]}}} and {{{fields[i + 1]}}}, so no name can be read; put a "
                "separator there"
            )
    return Pattern(text, tuple(fields), tuple(fixed))
