"""From a grid to cells: what will be trained, in which order, under which content hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rdcompute.criteria import is_control, matched_label, recipe_of
from rdcompute.datasets import DatasetSpec, dataset_spec
from rdcompute.grid import Grid, dataset_label
from rdcompute.method_settings import ChannelSettings
from rdcompute.models import ARCHITECTURES, ParameterCounts, parameter_counts
from rdcompute.ratio_checks import check_ratios
from rdcompute.training_settings import Phase, TrainingSettings, n_epochs
from rdcompute.widths import Widths, narrow_widths
from rdstats.errors import InputError

CELL_SCHEMA = 1
"""Raised when the meaning of a cell changes; part of every hash, so old results are not mistaken for new."""

_DENSE_ONLY = {"train"}
_COMPRESSED_ONLY = {"finetune", "ratio_accounting", "report_last", "prune_fraction", "prune_head"}
_NOT_LOTTERY = {"finetune", "ratio_accounting"}
_NOT_CHANNELS = {"train", "ratio_accounting", "lists"}
_UNUSED = {"": _DENSE_ONLY, "lth": _NOT_LOTTERY, "chip": _NOT_CHANNELS}
_NOT_CONTROL = {"aligned", "prune_fraction"}


@dataclass(frozen=True)
class Cell:
    """One training: a dense network, or one network that is made from its `parent` and trained.

    The parent is the dense network, or the level before of a lottery ticket; `match` is the pruned network that this
    one keeps as many weights as (`method` is then ``criterion@method``).
    """

    seed: int
    dataset: str
    arch: str
    settings: TrainingSettings
    root_seed: int
    method: str = ""
    ratio: float = 1.0
    parent: Cell | None = None
    match: Cell | None = None
    key: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", cell_hash(self.content()))

    @property
    def is_dense(self) -> bool:
        return self.parent is None

    @property
    def dense(self) -> Cell:
        """Return the dense network that this one comes from in the end; a dense network itself."""
        return self if self.parent is None else self.parent.dense

    @property
    def needs(self) -> tuple[Cell, ...]:
        """Return the cells that must be finished before."""
        return tuple(cell for cell in (self.parent, self.match) if cell is not None)

    @property
    def lineage(self) -> tuple[Cell, ...]:
        """Return the cell and all that it needs, what those need included."""
        return (self, *(one for cell in self.needs for one in cell.lineage))

    @property
    def recipe(self) -> str:
        """Return what it is trained by: ``lth``, ``chip``, or "" for the recipe of the architecture."""
        return recipe_of(self.method)

    @property
    def level(self) -> int:
        """Return how often a lottery ticket is pruned; 0 for all other cells."""
        return 1 + self.parent.level if self.parent is not None and self.method == "lth" else 0

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Return the phases of its training."""
        return self.settings.train if self.is_dense or self.recipe == "lth" else self.settings.finetune

    @property
    def where(self) -> dict[str, Any]:
        """Labels of the cell in the cube (`dataset` as the cube names it)."""
        labels: dict[str, Any] = {"seed": self.seed, "dataset": self.dataset_label, "arch": self.arch}
        return labels if self.is_dense else {**labels, "method": self.method, "ratio": self.ratio}

    @property
    def dataset_label(self) -> str:
        return dataset_label(self.dataset)

    @property
    def n_epochs(self) -> int:
        return n_epochs(self.phases, self.settings)

    @property
    def kind(self) -> str:
        """Return what it is: ``dense network``, or method and ratio."""
        return "dense network" if self.is_dense else f"{self.method} {self.ratio:g}"

    @property
    def title(self) -> str:
        what = "dense" if self.is_dense else self.kind
        return f"{self.dataset_label} {self.arch} seed {self.seed} {what}"

    def content(self) -> dict[str, Any]:
        """Return what defines the cell's result: no path, device or number of workers; defaults left out."""
        settings = self.settings.model_dump(exclude_defaults=True, exclude=self._unused)
        content: dict[str, Any] = {"schema": CELL_SCHEMA, "root_seed": self.root_seed, "settings": settings}
        content |= {**self.where, "dataset": self.dataset_label, "parent": self.parent.key if self.parent else ""}
        if self.widths:
            content["widths"] = [self.widths.out, self.widths.mid]
        return content | ({"match": self.match.key} if self.match else {})

    @property
    def widths(self) -> Widths | None:
        """Return the channels that the network has left; None where none are removed."""
        if self.method != "chip" or not isinstance(self.settings, ChannelSettings):
            return None
        return narrow_widths(self.settings.lists[self.ratio], ARCHITECTURES.get(self.arch).n_blocks)

    @property
    def _unused(self) -> set[str]:
        """Return the fields of the settings that say nothing about this cell."""
        unused = _COMPRESSED_ONLY if self.is_dense else _UNUSED[self.recipe]
        return unused | (_NOT_CONTROL if is_control(self.method) else set())


def cell_hash(content: dict[str, Any]) -> str:
    """Return the hash of a cell's content; numbers enter by value (2 and 2.0 are one), keys in any order."""
    return hashlib.sha256(json.dumps(_by_value(content), sort_keys=True).encode()).hexdigest()[:32]


def _by_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _by_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_by_value(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


@dataclass(frozen=True)
class Plan:
    """Every cell of a grid, parents before children, whole seed blocks first."""

    grid: Grid
    cells: tuple[Cell, ...]
    parameters: dict[tuple[str, str], ParameterCounts]
    datasets: dict[str, DatasetSpec]
    notes: tuple[str, ...]

    def labels(self, dim: str) -> list[Any]:
        """Return the labels of one dimension of the cube: in the grid's order, ratios ascending."""
        labels = list(dict.fromkeys(c.where[dim] for c in self.cells if dim in c.where))
        return sorted(labels) if dim == "ratio" else labels


Networks = Mapping[tuple[str, str], ParameterCounts]
"""Sizes of networks by dataset (as the cube names it) and architecture."""


def make_plan(grid: Grid, data_dir: Path | None = None, known: Networks | None = None) -> Plan:
    """Lay out a grid and check every ratio against its network, before anything is trained.

    Parameters
    ----------
    known : sizes of networks that are known; the others are built to be counted, which takes torch.

    Raises
    ------
    InputError
        A ratio that the network cannot reach (naming the largest possible), a network that does not fit the
        dataset's images.
    """
    datasets = {name: dataset_spec(name, data_dir) for e in grid.experiments for name in e.dataset}
    _check_labels(list(datasets))
    parameters: dict[tuple[str, str], ParameterCounts] = {}
    for i, experiment in enumerate(grid.experiments):
        for name in experiment.dataset:
            for arch in experiment.arch:
                spec = datasets[name]
                try:
                    counts = (known or {}).get((dataset_label(name), arch))
                    if counts is None or (experiment.levels and not counts.head):  # older runs do not tell of heads
                        counts = parameter_counts(arch, spec.n_classes, spec.image_shape)
                except InputError as error:
                    where = grid.place("experiments", i, "arch")
                    raise InputError(f"{where}experiments.{i}: {arch} on {name}: {error}") from None
                parameters[name, arch] = counts
    notes = check_ratios(grid, parameters)
    return Plan(grid, grid_cells(grid), parameters, datasets, tuple(notes))


def grid_cells(grid: Grid) -> tuple[Cell, ...]:
    """Return every cell of a grid, parents before children, whole seed blocks first; no dataset is looked at."""
    return tuple(cell for seed in grid.seeds for cell in _seed_block(grid, seed))


def _check_labels(names: list[str]) -> None:
    labels: dict[str, str] = {}
    for name in names:
        label = dataset_label(name)
        if label in labels:
            raise InputError(f"datasets {labels[label]!r} and {name!r} would both be called {label!r}; rename one")
        labels[label] = name


def _seed_block(grid: Grid, seed: int) -> Iterator[Cell]:
    """Yield the cells of a seed: experiments in order, those that match others last."""
    dense: dict[tuple[str, str, str], Cell] = {}
    made: dict[tuple[str, str, str, float], Cell] = {}
    for experiment in sorted(grid.experiments, key=lambda experiment: experiment.match is not None):
        for name in experiment.dataset:
            for arch in experiment.arch:
                for method in experiment.method:
                    recipe = recipe_of(method)
                    settings = grid.settings(arch, recipe)
                    own = recipe if recipe == "lth" else ""  # a lottery ticket has a dense network of its own
                    if (name, arch, own) not in dense:
                        network = Cell(seed, name, arch, grid.settings(arch, own), grid.root_seed)
                        if all(cell.key != network.key for cell in dense.values()):  # of equal settings: one for all
                            yield network
                        dense[name, arch, own] = network
                    parent = dense[name, arch, own]
                    for ratio in grid.ratios(experiment, method):
                        match = made.get((name, arch, experiment.match or "", ratio))
                        label = matched_label(method, experiment.match)
                        cell = Cell(seed, name, arch, settings, grid.root_seed, label, ratio, parent, match)
                        made[name, arch, label, ratio] = cell
                        parent = cell if method == "lth" else parent
                        yield cell
