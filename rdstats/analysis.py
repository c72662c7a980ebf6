"""The whole analysis of a cube in one call: slopes, their summary, a family of tests, the control, warnings."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import xarray as xr

from rdstats._labelled import SEED, planned
from rdstats.control import MARGIN, against_control
from rdstats.cube import FAILED, class_counts
from rdstats.cube.counts import check_counts
from rdstats.cube.schema import MISSING
from rdstats.errors import InputError, nearest, one_of
from rdstats.families import FAMILIES, Family, run_family
from rdstats.slope import collapsed, slopes, summarize_slopes

IMBALANCE_NOTED = 1.05
"""Ratio of the largest to the smallest class from which recall balances no longer add up to zero visibly."""


@dataclass(frozen=True)
class Analysis:
    """What `analyze` found.

    Attributes
    ----------
    counts : class counts of the cube.
    slopes : every network (`rdstats.slopes`).
    summary : slopes over seeds (`rdstats.summarize_slopes`).
    family, tests : the declared comparisons and their results (`rdstats.run_family`).
    control : every pruned column against its control, None where there is none (`rdstats.against_control`).
    warnings : what a reader must know before believing the numbers, a line each.
    """

    counts: xr.Dataset
    slopes: xr.Dataset
    summary: xr.Dataset
    family: Family
    tests: xr.Dataset
    control: xr.Dataset | None
    warnings: tuple[str, ...]

    @property
    def test_images_per_class(self) -> tuple[int, int]:
        """Return the smallest and largest number of test images of a class; (0, 0) where no cell has counts."""
        support = self.counts["support"].where(self.counts["support"] > 0)
        return int(support.min().fillna(0)), int(support.max().fillna(0))


def analyze(
    cube: xr.Dataset,
    *,
    family: str = "ratio",
    measure: str = "recall",
    reference: str = "accuracy",
    correction: str = "bonferroni",
    level: float = 0.95,
    exclude_degenerate: bool = False,
    margin: float = MARGIN,
) -> Analysis:
    """Analyse a cube.

    Parameters
    ----------
    cube : a cube with matrices before and after compression.
    family : which comparisons are tested; ``ratio``: consecutive ratios (paper, Tables 1 to 4).
    measure, reference : see `rdstats.slopes`.
    correction : ``bonferroni``, ``holm``, ``bh`` or ``none``, column by column.
    level : family-wise confidence level.
    exclude_degenerate : leave degenerate networks out of summary and tests.
    margin : equivalence margin against the control, on the slope scale.

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
    if family not in FAMILIES:
        raise InputError(f"family {family!r}{nearest(family, FAMILIES)}; accepted is {one_of(FAMILIES)}")
    if not 0 < level < 1:
        raise InputError(f"level {level:g}: a number between 0 and 1 is accepted, such as .95")
    counts = class_counts(cube)
    if not all(counts[name].chunks is None for name in counts.data_vars):
        counts = counts.compute()
        check_counts(counts)
    networks = slopes(counts, measure, reference).compute()
    declared = FAMILIES[family](networks, correction=correction, level=level)
    tests = run_family(networks, declared, exclude_degenerate=exclude_degenerate)
    summary = summarize_slopes(networks, level=level, exclude_degenerate=exclude_degenerate)
    kept = _without_degenerate(networks) if exclude_degenerate else networks
    control = against_control(kept, level=level, margin=margin)
    return Analysis(counts, networks, summary, declared, tests, control, _warnings(counts, networks, summary, measure))


def _without_degenerate(networks: xr.Dataset) -> xr.Dataset:
    blank = ["slope", "spread_ratio", "cosine", "r_squared"]
    return networks.assign({name: networks[name].where(~networks["degenerate"]) for name in blank})


def _warnings(counts: xr.Dataset, networks: xr.Dataset, summary: xr.Dataset, measure: str) -> tuple[str, ...]:
    notes: list[str] = []
    if scale := counts.attrs.get("scaled"):
        text = _scale_text(str(scale))
        notes.append(f"scaled run ({text}): shorter than the grid it is named after")
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
    notes += _ratio_warning(networks) + _balance_warning(counts, measure)
    undefined = int((networks["reason"] == "undefined_class").sum())
    if undefined:
        notes.append(f"networks with a class whose {measure} is 0/0, so without a slope (undefined_class): {undefined}")
    return tuple(notes)


def _scale_text(scale: str) -> str:
    """Return ``seeds=2, epochs=0.1``; another program's text as it is."""
    try:
        return ", ".join(f"{key}={value:g}" for key, value in json.loads(scale).items())
    except (ValueError, AttributeError):
        return scale


def _ratio_warning(networks: xr.Dataset) -> list[str]:
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
    return [f"achieved ratios differ from nominal ones: {is_really}"]


def _balance_warning(counts: xr.Dataset, measure: str) -> list[str]:
    support = counts["support"].where(counts["support"] > 0)
    if measure != "recall":
        return [f"balances of {measure} do not add up to zero: a line through the origin is an assumption"]
    ratio = support.max("class") / support.min("class")
    if not bool((ratio > IMBALANCE_NOTED).any()):
        return []
    return [
        "test classes differ in size, up to "
        f"{float(ratio.max()):.2f} to 1: a line through the origin is an approximation"
    ]
