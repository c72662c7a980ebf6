"""Limits that a comparison must keep: ``slope > 1.2`` fails a build."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from rdstats.comparison.quantities import POSSIBLE, QUANTITIES, Quantity
from rdstats.errors import InputError, nearest, one_of
from rdstats.records import Record
from rdstats.tables.table import label

_GATE = re.compile(r"\s*([A-Za-z_]\w*)\s*(>=|<=|>|<)\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(%?)\s*\Z")


@dataclass(frozen=True)
class Gate:
    """A condition under which a comparison fails: a quantity beyond a limit.

    Attributes
    ----------
    name : one of `QUANTITIES`.
    sign : ``>``, ``>=``, ``<`` or ``<=``.
    limit : number on the quantity's scale.
    """

    name: str
    sign: str
    limit: float

    @classmethod
    def parse(cls, text: str) -> Gate:
        """Read ``slope > 1.2`` or ``worst_recall_drop > 2%``.

        Raises
        ------
        InputError
            Another form, an unknown quantity (with the nearest), or a limit that is not finite.

        Examples
        --------
        >>> Gate.parse("worst_recall_drop > 2%")
        Gate(name='worst_recall_drop', sign='>', limit=0.02)
        """
        found = _GATE.match(text)
        if found is None:
            raise InputError(f"--fail-if {text!r}: name, one of > >= < <=, and a number are accepted, 'slope > 1.2'")
        name, sign, number, percent = found.groups()
        if name not in QUANTITIES:
            raise InputError(f"--fail-if {text!r}: no quantity {name}{nearest(name, QUANTITIES)}; {one_of(QUANTITIES)}")
        limit = float(number) / 100 if percent else float(number)
        if not math.isfinite(limit):
            raise InputError(f"--fail-if {text!r}: a finite number is accepted")
        return cls(name, sign, limit)

    def __str__(self) -> str:
        short = f"{self.limit:g}"
        return f"{self.name} {self.sign} {short if float(short) == self.limit else repr(self.limit)}"

    def judge(
        self, quantities: Sequence[Quantity], *, point: bool = False, strict: bool = False
    ) -> list[GateResult]:
        """Return how the gate ends, place by place.

        By default a gate fails when the whole interval lies beyond the limit: for ``>`` its lower bound does, so the
        failure is beyond chance at the interval's level.  A value beyond the limit whose interval reaches back within
        it passes with a warning.  With `strict` a gate passes only when the whole interval lies within the limit, so
        that the limit is shown to be kept (non-inferiority); what has no interval of confidence fails.  With `point`,
        and by default where a quantity has no interval, its value decides.  What has neither fails: it cannot be shown
        to keep the limit.

        Raises
        ------
        InputError
            Both `point` and `strict`, or a quantity that the comparison lacks.
        """
        if point and strict:
            raise InputError("strict and point: one of them is accepted")
        rule = "point" if point else "strict" if strict else "chance"
        own = [quantity for quantity in quantities if quantity.name == self.name]
        if not own:
            raise InputError(f"--fail-if '{self}': this comparison has no {self.name} (it needs a control)")
        return [self._judge(quantity, rule) for quantity in own]

    def _judge(self, quantity: Quantity, rule: str) -> GateResult:
        bound = {"lower": quantity.lower, "upper": quantity.upper}[self.side(rule)]
        used, tested = ("bound", bound) if bound is not None and rule != "point" else ("value", quantity.value)
        nothing_shown = used == "value" or quantity.basis == POSSIBLE
        if tested is None or (rule == "strict" and nothing_shown):
            return GateResult(self, quantity, rule, "none", None, True)
        return GateResult(self, quantity, rule, used, tested, self._beyond(tested))

    def side(self, rule: str) -> str:
        """Return which end of an interval decides: the nearer one, or with ``strict`` the farther one."""
        return "lower" if (">" in self.sign) != (rule == "strict") else "upper"

    def _beyond(self, value: float) -> bool:
        return {
            ">": value > self.limit, ">=": value >= self.limit, "<": value < self.limit, "<=": value <= self.limit,
        }[self.sign]  # fmt: skip


@dataclass(frozen=True)
class GateResult:
    """How a gate ended.

    Attributes
    ----------
    gate, quantity : what was asked, and of what.
    rule : ``chance`` (fails beyond chance), ``strict`` (passes what is shown to be within) or ``point``.
    used : ``bound`` of the interval, ``value``, or ``none``.
    tested : the number that was compared with the limit.
    failed : whether the build fails.
    """

    gate: Gate
    quantity: Quantity
    rule: str
    used: str
    tested: float | None
    failed: bool

    @property
    def warned(self) -> bool:
        """Whether the value is beyond the limit although the gate passed, since its interval reaches within it."""
        value = self.quantity.value
        return not self.failed and value is not None and self.gate._beyond(value)

    def sentence(self) -> str:
        """Return the result in one line: what was compared, by how much it is beyond, on which basis."""
        place = "".join(f" ({dim} {label(value)})" for dim, value in self.quantity.place.items())
        start = f"{'FAILED' if self.failed else 'passed'}: {self.gate}{place}"
        if self.tested is None:
            return f"{start}: {self._untested()}"
        side, by = self.gate.side(self.rule), abs(self.tested - self.gate.limit)
        what = f"{f'{side} bound' if self.used == 'bound' else 'value'} {_shown(self.tested, self.gate.limit)}"
        basis = f" ({self.quantity.basis})" if self.used == "bound" else ""
        none = f" (it has no interval{self._why()})" if self.used == "value" and self.quantity.lower is None else ""
        text = f"{start}: {what}{basis}{none}, {'beyond' if self.failed else 'within'} by {by:.3g}"
        return f"{text}{self._remark()}"

    def _untested(self) -> str:
        if self.quantity.basis == POSSIBLE:
            ends = f"{self.quantity.lower:.4g} to {self.quantity.upper:.4g}"
            return f"not shown to be within: {ends} is {POSSIBLE}"
        if self.quantity.value is None:
            return f"cannot be judged ({self.quantity.reason.replace('_', ' ') or 'no value'})"
        return f"not shown to be within: value {self.quantity.value:.4g} has no interval{self._why()}"

    def _why(self) -> str:
        return f": {self.quantity.reason.replace('_', ' ')}" if self.quantity.reason else ""

    def _remark(self) -> str:
        """Return what the value says where an interval decided otherwise."""
        value, strict = self.quantity.value, self.rule == "strict"
        shown = ": shown to be within" if strict and not self.failed else ""
        if value is None or self.used != "bound" or self.gate._beyond(value) == self.failed:
            return shown
        side = "within" if self.failed else "beyond"
        ends = (self.quantity.lower, self.quantity.upper)
        if None not in ends and not ends[0] <= value <= ends[1]:  # type: ignore[operator]
            return f"{shown}; its value {value:.4g} is {side}, and outside the interval"
        return f"; its value {value:.4g} is {side}, but not {'shown to be' if strict else 'beyond chance'}"

    def record(self) -> Record:
        """Return the result as a record, exact."""
        gate = {"gate": str(self.gate), "quantity": self.gate.name, "sign": self.gate.sign, "limit": self.gate.limit}
        own = {"failed": self.failed, "warned": self.warned, "rule": self.rule, "used": self.used}
        return {**self.quantity.place, **gate, **own, "tested": self.tested}


def _shown(value: float, limit: float) -> str:
    """Return a number with as many digits as tell it from the limit."""
    for digits in (4, 6, 9, 17):
        text = f"{value:.{digits}g}"
        if value == limit or float(text) != limit:
            return text
    return text
