"""The numbers of a comparison by name, each with its interval and what that is about: what gates look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from rdstats import array
from rdstats._folds import has_predictions
from rdstats._labelled import CLASS, METHOD, SEED, like
from rdstats.agreement import COVERING, churn, recall_changes
from rdstats.analysis import Analysis
from rdstats.classes import per_class
from rdstats.comparison.inputs import COMPRESSED, CONTROL
from rdstats.records import Record, plain
from rdstats.slope import BOUNDS, t_intervals

IMAGES = "over test images, these models"
ALLOWED = "over test images, these models, whatever images both get right"
CORRECTED = "over test images, these models, of the slope freed of the sampling of test images"
RUNS = "over training runs, this test set"
RUNS_AND_CORRECTED = "over training runs, freed of the sampling of test images"
POSSIBLE = "all that the two matrices allow, no interval of confidence"
NO_INTERVAL = "no interval"
SHORT = {
    IMAGES: "images", ALLOWED: "images*", CORRECTED: "images, corrected", RUNS: "runs",
    RUNS_AND_CORRECTED: "runs, corrected", POSSIBLE: "possible",
}  # fmt: skip
"""What an interval is about, in a word."""


@dataclass(frozen=True)
class Quantity:
    """One number of a comparison.

    Attributes
    ----------
    name : one of `QUANTITIES`.
    value : point estimate, a mean over several pairs; None where there is none.
    lower, upper : interval; None where there is none.
    basis : what the interval is about.
    reason : why there is no value, or no interval; empty where both are known.
    place : labels of further dimensions, empty for one comparison.
    """

    name: str
    value: float | None
    lower: float | None
    upper: float | None
    basis: str
    reason: str
    place: dict[str, Any]

    def record(self) -> Record:
        """Return the quantity as a record, exact."""
        values = {name: getattr(self, name) for name in ("value", "lower", "upper", "basis", "reason")}
        return {**self.place, "quantity": self.name, **values}


@dataclass(frozen=True)
class _Found:
    """Values over the cells of a comparison, its interval `(..., ci_bound)`, and what that is about."""

    value: xr.DataArray
    interval: xr.DataArray | None = None
    basis: str = NO_INTERVAL
    reason: xr.DataArray | str = ""


class Source:
    """An analysis of a comparison, and what is computed of it once."""

    def __init__(self, analysis: Analysis, cube: xr.Dataset) -> None:
        self.analysis, self.level = analysis, float(analysis.summary.attrs["level"])
        self.networks = arm(analysis.slopes)
        self.several = int(analysis.slopes.sizes.get(SEED, 1)) > 1
        self.counts = arm(analysis.counts)
        cube = arm(cube)
        self.churn = churn(cube, level=self.level)
        if self.several:
            self.changes = per_class(self.counts, "recall", self.reference, level=self.level)
            self.changes = self.changes.rename(score="recall", score_dense="recall_dense")
            self.basis = RUNS
        else:
            source = self.counts if "both_correct" in self.counts or not has_predictions(cube) else cube
            self.changes = self._one(recall_changes(source, level=self.level))
            scores = per_class(self.counts, "recall", self.reference, level=self.level)
            self.changes = self.changes.assign(recall=scores["score"], recall_dense=scores["score_dense"])
            self.basis = ALLOWED if self.changes.attrs["basis"] == COVERING else IMAGES

    @property
    def reference(self) -> str:
        return str(self.analysis.slopes.attrs["reference"])

    def _one(self, data: xr.Dataset) -> xr.Dataset:
        return data.isel({SEED: 0}, drop=True) if SEED in data.dims else data

    def mean(self, values: xr.DataArray, reason: xr.DataArray | str = "") -> _Found:
        """Return a quantity of single networks: its mean with a t interval over seeds, or itself."""
        if not self.several:
            value = values.isel({SEED: 0}, drop=True) if SEED in values.dims else values
            own = reason
            if isinstance(reason, xr.DataArray) and SEED in reason.dims:
                own = reason.isel({SEED: 0}, drop=True)
            return _Found(value, reason=own)
        found = t_intervals(values, level=self.level)
        return _Found(found["mean"], found["interval"], RUNS, found["reason"])

    def own(self, data: xr.Dataset) -> xr.Dataset:
        """Return the part of a result that is about the compressed models, of one seed where there is one."""
        return arm(data) if self.several else self._one(arm(data))


def arm(data: xr.Dataset) -> xr.Dataset:
    """Return the compressed models' part of a result that may hold the control's, too."""
    return data.sel({METHOD: COMPRESSED}, drop=True) if METHOD in data.dims else data


def _slope(source: Source) -> _Found:
    raw = source.mean(source.networks["slope"], source.networks["reason"])
    pairs = source.analysis.pairs
    if pairs is None or "interval" not in pairs:
        return raw
    own = source.own(pairs)
    return _Found(raw.value, own["interval"], CORRECTED, own["reason"].where(raw.reason == "", raw.reason))


def _slope_corrected(source: Source) -> _Found | None:
    pairs, corrected = source.analysis.pairs, source.analysis.corrected
    if pairs is not None:
        own = source.own(pairs)
        if "interval" in own:
            return _Found(own["slope_sampling_corrected"], own["interval"], IMAGES, own["reason"])
        ends = xr.concat([own["bound_lower"], own["bound_upper"]], "ci_bound").transpose(..., "ci_bound")
        return _Found(own["slope"] * np.nan, ends, POSSIBLE, own["reason"])
    if corrected is None or "interval" not in corrected:
        return None
    own = arm(corrected)
    return _Found(own["mean"], own["interval"], RUNS_AND_CORRECTED, own["reason"])


def _delta(source: Source) -> _Found | None:
    control = source.analysis.control
    if control is not None:
        own = arm(control)
        return _Found(own["mean"], own["interval"], RUNS, own["reason"])
    slopes = source.analysis.slopes["slope"]
    if METHOD not in slopes.dims:
        return None
    return source.mean(slopes.sel({METHOD: COMPRESSED}, drop=True) - slopes.sel({METHOD: CONTROL}, drop=True))


def _accuracy(source: Source) -> _Found:
    """The reference mean after; where that is the accuracy, one pair has Wilson's interval over its test images."""
    found = source.mean(source.networks["accuracy"])
    if source.several or source.reference != "accuracy":
        return found
    counts = source.own(source.counts)
    ends = _wilson(counts["correct"].sum(CLASS), counts["support"].sum(CLASS), source.level)
    return _Found(found.value, ends, IMAGES)


def _worst_recall(source: Source) -> _Found:
    """The lowest recall; its upper bound is the lowest of the simultaneous ones, since any class may have it.

    For the lower one, the bound of every class alone is enough, as for `_worst_recall_drop`.
    """
    lowest = source.changes["recall"].min(CLASS)
    if source.several:
        return _Found(lowest)
    counts = source.own(source.counts)
    correct, support = counts["correct"], counts["support"].where(counts["support"] > 0)
    alone = _wilson(correct, support, source.level).min(CLASS)
    together = _wilson(correct, support, source.level, support.notnull().sum(CLASS).clip(min=1)).min(CLASS)
    return _Found(lowest, alone.where(alone["ci_bound"] == "lower", together), IMAGES)


def _wilson(count: xr.DataArray, images: xr.DataArray, level: float, k: xr.DataArray | int = 1) -> xr.DataArray:
    """Return Wilson's intervals of shares of test images, k of which hold together."""
    lower, upper = xr.apply_ufunc(
        lambda *numbers: array.share_interval(*numbers[:2], level=level, k=numbers[2])[1:],
        count, images, xr.DataArray(k), output_core_dims=[[], []],
    )  # fmt: skip
    ends = xr.concat([like(lower, count), like(upper, count)], "ci_bound").transpose(..., "ci_bound")
    return ends.assign_coords(ci_bound=BOUNDS)


def _accuracy_drop(source: Source) -> _Found:
    drop = source.networks["accuracy_dense"] - source.networks["accuracy"]
    if source.several:
        return source.mean(drop)
    return _Found(-source.changes["accuracy_change"], _flipped(source.changes["accuracy_interval"]), source.basis)


def _worst_recall_drop(source: Source) -> _Found:
    """The largest drop; its lower bound is the largest of the simultaneous ones, since any class may have it.

    For the upper one, the bound of every class alone is enough: the class that truly drops most is one class, and where
    its bound holds, so does the largest of all.
    """
    drop, ends = -source.changes["change"], _flipped(source.changes["interval"]).max(CLASS)
    if "interval_alone" in source.changes:
        alone = _flipped(source.changes["interval_alone"]).max(CLASS)
        ends = ends.where(ends["ci_bound"] == "lower", alone)
    return _Found(drop.max(CLASS), ends, source.basis)


def _churn(source: Source) -> _Found:
    found = source.churn
    if bool(found["churn"].isnull().all()):
        ends = xr.concat([found["bound_lower"], found["bound_upper"]], "ci_bound").transpose(..., "ci_bound")
        ends = ends.mean(SEED) if SEED in ends.dims else ends
        value = found["churn"].isel({SEED: 0}, drop=True) if SEED in found["churn"].dims else found["churn"]
        return _Found(value, ends, POSSIBLE, "no_predictions")
    if source.several:
        return source.mean(found["churn"])
    own = source.own(found)
    return _Found(own["churn"], own["interval"], IMAGES)


def _flipped(ends: xr.DataArray) -> xr.DataArray:
    """Return the interval of the negative: after minus before becomes before minus after."""
    return (-ends).isel(ci_bound=[1, 0]).assign_coords(ci_bound=ends["ci_bound"])


def _network(name: str) -> Callable[[Source], _Found]:
    return lambda source: source.mean(source.networks[name], source.networks["reason"])


QUANTITIES: dict[str, tuple[str, Callable[[Source], _Found | None]]] = {
    "slope": ("intensification slope", _slope),
    "slope_corrected": ("slope freed of the sampling of test images", _slope_corrected),
    "slope_expected": ("slope that the change of accuracy alone would give", _network("slope_expected")),
    "slope_excess": ("log of slope over expected slope", _network("slope_excess")),
    "spread_ratio": ("how much wider the classes lie apart", _network("spread_ratio")),
    "cosine": ("whether the same classes are ahead and behind", _network("cosine")),
    "delta": ("slope minus the control's", _delta),
    "accuracy": ("accuracy after", _accuracy),
    "accuracy_drop": ("accuracy before minus after", _accuracy_drop),
    "worst_recall": ("lowest recall of a class after", _worst_recall),
    "worst_recall_drop": ("largest drop of a class's recall", _worst_recall_drop),
    "churn": ("share of the images whose prediction changed", _churn),
}
"""Name -> (meaning, how it is found)."""


def quantities(source: Source) -> list[Quantity]:
    """Return every number of a comparison, place by place."""
    return [quantity for name, (_, find) in QUANTITIES.items() if (found := find(source)) is not None
            for quantity in _places(name, found)]  # fmt: skip


def _places(name: str, found: _Found) -> Iterator[Quantity]:
    dims = [str(dim) for dim in found.value.dims]
    labels = {dim: found.value[dim].values if dim in found.value.coords else range(found.value.sizes[dim])
              for dim in dims}  # fmt: skip
    ends = None if found.interval is None else found.interval.transpose(*dims, "ci_bound").values
    reasons = np.broadcast_to(np.asarray(found.reason, object), found.value.shape)
    for index in np.ndindex(found.value.shape):
        lower, upper = (None, None) if ends is None else map(_number, ends[index])
        known = lower is not None and upper is not None
        yield Quantity(
            name, _number(found.value.values[index]), lower, upper, found.basis if known else NO_INTERVAL,
            str(reasons[index] or ""), {dim: plain(labels[dim][i]) for dim, i in zip(dims, index, strict=True)},
        )  # fmt: skip


def _number(value: Any) -> float | None:
    """Return a float, None where it is not finite (an infinite end is no end)."""
    return float(value) if np.isfinite(value) else None
