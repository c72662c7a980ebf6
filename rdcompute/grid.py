"""The grid file: what is to be trained, pruned and measured."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError

from rdcompute.criteria import is_control, is_criterion, matched_label, method_names, recipe_of
from rdcompute.datasets import check_dataset_name
from rdcompute.method_settings import SETTINGS, ChannelSettings, channel_labels, method_fields, method_settings
from rdcompute.models import ARCHITECTURES, architecture_names
from rdcompute.training_settings import Integer, Number, TrainingSettings, family
from rdcompute.widths import narrow_widths
from rdcompute.yamlread import KeyPath, Places, Position, read_text, read_yaml
from rdstats.errors import InputError, nearest, one_of

MOST_SEEDS = 100_000
"""A larger number is a seed, not a number of seeds."""


MOST_LEVELS = 100


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


def _seed_list(value: Any) -> Any:
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    if not 1 <= value <= MOST_SEEDS:
        raise ValueError(f"got {value}; a number of seeds from 1 to {MOST_SEEDS}, or a list of seeds, is accepted")
    return list(range(value))


def _name(kind: str, accepted: Callable[[], Iterable[str]]) -> BeforeValidator:
    def check(value: Any) -> Any:
        names = list(accepted())
        if value not in names:
            raise ValueError(f"unknown {kind} {value!r}{nearest(str(value), names)}; known are {one_of(names)}")
        return value

    return BeforeValidator(check)


def _dataset(value: Any) -> Any:
    check_dataset_name(str(value))
    return value


@lru_cache(1024)
def dataset_label(name: str) -> str:
    """Return what the cube calls a dataset: its name, or the stem of its ``.npz`` file."""
    return Path(name).stem if name.endswith(".npz") else name


Seed = Annotated[int, Field(ge=0, strict=True)]
Ratio = Annotated[Number, Field(ge=1, allow_inf_nan=False)]
Ratios = Annotated[tuple[Ratio, ...], BeforeValidator(_as_list), Field(min_length=1)]
Dataset = Annotated[str, BeforeValidator(_dataset)]
Arch = Annotated[str, _name("arch", architecture_names)]
Method = Annotated[str, _name("method", method_names)]


class Experiment(BaseModel):
    """One product of datasets, architectures, methods and ratios.

    `levels` stands for the ratios of ``lth``; with `match`, a criterion keeps as many weights as that method kept at
    the same ratio, and the cube calls it ``criterion@match``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: Annotated[tuple[Dataset, ...], BeforeValidator(_as_list), Field(min_length=1)]
    arch: Annotated[tuple[Arch, ...], BeforeValidator(_as_list), Field(min_length=1)]
    method: Annotated[tuple[Method, ...], BeforeValidator(_as_list), Field(min_length=1)]
    ratio: Ratios | None = None
    levels: Annotated[Integer, Field(ge=1, le=MOST_LEVELS)] | None = None
    match: Method | None = None


class Grid(BaseModel):
    """A grid as written: the union of its experiments, every seed of each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    description: str = ""
    root_seed: Seed = 0
    seeds: Annotated[
        tuple[Seed, ...], BeforeValidator(_as_list), BeforeValidator(_seed_list), Field(min_length=1)
    ]
    ratio: Ratios | None = None
    experiments: tuple[Experiment, ...] = Field(min_length=1)
    training: dict[str, dict[str, Any]] = Field(default_factory=dict)
    scale: dict[str, float] = Field(default_factory=dict)
    _places: Places = PrivateAttr(default_factory=Places)

    def place(self, *path: str | int) -> str:
        """Return ``file:line:column: `` of a key of the grid's file, "" for a grid that comes from none."""
        return self._places.prefix(path)

    def ratios(self, experiment: Experiment, method: str) -> tuple[float, ...]:
        """Return the ratios of one method: 1 for a control, whatever the list says; 1.25, 1.56, ... for ``lth``.

        Those of ``chip`` are the labels of its lists; the grid's own `ratio` is not for it.
        """
        if is_control(method):
            return (1.0,)
        if method == "lth":
            return lottery_ratios(experiment.levels or 0, self.prune_fraction)
        if method == "chip":
            return experiment.ratio or self.channel_labels
        return experiment.ratio or self.ratio or ()

    @property
    def prune_fraction(self) -> float:
        """Return the share of the remaining weights that a level of ``lth`` removes."""
        return float(method_fields("lth", self.training)["prune_fraction"])

    @property
    def channel_labels(self) -> tuple[float, ...]:
        """Return the ratios for which there are lists of sparsities."""
        return channel_labels(method_fields("chip", self.training)["lists"])

    def settings(self, arch: str, recipe: str = "") -> TrainingSettings:
        """Return the resolved settings of an architecture under a recipe, shortened by `scale`."""
        plain = method_settings(arch, recipe, self.training)
        return plain.scaled(self.scale.get("epochs", 1.0), self.scale.get("train", 1.0))

    def scaled(self, scale: Mapping[str, float]) -> Grid:
        """Return the grid shortened: first N ``seeds``, ``epochs`` and ``train`` as shares."""
        if not scale:
            return self
        for key in scale:
            if key not in SCALES:
                raise InputError(f"--scale {key}: {_SCALE_FORMS} is accepted")
        seeds = self.seeds
        if "seeds" in scale:
            n = scale["seeds"]
            if not 1 <= n <= len(seeds) or n != int(n):
                raise InputError(f"--scale seeds={n:g}: a whole number from 1 to {len(seeds)} is accepted")
            seeds = seeds[: int(n)]
        for key in ("epochs", "train"):
            if not 0 < scale.get(key, 1.0) <= 1:
                raise InputError(f"--scale {key}={scale[key]:g}: a share above 0 and at most 1 is accepted")
        return self.model_copy(update={"seeds": seeds, "scale": dict(scale)})

    def document(self) -> dict[str, Any]:
        """Return the grid as it was written and shortened, as plain data; `Grid.model_validate` reads it."""
        return self.model_dump(mode="json")

    def resolved(self) -> dict[str, Any]:
        """Return the whole grid with nothing left to defaults, as plain data; datasets as the cube names them."""
        archs = dict.fromkeys(arch for experiment in self.experiments for arch in experiment.arch)
        content = {
            "name": self.name,
            "root_seed": self.root_seed,
            "seeds": self.seeds,
            "experiments": [
                {
                    "dataset": [dataset_label(name) for name in e.dataset],
                    "arch": e.arch,
                    "method": e.method,
                    "ratio": e.ratio or self.ratio or (1.0,),
                    **{key: value for key, value in (("levels", e.levels), ("match", e.match)) if value is not None},
                }
                for e in self.experiments
            ],
            "training": {arch: self.settings(arch).model_dump() for arch in archs} | self._recipes(next(iter(archs))),
            "scale": self.scale,
        }
        plain: dict[str, Any] = json.loads(json.dumps(content))
        return plain


    def _recipes(self, arch: str) -> dict[str, Any]:
        """Return the fields in which the recipes of the grid's methods differ from any architecture's."""
        used = {recipe_of(method) for e in self.experiments for method in e.method} - {""}
        return {
            recipe: {name: getattr(self.settings(arch, recipe), name) for name in method_fields(recipe, self.training)}
            for recipe in sorted(used)
        }


def lottery_ratios(levels: int, fraction: float) -> tuple[float, ...]:
    """Return the nominal ratios 1/(1 - fraction)^k of the levels 1, 2, ... of a lottery ticket.

    Examples
    --------
    >>> lottery_ratios(3, 0.2)
    (1.25, 1.5625, 1.953125)
    """
    base = 1 / (1 - Fraction(str(fraction)))
    return tuple(float(base**k) for k in range(1, levels + 1))


SCALES = ("seeds", "epochs", "train")
_SCALE_FORMS = "seeds=N, epochs=F or train=F"


def parse_scale(options: Iterable[str]) -> dict[str, float]:
    """Read ``["seeds=2", "epochs=0.1"]``."""
    scale: dict[str, float] = {}
    for option in options:
        key, _, text = option.partition("=")
        if key not in SCALES:
            raise InputError(f"--scale {option}: {_SCALE_FORMS} is accepted")
        if key in scale:
            raise InputError(f"--scale {option}: {key} is given twice")
        try:
            scale[key] = float(text)
        except ValueError:
            raise InputError(f"--scale {option}: {text!r} is not a number") from None
    return scale


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
        raise InputError(f"{_where(str(name), positions, ('scale',))}: scale: not part of a grid file; use --scale")
    try:
        grid = Grid.model_validate(document)
    except ValidationError as error:
        raise _explain(error, str(name), positions, Grid) from None
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
        where = _where(source, positions, ("training", block))
        if block not in accepted:
            raise InputError(f"{where}: training.{block}: unknown arch, family or method{nearest(block, accepted)}; "
                             f"known are {one_of(accepted)}")  # fmt: skip
        model = SETTINGS.get(block, TrainingSettings)
        try:
            model.model_validate(method_fields(block, grid.training) if block in SETTINGS else fields)
        except ValidationError as error:
            raise _explain(error, source, positions, model, ("training", block)) from None


def _check_together(grid: Grid, source: str, positions: dict[KeyPath, Position]) -> None:
    """Refuse recipes whose fields, from whatever blocks they come, do not go together."""
    for experiment in grid.experiments:
        for arch in experiment.arch:
            for recipe in sorted(set(map(recipe_of, experiment.method))):
                wrong = grid.settings(arch, recipe).contradiction()
                if wrong:
                    block = next((b for b in (recipe, arch, family(arch)) if b in grid.training), arch)
                    raise InputError(f"{_where(source, positions, ('training', block))}: training.{block}: {wrong}")


def _check_experiments(grid: Grid, source: str, positions: dict[KeyPath, Position]) -> None:
    repeated = [seed for seed, n in Counter(grid.seeds).items() if n > 1]
    if repeated:
        raise InputError(f"{_where(source, positions, ('seeds',))}: seeds: {repeated[0]} is there twice; keep one")
    seen: dict[tuple[str, str, str, float], int] = {}
    for i, experiment in enumerate(grid.experiments):
        where = _where(source, positions, ("experiments", i))
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
                where = _where(source, positions, ("experiments", i, "match"))
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
                where = _where(source, positions, ("experiments", i, "arch", j))
                accepted = one_of([name for name in architecture_names() if ARCHITECTURES.get(name).n_blocks])
                raise InputError(f"{where}: experiments.{i}: {methods[0]} is for residual networks of two-convolution "
                                 f"blocks, not for {arch}; accepted: {accepted}")  # fmt: skip
            settings = grid.settings(arch, "chip")
            assert isinstance(settings, ChannelSettings)
            for k, label in enumerate(grid.ratios(experiment, "chip") if "chip" in methods else ()):
                if label not in settings.lists:
                    where = _where(source, positions, ("experiments", i, "ratio", k))
                    known = one_of([f"{label:g}" for label in settings.lists])
                    raise InputError(f"{where}: experiments.{i}: chip has no list for ratio {label:g}; "
                                     f"accepted: {known}")  # fmt: skip
                try:
                    narrow_widths(settings.lists[label], n_blocks)
                except InputError as error:
                    lists = grid.training.get("chip", {}).get("lists", {})
                    key = next((key for key in lists if channel_labels([key]) == (label,)), "")
                    where = _where(source, positions, ("training", "chip", "lists", key))
                    raise InputError(f"{where}: training.chip.lists.{key}: {arch}: {error}") from None


def _columns(grid: Grid, experiment: Experiment) -> Iterable[tuple[str, str, str, float]]:
    for dataset in experiment.dataset:
        for arch in experiment.arch:
            for method in experiment.method:
                for ratio in grid.ratios(experiment, method):
                    yield dataset, arch, matched_label(method, experiment.match), ratio


def _where(source: str, positions: dict[KeyPath, Position], path: KeyPath) -> str:
    while path and path not in positions:
        path = path[:-1]
    line, column = positions.get(path, (1, 1))
    return f"{source}:{line}:{column}"


_ACCEPTED = {
    "tuple_type": "a list is accepted",
    "too_short": "a list of at least one is accepted",
    "too_long": "[n_epochs, learning rate] is accepted",  # phases alone have a largest length
    "dict_type": "a block of fields is accepted",
    "model_type": "a block of fields is accepted",
    "string_type": "text is accepted",
    "string_too_short": "text is accepted",
}
"""Pydantic's types of errors in words for people who do not know Python."""


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _explain(
    error: ValidationError,
    source: str,
    positions: dict[KeyPath, Position],
    model: type[BaseModel],
    prefix: KeyPath = (),
) -> InputError:
    """Turn pydantic's errors into one line: where, which field, what was found, what is accepted.

    An unknown key is told first: mistyped, it is why another is missing.  That a list is too short because its
    items were refused is no news.
    """
    errors = error.errors(include_url=False)
    inside = {e["loc"][:n] for e in errors for n in range(len(e["loc"]))}
    own = [e for e in errors if e["loc"] not in inside]
    first = next((e for e in own if e["type"] == "extra_forbidden"), own[0])
    path: KeyPath = (*prefix, *first["loc"])
    field = ".".join(map(str, path)).removesuffix(".[key]")
    where = _where(source, positions, path)
    found = first.get("input")
    if first["type"] == "extra_forbidden":
        fields = Experiment.model_fields if path[:1] == ("experiments",) else model.model_fields
        names = [name for name in fields if name != "scale"]
        key = str(path[-1])
        text = f"unknown key {key!r}{nearest(key, names)}; known are {one_of(names)}"
    elif first["type"] == "missing":
        text = "is needed and not there"
    elif first["type"] == "value_error":
        text = str(first["ctx"]["error"]) if "ctx" in first else first["msg"]
    else:
        fewest = first.get("ctx", {}).get("min_length", 1)
        long = f"a list of at least {fewest} is accepted" if first["type"] == "too_short" and fewest > 1 else ""
        accepted = long or _ACCEPTED.get(first["type"]) or first["msg"][0].lower() + first["msg"][1:]
        text = f"got {_shown(found)}; {accepted}"
    more = len(own) - 1
    return InputError(f"{where}: {field}: {text}" + (f" (and {more} more)" if more else ""))
