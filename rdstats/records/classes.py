"""Records about classes: which pay, by how much, and what each contributes.

Degenerate networks are left out where the analysis leaves them out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from rdstats._entering import entering_counts
from rdstats._labelled import SEED, planned
from rdstats.analysis import Analysis
from rdstats.classes import per_class, worst
from rdstats.records.cells import Record, bounds, cell_records
from rdstats.regression import contributions, intercept_model, pooled

_CLASS = (
    "class_name", "score_dense", "score", "change", "sd", "n", "lower", "upper", "balance_dense", "balance", "reason",
)  # fmt: skip


def class_records(analysis: Analysis) -> list[Record]:
    """Return one record a cell and class: mean score before and after, and its change with an interval."""
    attrs = analysis.summary.attrs
    found = per_class(entering_counts(analysis), attrs["measure"], attrs["reference"], level=attrs["level"])
    there = found["score_dense"].notnull() & planned(analysis.slopes)
    return cell_records(found, _CLASS, there=there, ends=bounds(("", "interval")), like="change")


def contribution_records(analysis: Analysis) -> list[Record]:
    """Return one record a cell and class: mean contribution to the slope, and mean weight."""
    attrs = analysis.summary.attrs
    found = _seed_means(contributions(entering_counts(analysis), attrs["measure"], attrs["reference"]))
    if "class_name" in analysis.counts:
        found["class_name"] = analysis.counts["class_name"]
    names = ("class_name", "contribution", "contribution_sd", "weight", "n")
    return cell_records(found, names, there=found["contribution"].notnull(), like="contribution")


def worst_records(analysis: Analysis) -> list[Record]:
    """Return one record a cell: mean gap and ratio between best and worst class, and the most frequent worst."""
    found = worst(entering_counts(analysis), analysis.summary.attrs["measure"])
    numbers = [name for name in found.data_vars if found[name].dtype.kind == "f"]
    means = _seed_means(found[numbers])
    for stage in ("_dense", ""):
        means["worst_class" + stage] = _most_frequent(found["worst_class" + stage])
    template = analysis.summary["mean"]
    names = (
        "worst_gap_dense", "worst_gap", "worst_ratio_dense", "worst_ratio", "worst_class_dense", "worst_class", "n",
    )  # fmt: skip
    means = means.assign({name: means[name].broadcast_like(template) for name in names if name in means})
    return cell_records(means, names, there=planned(analysis.slopes), like="worst_gap")


def model_records(analysis: Analysis) -> list[Record]:
    """Return one record a cell: mean line with intercept, and the one line for all networks and classes."""
    attrs = analysis.summary.attrs
    line = intercept_model(entering_counts(analysis), attrs["measure"], attrs["reference"])
    every = pooled(entering_counts(analysis), attrs["measure"], attrs["reference"])
    result = _seed_means(line[["slope", "intercept", "r_squared"]])
    result = result.assign(pooled_slope=every["slope"], pooled_r_squared=every["r_squared"], n_pooled=every["n"])
    result["slope_origin"] = analysis.summary["mean"]
    names = (
        "slope_origin", "slope", "intercept", "r_squared", "n", "pooled_slope", "pooled_r_squared", "n_pooled",
    )  # fmt: skip
    return cell_records(result, names, there=planned(analysis.slopes), like="slope")


def _seed_means(data: xr.Dataset) -> xr.Dataset:
    """Return means over seeds, with ``n`` and standard deviations (``_sd``) of the first variable."""
    first = str(next(iter(data.data_vars)))
    values = data if SEED in data[first].dims else data.expand_dims(SEED)
    result = values.mean(SEED)
    result["n"] = values[first].notnull().sum(SEED)
    result[f"{first}_sd"] = values[first].std(SEED, ddof=1) if values.sizes[SEED] > 1 else result[first] * np.nan
    return result


def _most_frequent(names: xr.DataArray) -> xr.DataArray:
    if SEED not in names.dims:
        return names.astype(object)

    def of(values: np.ndarray[Any, Any]) -> Any:
        known = [str(value) for value in values.tolist() if value]
        return max(known, key=known.count) if known else ""

    function: Callable[..., Any] = np.vectorize(of, signature="(n)->()", otypes=[object])
    result: xr.DataArray = xr.apply_ufunc(function, names, input_core_dims=[[SEED]])
    return result
