"""Normalised balance after compression against before: every class of every network."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from rdstats._labelled import CLASS, METHOD, RATIO, SEED, with_seed
from rdstats.analysis import Analysis
from rdstats.figures.common import MAX_MARKS, figure
from rdstats.figures.networks import entering_counts, named_classes
from rdstats.measures import balance
from rdstats.regression import pooled
from rdstats.slope import collapsed

REACH = 2.0
"""Networks spread at most this many times wider than the dense ones set the range of both axes."""
_ROOM = 1.04
"""The outermost dots do not lie on the edge."""
_BINS = (32, 24, 16, 12, 8)
_NAMES = ("slope", "r_squared", "n", "accuracy", "collapsed", "limit", "beyond", "reason")
_POINTS = ("before", "after", "class_name")


def scatter_figure(analysis: Analysis) -> xr.Dataset:
    """Return the normalised balances of every class of every network before and after compression.

    Returns
    -------
    Dataset over the cell dimensions without ``seed``:

    - ``slope, r_squared, n`` of the pooled line (`rdstats.pooled`), mean ``accuracy``, ``collapsed``,
      ``planned``;
    - ``limit``, the half width of both axes, common to all methods and ratios: all balances before, and those
      after up to `REACH` times as far out; degenerate networks do not count; ``beyond``, the dots outside;
    - ``before, after (..., seed, class)`` and ``class_name``; or, above `MAX_MARKS` dots, ``count
      (..., bin_after, bin_before)``, dots in squares of the plane from -limit to limit (those beyond are in the
      outermost squares), and attribute ``summary``.

    Source: paper, Figures 5 to 8.
    """
    counts, attrs = entering_counts(analysis), analysis.summary.attrs
    result = pooled(counts, attrs["measure"], attrs["reference"])
    result = result.assign(accuracy=analysis.summary["accuracy"], collapsed=collapsed(analysis.summary))
    points = _points(analysis, counts)
    degenerate = analysis.slopes["degenerate"]
    result["limit"] = _limit(points, degenerate).broadcast_like(result["slope"])
    outside = (abs(points["before"]) > result["limit"]) | (abs(points["after"]) > result["limit"])
    result["beyond"] = outside.sum([SEED, CLASS])
    dims = result["slope"].dims
    n_dots = int(points["after"].notnull().sum())
    if n_dots <= MAX_MARKS:
        result = result.assign(points.transpose(*dims, SEED, CLASS, missing_dims="ignore").data_vars)
        return figure(result.assign(class_name=named_classes(counts)), analysis, (*_NAMES, *_POINTS))
    result["count"] = _densities(points.transpose(*dims, SEED, CLASS), result["limit"].transpose(*dims))
    text = f"{n_dots:,} dots in all, drawn as squares: the deeper, the more"
    return figure(result, analysis, (*_NAMES, "count"), summary=text)


def _points(analysis: Analysis, counts: xr.Dataset) -> xr.Dataset:
    attrs = analysis.summary.attrs
    found = balance(counts, attrs["measure"], attrs["reference"])
    before, after = xr.broadcast(found["normalized_balance_dense"], found["normalized_balance"])
    both = before.notnull() & after.notnull()
    return with_seed(xr.Dataset({"before": before.where(both), "after": after.where(both)}), "after")


def _limit(points: xr.Dataset, degenerate: xr.DataArray) -> xr.DataArray:
    """Return how far the axes reach, for every combination of dimensions but method and ratio."""
    sound = abs(points).where(~degenerate)
    over = [dim for dim in (METHOD, RATIO, SEED, CLASS) if dim in points.dims]
    before, after = (
        sound[name].max(over).fillna(abs(points[name]).max(over)).fillna(0.0) for name in ("before", "after")
    )
    widest = after.where(after < REACH * before, REACH * before)
    limit = _ROOM * widest.where(widest > before, before)
    return limit.where(limit > 0, 0.1)


def _densities(points: xr.Dataset, limit: xr.DataArray) -> xr.DataArray:
    """Count dots in squares: as many squares as can be drawn."""
    before, after = (points[name].values / limit.values[..., None, None] for name in ("before", "after"))
    cells = np.argwhere(~np.isnan(after).all(axis=(-2, -1)))
    for n_bins in _BINS:
        count = np.zeros((*limit.shape, n_bins, n_bins), np.int64)
        for index in map(tuple, cells):
            known = ~np.isnan(after[index])
            x, y = (_bins(values[index][known], n_bins) for values in (before, after))
            count[index] = np.bincount(y * n_bins + x, minlength=n_bins**2).reshape(n_bins, n_bins)
        if int((count > 0).sum()) <= MAX_MARKS:
            break
    return xr.DataArray(count, dims=(*limit.dims, "bin_after", "bin_before"))


def _bins(values: np.ndarray[Any, Any], n_bins: int) -> np.ndarray[Any, Any]:
    return np.asarray(np.clip(np.floor((values + 1) / 2 * n_bins).astype(int), 0, n_bins - 1))
