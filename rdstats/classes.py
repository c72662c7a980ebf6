"""Which classes pay for compression: the worst class of every network, and every class over seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from rdstats import array
from rdstats._labelled import CLASS, SEED, like, over_classes, with_seed
from rdstats.cube import class_counts
from rdstats.measures import score, undefined
from rdstats.slope import paired_balances, t_intervals

_RANGES = ("worst_gap", "worst_ratio")


def worst(cube: xr.Dataset, measure: str = "recall") -> xr.Dataset:
    """Return how far the worst class of every network lies behind its best, before and after compression.

    ``worst_gap = max_c x_c - min_c x_c`` and ``worst_ratio = min_c x_c / max_c x_c``.

    Parameters
    ----------
    cube : a cube, or its class counts.
    measure : ``recall``, ``precision`` or ``f1``.

    Returns
    -------
    Dataset over the cell dimensions: ``worst_gap, worst_ratio, worst_class`` (name of the class with the lowest
    score, or its label where the cube has no names; the first of equals), and the same with ``_dense``.  NaN
    and "" where the network is missing or a class with test images has an undefined score (0/0); the ratio
    is also NaN where the best score is 0.

    Raises
    ------
    InputError
        An unknown measure.

    Source: difference and ratio between groups of the fairness literature, with classes as groups.

    Examples
    --------
    >>> import rdstats
    >>> found = worst(rdstats.build([[90, 10], [30, 70]], [[80, 20], [50, 50]], class_names=["cat", "dog"]))
    >>> round(found["worst_gap"].item(), 4), found["worst_ratio"].item(), found["worst_class"].item()
    (0.3, 0.625, 'dog')
    """
    counts = class_counts(cube)
    names = _class_names(counts)
    result = xr.Dataset(attrs={"measure": measure})
    for variable, values in score(counts, measure).data_vars.items():
        stage = str(variable).removeprefix("score")
        known = ~undefined(counts, values, stage)
        for name in _RANGES:
            result[name + stage] = like(over_classes(getattr(array, name), values), values).where(known)
        index = over_classes(array.worst_class, values, dtype=np.int64)
        label = over_classes(_pick, names, index.where(known, -1), dtype=names.dtype)
        result["worst_class" + stage] = like(label, values)
    return result


def _class_names(counts: xr.Dataset) -> xr.DataArray:
    """Return the names of the classes as text, over ``class`` and perhaps ``dataset``: labels where unnamed."""
    labels = counts[CLASS].astype(np.str_)
    if "class_name" not in counts:
        return labels
    names = counts["class_name"].compute().astype(np.str_)
    return names.where(names != "", labels).astype(np.str_)


def _pick(names: np.ndarray[Any, Any], index: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the name at each index, "" at -1."""
    every = np.broadcast_to(names, (*index.shape, names.shape[-1]))
    found = np.take_along_axis(every, np.maximum(index, 0)[..., np.newaxis], axis=-1)[..., 0]
    return np.where(index < 0, "", found)


def per_class(
    cube: xr.Dataset, measure: str = "recall", reference: str = "accuracy", *, level: float = 0.95
) -> xr.Dataset:
    """Return, class by class over seeds, the score before and after compression and its change: who pays?

    ``change = score after - score before`` of the same class, seed by seed, with a t interval over seeds.  The
    intervals of a cell are simultaneous over its k classes, each at ``1 - (1 - level)/k``.  They are over
    training runs, conditional on this test set.

    Parameters
    ----------
    cube : a cube with matrices before and after compression, or its class counts.
    measure, reference : see `rdstats.slopes`; `reference` only matters for the balances.
    level : level of all classes of a cell together.

    Returns
    -------
    Dataset over the cell dimensions without ``seed`` and ``class``:

    - ``score_dense, score``: means over the seeds in which both are known; ``change``, their difference, with
      ``sd, n, interval (..., ci_bound)`` and ``reason`` (see `rdstats.array.t_interval`);
    - ``balance_dense, balance``: mean balances, in the unit of the score, over the seeds in which both are
      known; negative for the classes behind;
    - ``k`` classes with test images, and ``level`` of each interval, without ``class``; ``class_name`` where
      the cube has it.

    NaN for a class without test images, or without a known pair of scores.

    Raises
    ------
    InputError
        A cube without matrices before or after, an unknown choice, or a level that is not between 0 and 1.

    Source: paired t intervals with a Bonferroni correction; the balances are the paper's (section 4).

    Examples
    --------
    >>> import rdstats
    >>> before = [[[90, 10], [30, 70]], [[91, 9], [30, 70]], [[92, 8], [30, 70]]]
    >>> after = [[[80, 20], [50, 50]], [[82, 18], [49, 51]], [[81, 19], [51, 49]]]
    >>> found = per_class(rdstats.build(before, after, dims=("seed",)))
    >>> found["change"].values.round(4).tolist(), found["k"].item()
    ([-0.1, -0.2], 2)
    """
    counts, balances, present = paired_balances(cube, measure, reference)
    parts = score(counts, measure).assign(
        balance=balances["balance"], balance_dense=balances["balance_dense"], present=present
    )
    parts = with_seed(parts, "score")
    change = like(parts["score"] - parts["score_dense"], parts["score"])
    k = like(parts["present"].any(SEED).sum(CLASS), change)
    k = k.where(k > 0, 1)
    every = k.broadcast_like(change.isel({SEED: 0}, drop=True))
    result = t_intervals(change, level=level, k=every).rename(mean="change")
    for name in ("score", "balance"):
        pair = parts[name + "_dense"], parts[name]
        known = (pair[0] + pair[1]).notnull()
        for stage, values in zip(("_dense", ""), pair, strict=True):
            result[name + stage] = like(values.where(known).mean(SEED), change)
    result = result.assign(k=k, level=1 - (1 - level) / k)
    if "class_name" in counts:
        result["class_name"] = counts["class_name"]
    return result.assign_attrs(
        measure=measure, reference=reference, level=level,
        conditional_on="over training runs, conditional on this test set",
    )  # fmt: skip
