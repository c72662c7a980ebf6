"""Limits that a comparison must keep: ``slope > 1.2`` fails a build."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from rdstats.comparison.quantities import QUANTITIES, Quantity
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

    def judge(self, quantities: Sequence[Quantity], *, point: bool = False) -> list[GateResult]:
        """Return how the gate ends, place by place.

        By default a gate fails when the whole interval lies beyond the limit: for ``>`` its lower bound does, so the
        failure is beyond chance at the interval's level.  A value beyond the limit whose interval reaches back within
        it passes with a warning.  Where a quantity has no interval, and with `point`, its value decides.  What has
        neither fails: it cannot be shown to keep the limit.
        """
        own = [quantity for quantity in quantities if quantity.name == self.name]
        if not own:
            raise InputError(f"--fail-if '{self}': this comparison has no {self.name} (it needs a control)")
        return [self._judge(quantity, point) for quantity in own]

    def _judge(self, quantity: Quantity, point: bool) -> GateResult:
        bound = quantity.lower if ">" in self.sign else quantity.upper
        used, tested = ("bound", bound) if bound is not None and not point else ("value", quantity.value)
        if tested is None:
            return GateResult(self, quantity, "none", None, True)
        return GateResult(self, quantity, used, tested, self._beyond(tested))

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
    used : ``bound`` of the interval, ``value``, or ``none``.
    tested : the number that was compared with the limit.
    failed : whether the build fails.
    """

    gate: Gate
    quantity: Quantity
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
        word = "FAILED" if self.failed else "passed"
        if self.tested is None:
            why = self.quantity.reason.replace("_", " ") or "no value"
            return f"{word}: {self.gate}{place}: cannot be judged ({why})"
        side = "lower" if ">" in self.gate.sign else "upper"
        by = abs(self.tested - self.gate.limit)
        what = f"{side} bound {_shown(self.tested, self.gate.limit)}" if self.used == "bound" else (
            f"value {_shown(self.tested, self.gate.limit)}"
        )  # fmt: skip
        basis = f" ({self.quantity.basis})" if self.used == "bound" else ""
        none = " (it has no interval)" if self.used == "value" and self.quantity.lower is None else ""
        text = f"{word}: {self.gate}{place}: {what}{basis}{none}, {'beyond' if self.failed else 'within'} by {by:.3g}"
        if not self.warned:
            return text
        return f"{text}; its value {self.quantity.value:.4g} is beyond, but not beyond chance"

    def record(self) -> Record:
        """Return the result as a record, exact."""
        gate = {"gate": str(self.gate), "quantity": self.gate.name, "sign": self.gate.sign, "limit": self.gate.limit}
        own = {"failed": self.failed, "warned": self.warned, "used": self.used, "tested": self.tested}
        return {**self.quantity.place, **gate, **own}


def _shown(value: float, limit: float) -> str:
    """Return a number with as many digits as tell it from the limit."""
    for digits in (4, 6, 9, 17):
        text = f"{value:.{digits}g}"
        if value == limit or float(text) != limit:
            return text
    return text
