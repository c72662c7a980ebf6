"""What checks a result, as tables: sampling of test images, other intervals and estimators, single pairs."""

from __future__ import annotations

from rdstats._words import words
from rdstats.analysis import Analysis
from rdstats.records import (
    Record,
    change_records,
    instrumented_records,
    interval_records,
    pair_records,
    posterior_pair_records,
    posterior_records,
    retrain_records,
    sampling_records,
)
from rdstats.tables.table import (
    NONE,
    Column,
    Table,
    between,
    build,
    cell_dims,
    conditional,
    fixed_text,
    labels,
    n_text,
    num,
    percent,
    probability,
    table,
    text,
)


def sampling_tables(analysis: Analysis) -> list[Table]:
    """Return sampling-corrected slopes beside the raw ones."""
    records, dims = sampling_records(analysis), cell_dims(analysis)
    if analysis.corrected is None or not records:
        return []
    only_bounds = analysis.corrected.attrs["estimator"] == "bounds"
    columns = [
        num("raw", "raw"), *([between("possible", "bound_")] if only_bounds else
                             [num("corrected", "mean"), between("interval"), text("estimator", "estimator")]),
        num("strength", "strength", 1), num("reliab.", "reliability", 2),
    ]  # fmt: skip
    if only_bounds:
        caption = (
            f"Every slope freed of the sampling of test images that the matrices allow{fixed_text(records, dims)}: "
            "which images both networks get right is not known (no predictions, no both_correct), so this is what is "
            "possible, on average over seeds, and not an interval of confidence; nothing where the strength (spread of "
            "the dense networks over its sampling error) is below 4."
        )
        return build("Bounds of the corrected slope", records, dims, columns, caption)
    act = words(analysis.counts.attrs).act
    caption = (
        f"Slope freed of the sampling of test images ({analysis.corrected.attrs['estimator']}), {n_text(records)}"
        f"{fixed_text(records, dims)}: what these networks would show on an infinite test set. It does not remove the "
        "noise of training runs, regression to the mean, or a change of accuracy: 1 is not its value without "
        f"{act}. 'per seed': mean of the networks with a t interval; 'pooled': sums over seeds with a delete-one-seed "
        "jackknife, where the median strength (spread of the dense networks over its sampling error) is below 4; "
        "'not estimable': below 4 when pooled, too. Intervals simultaneous at "
        f"{percent(analysis.summary.attrs['level'])} within a column, over training runs. Reliability: the share of "
        "the dense networks' spread that is not sampling."
    )
    return build("Corrected for the sampling of test images", records, dims, columns, caption)


def interval_tables(analysis: Analysis) -> list[Table]:
    """Return t, crossed and bootstrap intervals side by side."""
    records, dims = interval_records(analysis), ["quantity", *cell_dims(analysis)]
    if not records:
        return []
    bca = any(record["bca_lower"] is not None for record in records)
    crossed = any(record["crossed_lower"] is not None for record in records)
    columns = [
        num("mean", "mean"), between("t"),
        *([between("crossed", "crossed_"), num("images", "image_share", 2)] if crossed else []),
        *([between("BCa", "bca_")] if bca else []),
    ]  # fmt: skip
    caption = (
        f"Intervals simultaneous at {percent(analysis.summary.attrs['level'])} within a column, {n_text(records)}"
        f"{fixed_text(records, dims)}. t: {conditional(analysis)}. "
        + (
            "crossed: over training runs and test images, from leaving out tenths of the images for all seeds at once; "
            "images: the share of its variance that comes from the images, which more seeds cannot shrink. "
            if crossed
            else ""
        )
        + ("BCa: bootstrap over seeds, a check of the t interval, from 20 seeds on. " if bca else "")
        + "slope: raw; corrected: for the sampling of test images; delta: minus the control's."
    )
    return build("Intervals", records, dims, columns, caption)


def pair_tables(analysis: Analysis) -> list[Table]:
    """Return, for single pairs, the corrected slope with its interval over test images."""
    records, dims = pair_records(analysis), [str(dim) for dim in analysis.slopes["slope"].dims if dim != "seed"]
    if analysis.pairs is None or not records:
        return []
    only_bounds = "interval" not in analysis.pairs
    columns = [
        num("raw", "slope"),
        *([between("possible", "bound_")] if only_bounds else
          [num("corrected", "slope_sampling_corrected"), between("interval"), num("images", "n", 0)]),
        num("strength", "strength", 1), num("reliab.", "reliability", 2), Column("note", _pair_note),
    ]  # fmt: skip
    if only_bounds:
        caption = (
            f"One pair of networks{fixed_text(records, dims)}: every slope freed of the sampling of test images that "
            "the two matrices allow, since which images both networks get right is not known (no predictions, no "
            "both_correct). What is possible, not an interval of confidence, and nothing about other training runs."
        )
        return build("One pair of networks", records, dims, columns, caption)
    caption = (
        "One pair of networks: slope freed of the sampling of test images, with a delete-one-image jackknife interval "
        f"at {percent(analysis.pairs.attrs['level'])}{fixed_text(records, dims)}. It says what these two networks "
        "would show on other test images, and nothing about other training runs."
    )
    return build("One pair of networks", records, dims, columns, caption)


def change_tables(analysis: Analysis) -> list[Table]:
    """Return, for single pairs, which classes changed."""
    records = change_records(analysis)
    dims = [*(str(dim) for dim in analysis.slopes["slope"].dims if dim != "seed"), "class"]
    if not records:
        return []
    columns = [
        num("before", "recall_dense"), num("after", "recall"), num("lost", "only_before", 0),
        num("gained", "only_after", 0), probability("p", "p"), probability("p corr.", "p_corrected"),
    ]  # fmt: skip
    caption = (
        "One pair of networks: recall of each class before and after, images that only the one before (lost) or only "
        "the one after (gained) gets right, McNemar's exact two-sided mid-p, "
        f"corrected by Holm over the classes{fixed_text(records, dims)}. Images are the units: it says nothing about "
        "other training runs."
    )
    return build("Changes class by class", records, dims, columns, caption)


def instrumented_tables(analysis: Analysis) -> list[Table]:
    """Return the slope along the class pattern that all runs share."""
    records, dims = instrumented_records(analysis), cell_dims(analysis)
    if not records:
        return []
    columns = [
        num("slope", "estimate"), between("interval"), num("n", "n", 0), num("strength", "strength", 1),
        text("note", "reason"),
    ]  # fmt: skip
    caption = (
        f"Slope along the class pattern common to all training runs, {n_text(records)}{fixed_text(records, dims)}: "
        "each network's balances before are replaced by the sum of the other seeds', which share neither its run noise "
        "nor its regression to the mean. 1 where compression leaves the common pattern as it was. Delete-one-seed "
        f"jackknife intervals, simultaneous at {percent(analysis.summary.attrs['level'])} within a column."
    )
    return build("Seed-instrumented slope", records, dims, columns, caption)


def retrain_tables(analysis: Analysis) -> list[Table]:
    """Return the slopes that training again gives, with nothing compressed."""
    records = retrain_records(analysis)
    if not records:
        return []
    nothing = f"nothing {words(analysis.counts.attrs).done}"
    dims = list(records[0])[: list(records[0]).index("mean")]
    columns = [num("mean", "mean"), num("sd", "sd"), num("pairs", "n", 0), num("min", "min"), num("max", "max")]
    caption = (
        f"Slopes between the dense networks of neighbouring seeds{fixed_text(records, dims)}: what training again "
        f"does, with {nothing}. Pairs share networks, so there is no interval. A mean below 1 is what regression "
        "to the mean and the sampling of test images give without any compression."
    )
    return build(f"Trained again, {nothing}", records, dims, columns, caption)


def posterior_tables(analysis: Analysis) -> list[Table]:
    """Return the posterior of slope and difference, and the probabilities of the claims."""
    records, dims = posterior_records(analysis), cell_dims(analysis)
    if not records:
        return []
    control = any(record["delta_mean"] is not None for record in records)
    columns = [
        num("slope", "mean"), between("interval"), num("P(slope>1)", "p_above_one"),
        *([num("delta", "delta_mean"), num("P(delta>0)", "p_delta_positive"),
           num("P(in ROPE)", "p_delta_within_margin"), num("P(spread>)", "p_log_spread_positive")] if control else []),
    ]  # fmt: skip
    caption = (
        f"Posterior of every column's mean, {n_text(records)}{fixed_text(records, dims)}: normal model over seeds, "
        "reference prior, exact draws; equal-tailed intervals simultaneous at "
        f"{percent(analysis.summary.attrs['level'])} within a column. delta: slope minus the control's; ROPE: "
        f"|delta| < {analysis.margin:g}; P(spread>): that the spread ratio is above the control's. "
        "Conditional on this test set."
    )
    return build("Posterior", records, dims, columns, caption)


def posterior_pair_tables(analysis: Analysis) -> list[Table]:
    """Return the posterior probabilities of a family's comparisons."""
    records = posterior_pair_records(analysis)
    if not records:
        return []
    dims = list(records[0])[: list(records[0]).index("p_slope_less")]
    result, start = [], 0
    for one in analysis.families:
        own = records[start : start + one.tests.sizes["test"]]
        start += len(own)
        result += _posterior_pairs(one.family.name, own, dims)
    return result


def _posterior_pairs(family: str, records: list[Record], dims: list[str]) -> list[Table]:
    varying = [dim for dim in dims if len({str(record[dim]) for record in records}) > 1]

    columns = [
        *map(labels, varying), num("P(slope <)", "p_slope_less"), num("P(spread <)", "p_spread_less"),
        num("P(sd <)", "p_sd_less"),
    ]  # fmt: skip
    caption = (
        f"Posterior probability that the first is below the second{fixed_text(records, dims)}: mean slope, mean log "
        "spread ratio, standard deviation of the slope between seeds."
    )
    return [table(f"Posterior of the comparisons: family {family}", records, columns, caption, keys=len(varying))]


def _pair_note(record: Record) -> str:
    reason = str(record["reason"] or "")
    return NONE if reason in ("", "bounds_only") else reason.replace("_", " ")
