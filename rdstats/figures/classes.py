"""Class by class: recall before and after compression, and which changes are beyond their interval."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from rdstats._labelled import CLASS
from rdstats._pair_classes import pair_class_changes
from rdstats.analysis import Analysis
from rdstats.classes import per_class
from rdstats.figures.common import MAX_MARKS, figure
from rdstats.figures.networks import entering_counts, named_classes
from rdstats.slope import collapsed

ALL_NAMED = 12
"""Up to this number of classes all are named."""
NAMED = 5
"""Above it, so many of those that lose most, and of those that win most."""
QUARTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
Values = np.ndarray[Any, Any]
_NAMES = ("score_dense", "score", "change", "interval", "p_corrected", "n", "class_name", "direction", "named",
          "n_classes", "n_losing", "n_winning", "collapsed", "reason")  # fmt: skip


def class_figure(analysis: Analysis) -> xr.Dataset:
    """Return the mean score of every class before and after compression, and what can be said of its change.

    A class loses or wins where the interval of its change (`rdstats.per_class`, simultaneous over the classes
    of a cell) excludes 0; with one seed and recall where McNemar's test (`rdstats.class_changes`, Holm over the
    classes) rejects at 1 - level, or, given two matrices alone, where the interval over test images
    (`rdstats.recall_changes`) excludes 0; else it is undecided.

    Returns
    -------
    Dataset over the cell dimensions without ``seed``, and ``class``:

    - ``score_dense, score, change, interval, n, class_name``; ``p_corrected`` with one seed;
    - ``direction``: ``loses``, ``wins``, ``undecided``, "" for a class that is not there;
    - ``named``: all of up to `ALL_NAMED` classes, else the `NAMED` with the largest losses and as many with the
      largest gains, decided ones first;
    - without ``class``: ``n_classes, n_losing, n_winning, collapsed, planned``.

    Above `MAX_MARKS` classes and cells, attribute ``summary`` says that the classes that are not named are in
    ``others (..., quartile, stage)``, the quartiles (with minimum and maximum) of their scores.
    """
    counts, attrs = entering_counts(analysis), analysis.summary.attrs
    result = per_class(counts, attrs["measure"], attrs["reference"], level=attrs["level"])
    there = result["change"].notnull()
    pairs = pair_class_changes(analysis) if attrs["measure"] == "recall" else None
    if pairs is not None and "p_corrected" in pairs:
        result["p_corrected"] = pairs["p_corrected"]
    elif pairs is not None:
        result["interval"], result["reason"] = pairs["interval"].where(there), xr.full_like(result["reason"], "")
    result["direction"] = _directions(result, analysis).where(there, "")
    result["named"] = _named(result["change"], result["direction"] != "undecided") & there
    result["class_name"] = named_classes(counts)
    result["n_classes"] = there.sum(CLASS)
    for name, word in (("n_losing", "loses"), ("n_winning", "wins")):
        result[name] = (result["direction"] == word).sum(CLASS)
    result["collapsed"] = collapsed(analysis.summary)
    units = {} if pairs is None else {"units": "test images"}
    n_marks = int(there.sum())
    if n_marks <= MAX_MARKS:
        return figure(result, analysis, _NAMES, **units)
    result["others"] = _others(result, there & ~result["named"])
    text = f"other classes as a band of their quartiles: {n_marks:,} lines are too many to draw"
    return figure(result, analysis, (*_NAMES, "others"), summary=text, **units)


def _directions(result: xr.Dataset, analysis: Analysis) -> xr.DataArray:
    lower, upper = (result["interval"].sel(ci_bound=end, drop=True) for end in ("lower", "upper"))
    known = result["reason"] == ""  # a change that is the same in every seed tells nothing of chance
    loses, wins = known & (upper < 0), known & (lower > 0)
    if "p_corrected" in result:
        differs = result["p_corrected"] < 1 - analysis.summary.attrs["level"]
        loses, wins = differs & (result["change"] < 0), differs & (result["change"] > 0)
    words = np.where(loses.values, "loses", np.where(wins.transpose(*loses.dims).values, "wins", "undecided"))
    return loses.copy(data=words.astype(object)).transpose(*result["change"].dims)


def _named(change: xr.DataArray, decided: xr.DataArray) -> xr.DataArray:
    """Return which classes are named."""

    def largest(changes: Values, first: Values) -> Values:
        known = ~np.isnan(changes)
        if known.sum() <= ALL_NAMED:
            return known
        chosen = np.zeros(changes.shape, bool)
        for sign in (-1, 1):
            size = np.where(known & (sign * changes > 0), sign * changes, -np.inf)
            order = np.lexsort((-size, ~first, size == -np.inf))[:NAMED]
            chosen[order[size[order] > 0]] = True
        return chosen

    result: xr.DataArray = xr.apply_ufunc(
        largest, change, decided, input_core_dims=[[CLASS]] * 2, output_core_dims=[[CLASS]], vectorize=True,
        output_dtypes=[bool],
    )  # fmt: skip
    return result.transpose(*change.dims)


def _others(result: xr.Dataset, shown: xr.DataArray) -> xr.DataArray:
    parts = [result[name].where(shown).quantile(list(QUARTILES), CLASS) for name in ("score_dense", "score")]
    both: xr.DataArray = xr.concat(parts, "stage").rename(quantile="quartile")
    return both.assign_coords(stage=["before", "after"])
