"""What the Datasets behind all figures share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import xarray as xr

from rdstats._labelled import METHOD, planned
from rdstats.analysis import Analysis

MAX_MARKS = 20_000
"""Above this number of marks a figure shows a summary of them, and says so in its attribute ``summary``."""


def figure(data: xr.Dataset, analysis: Analysis, names: Sequence[str], **attrs: Any) -> xr.Dataset:
    """Return the named variables of a result with what a chart must know about its analysis.

    Returns
    -------
    Dataset with variables `names` (those that `data` has) and ``planned``, which cells the grid has.  Attributes:
    ``measure``; ``level``, the family-wise one; ``conditional_on``; ``methods``, all of the cube in its order, so
    that every chart gives a method one colour; ``source`` of the cube, which decides on the words
    (`rdstats._words`); and `attrs`.
    """
    result = data[[name for name in names if name in data]]
    there = planned(analysis.slopes)
    if METHOD in result.dims and METHOD in there.dims:
        there = there.sel({METHOD: result[METHOD].values})
    common = {
        "measure": analysis.slopes.attrs["measure"],
        "level": analysis.summary.attrs["level"],
        "conditional_on": analysis.summary.attrs["conditional_on"],
        "methods": method_names(analysis),
        "source": str(analysis.counts.attrs.get("source") or ""),
    }
    return result.assign(planned=there).assign_attrs({**common, **attrs})


def method_names(analysis: Analysis) -> list[str]:
    """Return all methods of the cube in its order; none where it has no such dimension."""
    networks = analysis.slopes
    return [str(name) for name in networks[METHOD].values.tolist()] if METHOD in networks.coords else []
