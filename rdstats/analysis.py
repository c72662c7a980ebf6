"""The whole analysis of a cube in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from rdstats import notes
from rdstats._folds import has_predictions
from rdstats._labelled import RATIO, SEED, family_size
from rdstats.array.pooling import MIN_STRENGTH
from rdstats.bayes import posterior
from rdstats.control import against_control, control_differences, controlled_methods
from rdstats.cube import class_counts
from rdstats.cube.counts import check_counts
from rdstats.degeneracy import without_degenerate
from rdstats.errors import InputError, UnanswerableError, nearest, one_of
from rdstats.families import FAMILIES, Family, declare, run_family
from rdstats.measures import balance
from rdstats.resampling import bca_intervals, crossed_intervals, fold_slopes, fold_slopes_and_terms
from rdstats.sampling import ONLY_BOUNDS, corrected_slopes, sampling_terms
from rdstats.single import class_changes, pair_intervals
from rdstats.slope import MARGIN, slopes, summarize_slopes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from arviz import InferenceData

AGAINST = ("sham", "one")
FOLDS = 10
"""Stratified folds of the test images for crossed intervals and cross-fitting."""
CORRECTED = "slope_sampling_corrected"
_DELTA = ("arch", "dataset")
"""Families that compare networks with controls of their own."""


@dataclass(frozen=True)
class FamilyResult:
    """A family as it was declared, and its tests (`rdstats.run_family`)."""

    family: Family
    tests: xr.Dataset


@dataclass(frozen=True)
class Analysis:
    """What `analyze` found.

    Attributes
    ----------
    cube : the cube itself, for what needs its matrices (lazy: where it lies in a file, that must be open).
    counts : class counts of the cube.
    slopes : every network (`rdstats.slopes`).
    summary : slopes over seeds (`rdstats.summarize_slopes`).
    families : the declared comparisons and their results.
    control : every pruned column against its control, None where there is none (`rdstats.against_control`).
    corrected : sampling-corrected slopes (`rdstats.corrected_slopes`), None without what they need.
    crossed : crossed intervals over seeds and test images of ``slope``, ``slope_sampling_corrected`` and
        ``delta`` (a Dataset each, `rdstats.crossed_intervals`); empty without predictions.
    bca : bootstrap intervals of the same quantities, from 20 seeds on, where they were asked for.
    posterior : draws of every column's mean and standard deviation (`rdstats.posterior`), where asked for.
    margin : equivalence margin on the slope scale.
    pairs, changes : one pair of models: intervals over test images (`rdstats.pair_intervals`; only bounds of the
        corrected slope where two matrices are all there is) and class by
        class (`rdstats.class_changes`); None with several seeds, or without what they need.
    without : the same analysis without degenerate networks; None where there are none.
    warnings : what a reader must know before believing the numbers, a line each.
    """

    cube: xr.Dataset
    counts: xr.Dataset
    slopes: xr.Dataset
    summary: xr.Dataset
    families: tuple[FamilyResult, ...]
    control: xr.Dataset | None
    corrected: xr.Dataset | None
    crossed: dict[str, xr.Dataset]
    bca: dict[str, xr.Dataset]
    pairs: xr.Dataset | None
    changes: xr.Dataset | None
    posterior: InferenceData | None
    without: Analysis | None
    warnings: tuple[str, ...]
    margin: float

    @property
    def family(self) -> Family:
        """The first family; `InputError` where none was run."""
        return self._first().family

    @property
    def tests(self) -> xr.Dataset:
        """The tests of the first family; `InputError` where none was run."""
        return self._first().tests

    def _first(self) -> FamilyResult:
        if not self.families:
            raise InputError("the analysis ran no family of tests")
        return self.families[0]

    @property
    def margin_points(self) -> float | None:
        """Return what the margin moves the worst class by, in points (hundredths) of the score.

        A slope that is larger by the margin moves the balance of a class by margin x balance at unchanged
        accuracy; the worst class of a dense network, on average over networks.  None where no network is known.
        """
        attrs = self.slopes.attrs
        lowest = balance(self.counts, attrs["measure"], attrs["reference"])["balance_dense"].min("class")
        deficit = float(-lowest.mean())
        return None if np.isnan(deficit) else 100 * self.margin * deficit

    @property
    def test_images_per_class(self) -> tuple[int, int]:
        """Return the smallest and largest number of test images of a class; (0, 0) where no cell has counts."""
        support = self.counts["support"].where(self.counts["support"] > 0)
        return int(support.min().fillna(0)), int(support.max().fillna(0))


@dataclass(frozen=True)
class _Options:
    level: float
    margin: float
    against: str
    measure: str
    families: tuple[str | Family, ...] | None
    declared: dict[str, Any]
    bootstrap: int
    random_seed: int
    asked: bool


@dataclass(frozen=True)
class _Parts:
    """What is computed once, whichever networks are left out afterwards."""

    cube: xr.Dataset
    counts: xr.Dataset
    networks: xr.Dataset
    terms: xr.Dataset | None
    folds: xr.Dataset | None


def analyze(
    cube: xr.Dataset,
    *,
    family: str | Family | Sequence[str | Family] | None = None,
    measure: str = "recall",
    reference: str = "accuracy",
    correction: str = "bonferroni",
    level: float = 0.95,
    exclude_degenerate: bool = False,
    margin: float = MARGIN,
    against: str | None = None,
    pairs: Sequence[tuple[Any, Any]] | None = None,
    order: Sequence[Any] | None = None,
    arch: Mapping[str, str] | None = None,
    alternative: str | None = None,
    equal_variance: bool = False,
    pair_by: str | None = None,
    sampling: bool | None = None,
    folds: int | None = None,
    bootstrap: int = 0,
    bayes: bool | None = False,
    random_seed: int = 0,
) -> Analysis:
    """Analyse a cube.

    Parameters
    ----------
    cube : a cube with matrices before and after compression.
    family : which comparisons are tested: a name of `FAMILIES`, ``all`` that the cube can answer, a `Family`,
        or several of these; default: ``ratio`` where the cube has ratios and several seeds, else none.
    measure, reference : see `rdstats.slopes`.
    correction : ``bonferroni``, ``holm``, ``bh`` or ``none``, column by column.
    level : family-wise confidence level.
    exclude_degenerate : leave degenerate networks out of summary and tests.
    margin : equivalence margin against the control, on the slope scale.
    against : ``sham``: against the control, default where there is one; ``one``: the paper's verdict alone.
    pairs, order, arch, alternative, equal_variance, pair_by : how families are declared, see `rdstats.declare`.
    sampling : correct slopes for the sampling of test images; default: where the cube has what it needs.  True
        gives bounds of the corrected slope where a cube has nothing but matrices.
    folds : stratified folds of test images for crossed intervals; 0: none; default 10 where the cube has
        predictions.
    bootstrap : resamples of BCa intervals (10,000 or more) as a check of the t intervals; 0: none.
    bayes : draw the posterior of every column; None: if any has the seeds for it.
    random_seed : root of the draws of bootstrap and posterior.

    Raises
    ------
    InputError
        An unknown choice, or a cube that cannot answer the question.

    Examples
    --------
    >>> import numpy as np, rdstats
    >>> before = np.array([[[90 + seed, 10 - seed], [30, 70]] for seed in range(5)])
    >>> after = np.stack([before, before], axis=1)
    >>> cube = rdstats.build(before, after, dims=("seed", "ratio"), coords={"ratio": [2, 4]})
    >>> rdstats.analyze(cube).summary["mean"].values.tolist()
    [1.0, 1.0]
    """
    families = _family_names(family)
    if not 0 < level < 1:
        raise InputError(f"level {level:g}: a number between 0 and 1 is accepted, such as .95")
    if against not in (None, *AGAINST):
        raise InputError(f"against {against!r}{nearest(str(against), AGAINST)}; accepted are {one_of(AGAINST)}")
    counts = class_counts(cube)
    if not all(counts[name].chunks is None for name in counts.data_vars):
        counts = counts.compute()
        check_counts(counts)
    networks = slopes(counts, measure, reference).compute()
    asked = against is not None
    if against is None:
        against = "sham" if controlled_methods(networks) else "one"
    elif against == "sham" and not controlled_methods(networks):
        raise InputError("--against sham: the cube has no control (method sham at ratio 1) for any of its methods")
    Family(  # wrong choices are refused before any work
        "", (), paired=False, alternative=alternative or "two-sided", correction=correction, level=level,
        pair_by=pair_by or "dense_id",
    )  # fmt: skip
    declared = {
        "correction": correction, "level": level, "pairs": pairs, "order": order, "arch": arch,
        "alternative": alternative, "equal_variance": equal_variance or None, "pair_by": pair_by,
    }  # fmt: skip
    options = _Options(level, margin, against, measure, families, declared, bootstrap, random_seed, asked)
    parts = _Parts(cube, counts, networks, *_images(cube, counts, measure, reference, sampling, folds))
    result = _assemble(parts, options, exclude_degenerate)
    pair, changes = _single(cube, counts, measure, reference, level)
    degenerate = bool((networks["degenerate"] & (networks["reason"] != "missing")).any())
    without = _assemble(parts, options, True) if degenerate and not exclude_degenerate else None
    draws = _posterior(networks, bayes, random_seed)
    return Analysis(**{**vars(result), "pairs": pair, "changes": changes, "posterior": draws, "without": without})


def _family_names(family: str | Family | Sequence[str | Family] | None) -> tuple[str | Family, ...] | None:
    """Return the families asked for; None: the default; ``all`` stays a name."""
    if family is None:
        return None
    several = (family,) if isinstance(family, str | Family) else tuple(family)
    accepted = (*FAMILIES, "all")
    for one in several:
        if isinstance(one, str) and one not in accepted:
            raise InputError(f"family {one!r}{nearest(one, accepted)}; accepted is {one_of(accepted)}")
    return several


def _images(
    cube: xr.Dataset, counts: xr.Dataset, measure: str, reference: str, sampling: bool | None, folds: int | None
) -> tuple[xr.Dataset | None, xr.Dataset | None]:
    """Return sampling terms and slopes without folds of images, where they can be had, in one pass if possible.

    What was asked for and cannot be had is refused.
    """
    seen, several = has_predictions(cube), cube.sizes.get(SEED, 1) > 2
    if folds is not None and folds != 0 and folds < 2:
        raise InputError(f"folds: received {folds}, accepted: 2 or more, 0 for none")
    if folds and not several:
        raise InputError(f"folds: crossed intervals need 3 seeds; the cube has {cube.sizes.get(SEED, 1)}")
    with_folds = several and folds != 0 and (seen or folds is not None)
    with_terms = sampling is not False and (seen or sampling or (measure == "recall" and "both_correct" in counts))
    if seen and with_folds and with_terms and folds in (None, FOLDS):
        slopes_of_folds, terms = fold_slopes_and_terms(cube, counts, measure, reference, folds=FOLDS)
        return terms, slopes_of_folds
    return (
        sampling_terms(cube if seen else counts, measure, reference) if with_terms else None,
        fold_slopes(cube, measure, reference, folds=FOLDS if folds is None else folds) if with_folds else None,
    )


def _single(
    cube: xr.Dataset, counts: xr.Dataset, measure: str, reference: str, level: float
) -> tuple[xr.Dataset | None, xr.Dataset | None]:
    """Return intervals over test images and changes class by class, for a cube of single pairs."""
    if counts.sizes.get(SEED, 1) > 1:
        return None, None
    source = counts if "both_correct" in counts else cube if has_predictions(cube) else None
    if source is not None:
        pairs = pair_intervals(source, measure, reference, level=level) if measure == "recall" else None
        return pairs, class_changes(source)
    return (_pair_bounds(counts, reference, level) if measure == "recall" else None), None


def _posterior(networks: xr.Dataset, wanted: bool | None, seed: int) -> InferenceData | None:
    if wanted is False:
        return None
    try:
        return posterior(networks, seed=seed)
    except InputError:
        if wanted:
            raise
        return None


def _needs_delta(networks: xr.Dataset, family: str) -> bool:
    """Return whether the two sides of a family's members have different controls: a common one cancels out."""
    several = len(set(controlled_methods(networks).values())) > 1
    return family in _DELTA or (several and family in ("method", "method-by-arch", "matched"))


def _pair_bounds(counts: xr.Dataset, reference: str, level: float) -> xr.Dataset:
    """Return what the corrected slope of every pair can be, from its two matrices, in place of an interval."""
    terms = sampling_terms(counts, "recall", reference)
    strong = terms["strength"] >= MIN_STRENGTH
    result = terms[["strength", "reliability", "reason"]].assign(slope=slopes(counts, "recall", reference)["slope"])
    for end in ("lower", "upper"):
        result[f"bound_{end}"] = terms[f"slope_{end}"].where(strong)
    weak = (result["reason"] == "bounds_only") & ~strong
    return result.assign(reason=result["reason"].where(~weak, "weak_denominator")).assign_attrs(level=level)


def _assemble(parts: _Parts, options: _Options, exclude: bool) -> Analysis:
    """Return the analysis of all networks, or of those that are no degenerate ones."""
    networks = parts.networks
    summary = summarize_slopes(networks, level=options.level, exclude_degenerate=exclude, margin=options.margin)
    families, skipped = _families(networks, options, exclude)
    kept = without_degenerate(networks) if exclude else networks
    terms = parts.terms
    if terms is not None and exclude:
        terms = terms.assign(numerator=terms["numerator"].where(~networks["degenerate"]))
    control = None
    if options.against == "sham":
        estimable = terms if terms is not None and terms.attrs["estimator"] != ONLY_BOUNDS else None
        control = against_control(kept, level=options.level, margin=options.margin, terms=estimable)
    corrected = None
    if terms is not None and SEED in networks.dims:
        corrected = corrected_slopes(terms, level=options.level, k=family_size(networks))
        if terms.attrs["estimator"] == ONLY_BOUNDS:
            corrected = corrected.assign(_bounds(terms, corrected).data_vars)
    lines = [
        *notes.run_notes(parts.counts),
        *notes.network_notes(networks, summary, options.measure),
        *notes.balance_notes(parts.counts, options.measure, networks.attrs["reference"]),
        *notes.control_notes(networks, control, silent=options.asked and options.against == "one"),
        *notes.sampling_notes(corrected),
        *notes.family_notes(one.tests for one in families),
        *skipped,
    ]
    return Analysis(
        cube=parts.cube, counts=parts.counts, slopes=networks, summary=summary, families=families, control=control,
        corrected=corrected, crossed=_crossed(kept, corrected, parts.folds, options),
        bca=_bca(kept, corrected, options), pairs=None, changes=None, posterior=None, without=None,
        warnings=tuple(lines), margin=options.margin,
    )  # fmt: skip


def _families(
    networks: xr.Dataset, options: _Options, exclude: bool
) -> tuple[tuple[FamilyResult, ...], tuple[str, ...]]:
    """Return the families asked for, and for ``all`` what could not be run and why."""
    several = networks.sizes.get(SEED, 1) > 1
    wanted = options.families
    if wanted is None:
        wanted = ("ratio",) if several and RATIO in networks["slope"].dims else ()
    everything = "all" in wanted
    names = [*(FAMILIES if everything else ()), *(one for one in wanted if one != "all")]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"--family: {twice[0] if isinstance(twice[0], str) else twice[0].name} comes twice")
    _refuse_ambiguous(names, options.declared)
    results, skipped = [], []
    for name in names:
        try:
            results.append(_family(networks, name, options, exclude))
        except UnanswerableError as error:
            if not everything or isinstance(name, Family) or not several:
                raise
            skipped.append(f"family {name} not run: {str(error).removeprefix(f'--family {name}: ')}")
    return tuple(results), tuple(skipped)


def _refuse_ambiguous(names: Sequence[str | Family], declared: dict[str, Any]) -> None:
    """Refuse choices that belong to one family beside several, or to none."""
    for key in ("pairs", "order"):
        if declared[key] is not None and len(names) != 1:
            raise InputError(f"--{key} belongs to one family: name it with --family")
    if len(names) == 1 and isinstance(names[0], Family):
        for key in ("pairs", "order", "alternative", "equal_variance", "pair_by"):
            if declared[key] is not None:
                raise InputError(f"{key.replace('_', '-')}: a family that is given whole says that itself")
    if declared["arch"] is not None and not any(name == "dataset" for name in names):
        raise InputError("--arch belongs to family dataset: name it with --family")


def _family(networks: xr.Dataset, name: str | Family, options: _Options, exclude: bool) -> FamilyResult:
    family = name
    if isinstance(family, str):
        declared = dict(options.declared)
        if options.families != (family,):  # choices that belong to another of the families
            declared["arch"] = declared["arch"] if family == "dataset" else None
            declared["equal_variance"] = declared["equal_variance"] if family in _DELTA else None
        quantity = "delta" if options.against == "sham" and _needs_delta(networks, family) else None
        family = declare(family, networks, quantity=quantity, **declared)
    return FamilyResult(family, run_family(networks, family, exclude_degenerate=exclude))


def _bounds(terms: xr.Dataset, corrected: xr.Dataset) -> xr.Dataset:
    """Return what the corrected slope can be, on average over seeds, where single networks are strong enough."""
    strength = terms["strength"].median(SEED)
    means = {
        f"bound_{end}": terms[f"slope_{end}"].mean(SEED).where(strength >= MIN_STRENGTH) for end in ("lower", "upper")
    }
    return xr.Dataset({**means, "strength": strength}).transpose(*corrected["mean"].dims)


def _crossed(
    kept: xr.Dataset, corrected: xr.Dataset | None, folds: xr.Dataset | None, options: _Options
) -> dict[str, xr.Dataset]:
    """Return crossed intervals of slope, corrected slope and delta."""
    if folds is None:
        return {}
    k, name = family_size(kept), CORRECTED
    result = {"slope": crossed_intervals(kept["slope"], folds["slope"], level=options.level, k=k)}
    if corrected is not None and bool(corrected[name].notnull().any()) and name in folds:
        result["corrected"] = crossed_intervals(corrected[name], folds[name], level=options.level, k=k)
    if options.against == "sham":
        pieces = kept[["slope", "spread_ratio"]].assign(slope=folds["slope"], spread_ratio=abs(folds["slope"]))
        whole, deleted = control_differences(kept), control_differences(pieces)
        if whole is not None and deleted is not None:
            own = k.sel({"method": whole["method"].values})
            result["delta"] = crossed_intervals(whole["delta"], deleted["delta"], level=options.level, k=own)
    return result


def _bca(kept: xr.Dataset, corrected: xr.Dataset | None, options: _Options) -> dict[str, xr.Dataset]:
    """Return bootstrap intervals of slope, corrected slope and delta, where they were asked for."""
    if not options.bootstrap:
        return {}
    common: dict[str, Any] = {"level": options.level, "replicates": options.bootstrap, "seed": options.random_seed}
    k = family_size(kept)
    result = {"slope": bca_intervals(kept["slope"], k=k, **common)}
    if corrected is not None and bool(corrected[CORRECTED].notnull().any()):
        result["corrected"] = bca_intervals(corrected[CORRECTED], k=k, **common)
    if options.against == "sham" and (differences := control_differences(kept)) is not None:
        own = k.sel({"method": differences["method"].values})
        result["delta"] = bca_intervals(differences["delta"], k=own, **common)
    return result
