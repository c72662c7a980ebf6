"""Networks and classes that enter a figure."""

from __future__ import annotations

import xarray as xr

from rdstats._entering import entering, entering_counts, entering_slopes
from rdstats._labelled import CLASS

__all__ = ["entering", "entering_counts", "entering_slopes", "named_classes"]


def named_classes(counts: xr.Dataset) -> xr.DataArray:
    """Return the names of the classes over ``class`` and perhaps ``dataset``: labels where they have none."""
    labels = counts[CLASS].astype(str).astype(object)
    if "class_name" not in counts:
        return labels
    names = counts["class_name"].compute().astype(object)
    return names.where(names != "", labels)
