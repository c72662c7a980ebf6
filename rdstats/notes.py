"""What a reader must know before believing the numbers of an analysis, a line each."""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np
import xarray as xr

from rdstats._labelled import CLASS, SEED, control_name, control_of, is_control, planned
from rdstats.cube import FAILED
from rdstats.cube.schema import MISSING
from rdstats.slope import collapsed

IMBALANCE_NOTED = 1.05
"""Ratio of the largest to the smallest class from which recall balances no longer add up to zero visibly."""


def run_notes(counts: xr.Dataset) -> list[str]:
    """Return whether the cube is a part of a cube, or of a shortened run."""
    notes = []
    if selected := counts.attrs.get("selected"):
        notes.append(f"selected part only ({selected}): families and intervals count what is selected")
    if scale := counts.attrs.get("scaled"):
        notes.append(f"scaled run ({_scale_text(str(scale))}): shorter than the grid it is named after")
    return notes


def network_notes(networks: xr.Dataset, summary: xr.Dataset, measure: str) -> list[str]:
    """Return what is wrong with the networks: missing, failed, degenerate, few, without a slope."""
    notes = []
    if "status" in networks:
        for state, word in ((MISSING, "not finished"), (FAILED, "failed")):
            if n := int((networks["status"] == state).sum()):
                notes.append(f"cells of the grid {word}: {n}")
    if n := int((summary["n_degenerate"]).sum()):
        where = int((collapsed(summary) & planned(networks)).sum())
        notes.append(f"degenerate networks (no classifiers any more): {n}; cells that read collapsed: {where}")
    n_seeds = networks.sizes.get(SEED, 1)
    if n_seeds < 5:
        few = "one network only: no inference" if n_seeds == 1 else f"{n_seeds} seeds: too few for a verdict"
        notes.append(f"{few} (5 are needed)")
    notes += _ratio_note(networks)
    if undefined := int((networks["reason"] == "undefined_class").sum()):
        notes.append(f"networks with a class whose {measure} is 0/0, so without a slope (undefined_class): {undefined}")
    return notes


def balance_notes(counts: xr.Dataset, measure: str, reference: str) -> list[str]:
    """Return where balances do not add up to zero, so that a line through the origin is an assumption.

    Against the plain mean, and on test sets with equal classes, they do for every measure.
    """
    if reference == "macro":
        return []
    support = counts["support"].where(counts["support"] > 0)
    others = [dim for dim in support.dims if dim not in (CLASS, "dataset")]
    support = support.max(others)
    ratio = support.max(CLASS) / support.min(CLASS)
    if not bool((ratio > IMBALANCE_NOTED).any()):
        return []
    worst = support if "dataset" not in ratio.dims else support.isel(dataset=int(np.nanargmax(ratio.values)))
    images = worst.values
    largest, smallest = int(np.nanargmax(images)), int(np.nanargmin(images))
    where = f" ({worst['dataset'].item()})" if "dataset" in worst.coords else ""
    names = [_class_name(counts, worst, i) for i in (largest, smallest)]
    return [
        f"test classes differ in size, up to {float(ratio.max()):.2f} to 1{where}: {names[0]} has "
        f"{int(images[largest])} images, {names[1]} {int(images[smallest])}; "
        f"balances of {measure} do not add up to zero, and a line through the origin is an approximation"
    ]


def control_notes(networks: xr.Dataset, control: xr.Dataset | None, *, silent: bool) -> list[str]:
    """Return which methods lack their control, and where the raw difference is not supported."""
    if silent or "method" not in networks.coords or SEED not in networks.dims:
        return []
    methods = [str(name) for name in networks["method"].values.tolist()]
    alone = [m for m in methods if not is_control(m) and (control is None or control_of(m, methods) is None)]
    notes = []
    for name in dict.fromkeys(map(control_name, alone)):
        own = [method for method in alone if control_name(method) == name]
        them = "it" if len(own) == 1 else "them"
        notes.append(f"no control ({name} at ratio 1) here for {', '.join(own)}: nothing is claimed for {them}")
    if control is not None:
        gone = (control["control_collapsed"] == 1) & planned(networks).sel({"method": control["method"]})
        if n := int(gone.sum()):
            notes.append(f"the control collapsed: nothing is claimed for the {n} cells that are compared with it")
    if control is not None and "support" in control:
        n = int((control["support"] == "not supported").sum())
        if n:
            notes.append(
                f"cells whose raw difference from the control is not supported by the sampling-corrected one: {n}"
            )
    return notes


def sampling_notes(corrected: xr.Dataset | None) -> list[str]:
    """Return where the test set is too weak to correct the slopes for it."""
    if corrected is None:
        return []
    # a cell without networks has another reason
    weak = (corrected["estimator"] == "not estimable") & (corrected["reason"] == "not_estimable")
    n, there = int(weak.sum()), int((corrected["reason"] != "missing").sum())
    if not n:
        return []
    return [f"test set too weak to correct slopes for its sampling (strength below 4): {n} of {there} cells"]


def family_notes(tests: Iterable[xr.Dataset]) -> list[str]:
    """Return members without a result, and pairs that rest on the seed's label alone."""
    notes = []
    for one in tests:
        name = one.attrs["name"]
        if n := one.attrs["missing"]:
            reasons = [str(reason) for reason in one["reason"].values[np.isnan(one["p"].values)]]
            words = ", ".join(f"{reason or 'no value'} {reasons.count(reason)}" for reason in dict.fromkeys(reasons))
            notes.append(f"family {name}: {n} of {one.sizes['test']} declared tests have no result ({words})")
        if one.attrs["pair_by"] == "seed" and one.sizes["test"]:
            notes.append(f"family {name}: networks are paired by the label of their seed alone")
    return notes


def _class_name(counts: xr.Dataset, worst: xr.DataArray, i: int) -> str:
    if "class_name" in counts:
        names = counts["class_name"]
        names = names.sel(dataset=worst["dataset"].item()) if "dataset" in names.dims else names
        if names.ndim == 1 and str(names.values[i] or ""):
            return str(names.values[i])
    return f"class {worst[CLASS].values[i] if CLASS in worst.coords else i}"


def _scale_text(scale: str) -> str:
    """Return ``seeds=2, epochs=0.1``; another program's text as it is."""
    try:
        return ", ".join(f"{key}={value:g}" for key, value in json.loads(scale).items())
    except (ValueError, AttributeError):
        return scale


def _ratio_note(networks: xr.Dataset) -> list[str]:
    """Say where the achieved ratio is over 5 % from the nominal one, at its farthest cell."""
    if "achieved_ratio" not in networks or "ratio" not in networks.coords:
        return []
    achieved = networks["achieved_ratio"]
    achieved = achieved.mean(SEED) if SEED in achieved.dims else achieved
    nominal = networks["ratio"].broadcast_like(achieved).transpose(*achieved.dims).values
    off = np.abs(np.log(achieved.values / nominal))
    if not (off > np.log(1.05)).any():
        return []
    farthest = np.unravel_index(np.nanargmax(off), off.shape)
    is_really = f"{nominal[farthest]:g} is really {achieved.values[farthest]:.3g}"
    dims = [dim for dim in map(str, achieved.dims) if dim != "ratio" and achieved.sizes[dim] > 1]
    place = achieved[dict(zip(achieved.dims, farthest, strict=True))]
    where = f" ({', '.join(str(place[dim].item()) for dim in dims)})" if dims else ""
    return [f"achieved ratios differ from nominal ones: {is_really}{where}"]
