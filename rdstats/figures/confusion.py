"""Where lost recall went: the largest changes of the row-normalised confusion."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from rdstats._labelled import CLASS, planned
from rdstats.analysis import Analysis
from rdstats.confusion import confusion_difference
from rdstats.errors import UnanswerableError
from rdstats.figures.common import MAX_MARKS, figure
from rdstats.figures.networks import entering, named_classes
from rdstats.slope import collapsed

MOST_CLASSES = 30
"""Classes of a panel at most; the others share one column."""
OTHER = "other classes"
_VALUES = ("share_dense", "share", "difference")
_NAMES = (*_VALUES, "n", "n_classes", "true_name", "predicted_name", "collapsed")
Values = np.ndarray[Any, Any]


def confusion_figure(analysis: Analysis) -> xr.Dataset:
    """Return how compression moves the test images of every class between the predictions.

    Returns
    -------
    Dataset over the cell dimensions without ``seed``:

    - ``share_dense, share, difference (..., row, column)``: percentage of the images of the true class ``row``
      that is predicted as ``column``, before, after, and after minus before, means over seeds
      (`rdstats.confusion_difference`); NaN beyond the classes of a cell;
    - ``true_name (..., row)``, ``predicted_name (..., column)``, "" beyond;
    - ``n`` pairs of networks, ``n_classes``, ``collapsed``, ``planned``.

    A cell with more than `MOST_CLASSES` classes (fewer, said in attribute ``summary``, where all panels together
    would have more than `MAX_MARKS` squares) shows those that lose the most recall, largest loss first; the other
    predictions are one column, `OTHER`.

    Raises
    ------
    UnanswerableError
        Class counts without matrices.
    """
    if any(name not in analysis.cube for name in ("confusion", "confusion_dense")):
        raise UnanswerableError("figure confusion needs the confusion matrices before and after compression")
    found = confusion_difference(analysis.cube, entering=entering(analysis)).compute()
    there = planned(analysis.slopes)
    found = found.transpose(*there.dims, "true_class", "predicted_class")
    sizes = (found["n"] > 0).sum("true_class").where(there, 0)
    most = _most(sizes.values)
    result = _largest(found, sizes, most, _class_names(analysis, sizes))
    result["n"] = found["n"].max("true_class")
    result = result.assign(n_classes=sizes, collapsed=collapsed(analysis.summary))
    if most == MOST_CLASSES:
        return figure(result, analysis, _NAMES)
    text = f"at most {most} classes a panel: all of them would be more than {MAX_MARKS:,} squares"
    return figure(result, analysis, _NAMES, summary=text)


def _most(sizes: Values) -> int:
    """Return how many classes a panel can have so that all panels together stay below the limit."""
    for most in range(MOST_CLASSES, 1, -1):
        rows = np.minimum(sizes, most)
        if int((rows * (rows + (sizes > most))).sum()) <= MAX_MARKS:
            return most
    return 1


def _class_names(analysis: Analysis, sizes: xr.DataArray) -> Values:
    names = named_classes(analysis.counts)
    return names.broadcast_like(sizes).transpose(*sizes.dims, CLASS).values


def _largest(found: xr.Dataset, sizes: xr.DataArray, most: int, names: Values) -> xr.Dataset:
    """Return the rows that lose most of every cell, in percentage points."""
    width = min(most, int(sizes.max())) if sizes.size else 0
    shape = sizes.shape
    values = {name: np.full((*shape, width, width + 1), np.nan) for name in _VALUES}
    rows, columns = np.full((*shape, width), "", object), np.full((*shape, width + 1), "", object)
    loss = np.diagonal(found["difference"].values, axis1=-2, axis2=-1)
    for index in map(tuple, np.argwhere(sizes.values > 0)):
        chosen = np.flatnonzero(~np.isnan(loss[index]))
        if len(chosen) > most:
            chosen = chosen[np.argsort(loss[index][chosen], kind="stable")[:most]]
        size = len(chosen)
        rows[index][:size] = columns[index][:size] = names[index][chosen]
        others = np.setdiff1d(np.arange(loss.shape[-1]), chosen)
        gathered = False
        for name in _VALUES:
            part = 100 * found[name].values[index][chosen]
            values[name][index][:size, :size] = part[:, chosen]
            if len(others) and not np.isnan(part[:, others]).all():
                rest = np.nansum(part[:, others], axis=-1)
                values[name][index][:size, size] = rest
                gathered = True
        if gathered:
            columns[index][size] = OTHER
    dims = sizes.dims
    data = {name: ((*dims, "row", "column"), part) for name, part in values.items()}
    text = {"true_name": ((*dims, "row"), rows), "predicted_name": ((*dims, "column"), columns)}
    coords = {dim: found[dim] for dim in dims if dim in found.coords}
    return xr.Dataset({**data, **text}, coords=coords)
