"""Records that check a result: sampling of test images, other intervals, other estimators, single pairs."""

from __future__ import annotations

from rdstats._entering import entering_counts
from rdstats._labelled import SEED, family_size, planned
from rdstats._pair_classes import pair_class_changes
from rdstats.analysis import Analysis
from rdstats.instrumented import instrumented_slopes, retrain_null
from rdstats.records.cells import Record, bounds, cell_records, member_labels, plain

_SAMPLING = (
    "raw", "mean", "se", "n", "lower", "upper", "level", "estimator", "strength", "pooled_strength", "reliability",
    "reason", "bound_lower", "bound_upper",
)  # fmt: skip
_INTERVALS = (
    "quantity", "mean", "n", "lower", "upper", "crossed_lower", "crossed_upper", "image_share", "bca_lower",
    "bca_upper", "level", "reason",
)  # fmt: skip
_PAIR = (
    "slope", "slope_sampling_corrected", "se", "n", "lower", "upper", "strength", "reliability", "reason",
    "bound_lower", "bound_upper",
)  # fmt: skip
_CHANGE = ("class_name", "recall_dense", "recall", "only_before", "only_after", "p", "p_corrected", "reason")
_PAIR_CLASS = ("class_name", "recall_dense", "recall", "change", "lower", "upper", "p_corrected", "reason")
_INSTRUMENTED = ("estimate", "se", "n", "lower", "upper", "strength", "k", "reason")
_RETRAIN = ("mean", "sd", "n", "min", "max")
_POSTERIOR = (
    "mean", "sd", "n", "lower", "upper", "hdi_lower", "hdi_upper", "p_above_one", "p_within_margin",
    "delta_mean", "delta_sd", "delta_lower", "delta_upper", "p_delta_positive", "p_delta_within_margin",
    "p_log_spread_positive", "level", "reason",
)  # fmt: skip


def sampling_records(analysis: Analysis) -> list[Record]:
    """Return one record a cell: sampling-corrected slope beside the raw one; none without what it needs."""
    if analysis.corrected is None:
        return []
    found = analysis.corrected.assign(raw=analysis.summary["mean"])
    return cell_records(found, _SAMPLING, there=planned(analysis.slopes), ends=bounds(("", "interval")), like="mean")


def interval_records(analysis: Analysis) -> list[Record]:
    """Return one record a cell and quantity: t, crossed and BCa intervals; none without a check of the t interval.

    ``quantity`` is ``slope``, ``corrected`` or ``delta``.
    """
    there = planned(analysis.slopes)
    result = []
    for quantity, plain_t in (("slope", analysis.summary), ("corrected", analysis.corrected),
                              ("delta", analysis.control)):  # fmt: skip
        crossed, bca = analysis.crossed.get(quantity), analysis.bca.get(quantity)
        if plain_t is None or (crossed is None and bca is None):
            continue
        data = plain_t[["mean", "n", "interval", "level", "reason"]].assign(quantity=quantity)
        if crossed is not None:
            data = data.assign(crossed=crossed["interval"], image_share=crossed["image_share"])
        if bca is not None:
            data = data.assign(bca=bca["interval"])
        ends = bounds(("", "interval"), ("crossed_", "crossed"), ("bca_", "bca"))
        own = there.sel({"method": data["method"]}) if quantity == "delta" else there
        result += cell_records(data, _INTERVALS, there=own, ends=ends, like="mean")
    return result


def pair_records(analysis: Analysis) -> list[Record]:
    """Return one record a network, for a cube of single pairs: corrected slope with its image jackknife."""
    if analysis.pairs is None:
        return []
    there = analysis.pairs["reason"] != "missing"
    return cell_records(analysis.pairs, _PAIR, there=there, ends=bounds(("", "interval")), like="slope")


def change_records(analysis: Analysis) -> list[Record]:
    """Return one record a network and class, for a cube of single pairs: McNemar's test."""
    if analysis.changes is None:
        return []
    found = analysis.changes
    if "class_name" in analysis.counts:
        found = found.assign(class_name=analysis.counts["class_name"])
    return cell_records(found, _CHANGE, there=found["p"].notnull(), like="p")


def pair_class_records(analysis: Analysis) -> list[Record]:
    """Return one record a network and class, for a cube of single pairs: the change of recall with its interval.

    The intervals are over test images, simultaneous over the classes (`rdstats.recall_changes`); McNemar's
    ``p_corrected`` stands beside them, None where it is not known which images both networks get right.
    """
    found = pair_class_changes(analysis)
    if found is None:
        return []
    if "class_name" in analysis.counts:
        found = found.assign(class_name=analysis.counts["class_name"])
    there = found["change"].notnull()
    return cell_records(found, _PAIR_CLASS, there=there, ends=bounds(("", "interval")), like="change")


def instrumented_records(analysis: Analysis) -> list[Record]:
    """Return one record a cell: slope along the class pattern of the other seeds; none with one seed."""
    if analysis.slopes.sizes.get(SEED, 1) < 2:
        return []
    attrs = analysis.summary.attrs
    found = instrumented_slopes(
        entering_counts(analysis), attrs["measure"], attrs["reference"], level=attrs["level"],
        k=family_size(analysis.slopes),
    )
    return cell_records(
        found, _INSTRUMENTED, there=planned(analysis.slopes), ends=bounds(("", "interval")), like="estimate"
    )


def retrain_records(analysis: Analysis) -> list[Record]:
    """Return one record a dense column: slopes between networks that were only trained again."""
    if analysis.slopes.sizes.get(SEED, 1) < 2:
        return []
    attrs = analysis.summary.attrs
    found = retrain_null(analysis.counts, attrs["measure"], attrs["reference"])
    return cell_records(found, _RETRAIN, there=found["n"] > 0, like="mean")


def posterior_records(analysis: Analysis) -> list[Record]:
    """Return one record a cell: posterior of slope and difference from the control; none unless it was asked for."""
    if analysis.posterior is None:
        return []
    from rdstats.credible import posterior_summary

    attrs = analysis.summary.attrs
    found = posterior_summary(
        analysis.posterior, level=attrs["level"], margin=analysis.margin, k=family_size(analysis.slopes)
    )
    ends = bounds(("", "interval"), ("hdi_", "hdi"), ("delta_", "delta_interval"))
    return cell_records(found, _POSTERIOR, there=planned(analysis.slopes), ends=ends, like="mean")


def posterior_pair_records(analysis: Analysis) -> list[Record]:
    """Return one record a test: posterior probabilities that the first is below the second."""
    if analysis.posterior is None:
        return []
    from rdstats.pair_probability import pair_probabilities

    result = []
    for one in analysis.families:
        found = pair_probabilities(analysis.slopes, one.family)
        names = ("p_slope_less", "p_spread_less", "p_sd_less")
        for i in range(one.tests.sizes["test"]):
            values = {name: plain(found[name].values[i]) for name in names}
            result.append(member_labels(one.tests, i) | values | {"family": one.family.name})
    return result
