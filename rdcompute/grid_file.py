"""Read a grid file, and refuse with its place whatever is wrong in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from rdcompute.criteria import is_control, is_criterion, matched_label, recipe_of
from rdcompute.grid import Experiment, Grid
from rdcompute.grid_errors import explain, place_of
from rdcompute.method_settings import SETTINGS, ChannelSettings, channel_labels, method_fields
from rdcompute.models import ARCHITECTURES, architecture_names
from rdcompute.training_settings import TrainingSettings, family
from rdcompute.widths import narrow_widths
from rdcompute.yamlread import KeyPath, Places, Position, read_text, read_yaml
from rdstats.errors import InputError, nearest, one_of


def shipped_grids() -> dict[str, Path]:
    """Return the grid files that come with the package, by name."""
    folder = files("rdcompute.grids")
    return {entry.name: Path(str(entry)) for entry in sorted(folder.iterdir(), key=str) if entry.name.endswith(".yaml")}


def find_grid(name: str) -> Path:
    """Return the file called `name`, or else the shipped grid of that name (with or without ``.yaml``)."""
    path = Path(name)
    if path.is_file():
        return path
    shipped = shipped_grids()
    found = shipped.get(path.name if path.suffix else f"{path.name}.yaml") if path.name == name else None
    if found is None:
        what = "is a folder" if path.is_dir() else "no such file"
        raise InputError(f"{name}: {what}, and no shipped grid{nearest(name, shipped)}; shipped: {one_of(shipped)}")
    return found


def load_grid(name: str) -> Grid:
    """Read and check a grid file.

    Raises
    ------
    InputError
        ``file:line:column: field: what was found; what is accepted`` for the first thing that is wrong.
    """
    path = find_grid(name)
    document, positions = read_yaml(read_text(path), str(name))
    if not isinstance(document, dict):
        what = "empty grid" if document is None else "not a grid"
        raise InputError(f"{name}: {what}; name, seeds and experiments are needed (see rd grid show demo.yaml)")
    if "scale" in document:
        raise InputError(f"{place_of(str(name), positions, ('scale',))}: scale: not part of a grid file; use --scale")
    try:
        grid = Grid.model_validate(document)
    except ValidationError as error:
        raise explain(error, str(name), positions, Grid) from None
    _check_training(grid, str(name), positions)
    _check_together(grid, str(name), positions)
    _check_experiments(grid, str(name), positions)
    _check_matches(grid, str(name), positions)
    _check_channels(grid, str(name), positions)
    grid._places = Places(str(name), positions)
    return grid


def _check_training(grid: Grid, source: str, positions: dict[KeyPath, Position]) -> None:
    accepted = sorted({*architecture_names(), *map(family, architecture_names()), *SETTINGS})
    for block, fields in grid.training.items():
        where = place_of(source, positions, ("training", block))
        if block not in accepted:
            raise InputError(f"{where}: training.{block}: unknown arch, family or method{nearest(block, accepted)}; "
                             f"known are {one_of(accepted)}")  # fmt: skip
        model = SETTINGS.get(block, TrainingSettings)
        try:
            model.model_validate(method_fields(block, grid.training) if block in SETTINGS else fields)
        except ValidationError as error:
            raise explain(error, source, positions, model, ("training", block)) from None


def _check_together(grid: Grid, source: str, positions: dict[KeyPath, Position]) -> None:
    """Refuse recipes whose fields, from whatever blocks they come, do not go together."""
    for experiment in grid.experiments:
        for arch in experiment.arch:
            for recipe in sorted(set(map(recipe_of, experiment.method))):
                wrong = grid.settings(arch, recipe).contradiction()
                if wrong:
                    block = next((b for b in (recipe, arch, family(arch)) if b in grid.training), arch)
                    raise InputError(f"{place_of(source, positions, ('training', block))}: training.{block}: {wrong}")


def _check_experiments(grid: Grid, source: str, positions: dict[KeyPath, Position]) -> None:
    repeated = [seed for seed, n in Counter(grid.seeds).items() if n > 1]
    if repeated:
        raise InputError(f"{place_of(source, positions, ('seeds',))}: seeds: {repeated[0]} is there twice; keep one")
    seen: dict[tuple[str, str, str, float], int] = {}
    for i, experiment in enumerate(grid.experiments):
        where = place_of(source, positions, ("experiments", i))
        for cell in _columns(grid, experiment):
            if cell in seen:
                dataset, arch, method, ratio = cell
                again = "is there twice" if seen[cell] == i else f"is in experiments.{seen[cell]} too"
                raise InputError(
                    f"{where}: experiments.{i}: duplicate cells: {dataset} {arch} {method} at ratio {ratio:g} {again}"
                )
            seen[cell] = i
        pruning = [method for method in experiment.method if not is_control(method)]
        if any(not grid.ratios(experiment, method) for method in pruning if method != "lth"):
            raise InputError(f"{where}: experiments.{i}: no ratio; give a list of numbers >= 1 here or for the grid")
        if ("lth" in pruning) != (experiment.levels is not None):
            what = "lth needs levels, the number of times that" if "lth" in pruning else "levels is for lth, how often"
            raise InputError(f"{where}: experiments.{i}: {what} weights are pruned")
        if experiment.match and not all(map(is_criterion, (*experiment.method, experiment.match))):
            raise InputError(f"{where}: experiments.{i}: match is for criteria that prune once, no sham, lth or chip")


def _check_matches(grid: Grid, source: str, positions: dict[KeyPath, Position]) -> None:
    """Refuse to match what is not in the grid, or is itself made to match something."""
    free = {cell for experiment in grid.experiments if not experiment.match for cell in _columns(grid, experiment)}
    for i, experiment in enumerate(grid.experiments):
        for dataset, arch, _, ratio in _columns(grid, experiment) if experiment.match else ():
            if (dataset, arch, experiment.match, ratio) not in free:
                where = place_of(source, positions, ("experiments", i, "match"))
                raise InputError(
                    f"{where}: experiments.{i}.match: no experiment without match has {experiment.match} at ratio "
                    f"{ratio:g} of {dataset} {arch}"
                )


def _check_channels(grid: Grid, source: str, positions: dict[KeyPath, Position]) -> None:
    """Refuse to remove channels of networks that are not made for it, without a list, or by one that does not fit."""
    for i, experiment in enumerate(grid.experiments):
        methods = [method for method in experiment.method if recipe_of(method) == "chip"]
        for j, arch in enumerate(experiment.arch if methods else ()):
            n_blocks = ARCHITECTURES.get(arch).n_blocks
            if not n_blocks:
                where = place_of(source, positions, ("experiments", i, "arch", j))
                accepted = one_of([name for name in architecture_names() if ARCHITECTURES.get(name).n_blocks])
                raise InputError(f"{where}: experiments.{i}: {methods[0]} is for residual networks of two-convolution "
                                 f"blocks, not for {arch}; accepted: {accepted}")  # fmt: skip
            settings = grid.settings(arch, "chip")
            assert isinstance(settings, ChannelSettings)
            for k, label in enumerate(grid.ratios(experiment, "chip") if "chip" in methods else ()):
                if label not in settings.lists:
                    where = place_of(source, positions, ("experiments", i, "ratio", k))
                    known = one_of([f"{label:g}" for label in settings.lists])
                    raise InputError(f"{where}: experiments.{i}: chip has no list for ratio {label:g}; "
                                     f"accepted: {known}")  # fmt: skip
                try:
                    narrow_widths(settings.lists[label], n_blocks)
                except InputError as error:
                    lists = grid.training.get("chip", {}).get("lists", {})
                    key = next((key for key in lists if channel_labels([key]) == (label,)), "")
                    where = place_of(source, positions, ("training", "chip", "lists", key))
                    raise InputError(f"{where}: training.chip.lists.{key}: {arch}: {error}") from None


def _columns(grid: Grid, experiment: Experiment) -> Iterable[tuple[str, str, str, float]]:
    for dataset in experiment.dataset:
        for arch in experiment.arch:
            for method in experiment.method:
                for ratio in grid.ratios(experiment, method):
                    yield dataset, arch, matched_label(method, experiment.match), ratio
