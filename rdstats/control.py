"""Against the control: what pruning changed beyond the same fine-tuning without it."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from rdstats import array
from rdstats._labelled import METHOD, RATIO, SEED, control_of, family_size, is_control, like
from rdstats.errors import UnanswerableError
from rdstats.pairing import check_paired, paired_by
from rdstats.slope import MARGIN, collapsed, degenerate_counts, t_intervals

NOT_SUPPORTED, SUPPORTED, NOT_CHECKED = "not supported", "supported", "not checked"
"""Whether the sampling-corrected difference gives the verdict of the raw one."""


def controlled_methods(slopes: xr.Dataset) -> dict[str, str]:
    """Return method -> its control, for every method whose control is in the cube (at ratio 1)."""
    if METHOD not in slopes.dims or METHOD not in slopes.coords:
        return {}
    if RATIO in slopes.dims and 1 not in slopes[RATIO].values.tolist():
        return {}
    methods = [str(name) for name in slopes[METHOD].values.tolist()]
    pairs = {m: control_of(m, methods) for m in methods if not is_control(m)}
    return {method: control for method, control in pairs.items() if control}


def control_differences(slopes: xr.Dataset) -> xr.Dataset | None:
    """Return, network by network, how a pruned network differs from its control.

    ``delta = alpha - alpha_control = sum Bn (Bn' - Bn'_control) / sum Bn^2``, since both start from one dense
    network, and ``log_spread = log s - log s_control`` with s the spread ratio.

    Parameters
    ----------
    slopes : result of `rdstats.slopes`.

    Returns
    -------
    None where no method has its control; else a Dataset over the cell dimensions, methods with a control only:
    ``delta, log_spread``, the slopes themselves (``slope, slope_control``; NaN unless both are known) and
    ``control (method)``, its name.

    Raises
    ------
    InputError
        A method and its control that do not start from the same dense networks.

    Source: this project's; the control is the paper's experiment without its pruning.
    """
    pairs = controlled_methods(slopes)
    if not pairs:
        return None
    slopes = slopes.compute()
    parts = []
    for method, control in pairs.items():
        try:
            check_paired(slopes, {METHOD: method}, {METHOD: control})
        except UnanswerableError as error:
            raise UnanswerableError(f"against the control: {error}; --against one leaves it out") from None
        pruned, sham = slopes.sel({METHOD: [method]}), control_arm(slopes, control)
        both = pruned["slope"].notnull() & sham["slope"].notnull()
        spread = xr.apply_ufunc(array.log_spread_difference, pruned["spread_ratio"], sham["spread_ratio"])
        part = xr.Dataset(
            {
                "delta": pruned["slope"] - sham["slope"],
                "log_spread": spread,
                "slope": pruned["slope"].where(both),
                "slope_control": sham["slope"].where(both),
            }
        )
        parts.append(part.map(like, args=(pruned["slope"],)).assign(control=(METHOD, np.array([control], object))))
    result = _along_methods(parts)
    arms = [{METHOD: name} for pair in pairs.items() for name in pair]
    return result.assign_attrs(slopes.attrs, pair_by=paired_by(slopes, *arms))


def control_arm(data: xr.Dataset, control: str) -> xr.Dataset:
    """Return the control's networks without the dimensions method and ratio (it has one ratio)."""
    names = [name for name in data.data_vars if METHOD in data[name].dims]
    arm = data[names].sel({METHOD: control}, drop=True)
    return arm.sel({RATIO: 1.0}, drop=True) if RATIO in arm.dims else arm


def difference_terms(terms: xr.Dataset, method: str, control: str) -> xr.Dataset:
    """Return the sampling terms of delta: its numerator over the denominator that both arms share.

    ``(A/A') N - (A/A'_control) N_control`` over D, each unbiased given the networks.
    """
    pruned, sham = terms.sel({METHOD: [method]}), control_arm(terms, control)
    scaled = pruned["accuracy_ratio"] * pruned["numerator"] - sham["accuracy_ratio"] * sham["numerator"]
    numerator = scaled.transpose(*pruned["numerator"].dims)
    return pruned.assign(numerator=numerator, accuracy_ratio=xr.ones_like(numerator).where(numerator.notnull()))


def against_control(
    slopes: xr.Dataset, *, level: float = 0.95, margin: float = MARGIN, terms: xr.Dataset | None = None
) -> xr.Dataset | None:
    """Compare every pruned column with its control, network by network.

    ``delta = slope - slope of the control`` and ``log s - log s of the control`` (s the spread ratio), paired
    by the dense network, each with a t interval over seeds, simultaneous over the k ratios of a column.

    Parameters
    ----------
    slopes : result of `rdstats.slopes`.
    level : family-wise level of a column.
    margin : equivalence margin of delta for the word "practically none" (TOST at ``(1 - level)/k``).
    terms : result of `rdstats.sampling_terms` on the same networks: adds the sampling-corrected delta.

    Returns
    -------
    None without dimensions ``seed`` and ``method``, or where no method has its control (at ratio 1); else a
    Dataset over the cell dimensions without ``seed``, methods with a control only:

    - ``mean, sd, n, interval, reason`` of delta, ``k`` and ``level`` of each interval;
    - ``log_spread`` and ``log_spread_interval``; ``control`` (its name) and ``control_slope``;
    - ``slope_ratio, slope_ratio_interval, slope_ratio_form``: mean slope over the control's with Fieller's
      interval; ``g_av, d_z``: standardised differences; ``p_equivalent``: TOST;
    - ``corrected, corrected_interval, corrected_estimator, corrected_reason``: sampling-corrected delta, and
      ``support`` of the raw verdict by it (``supported``, ``not supported``, ``not checked``; empty where the
      raw interval holds 0);
    - ``control_collapsed``: 1 where over a tenth of the control's networks is degenerate;
    - ``claim``: "intensified" needs delta > 0 and a grown spread, "de-intensified" both below 0; delta alone
      is "changed relative to the control, spread undecided"; before these come "collapsed" (over a tenth of
      the networks degenerate) and "practically none" (of the corrected difference, too, where it is known);
      everything else, a raw verdict that the corrected one does not support, "changed" without a
      corrected one, and whatever is compared with a collapsed control, is "undecided".

    Raises
    ------
    InputError
        A method and its control that do not start from the same dense networks, a margin not above 0.

    Source: this project's.
    """
    differences = control_differences(slopes) if SEED in slopes.dims else None
    if differences is None:
        return None
    slopes = slopes.compute()
    parts = []
    for method in map(str, differences[METHOD].values.tolist()):
        control = str(differences["control"].sel({METHOD: method}).item())
        part = differences.sel({METHOD: [method]})
        own = difference_terms(terms, method, control) if terms is not None else None
        gone = collapsed(degenerate_counts(control_arm(slopes, control)))
        parts.append(_compare(slopes.sel({METHOD: [method]}), part, own, level, margin, gone).assign(control=control))
    result = _along_methods(parts)
    return result.assign_attrs(slopes.attrs, level=level, margin=margin, pair_by=differences.attrs["pair_by"])


def _along_methods(parts: list[xr.Dataset]) -> xr.Dataset:
    return xr.concat(parts, METHOD, data_vars="all", coords="minimal", compat="override", join="exact")


def _compare(
    pruned: xr.Dataset,
    differences: xr.Dataset,
    terms: xr.Dataset | None,
    level: float,
    margin: float,
    control_collapsed: xr.DataArray,
) -> xr.Dataset:
    k = family_size(pruned)
    delta = t_intervals(differences["delta"], level=level, k=k)
    spread = t_intervals(differences["log_spread"], level=level, k=k)
    dims = delta["mean"].dims
    result = delta.assign(k=k, level=1 - (1 - level) / k, log_spread=spread["mean"])
    result["log_spread_interval"] = spread["interval"]
    # the control's own mean over exactly the networks that enter delta
    result["control_slope"] = differences["slope_control"].mean(SEED).transpose(*dims)
    result = result.assign(_effects(differences, dims, level, k))
    stats = (delta[name].values for name in ("mean", "sd", "n"))
    tost = array.tost(*stats, margin=margin, level=level, k=k.transpose(*dims).values)
    result["p_equivalent"] = (dims, np.asarray(tost.p))
    result = result.assign(_corrected(delta, terms, level, k, margin))
    within = tost.equivalent & (result["corrected_within"].values if "corrected_within" in result else True)
    result = result.drop_vars("corrected_within", errors="ignore")
    gone = collapsed(degenerate_counts(pruned)).transpose(*dims)
    words = array.claim(_interval(delta), _interval(spread), equivalent=within, collapsed=gone.values)
    # where the arms agree with the dense network on unequally many images, sampling alone shifts the raw delta:
    # a change without a change of spread is only believed when the corrected difference shows it too
    support = result["support"].values
    doubted = np.isin(words, array.CLAIMS[2:5]) & (support == NOT_SUPPORTED)
    doubted |= (words == array.CLAIMS[4]) & (support == NOT_CHECKED)
    # nothing can be compared with networks that are no classifiers
    useless = control_collapsed.broadcast_like(gone).transpose(*dims)
    doubted |= useless.values & (words != array.CLAIMS[0])
    result["control_collapsed"] = useless.astype(int)
    words = np.where(doubted, array.CLAIMS[-1], words)
    there = (pruned["reason"] != "missing").any(SEED).transpose(*dims)
    result["claim"] = (dims, np.where(there.values, np.asarray(words, object), ""))
    return result


def _effects(differences: xr.Dataset, dims: tuple[Any, ...], level: float, k: xr.DataArray) -> dict[str, Any]:
    """Return ratio of mean slopes with Fieller's interval, and standardised differences."""
    sides = [differences[name].transpose(*dims, SEED).values for name in ("slope", "slope_control")]
    fieller = array.fieller_interval(*sides, level=level, k=k.transpose(*dims).values)
    effect = array.effect_size(*sides)
    return {
        "slope_ratio": (dims, fieller.ratio),
        "slope_ratio_interval": ((*dims, "ci_bound"), np.stack([fieller.lower, fieller.upper], -1)),
        "slope_ratio_form": (dims, np.asarray(fieller.form, object)),
        "g_av": (dims, effect.g_av),
        "d_z": (dims, effect.d_z),
    }


def _corrected(
    delta: xr.Dataset, terms: xr.Dataset | None, level: float, k: xr.DataArray, margin: float
) -> dict[str, Any]:
    """Return the sampling-corrected delta, and whether it supports the verdict of the raw one."""
    dims = delta["mean"].dims
    raw = _verdict(delta)
    if terms is None:
        support = np.where(raw == "?", "", NOT_CHECKED)
        return {"support": (dims, np.asarray(support, object))}
    from rdstats.sampling import corrected_slopes

    fixed = corrected_slopes(terms, level=level, k=k).transpose(*dims, ...)
    known = fixed["mean"].notnull().values
    own = _verdict(fixed)
    # sampling pulls the raw difference towards 0: it alone shows no equivalence that the corrected one does not
    spread = (fixed["se"] * np.sqrt(fixed["n"])).values
    size = k.transpose(*dims).values
    near = array.tost(fixed["mean"].values, spread, fixed["n"].values, margin=margin, level=level, k=size)
    support = np.where(raw == "?", "", np.where(~known, NOT_CHECKED, np.where(own == raw, SUPPORTED, NOT_SUPPORTED)))
    return {
        "corrected": fixed["mean"],
        "corrected_interval": fixed["interval"],
        "corrected_estimator": fixed["estimator"],
        "corrected_reason": fixed["reason"],
        "strength": fixed["strength"],
        "corrected_within": (dims, near.equivalent | ~known),
        "support": (dims, np.asarray(support, object)),
    }


def _verdict(stats: xr.Dataset) -> np.ndarray[Any, Any]:
    lower, upper = (stats["interval"].sel(ci_bound=bound).values for bound in ("lower", "upper"))
    return array.verdict(lower, upper, stats["n"].values, stats["reason"].values, null=0.0)


def _interval(stats: xr.Dataset) -> array.TInterval:
    values: dict[str, Any] = {name: stats[name].values for name in ("mean", "sd", "n", "reason")}
    lower, upper = (stats["interval"].sel(ci_bound=bound).values for bound in ("lower", "upper"))
    return array.TInterval(lower=lower, upper=upper, **values)
