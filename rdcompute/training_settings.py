"""How a network is trained, fine-tuned and pruned: the fields of a grid's `training` block."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator


def _no_text_or_truth(value: Any) -> Any:
    """Refuse what pydantic would turn into a number: ``"32"`` in quotes, and true as 1."""
    if isinstance(value, bool | str):
        raise ValueError(f"got {value!r}; a number is accepted")
    return value


_NUMBER = BeforeValidator(_no_text_or_truth)
Integer = Annotated[int, _NUMBER]
Number = Annotated[float, _NUMBER]
Phase = tuple[Annotated[Integer, Field(ge=1)], Annotated[Number, Field(gt=0)]]

_PAPER_RESNET = {
    "train": [[10, 0.01], [20, 0.1], [10, 0.01], [10, 0.001], [10, 0.0001]],
    "finetune": [[10, 0.1], [5, 0.01], [5, 0.001], [5, 0.0001]],
    "weight_decay": 5e-4,
}
FAMILY_DEFAULTS: dict[str, dict[str, Any]] = {"resnet": _PAPER_RESNET}
"""What differs from the field defaults for a family of architectures (paper, section 6.1)."""


class TrainingSettings(BaseModel):
    """One architecture's recipe.  Changing a default here changes meanings: raise `plan.CELL_SCHEMA`."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    train: tuple[Phase, ...] = Field(
        ((30, 0.01),), min_length=1, description="phases [n_epochs, learning rate] of the dense network"
    )
    finetune: tuple[Phase, ...] = Field(
        ((15, 0.01),), min_length=1, description="phases [n_epochs, learning rate] after pruning"
    )
    batch_size: Integer = Field(128, ge=1, description="images a step")
    momentum: Number = Field(0.9, ge=0, lt=1, description="momentum of SGD")
    nesterov: bool = Field(True, description="Nesterov momentum")
    weight_decay: Number = Field(0.0, ge=0, description="L2 penalty, on every parameter")
    ratio_accounting: Literal["exact", "shrinkbench"] = Field(
        "exact", description="exact, or the authors' counting (biases counted as prunable, never masked)"
    )
    augment: Literal["auto", "none", "crop-flip"] = Field(
        "auto", description="random crop after padding by 4 and horizontal flip; auto: the dataset's custom"
    )
    train_fraction: Number = Field(1.0, gt=0, le=1, description="share of the training images, stratified")
    eval_batch_size: Integer = Field(500, ge=1, description="images a batch when nothing is learnt")
    memory_format: Literal["channels_last", "contiguous"] = Field(
        "channels_last", description="layout of images and weights; other layouts give other bits"
    )

    @field_validator("train", "finetune", mode="before")
    @classmethod
    def _one_phase_may_stand_alone(cls, value: Any) -> Any:
        if isinstance(value, list) and value and not isinstance(value[0], list):
            return [value]
        return value

    def scaled(self, epochs: float = 1.0, train: float = 1.0) -> TrainingSettings:
        """Return a shorter recipe: every phase times `epochs` (at least one), a share `train` of the images."""
        return self.model_copy(
            update={
                "train": _shorten(self.train, epochs),
                "finetune": _shorten(self.finetune, epochs),
                "train_fraction": self.train_fraction * train,
            }
        )


def _shorten(phases: tuple[Phase, ...], factor: float) -> tuple[Phase, ...]:
    return tuple((max(1, int(n * factor + 0.5)), rate) for n, rate in phases)


def learning_rates(phases: tuple[Phase, ...]) -> list[float]:
    """Return the learning rate of every epoch."""
    return [rate for n, rate in phases for _ in range(n)]


def family(arch: str) -> str:
    """Return the family of an architecture: its name without the digits at its end."""
    return re.sub(r"[0-9]+\Z", "", arch)


def settings_for(arch: str, blocks: dict[str, dict[str, Any]]) -> TrainingSettings:
    """Return the recipe of `arch`: field defaults, then the family's, then the block of family, then of arch."""
    fields: dict[str, Any] = {}
    for source in (FAMILY_DEFAULTS.get(family(arch)), blocks.get(family(arch)), blocks.get(arch)):
        fields.update(source or {})
    return TrainingSettings.model_validate(fields)
