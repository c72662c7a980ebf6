"""Families of hypothesis tests: declared members, one correction, one result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr

from rdstats import array
from rdstats._labelled import METHOD, RATIO, SEED, is_control, planned
from rdstats.errors import InputError, nearest, one_of
from rdstats.pairing import check_independent, check_paired

Selector = dict[str, Any]


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
    """

    name: str
    members: tuple[Member, ...]
    paired: bool
    alternative: str
    correction: str = "bonferroni"
    level: float = 0.95
    question: str = ""

    def __post_init__(self) -> None:
        for value, accepted, what in (
            (self.alternative, array.ALTERNATIVES, "alternative"),
            (self.correction, array.CORRECTIONS, "correction"),
        ):
            if value not in accepted:
                raise InputError(f"{what} {value!r}{nearest(value, accepted)}; accepted are {one_of(accepted)}")
        if not 0 < self.level < 1:
            raise InputError(f"level {self.level:g}: a number between 0 and 1 is accepted")

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
            "test": "paired t-test" if self.paired else "independent t-test (Welch)",
            "alternative": self.alternative,
            "correction": self.correction,
            "level": self.level,
            "m": {column: self.m(column) for column in self.columns()},
        }


def ratio_family(slopes: xr.Dataset, *, correction: str = "bonferroni", level: float = 0.95) -> Family:
    """Return the family of consecutive ratios: does the slope grow with the ratio?

    One column per combination of the other dimensions; its members are the consecutive pairs of its planned
    ratios in coordinate order, H_a: mean slope at the first < at the second, paired.

    Source: paper, section 7.1, Tables 1 to 4.
    """
    if RATIO not in slopes["slope"].dims:
        raise InputError("--family ratio: the cube has no dimension ratio")
    members = [
        Member(label, {**column, RATIO: a}, {**column, RATIO: b})
        for label, column, ratios in _columns(slopes)
        for a, b in pairwise(ratios)
    ]
    return Family(
        "ratio", tuple(members), paired=True, alternative="less", correction=correction, level=level,
        question="the mean slope at the lower ratio is not below that at the next higher one",
    )  # fmt: skip


FAMILIES = {"ratio": ratio_family}


def _columns(slopes: xr.Dataset) -> Iterator[tuple[str, Selector, list[Any]]]:
    """Yield label, selector and planned ratios of every column with a planned ratio, controls left out."""
    there = planned(slopes)
    dims = [str(dim) for dim in there.dims if dim != RATIO]
    stacked = there.transpose(*dims, RATIO)
    ratios = slopes[RATIO].values.tolist()
    for index in np.ndindex(*stacked.shape[:-1]):
        column = {dim: _label(slopes, dim, i) for dim, i in zip(dims, index, strict=True)}
        has = stacked.values[index]
        if has.any() and not is_control(column.get(METHOD, "")):
            label = " ".join(str(value) for value in column.values()) or "all"
            yield label, column, [ratio for ratio, one in zip(ratios, has, strict=True) if one]


def _label(data: xr.Dataset, dim: str, i: int) -> Any:
    return data[dim].values.tolist()[i] if dim in data.coords else i


def run_family(slopes: xr.Dataset, family: Family, *, exclude_degenerate: bool = False) -> xr.Dataset:
    """Carry out every test of a family.

    Parameters
    ----------
    slopes : result of `rdstats.slopes`.
    family : the declared comparisons.
    exclude_degenerate : leave degenerate networks out (pairs with one of them are dropped whole).

    Returns
    -------
    Dataset over ``test``, one entry a member: ``first_<dim>, second_<dim>``, ``column``, ``estimate`` (mean of
    the first minus mean of the second), ``statistic, df, n, p, p_corrected, m``, ``lower, upper`` (two-sided,
    at 1 - (1 - level)/m) and ``reason``.

    Raises
    ------
    InputError
        A paired family across different dense networks, or an independent one on shared ones.
    """
    if SEED not in slopes.dims:
        raise InputError("the cube has no dimension seed; a test over training runs needs several seeds")
    values = slopes["slope"].where(~slopes["degenerate"]) if exclude_degenerate else slopes["slope"]
    values = values.compute()
    m = np.array([family.m(member.column) for member in family.members])
    first, second = (_series(values, slopes, family, side) for side in ("first", "second"))
    run = array.paired_ttest if family.paired else array.independent_ttest
    result = run(first, second, alternative=family.alternative, level=family.level, m=m)
    tests = xr.Dataset({name: ("test", getattr(result, name)) for name in _RESULT})
    tests["reason"] = ("test", np.asarray(result.reason, object))
    tests["p_corrected"] = ("test", _corrected(family, tests["p"].values))
    tests["m"] = ("test", m)
    tests["column"] = ("test", np.array([member.column for member in family.members], object))
    for side in ("first", "second"):
        for dim in (str(d) for d in values.dims if d != SEED):
            labels = [getattr(member, side)[dim] for member in family.members]
            is_text = isinstance(next(iter(labels), ""), str)
            tests[f"{side}_{dim}"] = ("test", np.array(labels, object if is_text else None))
    excluded = {"exclude_degenerate": int(exclude_degenerate)}
    return tests.assign_attrs({**slopes.attrs, **family.describe(), "m": str(family.describe()["m"]), **excluded})


_RESULT = ("estimate", "statistic", "df", "n", "p", "lower", "upper")


def _series(values: xr.DataArray, slopes: xr.Dataset, family: Family, side: str) -> np.ndarray[Any, Any]:
    """Return the slopes of one side of every member, (member, seed)."""
    rows = []
    for member in family.members:
        if side == "first":
            check = check_paired if family.paired else check_independent
            check(slopes, member.first, member.second)
        rows.append(values.sel(getattr(member, side)).values)
    return np.array(rows, float).reshape(len(family.members), values.sizes[SEED])


def _corrected(family: Family, p: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Correct column by column."""
    result = np.full(len(p), np.nan)
    column = np.array([member.column for member in family.members], object)
    for name in family.columns():
        here = column == name
        result[here] = array.correct(p[here], family.correction, family.m(name))
    return result
