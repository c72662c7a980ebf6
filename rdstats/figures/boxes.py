"""Slopes of single networks at every ratio, as box plots."""

from __future__ import annotations

import xarray as xr

from rdstats import array
from rdstats._labelled import SEED
from rdstats.analysis import Analysis
from rdstats.degeneracy import without_degenerate
from rdstats.figures.common import MAX_MARKS, figure

MIN_BOX = 5
"""Networks from which a box says less than what it is made of."""

_NAMES = ("mean", "interval", "verdict", "expected", "reason", "accuracy")
_BOX = {"low": "whisker_low", "first": "quartile_first", "median": "median", "third": "quartile_third",
        "high": "whisker_high"}  # fmt: skip


def box_figure(analysis: Analysis) -> xr.Dataset:
    """Return the slopes of the networks of every cell, and their quartiles.

    Returns
    -------
    Dataset over the cell dimensions without ``seed``: ``mean, interval, verdict, expected, reason`` of
    `rdstats.summarize_slopes`; ``whisker_low, quartile_first, median, quartile_third, whisker_high`` over seeds, NaN
    below 5 networks, and ``n`` (see `rdstats.array.box_summary`); ``planned``.  With ``seed``: ``slope`` of every
    network and whether it is ``degenerate``, unless those are over 20,000 numbers, which attribute ``summary`` says.

    Degenerate networks enter the quartiles as they enter the mean.

    Source: paper, Figures 1 to 4.
    """
    networks = analysis.slopes[["slope", "degenerate"]]
    networks = networks if SEED in networks["slope"].dims else networks.expand_dims(SEED)
    if analysis.summary.attrs["exclude_degenerate"]:
        networks = without_degenerate(networks)
    result = figure(analysis.summary, analysis, _NAMES)
    result = result.assign(_boxes(networks["slope"]).data_vars)
    marks = int(networks["slope"].notnull().sum())
    if marks > MAX_MARKS:
        return result.assign_attrs(summary=f"boxes only: {marks:,} networks are too many to show one by one")
    return result.assign(slope=networks["slope"], degenerate=networks["degenerate"])


def _boxes(slopes: xr.DataArray) -> xr.Dataset:
    dims = [dim for dim in slopes.dims if dim != SEED]
    found = array.box_summary(slopes.transpose(*dims, SEED).values)
    enough = found.n >= MIN_BOX
    result = xr.Dataset(coords={dim: slopes[dim] for dim in dims if dim in slopes.coords})
    for field, name in _BOX.items():
        result[name] = xr.DataArray(getattr(found, field), dims=dims).where(xr.DataArray(enough, dims=dims))
    return result.assign(n=(dims, found.n))
