"""The two factors of the slope: how far the classes are apart, and whether they keep their order."""

from __future__ import annotations

import numpy as np
import xarray as xr

from rdstats._labelled import SEED
from rdstats.analysis import Analysis
from rdstats.figures.common import MAX_MARKS, figure
from rdstats.figures.networks import entering_slopes
from rdstats.slope import collapsed

EQUAL_SLOPES = (0.5, 1.0, 2.0)
"""Slopes along which guiding curves are drawn."""
_NAMES = ("mean", "spread", "cosine", "n", "verdict", "collapsed", "reason", "equal_slope")


def spread_figure(analysis: Analysis) -> xr.Dataset:
    """Return spread ratio and cosine, whose product is the slope, of every network and on average.

    Returns
    -------
    Dataset over the cell dimensions without ``seed``: ``mean`` slope, mean ``spread`` and ``cosine``, ``n``,
    ``verdict``, ``collapsed``, ``planned``; ``equal_slope (guide, guide_cosine)``, the spread ratios that give
    the slopes `EQUAL_SLOPES`; and of the networks ``network_spread, network_cosine, degenerate (..., seed)``.
    Above `MAX_MARKS` networks these are left out, said in attribute ``summary``.
    """
    networks = entering_slopes(analysis)
    cosine = np.linspace(0.02, 1.0, 50)
    guides = xr.DataArray(
        np.array(EQUAL_SLOPES)[:, np.newaxis] / cosine,
        dims=("guide", "guide_cosine"), coords={"guide": list(EQUAL_SLOPES), "guide_cosine": cosine},
    )  # fmt: skip
    result = analysis.summary.assign(equal_slope=guides, collapsed=collapsed(analysis.summary))
    n_networks = int(networks["slope"].notnull().sum())
    if n_networks > MAX_MARKS:
        text = f"means only: {n_networks:,} networks are too many to draw"
        return figure(result, analysis, _NAMES, summary=text)
    if SEED not in networks["slope"].dims:
        networks = networks.expand_dims(SEED)
    own = {"network_spread": "spread_ratio", "network_cosine": "cosine", "degenerate": "degenerate"}
    result = result.assign({name: networks[source] for name, source in own.items()})
    return figure(result, analysis, (*_NAMES, *own))
