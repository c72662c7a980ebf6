"""Whether the networks of a grid can reach its ratios, and what is to be feared of them where they do."""

from __future__ import annotations

from collections.abc import Iterable

from rdcompute.criteria import is_criterion, keeps_exactly
from rdcompute.emptied import empty_layers, empty_probability
from rdcompute.grid import Grid
from rdcompute.lottery import candidates, most_levels, remaining_weights
from rdcompute.masks import kept_count
from rdcompute.method_settings import LotterySettings
from rdcompute.models import ParameterCounts
from rdcompute.training_settings import TrainingSettings
from rdstats.errors import InputError

FEW_KEPT = 0.01
"""Below this share of the prunable weights a plan warns."""

OFTEN_EMPTY = 0.01
"""Above this probability that a random mask leaves a layer with no weight, a plan says so."""

AT_RANDOM = ("rp", "rp-released")


def check_ratios(grid: Grid, parameters: dict[tuple[str, str], ParameterCounts]) -> list[str]:
    """Check every ratio of a grid against its network; return what is to be feared.

    Raises
    ------
    InputError
        A ratio that a network cannot reach (naming the largest possible one), more levels than leave weights.
    """
    notes: list[str] = []
    methods: dict[tuple[str, str], set[str]] = {}
    for i, experiment in enumerate(grid.experiments):
        pruning = [method for method in experiment.method if is_criterion(method) and not experiment.match]
        for arch in experiment.arch:
            settings = grid.settings(arch)
            for name in experiment.dataset:
                together = methods.setdefault((name, arch), set())
                together.update(pruning)
                if settings.weight_decay == 0 and together >= {"gp", "up"}:
                    notes.append(f"{arch}: weight decay is 0, so gp and up are one criterion")
                counts = parameters[name, arch]
                if experiment.levels:
                    notes += _check_levels(grid, i, f"{arch} on {name}", counts, grid.settings(arch, "lth"))
                for method, accounting in _accountings(pruning, settings.ratio_accounting).items():
                    for ratio in sorted(grid.ratios(experiment, method)):
                        try:
                            kept = kept_count(counts, ratio, accounting)
                        except InputError as error:
                            where = _place_of_ratio(grid, i, ratio)
                            raise InputError(f"{where}experiments.{i}: {arch} on {name}: {error}") from None
                        notes += _collapse(f"{arch} on {name} at ratio {ratio:g}", counts, kept, method)
    return list(dict.fromkeys(notes))


def _accountings(methods: Iterable[str], own: str) -> dict[str, str]:
    """Return by which accounting each method's ratio is understood: that of the released code for its criteria."""
    return {method: own if keeps_exactly(method) else "shrinkbench" for method in methods}


def _check_levels(grid: Grid, i: int, where: str, counts: ParameterCounts, settings: TrainingSettings) -> list[str]:
    """Refuse more levels of a lottery ticket than leave weights; return what is to be feared of the last ones."""
    assert isinstance(settings, LotterySettings)
    n = sum(candidates(counts, head=settings.prune_head).values())
    levels = grid.experiments[i].levels or 0
    kept = remaining_weights(n, levels, settings.prune_fraction)
    if kept[-1] < 1:
        raise InputError(
            f"{grid.place('experiments', i, 'levels')}experiments.{i}: {where}: {levels} levels of lth leave none of "
            f"{n:,} prunable weights (prune_fraction {settings.prune_fraction:g}); largest possible number of levels: "
            f"{most_levels(n, settings.prune_fraction)}"
        )
    few = next((level for level, k in enumerate(kept, start=1) if k < FEW_KEPT * n), None)
    return [f"{where}: from level {few} on, lth keeps below {FEW_KEPT:.0%} of {n} prunable weights: networks may "
            "collapse"] if few else []  # fmt: skip


def _place_of_ratio(grid: Grid, i: int, ratio: float) -> str:
    """Return where a ratio of an experiment stands in the grid's file."""
    own = grid.experiments[i].ratio
    path = ("experiments", i, "ratio") if own else ("ratio",)
    return grid.place(*path, (own or grid.ratio or ()).index(ratio))


def _collapse(where: str, counts: ParameterCounts, kept: int, method: str) -> list[str]:
    """Return what is to be feared of networks with so few weights."""
    notes = []
    if kept < FEW_KEPT * counts.prunable_weights and keeps_exactly(method):
        notes.append(
            f"{where} keeps {kept} of {counts.prunable_weights} prunable weights: networks may collapse"
        )
    probability = empty_probability(counts.layers, kept) if method in AT_RANDOM else 0.0
    if probability > OFTEN_EMPTY:
        names = ", ".join(empty_layers(counts.layers, kept, OFTEN_EMPTY)) or "one or another"
        share = "more than 99%" if probability > 0.99 else f"{probability:.0%}"
        notes.append(f"{where}: {method} leaves a layer ({names}) with no weight in {share} of masks")
    return notes
