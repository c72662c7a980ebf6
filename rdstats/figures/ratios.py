"""Ratios that were achieved against the ones that were asked for."""

from __future__ import annotations

import numpy as np
import xarray as xr

from rdstats._labelled import RATIO, SEED
from rdstats.analysis import Analysis
from rdstats.errors import UnanswerableError
from rdstats.figures.common import figure

NOTED = 1.05
"""Factor between achieved and nominal ratio from which the figure names the achieved one."""

_NAMES = ("mean", "low", "high", "n", "target", "noted")


def ratio_figure(analysis: Analysis) -> xr.Dataset:
    """Return the achieved ratios of the networks of every cell.

    Returns
    -------
    Dataset over the cell dimensions without ``seed``: ``mean, low, high`` (smallest and largest) over its ``n``
    networks; ``noted``, whether the mean is over 5 % from the nominal ratio; ``target``, the mean ratio that was
    aimed at, where that is another than the nominal one; ``planned``.

    Raises
    ------
    UnanswerableError
        A cube without ratios, or without achieved ones.
    """
    networks = analysis.slopes
    if "achieved_ratio" not in networks or RATIO not in networks["slope"].dims:
        raise UnanswerableError("figure ratios needs a dimension ratio and the variable achieved_ratio")
    achieved = networks["achieved_ratio"].where(networks["achieved_ratio"] > 0)
    achieved = achieved if SEED in achieved.dims else achieved.expand_dims(SEED)
    result = xr.Dataset({
        "mean": achieved.mean(SEED), "low": achieved.min(SEED), "high": achieved.max(SEED),
        "n": achieved.notnull().sum(SEED),
    })  # fmt: skip
    result["noted"] = abs(np.log(result["mean"] / networks[RATIO])) > np.log(NOTED)
    if "target_ratio" in networks:
        target = networks["target_ratio"]
        result["target"] = target.mean(SEED) if SEED in target.dims else target
    order = [dim for dim in networks["slope"].dims if dim != SEED]
    return figure(result.broadcast_like(analysis.summary["mean"]).transpose(*order), analysis, _NAMES)
