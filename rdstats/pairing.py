"""Which networks are pairs: checked by the content hash of their dense weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from rdstats._labelled import SEED
from rdstats.errors import InputError, UnanswerableError


def check_dense_ids(counts: xr.Dataset) -> None:
    """Raise `InputError` where `dense_id` contradicts the data.

    One id under two seeds means that a network was counted twice; one id with two dense matrices means that
    the ids are wrong.  A cube without `dense_id` passes.
    """
    if "dense_id" not in counts:
        return
    if SEED in counts["dense_id"].dims:
        ids = counts["dense_id"].transpose(SEED, ...)
        owner: dict[str, Any] = {}
        for seed, row in zip(counts[SEED].values.tolist(), ids, strict=True):
            for name in set(_names(row).ravel().tolist()) - {""}:
                if name in owner:
                    raise InputError(f"seeds {owner[name]} and {seed} have the same dense network (dense_id {name})")
                owner[name] = seed
    if "correct_dense" in counts and counts["correct_dense"].chunks is None:
        _check_one_matrix(counts)


def _names(ids: xr.DataArray) -> np.ndarray[Any, Any]:
    """Return ids as text, "" for none."""
    names = ["" if name is None or name != name else str(name) for name in ids.values.ravel().tolist()]
    return np.array(names, np.str_).reshape(ids.shape)


def _check_one_matrix(counts: xr.Dataset) -> None:
    """Raise `InputError` where cells of one dense_id have different dense class counts."""
    ids, correct, predicted = xr.broadcast(
        counts["dense_id"], counts["correct_dense"], counts["predicted_dense"], exclude=["class"]
    )
    rows = [part.transpose(*ids.dims, "class").values.reshape(ids.size, -1) for part in (correct, predicted)]
    values, names = np.concatenate(rows, axis=-1), _names(ids).ravel()
    known = (names != "") & ~np.isnan(values).all(axis=-1)
    unique, first, inverse = np.unique(names[known], return_index=True, return_inverse=True)
    values = np.nan_to_num(values[known], nan=-1)
    differs = (values != values[first][inverse]).any(axis=-1)
    if differs.any():
        raise InputError(f"dense_id {unique[inverse[differs][0]]} has different dense matrices")


def check_paired(counts: xr.Dataset, first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
    """Raise `InputError` if two cell selectors do not share their dense networks, seed by seed.

    A network without an id contradicts nothing, unless its accuracy before compression does.
    """
    if "dense_id" not in counts:
        if "accuracy_dense" in counts:
            one, other = (_at(counts["accuracy_dense"], where).values for where in (first, second))
            if ((one != other) & ~np.isnan(one) & ~np.isnan(other)).any():
                raise UnanswerableError(_unpaired(first, second))
        return
    one, other = (_names(_at(counts["dense_id"], where)) for where in (first, second))
    if ((one != other) & (one != "") & (other != "")).any():
        raise UnanswerableError(_unpaired(first, second))


def paired_by(counts: xr.Dataset, *selectors: Mapping[str, Any]) -> str:
    """Return what makes pairs of the selected networks: ``dense_id`` if each that is there has one, else ``seed``."""
    if "dense_id" not in counts:
        return "seed"
    for where in selectors:
        ids = _at(counts["dense_id"], where)
        blank = ids.copy(data=_names(ids) == "")
        there = _at(counts["reason"], where) != "missing" if "reason" in counts else True
        if bool((blank & there).any()):
            return "seed"
    return "dense_id"


def _unpaired(first: Mapping[str, Any], second: Mapping[str, Any]) -> str:
    return f"paired test of {_text(first)} and {_text(second)}: their dense networks differ, so they are no pairs"


def _text(where: Mapping[str, Any]) -> str:
    return " ".join(f"{label:g}" if isinstance(label, float) else str(label) for label in where.values())


def check_independent(counts: xr.Dataset, first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
    """Raise `InputError` if two cell selectors have a dense network in common."""
    if "dense_id" not in counts:
        return
    one, other = (set(_names(_at(counts["dense_id"], where)).ravel().tolist()) for where in (first, second))
    if shared := sorted((one & other) - {""}):
        raise UnanswerableError(
            f"independent test of {_text(first)} and {_text(second)}: they share "
            f"dense networks ({shared[0]}); use paired samples"
        )


def _at(ids: xr.DataArray, where: Mapping[str, Any]) -> xr.DataArray:
    return ids.sel({dim: label for dim, label in where.items() if dim in ids.dims})
