"""Families of tests as estimates with intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from rdstats._labelled import RATIO
from rdstats._text import visible
from rdstats.analysis import Analysis, FamilyResult
from rdstats.errors import InputError, UnanswerableError, nearest, one_of
from rdstats.figures.common import figure
from rdstats.records.cells import Record, member_labels

_NUMBERS = ("estimate", "lower", "upper", "p", "p_corrected", "n", "n_first", "n_second", "m")
_SIDES = {
    "less": "tested: first below second (one-sided)",
    "greater": "tested: first above second (one-sided)",
    "two-sided": "tested: first and second differ (two-sided)",
}
_QUANTITIES = {"slope": "mean slope", "delta": "mean difference from the control"}


def family_figure(analysis: Analysis, name: str = "") -> xr.Dataset:
    """Return the tests of the analysis's families.

    Parameters
    ----------
    analysis : result of `rdstats.analyze`.
    name : of one family; default: all families, in their order.

    Returns
    -------
    Dataset over ``test``: ``family``, ``column`` it is corrected in, ``pair``, what is compared in words;
    ``estimate`` (mean of the first minus mean of the second) with ``lower, upper``, two-sided and simultaneous within
    the column; ``p, p_corrected``, ``significant`` (corrected p at most ``alpha``, 1 - level of the family); ``n,
    n_first, n_second, m, reason``; ``side``, which alternative is tested, ``how``, test and correction, and
    ``quantity``, in words.

    Raises
    ------
    UnanswerableError
        An analysis without a family, or without a test in it.
    InputError
        A family that the analysis did not run.
    """
    if not analysis.families:
        raise UnanswerableError("figure family needs a family of tests: name one with family=... (--family)")
    known = [one.family.name for one in analysis.families]
    if name and name not in known:
        raise InputError(f"family {name!r}{nearest(name, known)}; the analysis ran {one_of(known)}")
    names = [name] if name else known
    parts = [_tests(one) for one in analysis.families if one.family.name in names]
    found = xr.concat(parts, "test", data_vars="all", combine_attrs="drop")
    if not found.sizes["test"]:
        raise UnanswerableError(f"figure family needs a family with a test: this cube has none of {one_of(names)}")
    return figure(found, analysis, [str(variable) for variable in found.data_vars])


def _tests(one: FamilyResult) -> xr.Dataset:
    family, tests = one.family, one.tests
    result = xr.Dataset({field: ("test", tests[field].values.astype(float)) for field in _NUMBERS})
    result["alpha"] = xr.full_like(result["p"], 1 - family.level)
    result["significant"] = result["p_corrected"] <= result["alpha"]
    pairing = f", paired by {tests.attrs['pair_by']}" if family.paired else ""
    how = [
        f"{family.test}{pairing}; correction: {family.correction}, m = {family.m(column)}"
        for column in map(str, tests["column"].values.tolist())
    ]
    texts: dict[str, list[str]] = {
        "family": [family.name] * len(how),
        "column": [visible(str(column)) for column in tests["column"].values.tolist()],
        "pair": _pairs(tests),
        "reason": [str(reason) for reason in tests["reason"].values.tolist()],
        "side": [_SIDES[family.alternative]] * len(how),
        "how": how,
        "quantity": [_QUANTITIES[family.quantity]] * len(how),
    }
    return result.assign({field: ("test", np.array(values, object)) for field, values in texts.items()})


def _pairs(tests: xr.Dataset) -> list[str]:
    """Return what each test compares, and what tells it from the other tests of its column."""
    members = [member_labels(tests, i) for i in range(tests.sizes["test"])]
    columns = tests["column"].values.tolist()
    shared: dict[Any, set[str]] = {}
    for column in set(columns):
        own = [member for member, place in zip(members, columns, strict=True) if place == column]
        shared[column] = {dim for dim in own[0] if len({str(member[dim]) for member in own}) == 1}
    return [_words(member, shared[column]) for member, column in zip(members, columns, strict=True)]


def _words(member: Record, shared: set[str]) -> str:
    """Return ``mp vs up, resnet20, ratio 4``: both sides, then what they have in common."""
    differing = [dim for dim, value in member.items() if isinstance(value, list)]
    sides = [" ".join(_label(dim, member[dim][i], alone=len(differing) == 1) for dim in differing) for i in (0, 1)]
    common = [_label(dim, value) for dim, value in member.items() if dim not in differing and dim not in shared]
    return ", ".join([" vs ".join(sides), *common])


def _label(dim: str, value: Any, *, alone: bool = False) -> str:
    text = f"{value:g}" if isinstance(value, int | float) else visible(str(value))
    return text if dim != RATIO or alone else f"ratio {text}"
