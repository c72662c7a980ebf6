"""Which networks are pairs: checked by the content hash of their dense weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from rdstats._labelled import SEED
from rdstats.errors import InputError


def check_dense_ids(counts: xr.Dataset) -> None:
    """Raise `InputError` where `dense_id` contradicts the data.

    One id under two seeds means that a network was counted twice; one id with two dense matrices means that
    the ids are wrong.  A cube without `dense_id` passes.
    """
    if "dense_id" not in counts or SEED not in counts["dense_id"].dims:
        return
    ids = counts["dense_id"].transpose(SEED, ...)
    seeds = counts[SEED].values.tolist() if SEED in counts.coords else list(range(ids.sizes[SEED]))
    owner: dict[str, Any] = {}
    for seed, row in zip(seeds, np.asarray(ids.values), strict=True):
        for name in {str(v) for v in row.ravel().tolist()} - {"", "nan"}:
            if name in owner:
                raise InputError(f"seeds {owner[name]} and {seed} have the same dense network (dense_id {name})")
            owner[name] = seed
    if "correct_dense" in counts and set(ids.dims) < set(counts["correct_dense"].dims) - {"class"}:
        extra = sorted(map(str, set(counts["correct_dense"].dims) - {"class"} - set(ids.dims)))
        varies = counts["correct_dense"].max(extra) != counts["correct_dense"].min(extra)
        if bool((varies & counts["correct_dense"].notnull().any(extra)).any()):
            raise InputError(f"one dense_id has different dense matrices along {', '.join(extra)}")


def check_paired(counts: xr.Dataset, first: dict[str, Any], second: dict[str, Any]) -> None:
    """Raise `InputError` if two cell selectors do not share their dense networks, seed by seed."""
    if "dense_id" not in counts:
        return
    ids = counts["dense_id"]
    a, b = (ids.sel({d: v for d, v in where.items() if d in ids.dims}) for where in (first, second))
    if not np.array_equal(a.values, b.values):
        raise InputError(f"paired test of {first} and {second}: their dense networks differ; use independent samples")
