"""What is paid for a ratio: accuracy and slope beside each other."""

from __future__ import annotations

import xarray as xr

from rdstats._entering import entering_networks
from rdstats._labelled import RATIO
from rdstats.analysis import Analysis
from rdstats.columns import tradeoff
from rdstats.errors import UnanswerableError
from rdstats.figures.common import figure

_NAMES = (
    "accuracy", "accuracy_se", "n", "slope", "slope_se", "n_slope", "achieved_ratio", "accuracy_dense",
    "accuracy_dense_se", "n_dense", "verdict", "expected",
)  # fmt: skip


def tradeoff_figure(analysis: Analysis) -> xr.Dataset:
    """Return accuracy and slope of every cell with standard errors, and the accuracy before compression.

    Returns
    -------
    The variables of `rdstats.tradeoff`, over the cell dimensions without ``seed``, with ``verdict`` and ``expected``
    (slope expected from accuracy alone) of `rdstats.summarize_slopes` and ``planned``.

    Raises
    ------
    UnanswerableError
        A cube without ratios.

    Source: paper, Figure 13.
    """
    return _along_ratios(analysis, "tradeoff")


def level_figure(analysis: Analysis) -> xr.Dataset:
    """Return accuracy and slope along the levels of methods that prune step by step; as `tradeoff_figure`.

    Raises
    ------
    UnanswerableError
        A cube without ratios.

    Source: paper, Tables 12 and 13.
    """
    return _along_ratios(analysis, "levels")


def _along_ratios(analysis: Analysis, name: str) -> xr.Dataset:
    if RATIO not in analysis.slopes["slope"].dims:
        raise UnanswerableError(f"figure {name} needs a dimension ratio: there is nothing to follow along")
    found = tradeoff(entering_networks(analysis))
    return figure(found.assign(analysis.summary[["verdict", "expected"]].data_vars), analysis, _NAMES)
