"""How a network is trained, fine-tuned and pruned: the fields of a grid's `training` block."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator


def no_text_or_truth(value: Any) -> Any:
    """Refuse what pydantic would turn into a number: ``"32"`` in quotes, and true as 1."""
    if isinstance(value, bool | str):
        raise ValueError(f"got {value!r}; a number is accepted")
    return value


_NUMBER = BeforeValidator(no_text_or_truth)
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
    """One recipe.  Changing a default here changes meanings: raise `plan.CELL_SCHEMA`."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    train: tuple[Phase, ...] = Field(
        ((30, 0.01),), min_length=1, description="phases [n_epochs, learning rate] of the dense network"
    )
    finetune: tuple[Phase, ...] = Field(
        ((15, 0.01),), min_length=1, description="phases [n_epochs, learning rate] after pruning"
    )
    unit: Literal["epochs", "steps"] = Field("epochs", description="what the first number of a phase counts")
    schedule: Literal["constant", "cosine"] = Field(
        "constant", description="within a phase: constant, or falling to 0 as half a cosine, epoch by epoch"
    )
    warmup_epochs: Integer = Field(0, ge=0, description="cosine only: first epochs, linear from 0 step by step")
    batch_size: Integer = Field(128, ge=1, description="images a step")
    momentum: Number = Field(0.9, ge=0, lt=1, description="momentum of SGD")
    nesterov: bool = Field(True, description="Nesterov momentum")
    weight_decay: Number = Field(0.0, ge=0, description="L2 penalty, on every parameter")
    renew_optimizer: bool = Field(False, description="momentum is forgotten at the beginning of every phase")
    validation: Literal["holdout", "test", "none"] = Field(
        "holdout",
        description="images that choose the kept epoch: a hold-out of the training set; with test (the paper's "
        "released code) and none, all training images are trained on",
    )
    keep: Literal["best", "last", "released", "accuracy"] = Field(
        "best",
        description="epoch whose network is kept: lowest validation loss, the last, the lowest within the last phase "
        "(the paper's released code), or the highest validation accuracy",
    )
    report_last: bool = Field(False, description="count the test images with the last epoch's network, too")
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
    precision: Literal["fp32", "tf32", "bf16"] = Field(
        "fp32",
        description="arithmetic of the training steps: float32; its products as TensorFloat32 where the device has it; "
        "or bfloat16 with float32 parameters. What is counted or compared is computed in float32",
    )
    compile: bool = Field(False, description="training steps through torch.compile; needs a compiler")
    deterministic: bool = Field(
        True, description="bits that repeat on CUDA, too; else its fastest kernels (on the CPU bits repeat anyway)"
    )

    @field_validator("train", "finetune", mode="before")
    @classmethod
    def _one_phase_may_stand_alone(cls, value: Any) -> Any:
        if isinstance(value, list) and value and not isinstance(value[0], list):
            return [value]
        return value

    def contradiction(self) -> str:
        """Return which fields do not go together, "" where all do."""
        if self.validation == "none" and self.keep != "last":
            return f"validation none goes with keep last, as nothing tells epochs apart; keep is {self.keep}"
        if self.schedule == "cosine" and self.unit == "steps":
            return "schedule cosine goes by epochs; unit is steps"
        if self.warmup_epochs and self.schedule != "cosine":
            return "warmup_epochs goes with schedule cosine; schedule is constant"
        return ""

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


def step_rates(
    phases: Sequence[Phase], settings: TrainingSettings, steps_per_epoch: int, first_step: int = 0,
    last_step: int | None = None,
) -> tuple[list[NDArray[np.float64]], list[int]]:  # fmt: skip
    r"""Return the learning rate of every step, epoch by epoch, and the epoch (from 1) in which each phase begins.

    With ``cosine``, epoch e (from 0) of the E of a phase has the rate \eta (1 + cos(\pi (e - W)/(E - W)))/2, W the
    `warmup_epochs`; in the first W epochs, step i of n is scaled by (1 + i + e n)/(W n) (CHIP's released code;
    in a first phase of fewer than W epochs, W is their number less one).

    Parameters
    ----------
    phases : lengths, in the settings' `unit`, and learning rates.
    steps_per_epoch : of the data.
    first_step : steps that are left out at the beginning; what is left is cut into epochs anew.
    last_step : where to stop, of all steps.
    """
    length = 1 if settings.unit == "steps" else steps_per_epoch
    parts = [_phase_rates(n, rate, settings, length, first=i == 0) for i, (n, rate) in enumerate(phases)]
    starts = np.cumsum([0, *map(len, parts[:-1])]) - first_step
    flat = np.concatenate(parts)[first_step:last_step]
    if not len(flat):
        raise ValueError(f"no step is left: training has {sum(map(len, parts))} and begins after {first_step}")
    epochs = [flat[at : at + steps_per_epoch] for at in range(0, len(flat), steps_per_epoch)]
    return epochs, [max(0, int(start)) // steps_per_epoch + 1 for start in starts]


def _phase_rates(n: int, rate: float, settings: TrainingSettings, length: int, *, first: bool) -> NDArray[np.float64]:
    """Return the rate of every step of one phase."""
    if settings.schedule == "constant":
        return np.full(n * length, rate)
    warm = min(settings.warmup_epochs, n - 1) if first else 0
    epochs = np.arange(n)
    rates = np.repeat(rate * (1 + np.cos(np.pi * (epochs - warm) / (n - warm))) / 2, length)
    steps = np.arange(1, warm * length + 1)
    rates[: len(steps)] *= steps / max(1, len(steps))
    return rates


def n_epochs(phases: Sequence[Phase], settings: TrainingSettings) -> int:
    """Return the number of epochs; steps are counted as those of CIFAR-10, 50,000 images in the settings' batches."""
    total = sum(n for n, _ in phases)
    return total if settings.unit == "epochs" else max(1, -(-total * settings.batch_size // 50_000))


def family(arch: str) -> str:
    """Return the family of an architecture: its name without the digits at its end."""
    return re.sub(r"[0-9]+\Z", "", arch)


def settings_for(arch: str, blocks: dict[str, dict[str, Any]]) -> TrainingSettings:
    """Return the recipe of `arch`: field defaults, then the family's, then the block of family, then of arch."""
    return TrainingSettings.model_validate(arch_fields(arch, blocks))


def arch_fields(arch: str, blocks: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the fields that are set for `arch`, later blocks over earlier ones (see `settings_for`)."""
    fields: dict[str, Any] = {}
    for source in (FAMILY_DEFAULTS.get(family(arch)), blocks.get(family(arch)), blocks.get(arch)):
        fields.update(source or {})
    return fields
