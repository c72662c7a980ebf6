"""Posterior of the mean slope, and of its difference from the control's."""

from __future__ import annotations

import xarray as xr

from rdstats._labelled import family_size
from rdstats.analysis import Analysis
from rdstats.errors import UnanswerableError
from rdstats.figures.common import figure
from rdstats.slope import collapsed

_NAMES = (
    "mean", "interval", "hdi", "p_above_one", "p_within_margin", "delta_mean", "delta_interval", "delta_hdi",
    "p_delta_positive", "p_delta_within_margin", "n", "k", "collapsed", "reason",
)  # fmt: skip


def posterior_figure(analysis: Analysis) -> xr.Dataset:
    """Return what the posterior says of every cell.

    Returns
    -------
    The variables of `rdstats.posterior_summary` that are drawn, over the cell dimensions without ``seed``, each
    interval at ``1 - (1 - level)/k`` of its column, with ``collapsed`` and ``planned``; attribute ``margin``.

    Raises
    ------
    UnanswerableError
        An analysis without a posterior.
    """
    if analysis.posterior is None:
        raise UnanswerableError("figure posterior needs draws of the posterior (bayes=True, --bayes) and 3 seeds")
    from rdstats.credible import posterior_summary

    level = analysis.summary.attrs["level"]
    found = posterior_summary(
        analysis.posterior, level=level, margin=analysis.margin, k=family_size(analysis.slopes)
    ).assign(collapsed=collapsed(analysis.summary))
    return figure(found, analysis, _NAMES, margin=float(analysis.margin))
