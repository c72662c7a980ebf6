"""Against the control: what pruning changed beyond the same fine-tuning without it."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from rdstats import array
from rdstats._labelled import METHOD, RATIO, SEED, control_of, family_size, is_control, like
from rdstats.pairing import check_paired
from rdstats.slope import collapsed, summarize_slopes, t_intervals

MARGIN = 0.10
"""Default equivalence margin on the slope scale."""


def against_control(slopes: xr.Dataset, *, level: float = 0.95, margin: float = MARGIN) -> xr.Dataset | None:
    """Compare every pruned column with its control, network by network.

    ``delta = slope - slope of the control`` and ``log s - log s of the control`` (s the spread ratio), paired
    by the dense network, each with a t interval over seeds, simultaneous over the k ratios of a column.

    Parameters
    ----------
    slopes : result of `rdstats.slopes`.
    level : family-wise level of a column.
    margin : equivalence margin of delta for the word "practically none" (TOST at ``(1 - level)/k``).

    Returns
    -------
    None without dimensions ``seed`` and ``method``, or where no method has its control (at ratio 1); else a
    Dataset over the cell dimensions without ``seed``, methods with a control only: ``mean, sd, n, interval,
    reason`` of delta, ``log_spread`` and ``log_spread_interval``, ``control`` (its name), ``control_slope``,
    ``p_equivalent``, ``k`` and ``claim``:

    "intensified" needs delta > 0 and a grown spread, "de-intensified" both below 0; delta alone is "changed
    relative to the control, spread undecided"; before these come "collapsed" (over a tenth of the networks
    degenerate) and "practically none"; everything else is "undecided".
    """
    if METHOD not in slopes.dims or SEED not in slopes.dims or METHOD not in slopes.coords:
        return None
    methods = [str(name) for name in slopes[METHOD].values.tolist()]
    pairs = {m: control_of(m, methods) for m in methods if not is_control(m)}
    if RATIO in slopes.dims and 1 not in slopes[RATIO].values.tolist():
        return None
    pairs = {m: c for m, c in pairs.items() if c}
    if not pairs:
        return None
    slopes = slopes.compute()
    parts = [_compare(slopes, method, str(control), level, margin) for method, control in pairs.items()]
    result = xr.concat(parts, METHOD, data_vars="all", coords="minimal", compat="override", join="exact")
    return result.assign_attrs(slopes.attrs, level=level, margin=margin)


def _compare(slopes: xr.Dataset, method: str, control: str, level: float, margin: float) -> xr.Dataset:
    check_paired(slopes, {METHOD: method}, {METHOD: control})
    pruned, sham = slopes.sel({METHOD: [method]}), _control_arm(slopes, control)
    k = family_size(pruned)
    delta = t_intervals(pruned["slope"] - sham["slope"], level=level, k=k)
    log_spread = xr.apply_ufunc(array.log_spread_difference, pruned["spread_ratio"], sham["spread_ratio"])
    spread = t_intervals(log_spread.transpose(*pruned["slope"].dims), level=level, k=k)
    result = delta.assign(k=k, control=control, log_spread=spread["mean"], log_spread_interval=spread["interval"])
    # the control's own mean over exactly the networks that enter delta
    both = pruned["slope"].notnull() & sham["slope"].notnull()
    result["control_slope"] = like(sham["slope"].where(both).mean(SEED), delta["mean"])
    mean, sd, n = (delta[name].values for name in ("mean", "sd", "n"))
    tost = array.tost(mean, sd, n, margin=margin, level=level, k=k.values)
    dims = delta["mean"].dims
    result["p_equivalent"] = (dims, np.asarray(tost.p))
    gone = collapsed(summarize_slopes(pruned, level=level)).transpose(*dims)
    words = array.claim(_interval(delta), _interval(spread), equivalent=tost.equivalent, collapsed=gone.values)
    there = (pruned["reason"] != "missing").any(SEED).transpose(*dims)
    result["claim"] = (dims, np.where(there.values, np.asarray(words, object), ""))
    return result


def _control_arm(slopes: xr.Dataset, control: str) -> xr.Dataset:
    """Return the control's networks without the dimensions method and ratio (it has one ratio)."""
    arm = slopes[["slope", "spread_ratio"]].sel({METHOD: control}, drop=True)
    return arm.sel({RATIO: 1.0}, drop=True) if RATIO in arm.dims else arm


def _interval(stats: xr.Dataset) -> array.TInterval:
    values: dict[str, Any] = {name: stats[name].values for name in ("mean", "sd", "n", "reason")}
    lower, upper = (stats["interval"].sel(ci_bound=bound).values for bound in ("lower", "upper"))
    return array.TInterval(lower=lower, upper=upper, **values)
