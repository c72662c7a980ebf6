"""The records that every analysis has: slopes, the control, tests, and all of them as one document."""

from __future__ import annotations

from typing import Any

from rdstats._labelled import planned
from rdstats.analysis import Analysis, FamilyResult
from rdstats.records.cells import Record, bounds, cell_records, member_labels, plain
from rdstats.records.checks import change_records, interval_records, pair_records, sampling_records

_SLOPE = (
    "mean", "sd", "n", "lower", "upper", "level", "verdict", "spread", "cosine", "expected", "n_degenerate", "reason",
    "k", "accuracy", "accuracy_dense", "achieved_ratio", "beta", "r_squared", "expected_error", "p_equivalent",
)  # fmt: skip
_SLOPE_WITHOUT = ("mean", "n", "lower", "upper", "verdict")
_TEST = (
    "estimate", "statistic", "df", "n", "p", "p_corrected", "m", "alternative", "lower", "upper", "reason",
    "family", "column", "quantity", "n_first", "n_second", "g_av", "d_z",
)  # fmt: skip
_TEST_WITHOUT = ("estimate", "n", "p_corrected")
_CONTROL = (
    "control", "mean", "sd", "n", "lower", "upper", "log_spread", "log_spread_lower", "log_spread_upper",
    "control_slope", "p_equivalent", "k", "claim", "reason", "level", "corrected", "corrected_lower",
    "corrected_upper", "corrected_estimator", "corrected_reason", "support", "slope_ratio", "slope_ratio_lower",
    "slope_ratio_upper", "slope_ratio_form", "g_av", "d_z", "control_collapsed",
)  # fmt: skip
_CONTROL_WITHOUT = ("mean", "n", "lower", "upper", "claim")
_CONTROL_BOUNDS = bounds(
    ("", "interval"),
    ("log_spread_", "log_spread_interval"),
    ("corrected_", "corrected_interval"),
    ("slope_ratio_", "slope_ratio_interval"),
)


def slope_records(analysis: Analysis) -> list[Record]:
    """Return one record a planned cell: its dimensions, then mean, sd, n, lower, upper, level, verdict, ...

    Keys that end in ``_without`` are of the same cell without degenerate networks; None where none of the
    cube is degenerate, or they are left out anyway.
    """

    def of(one: Analysis) -> list[Record]:
        return cell_records(one.summary, _SLOPE, there=planned(one.slopes), ends=bounds(("", "interval")))

    return _beside(of(analysis), of(analysis.without) if analysis.without else None, _SLOPE_WITHOUT)


def control_records(analysis: Analysis) -> list[Record]:
    """Return one record a pruned cell with a control: delta, its interval, the spread's, and the claim."""

    def of(one: Analysis) -> list[Record]:
        if one.control is None:
            return []
        there = planned(one.slopes).sel({"method": one.control["method"]})
        return cell_records(one.control, _CONTROL, there=there, ends=_CONTROL_BOUNDS, like="mean")

    return _beside(of(analysis), of(analysis.without) if analysis.without else None, _CONTROL_WITHOUT)


def test_records(analysis: Analysis) -> list[Record]:
    """Return one record a test, family by family: fixed dimensions as scalars, differing ones as [first, second]."""

    def of(one: Analysis) -> list[Record]:
        return [record for result in one.families for record in family_records(result)]

    return _beside(of(analysis), of(analysis.without) if analysis.without else None, _TEST_WITHOUT)


test_records.__test__ = False  # type: ignore[attr-defined]  # not a test case of pytest


def family_records(result: FamilyResult) -> list[Record]:
    """Return the tests of one family."""
    tests, family = result.tests, result.family
    constant = {"alternative": family.alternative, "family": family.name, "quantity": family.quantity}
    records = []
    for i in range(tests.sizes["test"]):
        values = constant | {name: plain(tests[name].values[i]) for name in _TEST if name in tests}
        records.append(member_labels(tests, i) | {name: values[name] for name in _TEST})
    return records


def _beside(records: list[Record], without: list[Record] | None, names: tuple[str, ...]) -> list[Record]:
    """Add the values that the same records have without degenerate networks."""
    others = without if without is not None else [dict.fromkeys(names)] * len(records)
    return [
        record | {f"{name}_without": other[name] for name in names}
        for record, other in zip(records, others, strict=True)
    ]


def document(analysis: Analysis) -> dict[str, Any]:
    """Return the analysis as one JSON document: families, tests, slopes, and what else it has."""
    described = [
        {**one.family.describe(), "missing": one.tests.attrs["missing"], "pair_by": one.tests.attrs["pair_by"]}
        for one in analysis.families
    ]
    first = described[0] if len(described) == 1 else {"name": ", ".join(one["name"] for one in described)}
    return {
        "family": {**first, "measure": analysis.slopes.attrs["measure"],
                   "reference": analysis.slopes.attrs["reference"],
                   "exclude_degenerate": bool(analysis.summary.attrs["exclude_degenerate"]),
                   "conditional_on": analysis.summary.attrs["conditional_on"],
                   "selected": str(analysis.counts.attrs.get("selected", "")),
                   "warnings": list(analysis.warnings)},
        "tests": test_records(analysis),
        "slopes": slope_records(analysis),
        "families": described,
        "control": control_records(analysis),
        "sampling": sampling_records(analysis),
        "intervals": interval_records(analysis),
        "pairs": pair_records(analysis),
        "changes": change_records(analysis),
    }  # fmt: skip
