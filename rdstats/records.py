"""Results as tidy records: plain dictionaries with one key a dimension, at full precision."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr

from rdstats._labelled import planned
from rdstats.analysis import Analysis

Record = dict[str, Any]

_SLOPE = (
    "mean",
    "sd",
    "n",
    "lower",
    "upper",
    "level",
    "verdict",
    "spread",
    "cosine",
    "expected",
    "n_degenerate",
    "reason",
)
_TEST = (
    "estimate",
    "statistic",
    "df",
    "n",
    "p",
    "p_corrected",
    "m",
    "alternative",
    "lower",
    "upper",
    "reason",
)
_CONTROL = (
    "control", "mean", "sd", "n", "lower", "upper", "log_spread", "log_spread_lower", "log_spread_upper",
    "control_slope", "p_equivalent", "k", "claim", "reason",
)  # fmt: skip


def slope_records(analysis: Analysis) -> list[Record]:
    """Return one record a planned cell: its dimensions, then mean, sd, n, lower, upper, level, verdict, ..."""
    bounds = {"lower": ("interval", 0), "upper": ("interval", 1)}
    return _records(analysis.summary, planned(analysis.slopes), _SLOPE, bounds)


def mean_accuracies(analysis: Analysis) -> list[float | None]:
    """Return the mean accuracy of every planned cell, in the order of `slope_records`."""
    records = _records(analysis.summary, planned(analysis.slopes), ("accuracy",), {})
    return [record["accuracy"] for record in records]


def control_records(analysis: Analysis) -> list[Record]:
    """Return one record a pruned cell with a control: delta, its interval, the spread's, and the claim."""
    if analysis.control is None:
        return []
    bounds = {
        "lower": ("interval", 0),
        "upper": ("interval", 1),
        "log_spread_lower": ("log_spread_interval", 0),
        "log_spread_upper": ("log_spread_interval", 1),
    }
    there = planned(analysis.slopes).sel({"method": analysis.control["method"]})
    return _records(analysis.control, there, _CONTROL, bounds)


def test_records(analysis: Analysis) -> list[Record]:
    """Return one record a test: fixed dimensions as scalars, differing ones as [first, second]."""
    tests = analysis.tests
    dims = [str(name).removeprefix("first_") for name in tests.data_vars if str(name).startswith("first_")]
    records = []
    for i in range(tests.sizes["test"]):
        record: Record = {}
        for dim in dims:
            pair = [plain(tests[f"{side}_{dim}"].values[i]) for side in ("first", "second")]
            record[dim] = pair[0] if pair[0] == pair[1] else pair
        values = {name: plain(tests[name].values[i]) for name in _TEST if name in tests}
        values["alternative"] = analysis.family.alternative
        records.append(record | {name: values[name] for name in _TEST})
    return records


test_records.__test__ = False  # type: ignore[attr-defined]  # not a test case of pytest


def document(analysis: Analysis) -> dict[str, Any]:
    """Return the analysis as one JSON document: family, tests, slopes."""
    return {
        "family": {**analysis.family.describe(), "measure": analysis.slopes.attrs["measure"],
                   "reference": analysis.slopes.attrs["reference"],
                   "exclude_degenerate": bool(analysis.summary.attrs["exclude_degenerate"]),
                   "warnings": list(analysis.warnings)},
        "tests": test_records(analysis),
        "slopes": slope_records(analysis),
    }  # fmt: skip


def _records(
    data: xr.Dataset, there: xr.DataArray, names: tuple[str, ...], bounds: dict[str, tuple[str, int]]
) -> list[Record]:
    dims = [str(dim) for dim in data["mean"].dims]
    there = there.transpose(*dims)
    columns = {name: data[bounds[name][0]].isel(ci_bound=bounds[name][1]) if name in bounds else data.get(name)
               for name in names}  # fmt: skip
    arrays = {n: c.broadcast_like(data["mean"]).transpose(*dims).values for n, c in columns.items() if c is not None}
    labels = {dim: data[dim].values if dim in data.coords else np.arange(data.sizes[dim]) for dim in dims}
    records = []
    for index in map(tuple, np.argwhere(there.values)):
        record = {dim: plain(labels[dim][i]) for dim, i in zip(dims, index, strict=True)}
        records.append(record | {name: plain(arrays[name][index]) if name in arrays else None for name in names})
    return records


def plain(value: Any) -> Any:
    """Return a NumPy scalar as plain data; NaN becomes None, a whole float an int."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() else value
    return value
