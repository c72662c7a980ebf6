"""What happened to every class: one record a class."""

from __future__ import annotations

import xarray as xr

from rdstats._labelled import SEED
from rdstats.comparison.quantities import Source
from rdstats.measures import balance
from rdstats.records import Record, bounds, cell_records
from rdstats.regression import contributions

_NAMES = (
    "class_name", "n", "recall_dense", "recall", "change", "lower", "upper", "lost", "gained", "p", "p_corrected",
    "normalized_balance_dense", "normalized_balance", "intensification_ratio", "contribution", "weight", "reason",
)  # fmt: skip


def class_records(source: Source) -> list[Record]:
    """Return, class by class, everything a comparison says; means over seeds where there are several.

    ``n`` test images; ``lost`` and ``gained`` images (and McNemar's p, with Holm's correction) where it is known
    which images both models get right.
    """
    analysis, counts = source.analysis, source.counts
    balances = balance(counts, "recall", source.reference)
    parts = contributions(counts, "recall", source.reference)
    found = source.changes.drop_vars(["n", "class_name"], errors="ignore")
    for data in (balances, parts):
        found = found.assign({str(name): _mean(source, values) for name, values in data.data_vars.items()})
    if source.several:  # a mean of ratios whose denominators come near 0 says nothing; contributions do
        found = found.drop_vars("intensification_ratio")
    found["n"] = _mean(source, counts["support"])
    if analysis.changes is not None:
        tests = source.own(analysis.changes).rename(only_before="lost", only_after="gained")
        found = found.assign({name: tests[name] for name in ("lost", "gained", "p", "p_corrected", "reason")})
    if "class_name" in analysis.counts:
        found["class_name"] = analysis.counts["class_name"]
    there = found["n"] > 0
    return cell_records(found, _NAMES, there=there, ends=bounds(("", "interval")), like="change")


def _mean(source: Source, values: xr.DataArray) -> xr.DataArray:
    if SEED not in values.dims:
        return values
    return values.mean(SEED) if source.several else values.isel({SEED: 0}, drop=True)

