"""Networks and classes that enter a figure."""

from __future__ import annotations

import numpy as np
import xarray as xr

from rdstats._entering import entering, entering_counts, entering_slopes
from rdstats._labelled import CLASS
from rdstats._text import visible

__all__ = ["entering", "entering_counts", "entering_slopes", "named_classes"]


def named_classes(counts: xr.Dataset) -> xr.DataArray:
    """Return the names of the classes as they are shown, over ``class`` and perhaps ``dataset``.

    Labels where classes have no names; control characters are written out.
    """
    names = labels = counts[CLASS].astype(str).astype(object)
    if "class_name" in counts:
        names = counts["class_name"].compute().astype(object)
        names = names.where(names != "", labels)
    shown = np.array([visible(str(name)) for name in names.values.ravel()], object)
    return names.copy(data=shown.reshape(names.shape))
