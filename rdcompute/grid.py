"""The grid file: what is to be trained, pruned and measured."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr

from rdcompute.criteria import is_control, method_names, recipe_of
from rdcompute.datasets import check_dataset_name
from rdcompute.method_settings import channel_labels, method_fields, method_settings
from rdcompute.models import architecture_names
from rdcompute.training_settings import Integer, Number, TrainingSettings
from rdcompute.yamlread import Places
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
