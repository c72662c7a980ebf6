"""Mean slopes with simultaneous intervals, beside the control and the expected slope."""

from __future__ import annotations

import xarray as xr

from rdstats.analysis import Analysis
from rdstats.figures.common import figure

_NAMES = ("mean", "interval", "n", "k", "verdict", "expected", "spread", "cosine", "accuracy", "reason")


def slope_figure(analysis: Analysis) -> xr.Dataset:
    """Return the mean slope of every cell with its simultaneous interval.

    Returns
    -------
    The variables of `rdstats.summarize_slopes` that are drawn, over the cell dimensions without ``seed``, with
    ``planned``.

    Source: paper, Figures 9 to 12.
    """
    return figure(analysis.summary, analysis, _NAMES)
