"""Which networks enter a result: all, or those that are no degenerate ones where the analysis left them out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import xarray as xr

from rdstats.degeneracy import without_degenerate

if TYPE_CHECKING:
    from rdstats.analysis import Analysis

_COUNTS = ("correct", "support", "predicted")


def entering(analysis: Analysis) -> xr.DataArray | None:
    """Return which networks enter; None: all."""
    return ~analysis.slopes["degenerate"] if analysis.summary.attrs["exclude_degenerate"] else None


def entering_counts(analysis: Analysis) -> xr.Dataset:
    """Return class counts with those of networks that do not enter blanked."""
    kept, counts = entering(analysis), analysis.counts
    if kept is None:
        return counts
    return counts.assign({name: counts[name].where(kept) for name in _COUNTS})


def entering_slopes(analysis: Analysis) -> xr.Dataset:
    """Return slopes with those of networks that do not enter blanked."""
    return analysis.slopes if entering(analysis) is None else without_degenerate(analysis.slopes)


def entering_networks(analysis: Analysis) -> xr.Dataset:
    """Return slopes and accuracies in which networks that do not enter count as not there."""
    kept = entering(analysis)
    networks = analysis.slopes
    return networks if kept is None else networks.assign(reason=networks["reason"].where(kept, "missing"))
