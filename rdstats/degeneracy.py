"""Networks that are no classifiers any more."""

from __future__ import annotations

import numpy as np
import xarray as xr

from rdstats import array
from rdstats._labelled import like, over_classes
from rdstats.cube import class_counts
from rdstats.errors import InputError

RULES = (
    "a layer without weights, macro recall not above chance (2.326 SE), recall 0 in a quarter of the classes, "
    "or 80 % of the images of other classes predicted as one class"
)
COLLAPSED_SHARE = 0.10
"""A column with more than this share of degenerate networks reads "collapsed"."""


def degenerate(
    cube: xr.Dataset, *, z: float = 2.326, zero_recall_share: float = 0.25, dominance: float = 0.80
) -> xr.Dataset:
    """Flag degenerate networks, before or after compression.

    Parameters
    ----------
    cube : a cube, or its class counts.
    z, zero_recall_share, dominance : thresholds, see `rdstats.array.degenerate`.

    Returns
    -------
    Dataset over the cell dimensions: ``degenerate`` (either network of the pair) and ``degenerate_reason``,
    the rules that the compressed network meets, or ``dense`` if only the dense one does.
    """
    counts = class_counts(cube)
    if "correct" not in counts:
        raise InputError("the cube has no confusion (after), where degenerate networks are looked for")
    options = {"z": z, "zero_recall_share": zero_recall_share, "dominance": dominance}
    reason = _reasons(counts, "", options)
    if "correct_dense" in counts:
        there = counts["support"].notnull().any("class")
        dense_only = (_reasons(counts, "_dense", options) != "") & there & (reason == "")
        reason = over_classes(lambda only, own: np.where(only, "dense", own), dense_only, reason, dtype="U64")
    reason = like(reason, counts["correct"].isel({"class": 0}, drop=True))
    return xr.Dataset({"degenerate": reason != "", "degenerate_reason": reason})


def _reasons(counts: xr.Dataset, suffix: str, options: dict[str, float]) -> xr.DataArray:
    parts = [counts[name + suffix] for name in ("correct", "support", "predicted")]
    core = [["class"]] * 3
    if not suffix and "kept_weights" in counts:
        parts.append(counts["kept_weights"])
        core = [*core, ["layer"]]
    result: xr.DataArray = xr.apply_ufunc(
        array.degenerate_reasons, *parts, kwargs=options, input_core_dims=core, keep_attrs=False, dask="parallelized",
        dask_gufunc_kwargs={"allow_rechunk": True}, output_dtypes=["U64"],
    )  # fmt: skip
    return result


def without_degenerate(networks: xr.Dataset) -> xr.Dataset:
    """Return slopes (`rdstats.slopes`) with those of degenerate networks blanked."""
    blank = [name for name in ("slope", "spread_ratio", "cosine", "r_squared", "beta") if name in networks]
    return networks.assign({name: networks[name].where(~networks["degenerate"]) for name in blank})
