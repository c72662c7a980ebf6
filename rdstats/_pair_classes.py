"""What happened to every class of single pairs of models, as far as the analysis of their cube can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import xarray as xr

from rdstats._labelled import SEED
from rdstats.agreement import recall_changes
from rdstats.measures import score

if TYPE_CHECKING:
    from rdstats.analysis import Analysis


def pair_class_changes(analysis: Analysis) -> xr.Dataset | None:
    """Return the change of every class's recall over the cell dimensions without ``seed``; None with several seeds.

    ``recall_dense, recall``, ``change`` with its ``interval`` over test images (`rdstats.recall_changes`), ``reason``,
    and McNemar's ``p_corrected`` (`rdstats.class_changes`) where it is known which images both networks get right.
    """
    counts, tests = analysis.counts, analysis.changes
    if counts.sizes.get(SEED, 1) > 1:
        return None
    if tests is not None and "both_correct" not in counts:  # the analysis has counted them in the predictions
        counts = counts.assign(both_correct=counts["correct_dense"] - tests["only_before"])
    found = recall_changes(counts, level=float(analysis.summary.attrs["level"]))
    scores = score(counts)
    found = found.assign(recall_dense=scores["score_dense"], recall=scores["score"], reason="")
    if tests is not None:
        found = found.assign(p_corrected=tests["p_corrected"], reason=tests["reason"])
    return found.isel({SEED: 0}, drop=True) if SEED in found.dims else found
