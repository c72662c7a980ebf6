"""Recipes of methods that do not fine-tune as all others do: lottery tickets (LTH) and CHIP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

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


class ChannelSettings(TrainingSettings):
    """CHIP: channels are removed, and the smaller network trained as `finetune` says; `train` is not used."""


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
