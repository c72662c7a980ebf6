"""What a family of tests is: its members, declared before any result is seen, and how they are tested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import xarray as xr

from rdstats import array
from rdstats.cube.select import position
from rdstats.errors import InputError, nearest, one_of

Selector = dict[str, Any]
QUANTITIES = ("slope", "delta")
PAIRINGS = ("dense_id", "seed")


@dataclass(frozen=True)
class Member:
    """One comparison: two full cell selectors (dimension -> label), in the column it is corrected with."""

    column: str
    first: Selector
    second: Selector


@dataclass(frozen=True)
class Family:
    """A family of tests of one quantity; m counts the declared members of a column, computable or not.

    Attributes
    ----------
    name : name of the family.
    members : all comparisons.
    paired : paired samples (same dense networks) or independent ones.
    alternative : about the first relative to the second: ``less``, ``greater`` or ``two-sided``.
    correction : ``bonferroni``, ``holm``, ``bh`` or ``none``.
    level : family-wise level of the two-sided intervals.
    question : the null hypothesis in words.
    equal_variance : independent samples only: Student's test with pooled variance instead of Welch's.
    pair_by : what makes two networks of a paired test a pair: equal ``dense_id``, or the ``seed`` label alone.
    quantity : ``slope``, or ``delta``, its difference from the control's.
    across : dimensions whose labels head the columns of the printed table.
    ratio_tolerance : largest relative difference between the mean achieved ratios of a member's two sides;
        None: not looked at.
    """

    name: str
    members: tuple[Member, ...]
    paired: bool
    alternative: str
    correction: str = "bonferroni"
    level: float = 0.95
    question: str = ""
    equal_variance: bool = False
    pair_by: str = "dense_id"
    quantity: str = "slope"
    across: tuple[str, ...] = ()
    ratio_tolerance: float | None = None

    def __post_init__(self) -> None:
        for value, accepted, what in (
            (self.alternative, array.ALTERNATIVES, "alternative"),
            (self.correction, array.CORRECTIONS, "correction"),
            (self.pair_by, PAIRINGS, "pair_by"),
            (self.quantity, QUANTITIES, "quantity"),
        ):
            if value not in accepted:
                raise InputError(f"{what} {value!r}{nearest(value, accepted)}; accepted are {one_of(accepted)}")
        if not 0 < self.level < 1:
            raise InputError(f"level {self.level:g}: a number between 0 and 1 is accepted")
        if self.equal_variance and self.paired:
            raise InputError(f"family {self.name}: pooled variance belongs to independent samples; this one is paired")

    @property
    def test(self) -> str:
        """Name of the test."""
        if self.paired:
            return "paired t-test"
        return f"independent t-test ({'pooled variance' if self.equal_variance else 'Welch'})"

    def columns(self) -> list[str]:
        """Return the columns in the order of their members."""
        return list(dict.fromkeys(member.column for member in self.members))

    def m(self, column: str) -> int:
        """Return the number of declared members of a column."""
        return sum(member.column == column for member in self.members)

    def describe(self) -> dict[str, Any]:
        """Return the family in plain data: what a table's caption and the JSON output state."""
        return {
            "name": self.name,
            "question": self.question,
            "test": self.test,
            "alternative": self.alternative,
            "correction": self.correction,
            "level": self.level,
            "m": {column: self.m(column) for column in self.columns()},
            "quantity": self.quantity,
            "pair_by": self.pair_by if self.paired else "",
        }

    def to_json(self) -> str:
        """Return the whole family, members included, as JSON text; `from_json` rebuilds it."""
        from pydantic import TypeAdapter

        return TypeAdapter(Family).dump_json(self, indent=1).decode() + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, *, name: str = "family") -> Family:
        """Return the family that `to_json` wrote.

        Parameters
        ----------
        text : JSON text.
        name : what to call it in an error, such as the file's name.

        Raises
        ------
        InputError
            Text that is no family: the first thing that is wrong.
        """
        from pydantic import TypeAdapter, ValidationError

        try:
            return TypeAdapter(cls).validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            if isinstance(context := first.get("ctx", {}).get("error"), InputError):
                raise InputError(f"{name}: {context}") from None
            where = ".".join(map(str, first["loc"]))
            raise InputError(f"{name}: no family of tests: {where}: {first['msg']}".replace(": : ", ": ")) from None

    def check_labels(self, data: xr.Dataset) -> Family:
        """Return the family with every selector in the data's own labels.

        Raises
        ------
        InputError
            A dimension or label that the data lack, or a selector that does not name every dimension.
        """
        dims = [str(dim) for dim in data["slope"].dims if dim != "seed"]
        labels = {d: data[d].values.tolist() if d in data.coords else list(range(data.sizes[d])) for d in dims}

        def checked(selector: Selector, i: int) -> Selector:
            where = f"family {self.name}, comparison {i + 1}"
            for dim in selector:
                if dim not in dims:
                    raise InputError(f"{where}: no dimension {dim!r}{nearest(dim, dims)}; there are {one_of(dims)}")
            if lacking := [dim for dim in dims if dim not in selector]:
                raise InputError(f"{where}: it does not say which {lacking[0]}; a full selector names {one_of(dims)}")
            return {dim: find(labels[dim], selector[dim], f"{where}: {dim}") for dim in dims}

        members = tuple(
            Member(member.column, checked(member.first, i), checked(member.second, i))
            for i, member in enumerate(self.members)
        )
        return Family(**{**{f: getattr(self, f) for f in self.__dataclass_fields__}, "members": members})


def find(present: list[Any], wanted: Any, where: str) -> Any:
    """Return the label that is meant, numbers by value; `InputError` names the nearest one."""
    at = position(present, wanted)
    if at is None:
        names = [f"{label:g}" if isinstance(label, float) else str(label) for label in present]
        raise InputError(f"{where} has no {wanted}{nearest(str(wanted), names)}; there are {one_of(names)}")
    return present[at]
