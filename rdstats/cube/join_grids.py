"""Join the grids of several cubes, or runs, of one study: their seeds, experiments and recipes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from rdstats._labelled import is_control
from rdstats.differences import describe_differences
from rdstats.errors import InputError

Grid = Mapping[str, Any]
Column = tuple[Any, ...]

_AXES = ("dataset", "arch", "method", "ratio")
_JOINED = ("seeds", "experiments", "training", "scale")
LATER: Mapping[str, Any] = {
    "unit": "epochs", "schedule": "constant", "warmup_epochs": 0, "renew_optimizer": False, "validation": "holdout",
    "keep": "best", "report_last": False, "precision": "fp32", "compile": False, "deterministic": True,
}  # fmt: skip
"""Fields of the recipes of architectures that older grids do not tell, and what held then."""

_LOTTERY = "lth"  # its levels are a chain that cannot be cut: the longest has all of them


def is_grid(value: Any) -> bool:
    """Return whether a value is a resolved grid (`rdcompute.grid.Grid.resolved`)."""
    if not isinstance(value, Mapping) or not set(_JOINED) <= set(value):
        return False
    experiments = value["experiments"]
    return (
        isinstance(value["seeds"], list)
        and isinstance(experiments, list)
        and all(isinstance(e, Mapping) and all(isinstance(e.get(axis), list) for axis in _AXES) for e in experiments)
        and all(isinstance(value[name], Mapping) for name in ("training", "scale"))
    )


def completed(grid: Any) -> Any:
    """Return a resolved grid with what an older version did not tell of its recipes; anything else as it is."""
    if not is_grid(grid):
        return grid
    archs = list(chain.from_iterable(e["arch"] for e in grid["experiments"]))
    recipes = {
        name: {**LATER, **fields} if name in archs and isinstance(fields, Mapping) else fields
        for name, fields in grid["training"].items()
    }
    return {**grid, "training": recipes}


def join_grids(grids: Sequence[Grid], names: Sequence[str]) -> dict[str, Any]:
    """Return the grid that has the seeds and experiments of several resolved grids.

    Seeds and experiments stand in the order of the grids; an experiment that is there already, in whole or in
    part, is not repeated.  Nothing else may differ: name, root seed, scale, and the recipe of an architecture
    that two of them share.

    Parameters
    ----------
    grids : as `is_grid` accepts them.
    names : of what they come from, for the message.

    Raises
    ------
    InputError
        Grids that differ, with what differs.
    """
    for i, grid in enumerate(grids):
        for other, name in zip(grids[:i], names[:i], strict=True):
            _check_one_study(completed(other), completed(grid), name, names[i])
    seeds = list(dict.fromkeys(seed for grid in grids for seed in grid["seeds"]))
    recipes: dict[str, Any] = {}
    for name, recipe in chain.from_iterable(grid["training"].items() for grid in grids):
        told = recipes.setdefault(name, recipe)
        if isinstance(recipe, Mapping) and isinstance(told, Mapping):  # equal, but for what older ones do not tell
            recipes[name] = {**recipe, **told}
    return {
        **grids[0],
        "seeds": seeds,
        "experiments": join_experiments(grid["experiments"] for grid in grids),
        "training": recipes,
        "scale": _join_scales(grids, seeds),
    }


def _check_one_study(one: Grid, other: Grid, name: str, other_name: str) -> None:
    shared = [arch for arch in one["training"] if arch in other["training"]]
    found, wanted = (
        {
            **{key: value for key, value in grid.items() if key not in _JOINED},
            "scale": {key: value for key, value in grid["scale"].items() if key != "seeds"},
            "training": {arch: grid["training"][arch] for arch in shared},
        }
        for grid in (one, other)
    )
    if found != wanted:
        differences = "; ".join(describe_differences(found, wanted, sides=(f"in {name}", f"in {other_name}")))
        raise InputError(f"{name} and {other_name} are of different grids: {differences}")


def _join_scales(grids: Sequence[Grid], seeds: list[Any]) -> dict[str, Any]:
    """The mark of fewer seeds goes where a grid that is not shortened has all of them."""
    scale = dict(grids[0]["scale"])
    scale.pop("seeds", None)
    shortened = any("seeds" in grid["scale"] for grid in grids)
    whole = any("seeds" not in grid["scale"] and set(seeds) <= set(grid["seeds"]) for grid in grids)
    return {**scale, "seeds": float(len(seeds))} if shortened and not whole else scale


def join_experiments(several: Iterable[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return the experiments of several grids without repeated cells, as products of lists over the four axes.

    Of a lottery ticket, whose `levels` stand for its ratios, there is one experiment: the one with most levels.
    """
    experiments = list(chain.from_iterable(several))
    longest: dict[Column, int] = {}
    for column in chain.from_iterable(map(_columns, experiments)):
        if column[2] == _LOTTERY:
            longest[column[:2]] = max(column[3].levels, longest.get(column[:2], 0))
    result: list[dict[str, Any]] = []
    seen: set[Column] = set()
    for experiment in experiments:
        columns = [c for c in _columns(experiment) if c[2] != _LOTTERY or c[3].levels == longest[c[:2]]]
        new = [column for column in columns if column not in seen]
        whole = len(new) == len(list(_columns(experiment)))
        result += [dict(experiment)] if whole else _products(new)
        seen.update(columns)
    return result


@dataclass(frozen=True)
class _Chain:
    """The ratios of a lottery ticket: those of so many levels."""

    levels: int


def _columns(experiment: Mapping[str, Any]) -> Iterator[Column]:
    for dataset in experiment["dataset"]:
        for arch in experiment["arch"]:
            for method in experiment["method"]:
                chained = [_Chain(experiment["levels"])] if method == _LOTTERY else experiment["ratio"]
                for ratio in [1.0] if is_control(method) else chained:
                    yield dataset, arch, method, ratio, experiment.get("match")


def _products(columns: Iterable[Column]) -> list[dict[str, Any]]:
    """Cover columns with products: axis by axis, those that differ there alone are put together."""
    n = len(_AXES)
    parts: list[tuple[Any, ...]] = [(*((label,) for label in column[:n]), column[n]) for column in columns]
    for axis in reversed(range(n)):
        together: dict[Any, tuple[Any, ...]] = {}
        for part in parts:
            rest = part[:axis] + part[axis + 1 :]
            together[rest] = together.get(rest, ()) + part[axis]
        parts = [(*rest[:axis], labels, *rest[axis:]) for rest, labels in together.items()]
    return [_experiment(dict(zip(_AXES, map(list, part[:n]), strict=True)), part[n]) for part in parts]


def _experiment(axes: dict[str, Any], match: str | None) -> dict[str, Any]:
    """Return a product as a grid has it: with levels in place of a chain."""
    (first, *_) = axes["ratio"]
    chain = {"ratio": [1.0], "levels": first.levels} if isinstance(first, _Chain) else {}
    return axes | chain | ({"match": match} if match else {})
