"""Raw slopes beside those freed of the sampling of test images."""

from __future__ import annotations

import xarray as xr

from rdstats._labelled import SEED
from rdstats.analysis import Analysis
from rdstats.errors import UnanswerableError
from rdstats.figures.common import figure

_NAMES = (
    "raw", "mean", "interval", "n", "estimator", "strength", "reliability", "reason", "bound_lower", "bound_upper",
    "verdict", "weak",
)  # fmt: skip
_WEAK = ("not_estimable", "weak_denominator")


def sampling_figure(analysis: Analysis) -> xr.Dataset:
    """Return raw and sampling-corrected slope of every cell.

    Returns
    -------
    Dataset over the cell dimensions without ``seed``: ``raw`` slope; ``mean`` corrected slope with its ``interval``;
    ``estimator, strength, reliability, reason`` (see `rdstats.corrected_slopes`), ``weak``, whether the test set is
    too weak to correct it; ``bound_lower, bound_upper``, every slope that the matrices allow, where they are all
    there is; ``n``, what attribute ``units`` says; ``planned``.  A cube of one training run has its networks'
    intervals over test images (see `rdstats.pair_intervals`).

    Raises
    ------
    UnanswerableError
        A cube that does not know which images both networks get right, or a measure without a correction.
    """
    if analysis.pairs is not None:
        found, units = _of_pairs(analysis.pairs), "test images"
    elif analysis.corrected is not None:
        found, units = analysis.corrected.assign(raw=analysis.summary["mean"]), "networks"
    else:
        raise UnanswerableError(
            "figure sampling needs to know which test images both networks get right (predictions or both_correct), "
            "or, for bounds, an analysis with sampling=True"
        )
    weak = found["reason"].isin(_WEAK)
    if "bound_lower" in found:
        weak |= found["strength"].notnull() & found["bound_lower"].isnull()
    found = found.assign(weak=weak, verdict=analysis.summary["verdict"])
    return figure(found, analysis, _NAMES, units=units)


def _of_pairs(pairs: xr.Dataset) -> xr.Dataset:
    """Return the intervals of single pairs under the names of `rdstats.corrected_slopes`."""
    found = pairs.isel({SEED: 0}, drop=True) if SEED in pairs.dims else pairs
    names = {"slope": "raw", "slope_sampling_corrected": "mean"}
    return found.rename({old: new for old, new in names.items() if old in found})
