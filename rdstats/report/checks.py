"""Checks of a cube, one by one: fine with its number, or the warning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rdstats._labelled import CLASS, RATIO, SEED, planned
from rdstats.analysis import Analysis
from rdstats.array.pooling import MIN_STRENGTH
from rdstats.records import sampling_records
from rdstats.report.phrases import join, plural, span
from rdstats.tables.table import number

Answer = Callable[[Analysis], str]


@dataclass(frozen=True)
class Check:
    """One check: its subject, what was found, and whether a reader need not worry."""

    subject: str
    text: str
    ok: bool


@dataclass(frozen=True)
class _Kind:
    subject: str
    marks: tuple[str, ...]
    """A warning of the analysis that holds one of these words belongs to this check."""
    fine: Answer
    """What is said where there is no such warning."""


def checks(analysis: Analysis) -> list[Check]:
    """Return every check; a warning of the analysis that belongs to none of them comes last."""
    left = [line for line in analysis.warnings if not is_skipped(line)]
    result = []
    for kind in _KINDS:
        own = [line for line in left if any(mark in line for mark in kind.marks)]
        left = [line for line in left if line not in own]
        text = kind.fine(analysis) if not own else "; ".join(own)
        unknown = text.startswith("not known")
        result.append(Check(kind.subject, text, not own and not unknown))
    return [*result, *(Check("Further", line, False) for line in left)]


def is_skipped(line: str) -> bool:
    """Return whether a note only says that a family cannot be tested on this cube."""
    return line.startswith("family ") and " not run: " in line


def skipped_families(analysis: Analysis) -> list[str]:
    """Return the families that were not run and why."""
    return [line.removeprefix("family ").replace(" not run:", ":", 1) for line in analysis.warnings if is_skipped(line)]


def _cells(analysis: Analysis) -> str:
    there = planned(analysis.slopes)
    n = int(there.sum()) * analysis.slopes.sizes.get(SEED, 1)
    return f"all {n:,} planned networks are there" if "status" in analysis.slopes else f"{n:,} networks"


def _degenerate(analysis: Analysis) -> str:
    n = int(analysis.summary["n"].sum())
    return f"none of {n:,} networks has collapsed"


def _pairs(analysis: Analysis) -> str:
    attrs = analysis.control.attrs if analysis.control is not None else {}
    by = attrs.get("pair_by") or next((one.tests.attrs["pair_by"] for one in analysis.families), "")
    if by == "dense_id":
        return "before and after are paired by the content of the dense network"
    if by == "seed" and analysis.control is not None:
        return "not known: networks are paired by the label of their seed alone, since the cube has no dense_id"
    return "every compressed network is compared with its own dense one"


def _sizes(analysis: Analysis) -> str:
    if not analysis.test_images_per_class[1]:
        return "not known: no cell has counts"
    support = analysis.counts["support"].where(analysis.counts["support"] > 0)
    support = support.max([dim for dim in support.dims if dim not in (CLASS, "dataset")])
    ratio = float((support.max(CLASS) / support.min(CLASS)).max())
    return f"{span(analysis.test_images_per_class)} test images per class (at most {ratio:.2f} to 1 within a test set)"


def _strength(analysis: Analysis) -> str:
    values = [r["strength"] for r in sampling_records(analysis) if r["strength"] is not None]
    if not values:
        return "not known: the cube has neither predictions nor both_correct, so slopes are raw"
    ends = " to ".join(dict.fromkeys(number(value, 1) for value in (min(values), max(values))))
    return f"the spread of the dense networks is {ends} times its sampling error ({MIN_STRENGTH:g} are needed)"


def _ratios(analysis: Analysis) -> str:
    networks = analysis.slopes
    if RATIO not in networks.coords:
        return "the cube has no ratios"
    if "achieved_ratio" not in networks:
        return "not known: the cube holds no achieved ratios"
    off = np.abs(networks["achieved_ratio"].mean(SEED) if SEED in networks["achieved_ratio"].dims
                 else networks["achieved_ratio"]) / networks[RATIO]  # fmt: skip
    worst = float(np.exp(np.abs(np.log(off)).max()) - 1)
    return f"achieved ratios agree with nominal ones within {100 * worst:.2g}%" if worst == worst else "not known"


def ratios_differ(analysis: Analysis) -> bool:
    """Return whether the achieved ratios differ from the nominal ones by so much that it is worth a figure."""
    return any("achieved ratios differ" in line for line in analysis.warnings)


def _seeds(analysis: Analysis) -> str:
    return f"{plural(analysis.slopes.sizes.get(SEED, 1), 'training run')} of every network"


def _controls(analysis: Analysis) -> str:
    if analysis.control is None:
        return "not known: there is no control in use, so no claim is made"
    names = dict.fromkeys(str(name) for name in np.unique(analysis.control["control"].values.astype(str)) if name)
    return f"every method has its control ({join(list(names))})"


def _tests(analysis: Analysis) -> str:
    n = sum(one.tests.sizes["test"] for one in analysis.families)
    return f"all {n} declared tests have a result" if n else "no family of tests was run"


def _scaled(analysis: Analysis) -> str:
    return "the grid was run in full" if analysis.counts.attrs.get("grid") else "no grid is recorded"


_KINDS = (
    _Kind("Missing cells", ("cells of the grid",), _cells),
    _Kind("Collapsed networks", ("degenerate networks",), _degenerate),
    _Kind("Undefined scores", ("undefined_class",), lambda _: "every class of every network has a score"),
    _Kind("Pairing", ("paired by the label",), _pairs),
    _Kind("Control", ("no control", "the control collapsed"), _controls),
    _Kind("Class sizes", ("test classes differ in size",), _sizes),
    _Kind("Strength of the test set", ("test set too weak", "not supported by the sampling"), _strength),
    _Kind("Achieved ratios", ("achieved ratios differ",), _ratios),
    _Kind("Seeds", ("seeds: too few", "one network only"), _seeds),
    _Kind("Shortened run", ("scaled run",), _scaled),
    _Kind("Selection", ("selected part only",), lambda _: "the whole cube is shown"),
    _Kind("Tests", ("have no result",), _tests),
)
