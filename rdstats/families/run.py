"""Carry out the tests of a family."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from rdstats import array
from rdstats._labelled import METHOD, SEED
from rdstats.control import control_differences
from rdstats.degeneracy import without_degenerate
from rdstats.errors import UnanswerableError
from rdstats.families.family import Family
from rdstats.pairing import check_independent, check_paired, paired_by

NO_CONTROL, UNMATCHED = "no_control", "unmatched_ratio"
_RESULT = ("estimate", "statistic", "df", "n", "p", "lower", "upper")


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
    the first minus mean of the second), ``statistic, df, n, n_first, n_second, p, p_corrected, m``,
    ``lower, upper`` (two-sided, at 1 - (1 - level)/m), the paired effect sizes ``g_av, d_z`` (NaN for
    independent samples) and ``reason`` (``missing``, ``too_few_seeds``, ``no_variation``, ``no_control``,
    ``unmatched_ratio``; empty: fine).  Attributes describe the family, with ``missing``, the members without
    a result, and ``pair_by`` as it was really done.

    Raises
    ------
    InputError
        A cube with one seed, labels that are not there, a paired family across different dense networks, or
        an independent one on shared ones.

    Source: paper, section 6.2, which does not say which independent test it used: Welch unless pooled is asked for.
    """
    if SEED not in slopes.dims or slopes.sizes[SEED] < 2:
        raise UnanswerableError(
            "the cube has one seed: a test over training runs needs several; leave --family out "
            "to see each pair of networks alone"
        )
    family = family.check_labels(slopes)
    pair_by = _check_pairs(slopes, family)
    values = _quantity(slopes, family, exclude_degenerate)
    m = np.array([family.m(member.column) for member in family.members])
    first, second = (_series(values, family, side) for side in ("first", "second"))
    options: dict[str, Any] = {"alternative": family.alternative, "level": family.level, "m": m}
    if family.paired:
        result = array.paired_ttest(first, second, **options)
    else:
        result = array.independent_ttest(first, second, equal_variance=family.equal_variance, **options)
    tests = xr.Dataset({name: ("test", np.asarray(getattr(result, name))) for name in _RESULT})
    both = np.isnan(first) | np.isnan(second) if family.paired else None
    for side, own in (("first", first), ("second", second)):
        tests[f"n_{side}"] = ("test", (~(np.isnan(own) if both is None else both)).sum(axis=-1))
    effect = array.effect_size(first, second) if family.paired else None
    for name in ("g_av", "d_z"):
        tests[name] = ("test", getattr(effect, name) if effect else np.full(len(m), np.nan))
    tests["reason"] = ("test", np.asarray(result.reason, object))
    tests = _refuse_unmatched(tests, slopes, family)
    if family.quantity == "delta":
        none = (tests["reason"] == "missing") & [_uncontrolled(values, member) for member in family.members]
        tests["reason"] = tests["reason"].where(~none, NO_CONTROL)
    tests["p_corrected"] = ("test", _corrected(family, tests["p"].values))
    tests["m"] = ("test", m)
    tests["column"] = ("test", np.array([member.column for member in family.members], object))
    for side in ("first", "second"):
        for dim in (str(d) for d in slopes["slope"].dims if d != SEED):
            labels = [getattr(member, side)[dim] for member in family.members]
            is_text = isinstance(next(iter(labels), ""), str)
            tests[f"{side}_{dim}"] = ("test", np.array(labels, object if is_text else None))
    description = {**family.describe(), "m": str(family.describe()["m"]), "pair_by": pair_by}
    missing = int(tests["p"].isnull().sum())
    return tests.assign_attrs(
        {**slopes.attrs, **description, "missing": missing, "exclude_degenerate": int(exclude_degenerate)}
    )


def _check_pairs(slopes: xr.Dataset, family: Family) -> str:
    """Check every member's dense networks; return what pairs were made by, empty for independent samples."""
    if family.paired and family.pair_by == "seed":
        return "seed"
    check = check_paired if family.paired else check_independent
    for member in family.members:
        check(slopes, member.first, member.second)
    if not family.paired:
        return ""
    sides = [side for member in family.members for side in (member.first, member.second)]
    return paired_by(slopes, *sides)


def _quantity(slopes: xr.Dataset, family: Family, exclude_degenerate: bool) -> xr.DataArray:
    networks = without_degenerate(slopes) if exclude_degenerate else slopes
    if family.quantity == "slope":
        return networks["slope"].compute()
    differences = control_differences(networks)
    if differences is None:
        raise UnanswerableError(
            f"--family {family.name}: no method has its control in the cube, so there is no difference from it; "
            "compare the slopes themselves with --against one"
        )
    return differences["delta"]


def _series(values: xr.DataArray, family: Family, side: str) -> np.ndarray[Any, Any]:
    """Return the values of one side of every member, (member, seed); NaN where there is none."""
    dims = [dim for dim in values.dims if dim != SEED]
    data = values.transpose(*dims, SEED).values
    index = {dim: {label: i for i, label in enumerate(_labels(values, dim))} for dim in dims}
    result = np.full((len(family.members), values.sizes[SEED]), np.nan)
    for row, member in zip(result, family.members, strict=True):
        selector = getattr(member, side)
        if not _lacks(values, selector):
            row[:] = data[tuple(index[dim][selector[dim]] for dim in dims)]
    return result


def _labels(values: xr.DataArray, dim: Any) -> list[Any]:
    labels: list[Any] = values[dim].values.tolist() if dim in values.coords else list(range(values.sizes[dim]))
    return labels


def _lacks(values: xr.DataArray, selector: dict[str, Any]) -> bool:
    """Return whether a method is not there: differences from the control leave out those without one."""
    method = selector.get(METHOD)
    return method is not None and method not in values[METHOD].values


def _uncontrolled(values: xr.DataArray, member: Any) -> bool:
    return _lacks(values, member.first) or _lacks(values, member.second)


def _refuse_unmatched(tests: xr.Dataset, slopes: xr.Dataset, family: Family) -> xr.Dataset:
    """Blank the members whose mean achieved ratios differ by more than the family's tolerance."""
    if family.ratio_tolerance is None or not family.members or "achieved_ratio" not in slopes:
        return tests
    achieved = slopes["achieved_ratio"].transpose(..., SEED)
    first, second = (_series(achieved, family, side) for side in ("first", "second"))
    gone = np.isnan(first + second)
    means = [np.where(gone, 0, side).sum(-1) / np.maximum((~gone).sum(-1), 1) for side in (first, second)]
    off = np.abs(means[0] - means[1]) > family.ratio_tolerance * np.minimum(*means)
    blank = xr.DataArray(off & (tests["reason"].values != "missing"), dims="test")
    values = [name for name in (*_RESULT, "g_av", "d_z") if name != "n"]
    tests = tests.assign({name: tests[name].where(~blank) for name in values})
    tests["reason"] = tests["reason"].where(~blank, UNMATCHED)
    return tests


def _corrected(family: Family, p: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Correct column by column."""
    result = np.full(len(p), np.nan)
    column = np.array([member.column for member in family.members], object)
    for name in family.columns():
        here = column == name
        result[here] = array.correct(p[here], family.correction, family.m(name))
    return result
