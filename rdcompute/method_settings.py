"""Recipes of methods that do not fine-tune as all others do: lottery tickets (LTH) and CHIP."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from rdcompute.training_settings import Integer, Number, TrainingSettings, arch_fields, settings_for


class LotterySettings(TrainingSettings):
    """LTH: every level is trained as `train` says, from the rewind point; `finetune` is not used.

    With `rewind_steps`, a dense network is trained that many steps once; all levels, the dense one (level 0) too, start
    from there with a new optimizer, at that step of `train`, and stop at its end.
    """

    prune_fraction: Number = Field(0.2, gt=0, lt=1, description="share of the remaining weights a level removes")
    rewind_steps: Integer = Field(0, ge=0, description="steps after which weights are kept to rewind to; 0: the first")
    prune_head: bool = Field(True, description="whether the head's weights can be pruned, too")

    def contradiction(self) -> str:
        """Return which fields do not go together, "" where all do."""
        total = sum(n for n, _ in self.train)
        if self.unit == "steps" and self.rewind_steps >= total:
            return f"rewind_steps {self.rewind_steps} leaves nothing of train, which has {total} steps"
        return super().contradiction()

    def scaled(self, epochs: float = 1.0, train: float = 1.0) -> LotterySettings:
        """Return a shorter recipe, whose rewind point comes earlier, too."""
        short = super().scaled(epochs, train)
        rewind = self.rewind_steps
        if epochs < 1:
            most = sum(n for n, _ in short.train) - 1 if self.unit == "steps" else rewind
            rewind = min(rewind, most, max(1, int(rewind * epochs + 0.5)))
        return LotterySettings.model_validate({**short.model_dump(), "rewind_steps": rewind})


def _label(value: Any) -> float:
    try:
        label = float(value)
    except (TypeError, ValueError):
        label = 0.0
    if not 1 <= label < float("inf"):
        raise ValueError(f"label {value!r}; a ratio, a number from 1 up, is accepted")
    return label


def _whole_stem(rates: tuple[float, ...]) -> tuple[float, ...]:
    if rates[0] != 0:
        raise ValueError(f"the first rate, the stem's, is {rates[0]:g}; 0 is accepted, as the stem keeps its channels")
    return rates


Label = Annotated[float, BeforeValidator(_label)]
Rates = Annotated[
    tuple[Annotated[Number, Field(ge=0, lt=1)], ...], Field(min_length=6), AfterValidator(_whole_stem)
]

CHIP_LISTS: dict[float, tuple[float, ...]] = {
    1.75: (0, 0.15, 0.15, 0.4, 0.4, 0.4),
    3.33: (0, 0.4, 0.4, 0.5, 0.6, 0.7),
    8.27: (0, 0.7, 0.7, 0.75, 0.8, 0.85),
    19.11: (0, 0.85, 0.85, 0.875, 0.9, 0.925),
}
"""Sparsities by label.  The first two are CHIP's for ResNet-56, named after the reductions that its authors print; the
others halve and quarter what the second keeps, and are named after the ratio of parameters that this leaves."""


class ChannelSettings(TrainingSettings):
    """CHIP: channels are removed, and the smaller network trained as `finetune` says; `train` is not used."""

    lists: dict[Label, Rates] = Field(
        default_factory=lambda: dict(CHIP_LISTS), min_length=1,
        description="sparsities by ratio, its label: stem (0), outputs of stages 1 and 2, then inner channels of every "
        "block, or of every stage",
    )  # fmt: skip
    aligned: bool = Field(
        False, description="one selection of channels for all outputs of a stage; else each block's own (as released)"
    )
    copy_batchnorm: bool = Field(
        False, description="batch normalisation is copied, too; else begins anew (as released)"
    )

    @field_validator("lists", mode="before")
    @classmethod
    def _one_list_a_label(cls, value: Any) -> Any:
        labels = channel_labels(value) if isinstance(value, Mapping) else ()
        twice = [label for label in labels if labels.count(label) > 1]
        if twice:
            raise ValueError(f"label {twice[0]:g} is there twice; keep one")
        return value

    def __hash__(self) -> int:
        """Return a hash for dictionaries of this process, as the lists have none; keys of cells are `cell_hash`'s."""
        return hash(self.model_dump_json())


def channel_labels(keys: Iterable[Any]) -> tuple[float, ...]:
    """Return the labels of lists of sparsities, written as numbers or text; those that are no labels are left out."""
    found = []
    for key in keys:
        try:
            found.append(_label(key))
        except ValueError:
            continue
    return tuple(found)


METHOD_DEFAULTS: Mapping[str, dict[str, Any]] = {
    # 30,000 steps at one rate: what OpenLTH's defaults (a tenth after 80 epochs of 391 steps) come to if cut there
    "lth": {
        "train": [[30_000, 0.1]], "unit": "steps", "batch_size": 128, "momentum": 0.9, "nesterov": False,
        "weight_decay": 1e-4, "validation": "none", "keep": "last",
    },
    "chip": {
        "finetune": [[400, 0.01]], "schedule": "cosine", "warmup_epochs": 5, "batch_size": 256, "momentum": 0.9,
        "nesterov": False, "weight_decay": 5e-3, "keep": "last",
    },
}  # fmt: skip
"""What a method's recipe says whatever the architecture's does (Open LTH; CHIP's released code)."""

SETTINGS: Mapping[str, type[TrainingSettings]] = {"lth": LotterySettings, "chip": ChannelSettings}


def method_settings(arch: str, recipe: str, blocks: dict[str, dict[str, Any]]) -> TrainingSettings:
    """Return the settings of a recipe ("" for that of the architecture).

    Fields come from `settings_for`, then from `METHOD_DEFAULTS`, then from the recipe's block of the grid.
    """
    if not recipe:
        return settings_for(arch, blocks)
    return SETTINGS[recipe].model_validate(arch_fields(arch, blocks) | method_fields(recipe, blocks))


def method_fields(recipe: str, blocks: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the fields in which a recipe does not follow the architecture's, as they are written."""
    fields = SETTINGS[recipe].model_fields
    own = sorted(fields.keys() - TrainingSettings.model_fields.keys())
    defaults = {name: fields[name].get_default(call_default_factory=True) for name in own}
    return {**defaults, **METHOD_DEFAULTS[recipe], **blocks.get(recipe, {})}
