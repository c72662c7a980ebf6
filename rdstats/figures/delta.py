"""The primary comparison: slope minus the control's slope."""

from __future__ import annotations

import xarray as xr

from rdstats._labelled import METHOD
from rdstats.analysis import Analysis
from rdstats.errors import UnanswerableError
from rdstats.figures.common import figure

_NAMES = (
    "mean", "interval", "n", "k", "claim", "control", "control_slope", "log_spread", "log_spread_interval", "corrected",
    "support", "reason", "slope", "expected", "control_collapsed",
)  # fmt: skip


def delta_figure(analysis: Analysis) -> xr.Dataset:
    """Return by how much the mean slope of every pruned cell differs from its control's.

    Returns
    -------
    The variables of `rdstats.against_control` that are drawn, over the cell dimensions without ``seed``, with
    ``planned``, and the cells' mean ``slope`` and the one ``expected`` from accuracy alone; attribute ``margin``.

    Raises
    ------
    UnanswerableError
        A cube without a control, or of one training run.
    """
    if analysis.control is None:
        raise UnanswerableError("figure delta needs a control (method sham at ratio 1) and several seeds")
    own = analysis.summary.sel({METHOD: analysis.control[METHOD].values})
    data = analysis.control.assign(slope=own["mean"], expected=own["expected"])
    return figure(data, analysis, _NAMES, margin=float(analysis.control.attrs["margin"]))
