"""Intensification slopes of every network, and their summary over seeds."""

from __future__ import annotations

import numpy as np
import xarray as xr

from rdstats import array
from rdstats._labelled import CLASS, SEED, family_size, like, on_present, over_classes
from rdstats.cube import class_counts
from rdstats.degeneracy import COLLAPSED_SHARE, degenerate
from rdstats.measures import accuracy, balance, require_pair, score, shrunk_score
from rdstats.pairing import check_dense_ids

BOUNDS = ["lower", "upper"]


def slopes(cube: xr.Dataset, measure: str = "recall", reference: str = "accuracy") -> xr.Dataset:
    """Return the intensification slope of every network, with what is needed to read it.

    ``slope = sum_c Bn_c Bn'_c / sum_c Bn_c^2 = spread_ratio x cosine`` with Bn the normalised balance before
    and Bn' after compression.

    Parameters
    ----------
    cube : a cube with matrices before and after compression, or its class counts.
    measure : ``recall``, ``precision`` or ``f1``.
    reference : ``accuracy`` or ``macro``, see `balance`.

    Returns
    -------
    Dataset over the cell dimensions:

    - ``slope, spread_ratio, cosine, r_squared``, and ``beta``, the slope of the balances that are not
      normalised (slope = A/A' beta); NaN with a ``reason`` (``missing``, ``undefined_class``, ``no_spread``);
    - ``slope_expected``: the slope if every class moved by one common log-odds shift to the accuracy after
      (both networks' scores shrunk alike); ``slope_expected_error``: if every class's error grew by one
      factor; ``slope_excess``: log of slope over expected slope;
    - ``accuracy, accuracy_dense``; ``degenerate, degenerate_reason``; and ``status, dense_id,
      achieved_ratio`` where the cube has them.

    Source: paper, section 5; the expected slopes are this project's.
    """
    counts = class_counts(cube)
    require_pair(counts)
    check_dense_ids(counts)
    missing = {"reason": "missing", "degenerate": False, "degenerate_reason": ""}
    result = on_present(lambda part: _networks(part, measure, reference), counts, missing)
    shares = accuracy(counts)
    result["accuracy"], result["accuracy_dense"] = shares["accuracy"], shares["accuracy_dense"]
    extra = [name for name in ("status", "dense_id", "achieved_ratio", "target_ratio") if name in counts]
    return result.assign({name: counts[name] for name in extra})


def _networks(counts: xr.Dataset, measure: str, reference: str) -> xr.Dataset:
    _, balances, present = paired_balances(counts, measure, reference)
    pair = [balances["normalized_balance_dense"], balances["normalized_balance"], present]
    template = counts["correct"].isel({CLASS: 0}, drop=True)
    result = xr.Dataset(attrs={"measure": measure, "reference": reference})
    for name in ("slope", "spread_ratio", "cosine", "r_squared"):
        result[name] = like(over_classes(getattr(array, name), *pair), template)
    beta = over_classes(array.slope, balances["balance_dense"], balances["balance"], present)
    result["beta"] = like(beta, template).where(result["slope"].notnull())
    result["reason"] = like(over_classes(array.slope_reason, *pair, dtype="U16"), template)
    for name, values in _expected(counts, measure, reference).items():
        result[name] = like(values, template)
    result["slope_excess"] = xr.apply_ufunc(
        array.slope_excess, result["slope"], result["slope_expected"], dask="parallelized", output_dtypes=[float]
    )
    return result.merge(degenerate(counts), join="exact")


def paired_balances(cube: xr.Dataset, measure: str, reference: str) -> tuple[xr.Dataset, xr.Dataset, xr.DataArray]:
    """Return class counts, balances, and which classes were tested in both networks of a pair.

    A network that is missing on either side has no class present.
    """
    counts = class_counts(cube)
    require_pair(counts)
    check_dense_ids(counts)
    present = (counts["support"] > 0) & (counts["support_dense"] > 0)
    return counts, balance(counts, measure, reference), present


def _expected(counts: xr.Dataset, measure: str, reference: str) -> dict[str, xr.DataArray]:
    weights = over_classes(array.class_weights, counts["support"], keeps_class=True, reference=reference)
    shrunk = shrunk_score(counts, measure)
    scores = score(counts, measure)
    means = [
        over_classes(array.reference_score, scores["score" + s], counts["support" + s], reference=reference)
        for s in ("_dense", "")
    ]
    return {
        "slope_expected": over_classes(array.slope_expected_shift, shrunk["score_dense"], shrunk["score"], weights),
        "slope_expected_error": xr.apply_ufunc(
            array.slope_expected_error, *means, dask="parallelized", output_dtypes=[float]
        ),
    }


MARGIN = 0.10
"""Default equivalence margin on the slope scale."""


def summarize_slopes(
    slopes: xr.Dataset, *, level: float = 0.95, exclude_degenerate: bool = False, margin: float = MARGIN
) -> xr.Dataset:
    """Summarise slopes over seeds: mean, t interval, and the paper's verdict against 1.

    Intervals are simultaneous over the k planned ratios of a column (its control not counted), each at
    ``1 - (1 - level)/k``; a control's own is at `level`.  They are over training runs, conditional on this
    test set.

    Parameters
    ----------
    slopes : result of `slopes`.
    level : family-wise confidence level of a column.
    exclude_degenerate : leave degenerate networks out.
    margin : equivalence margin of the slope around 1, for ``p_equivalent``.

    Returns
    -------
    Dataset over the cell dimensions without ``seed``: ``mean, sd, n``, ``interval (..., ci_bound)``,
    ``level`` of each interval and ``k``, ``verdict`` (``<``, ``>``, ``?``, or ``collapsed (j of n)`` where more
    than a tenth of the networks is degenerate), means of ``beta, spread, cosine, r_squared, expected,
    accuracy, accuracy_dense, achieved_ratio``, ``n_degenerate``, ``n_networks``, ``reason``, and ``p_equivalent``:
    two one-sided tests of ``|mean slope - 1| < margin``, to be compared with ``(1 - level)/k``.

    Source: paper, section 6.2 (t intervals, Bonferroni over a column's ratios).
    """
    networks = slopes if SEED in slopes.dims else slopes.expand_dims(SEED)
    networks = networks.compute()
    kept = networks.where(~networks["degenerate"]) if exclude_degenerate else networks
    k = family_size(networks)
    stats = t_intervals(kept["slope"], level=level, k=k)
    result = stats.assign(k=k, level=1 - (1 - level) / k)
    lower, upper = (stats["interval"].sel(ci_bound=bound).values for bound in BOUNDS)
    verdict = array.verdict(lower, upper, stats["n"].values, stats["reason"].values)
    result["verdict"] = (stats["n"].dims, verdict.astype(object))
    tost = array.tost(*(stats[name].values for name in ("mean", "sd", "n")), margin=margin, level=level,
                      k=k.transpose(*stats["n"].dims).values, null=1.0)  # fmt: skip
    result["p_equivalent"] = (stats["n"].dims, np.asarray(tost.p))
    there = networks["reason"] != "missing"
    for name, source in _MEANS.items():
        if source in kept:
            entering = kept["slope"].notnull() if source in _OF_A_SLOPE else there
            result[name] = kept[source].broadcast_like(networks["slope"]).where(entering).mean(SEED)
    result["reason"] = _why_nothing(result["reason"], networks)
    result = result.assign(degenerate_counts(networks).data_vars)
    result["verdict"] = _mark_collapsed(result)
    return result.assign_attrs(
        slopes.attrs, level=level, exclude_degenerate=int(exclude_degenerate),
        conditional_on="over training runs, conditional on this test set",
    )  # fmt: skip


_OF_A_SLOPE = {"beta", "spread_ratio", "cosine", "r_squared", "slope_expected", "slope_expected_error"}
_MEANS = {
    "beta": "beta",
    "spread": "spread_ratio",
    "cosine": "cosine",
    "r_squared": "r_squared",
    "expected": "slope_expected",
    "expected_error": "slope_expected_error",
    "accuracy": "accuracy",
    "accuracy_dense": "accuracy_dense",
    "achieved_ratio": "achieved_ratio",
}


def _why_nothing(reason: xr.DataArray, networks: xr.Dataset) -> xr.DataArray:
    """Replace ``missing`` where networks are there: none has a slope (their own reason), or all were left out."""
    own = networks["reason"].transpose(..., SEED).values
    texts = np.array(reason.values, object)
    for index in map(tuple, np.argwhere(texts == "missing")):
        found = [str(text) for text in own[index] if text != "missing"]
        if found:
            texts[index] = found[0] or "degenerate_excluded"
    return reason.copy(data=texts)


def t_intervals(values: xr.DataArray, *, level: float, k: xr.DataArray | int = 1) -> xr.Dataset:
    """Return mean, sd, n, reason and t interval over seeds.  See `rdstats.array.t_interval`."""
    dims = [dim for dim in values.dims if dim != SEED]
    widths = k.transpose(*dims).values if isinstance(k, xr.DataArray) else k
    stats = array.t_interval(values.transpose(*dims, SEED).values, level=level, k=widths)
    coords = {dim: values[dim] for dim in dims if dim in values.coords}
    result = xr.Dataset({name: (dims, getattr(stats, name)) for name in ("mean", "sd", "n")}, coords=coords)
    result["reason"] = (dims, np.asarray(stats.reason, object))
    result["interval"] = ([*dims, "ci_bound"], np.stack([stats.lower, stats.upper], -1))
    return result.assign_coords(ci_bound=BOUNDS)


def degenerate_counts(networks: xr.Dataset) -> xr.Dataset:
    """Return ``n_networks`` and how many of them are degenerate, ``n_degenerate``, over seeds."""
    there = networks["reason"] != "missing"
    return xr.Dataset({"n_networks": there.sum(SEED), "n_degenerate": (networks["degenerate"] & there).sum(SEED)})


def collapsed(summary: xr.Dataset) -> xr.DataArray:
    """Return whether more than a tenth of a column's networks is degenerate."""
    return summary["n_degenerate"] > COLLAPSED_SHARE * summary["n_networks"]


def _mark_collapsed(summary: xr.Dataset) -> xr.DataArray:
    text = [
        f"collapsed ({bad} of {n})" if bad > COLLAPSED_SHARE * n else word
        for bad, n, word in zip(
            summary["n_degenerate"].values.ravel().tolist(),
            summary["n_networks"].values.ravel().tolist(),
            summary["verdict"].values.ravel().tolist(),
            strict=True,
        )
    ]
    shape = summary["verdict"].shape
    return summary["verdict"].copy(data=np.array(text, object).reshape(shape))
