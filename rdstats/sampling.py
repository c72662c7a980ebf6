"""Slopes freed of the sampling of test images: their terms, network by network, and what seeds give together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from rdstats import array
from rdstats._folds import FOLD, fold_pass, has_predictions, require_predictions
from rdstats._labelled import CLASS, SEED, family_size, like, over_classes
from rdstats.array.pooling import MIN_STRENGTH, signal_to_noise
from rdstats.array.validate import check_choice
from rdstats.cube import class_counts
from rdstats.errors import InputError
from rdstats.measures import balance, require_pair
from rdstats.slope import BOUNDS, t_intervals

ANALYTIC, CROSS_FITTING, ONLY_BOUNDS = "analytic", "cross-fitting", "bounds"
PER_SEED, POOLED, NOT_ESTIMABLE = "per seed", "pooled", "not estimable"
# not "ratio", which is a dimension of the cube
_TERMS = ("numerator", "denominator", "accuracy_ratio", "error")
FROM_FOLDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys((*_TERMS, "squares", "seen"), ()),
    "denominator_deleted": (FOLD,),
}


def sampling_terms(
    cube: xr.Dataset, measure: str = "recall", reference: str = "accuracy", *, folds: int = 10, fold_seed: int = 0
) -> xr.Dataset:
    """Return numerator and denominator of every network's slope, unbiased by the sampling of test images.

    ``slope_sampling_corrected = accuracy_ratio x numerator / denominator`` with ``accuracy_ratio = A/A'``: the slope
    of these two networks on endless test images.  It removes the sampling of test images only.

    Parameters
    ----------
    cube : a cube with matrices before and after compression, or its class counts.  Recall needs ``both_correct``
        or the predictions of both networks; precision and F1 need the predictions.
    measure, reference : see `rdstats.slopes`.
    folds : stratified folds of the test images: an even number up to 14 for precision and F1.
    fold_seed : seed of the folds; all networks of a dataset have the same.

    Returns
    -------
    Dataset over the cell dimensions; Dask chunks are computed:

    - ``numerator, denominator, accuracy_ratio`` and ``error``, the standard error of the denominator: in closed form
      for recall, from leaving out one fold at a time for precision and F1;
    - ``strength`` = denominator / error of the dense network, ``reliability`` = denominator / ``squares`` (share of
      the squared balances that is not sampling), ``squares`` = sum of squared balances;
    - ``reason`` without a slope: ``missing``, ``undefined_class`` (a score 0/0, for precision and F1 also in one of
      the halves), ``too_few_images`` (a class with one), ``undefined`` (A' is 0), ``no_both_correct``,
      ``no_predictions``, ``bounds_only``;
    - with predictions ``denominator_deleted (..., fold)``: it carries what the errors of several networks have in
      common;
    - ``status`` where the cube has it.

    The attribute ``estimator`` says ``analytic`` (recall), ``cross-fitting`` (precision, F1) or ``bounds``: recall
    of a cube with nothing but matrices.  Then the numerator is NaN, and ``slope_lower, slope_upper`` hold every
    slope that the matrices allow: what is possible, not an interval of confidence.

    Raises
    ------
    InputError
        Precision or F1 without predictions, wrong choices, or predictions that contradict the matrices.

    Notes
    -----
    See `rdstats.array.slope_terms`, `rdstats.array.crossfit_folds` and `rdstats.array.both_correct_bounds`.

    Examples
    --------
    >>> from rdstats.cube import build
    >>> both = {"both_correct": (["true_class"], [68, 45])}
    >>> cube = build([[90, 10], [30, 70]], [[70, 30], [50, 50]], variables=both)
    >>> terms = sampling_terms(cube)
    >>> float((terms["accuracy_ratio"] * terms["numerator"] / terms["denominator"]).round(4))
    1.388
    """
    check_choice("measure", measure, array.MEASURES)
    if measure != "recall":
        require_predictions(cube, f"correction of {measure}")
    passed = None
    if has_predictions(cube):
        passed = fold_pass(
            cube, lambda c: terms_of_folds(c, measure, reference), FROM_FOLDS, folds=folds, fold_seed=fold_seed
        )
    return complete_terms(class_counts(cube).compute(), passed, measure, reference)


def complete_terms(counts: xr.Dataset, passed: xr.Dataset | None, measure: str, reference: str) -> xr.Dataset:
    """Return `sampling_terms` of class counts and, where there are predictions, of a pass over them."""
    require_pair(counts)
    template = counts["correct"].isel({CLASS: 0}, drop=True)
    estimator = CROSS_FITTING if measure != "recall" else ANALYTIC
    if passed is not None:
        terms = passed
        if measure == "recall" and "both_correct" in counts and _lacks(counts, terms):
            terms = terms.assign({name: terms[name].fillna(v) for name, v in _of_counts(counts, reference).items()})
    elif "both_correct" in counts:
        terms = xr.Dataset(_of_counts(counts, reference))
    else:
        estimator, terms = ONLY_BOUNDS, xr.Dataset(_bounds(counts, reference))
    terms["strength"] = terms["denominator"].copy(data=signal_to_noise(*_values(terms, "denominator", "error")))
    terms["reliability"] = (terms["denominator"] / terms["squares"]).where(terms["squares"] > 0)
    terms = terms.map(like, args=(template,))
    terms["reason"] = like(_reason(counts, terms, estimator), template)
    terms = terms.drop_vars("seen", errors="ignore")
    if "status" in counts:
        terms["status"] = counts["status"]
    return terms.assign_attrs(measure=measure, reference=reference, estimator=estimator)


def _lacks(counts: xr.Dataset, terms: xr.Dataset) -> bool:
    """Return whether a network has both_correct, but no predictions."""
    stored = counts["both_correct"].notnull().any(CLASS)
    return bool((stored & terms["numerator"].isnull()).any())


def _values(terms: xr.Dataset, *names: str) -> list[np.ndarray[Any, Any]]:
    return [np.asarray(terms[name].transpose(*terms[names[0]].dims).values) for name in names]


def terms_of_folds(counts: array.FoldCounts, measure: str, reference: str) -> dict[str, np.ndarray[Any, Any]]:
    terms, deleted, squares = array.fold_terms(counts, measure, reference)
    seen = np.where(np.isnan(counts.both_correct).any(axis=(-1, -2)), np.nan, 1.0)
    return {**dict(zip(_TERMS, terms, strict=True)), "squares": squares, "seen": seen, "denominator_deleted": deleted}


def _classwise(function: Callable[..., Any], n: int, reference: str, *parts: xr.DataArray) -> tuple[xr.DataArray, ...]:
    """Apply an array function with `n` outputs to per-class counts."""
    result: tuple[xr.DataArray, ...] = xr.apply_ufunc(
        function,
        *parts,
        kwargs={"reference": reference},
        input_core_dims=[[CLASS]] * len(parts),
        output_core_dims=[[]] * n,
        keep_attrs=False,
    )
    return result


def _of_counts(counts: xr.Dataset, reference: str) -> dict[str, xr.DataArray]:
    """Return the terms of recall from the images that both networks get right."""
    parts = [counts[name] for name in ("correct_dense", "correct", "both_correct", "support")]
    terms = _classwise(array.slope_terms, 4, reference, *parts)
    return {**dict(zip(_TERMS, terms, strict=True)), "squares": _squares(counts, reference)}


def _squares(counts: xr.Dataset, reference: str) -> xr.DataArray:
    """Return the sum of squared recall balances of the dense networks."""
    values = balance(counts[["correct_dense", "support_dense", "predicted_dense"]], "recall", reference)[
        "balance_dense"
    ]
    return (values**2).sum(CLASS, min_count=1).where(counts["support"].notnull().any(CLASS))


def _bounds(counts: xr.Dataset, reference: str) -> dict[str, xr.DataArray]:
    """Return what two matrices say: the dense network's own terms, and bounds of the slope."""
    before, after, support = (counts[name] for name in ("correct_dense", "correct", "support"))
    # both_correct does not enter the denominator; the largest it can be is one that is possible
    terms = _of_counts(counts.assign(both_correct=np.minimum(before, after)), reference)
    bounds = _classwise(
        lambda b, a, n, reference: array.both_correct_bounds(b, a, n, reference)[2:],
        2,
        reference,
        before,
        after,
        support,
    )
    return {
        **terms,
        "numerator": xr.full_like(terms["numerator"], np.nan),
        "slope_lower": bounds[0],
        "slope_upper": bounds[1],
    }


def _reason(counts: xr.Dataset, terms: xr.Dataset, estimator: str) -> xr.DataArray:
    """Return why a network has no slope, an empty text where it has one."""
    support = counts["support"]
    there = (support > 0).any(CLASS) & (counts["support_dense"] > 0).any(CLASS)
    known = terms["numerator"].notnull() & terms["denominator"].notnull()
    otherwise = {ANALYTIC: "no_both_correct", ONLY_BOUNDS: "bounds_only"}.get(estimator, "undefined_class")
    reason = known.astype(object).where(~known, "").where(known, otherwise)
    if "seen" in terms and estimator == CROSS_FITTING:
        reason = reason.where(known | terms["seen"].notnull(), "no_predictions")
    reason = reason.where(~(known & terms["accuracy_ratio"].isnull()), "undefined")
    reason = reason.where(~((support == 1).any(CLASS) & terms["denominator"].isnull()), "too_few_images")
    return reason.where(there, "missing")


def corrected_slopes(terms: xr.Dataset, *, level: float = 0.95, k: xr.DataArray | int | None = None) -> xr.Dataset:
    """Return sampling-corrected slopes: of single networks where the test set allows it, and of their columns.

    A column is the seeds of one cell.  If the median strength of its dense networks is 4 or more, every network
    has its slope, and the column their mean with a t interval; below, single ratios are erratic (a denominator
    near 0), and the column has the pooled slope ``sum (A/A') N / sum D`` with a delete-one-seed jackknife; if the
    pooled denominator is weak as well, nothing is estimated.  Nothing is clipped.

    Parameters
    ----------
    terms : result of `sampling_terms`, or terms derived from it.
    level : family-wise level of a column.
    k : number of simultaneous intervals, default: the planned ratios of a column that are not its control's.

    Returns
    -------
    Dataset over the cell dimensions, without ``seed`` unless said:

    - ``slope_sampling_corrected`` with ``seed``, and ``network_reason`` where it is NaN: those of
      `sampling_terms`, ``weak_denominator``, ``no_spread``;
    - ``mean, se, n, interval (..., ci_bound), reason``, ``k`` and ``level`` of each interval, and ``estimator``:
      ``per seed``, ``pooled`` or ``not estimable`` (empty where no network is known); ``sd``, per seed only;
    - ``strength`` (median of the networks), ``pooled_strength`` (sum of the denominators over its error; with
      ``denominator_deleted`` that error counts what networks get wrong on the same images), ``reliability``
      (sum D / sum of squared balances), beside which a raw slope has to be read where nothing is estimable.

    ``reason`` is empty where the interval is fine; else ``missing``, ``bounds_only``, ``too_few_seeds``,
    ``no_variation`` or ``not_estimable``.

    Raises
    ------
    InputError
        A level outside (0, 1), or k below 1.

    Notes
    -----
    See `rdstats.array.seed_slopes` and `rdstats.array.pooled_slope`.

    Examples
    --------
    >>> from rdstats.cube import build
    >>> before = [[[180, 20], [60, 140]], [[176, 24], [66, 134]], [[182, 18], [58, 142]]]
    >>> both = {"both_correct": (["seed", "true_class"], [[180, 140], [176, 134], [182, 142]])}
    >>> cube = build(before, before, dims=["seed"], variables=both)
    >>> result = corrected_slopes(sampling_terms(cube))
    >>> float(result["mean"]), str(result["estimator"].item()), str(result["network_reason"][0].item())
    (1.0, 'pooled', 'weak_denominator')
    """
    networks = terms if SEED in terms.dims else terms.expand_dims(SEED)
    networks = networks.compute()
    dims = [dim for dim in networks["numerator"].dims if dim != SEED]
    order = [*dims, SEED]
    parts = array.SlopeTerms(*(a.transpose(*order).values for a in xr.broadcast(*(networks[n] for n in _TERMS))))
    own = networks["reason"].broadcast_like(networks["numerator"]).transpose(*order)
    template = networks["numerator"].isel({SEED: 0}, drop=True).transpose(*dims)
    counted = _family_size(networks) if k is None else k if isinstance(k, xr.DataArray) else xr.DataArray(k)
    size = counted.broadcast_like(template).transpose(*dims)
    each = array.seed_slopes(parts)
    stats = t_intervals(own.copy(data=each.value), level=level, k=size)
    deleted = None
    if "denominator_deleted" in networks:
        deleted = networks["denominator_deleted"].transpose(*order, FOLD).values
    pooled = array.pooled_slope(parts, level=level, k=size.values, deleted=deleted)
    result = _column(stats, pooled, np.asarray(each.strength >= MIN_STRENGTH))
    result["strength"], result["pooled_strength"] = (dims, each.strength), (dims, pooled.strength)
    result["reliability"] = _reliability(networks, parts).transpose(*dims)
    result["slope_sampling_corrected"] = like(own.copy(data=each.value), networks["numerator"])
    reasons = np.where((each.reason == "missing") & (own.values != ""), own.values, each.reason)
    result["network_reason"] = like(own.copy(data=reasons.astype(object)), networks["numerator"])
    bounds_only = (own == "bounds_only").any(SEED) & (result["reason"] == "missing")
    result["reason"] = result["reason"].where(~bounds_only, "bounds_only")
    result = result.assign(k=size, level=1 - (1 - level) / size)
    return result.assign_attrs(terms.attrs, level=level, conditional_on="over training runs")


def _column(stats: xr.Dataset, pooled: array.JackknifeInterval, strong: np.ndarray[Any, Any]) -> xr.Dataset:
    """Return the mean over seeds where single slopes are strong enough, the pooled slope elsewhere."""
    dims = stats["mean"].dims
    se = stats["sd"] / np.sqrt(stats["n"].where(stats["n"] > 0))
    chosen = xr.DataArray(strong, dims=dims)
    together = {"mean": pooled.estimate, "se": pooled.se, "n": pooled.n, "reason": pooled.reason.astype(object)}
    stats = stats.assign(se=se)
    result = stats.assign({name: stats[name].where(chosen, xr.DataArray(v, dims=dims)) for name, v in together.items()})
    ends = xr.DataArray(np.stack([pooled.lower, pooled.upper], -1), dims=[*dims, "ci_bound"])
    result["interval"] = stats["interval"].where(chosen, ends.assign_coords(ci_bound=BOUNDS))
    words = np.where(strong, PER_SEED, np.where(pooled.reason == "not_estimable", NOT_ESTIMABLE, POOLED))
    words = np.where(result["reason"].values == "missing", "", words)
    result["estimator"] = (dims, words.astype(object))
    return result


def _family_size(networks: xr.Dataset) -> xr.DataArray:
    """Return k of every column, from the status or from which networks are there."""
    known = [name for name in ("status",) if name in networks]
    return family_size(networks[known].assign(slope=networks["numerator"], reason=networks["reason"]))


def _reliability(networks: xr.Dataset, parts: array.SlopeTerms) -> xr.DataArray:
    """Return sum D / sum of squared balances over the seeds that have both."""
    squares = networks["squares"].broadcast_like(networks["numerator"])
    denominator = networks["denominator"].where(squares.notnull())
    total = squares.where(denominator.notnull()).sum(SEED)
    return (denominator.sum(SEED) / total.where(total > 0)).rename(None)


def weak_test_set(cube: xr.Dataset, reference: str = "accuracy") -> xr.Dataset:
    """Return how far the spread of the dense networks' recalls stands above the sampling of test images.

    Parameters
    ----------
    cube : a cube with dense matrices, or its class counts.
    reference : see `rdstats.slopes`.

    Returns
    -------
    Dataset over the dimensions of the dense networks: ``strength`` and ``reliability`` of each, and, without
    ``seed``, ``weak``: the median strength is below 4 (or not known), so that slopes of single networks are not to
    be corrected one by one.

    Raises
    ------
    InputError
        No dense matrices, or an unknown reference.

    Notes
    -----
    See `rdstats.array.strength`, `rdstats.array.reliability` and `rdstats.array.weak_test_set`.

    Examples
    --------
    >>> from rdstats.cube import build
    >>> result = weak_test_set(build([[90, 10], [30, 70]], [[70, 30], [50, 50]]))
    >>> float(result["strength"].round(2)), bool(result["weak"])
    (1.71, True)
    """
    counts = class_counts(cube).compute()
    require_dense(counts)
    parts = [counts["correct_dense"], counts["support_dense"]]
    result = xr.Dataset()
    for name in ("strength", "reliability"):
        result[name] = like(over_classes(getattr(array, name), *parts, reference=reference), parts[0])
    seeds = result["strength"] if SEED in result["strength"].dims else result["strength"].expand_dims(SEED)
    result["weak"] = xr.apply_ufunc(array.weak_test_set, seeds, input_core_dims=[[SEED]])
    return result.assign_attrs(reference=reference, min_strength=MIN_STRENGTH)


def require_dense(counts: xr.Dataset) -> None:
    """Raise `InputError` unless the cube has matrices before compression."""
    if "correct_dense" not in counts:
        raise InputError("the cube has no confusion_dense (before), the matrices of the dense networks")
