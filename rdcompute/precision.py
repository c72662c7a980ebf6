"""The arithmetic of a cell: flags of PyTorch that decide about its bits, for as long as it is computed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch

from rdcompute.training_settings import TrainingSettings

_LEGACY = {"none": "highest", "ieee": "highest", "tf32": "high", "bf16": "medium"}
"""What the flag of older versions is called, by what the newer ones say."""


@contextmanager
def arithmetic(settings: TrainingSettings, device: torch.device) -> Iterator[None]:
    """Compute in float32, deterministically if `settings` say so; after the block, all flags are as they were.

    These flags belong to the process, and cells of other settings are computed in it before and after.  TensorFloat32
    is off everywhere: PyTorch leaves it on for convolutions, whose products would have 10 bits of 23.  On MPS there is
    no mode that refuses what is not deterministic, and none is asked for.
    """
    cudnn, filling = torch.backends.cudnn, cast(Any, torch.utils.deterministic)
    strict = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    before = cudnn.deterministic, cudnn.benchmark, filling.fill_uninitialized_memory
    with _float32("ieee"):
        try:
            torch.use_deterministic_algorithms(settings.deterministic and device.type != "mps")
            cudnn.deterministic, cudnn.benchmark = settings.deterministic, not settings.deterministic
            filling.fill_uninitialized_memory = False  # guards against what is never read here, a pass over memory each
            yield
        finally:
            torch.use_deterministic_algorithms(strict[0], warn_only=strict[1])
            cudnn.deterministic, cudnn.benchmark, filling.fill_uninitialized_memory = before


@contextmanager
def in_steps(settings: TrainingSettings) -> Iterator[None]:
    """Let the steps of training, and nothing else, take TensorFloat32 where `settings` say so and the device has it.

    What is counted or compared (validation, test predictions, scores) lies outside, in float32.
    """
    if settings.precision == "tf32":
        with _float32("tf32"):
            yield
    else:
        yield


@contextmanager
def _float32(products: str) -> Iterator[None]:
    """Compute products of float32 as ``ieee`` or ``tf32`` in the block."""
    before = _now()
    try:
        _set(dict.fromkeys(before, products))
        yield
    finally:
        _set(before)


def _places() -> dict[str, Any]:
    """Return where PyTorch 2.9 and later have the precision of each kind of product; nothing before."""
    backends: Any = torch.backends
    if not hasattr(backends, "fp32_precision"):
        return {}
    gpu, cpu = backends.cudnn, backends.mkldnn
    return {
        "matmul": backends.cuda.matmul, "conv": gpu.conv, "rnn": gpu.rnn,
        "cpu_matmul": cpu.matmul, "cpu_conv": cpu.conv, "cpu_rnn": cpu.rnn,
    }  # fmt: skip


def _now() -> dict[str, str]:
    """Return the precision of every kind of product; in older versions, with the name that their flag has."""
    found = {name: str(place.fp32_precision) for name, place in _places().items()}
    return found or {
        "matmul": torch.get_float32_matmul_precision(),
        "conv": "tf32" if torch.backends.cudnn.allow_tf32 else "ieee",
    }


def _set(precision: dict[str, str]) -> None:
    """Set the older flags, which set some of the newer ones, and then these.

    Both must agree: PyTorch's compiler reads the older ones, and reading them is an error where they do not.
    """
    product = "bf16" if precision.get("cpu_matmul") == "bf16" else precision["matmul"]
    torch.set_float32_matmul_precision(_LEGACY.get(product, product))
    torch.backends.cudnn.allow_tf32 = precision["conv"] == "tf32"
    for name, place in _places().items():
        place.fp32_precision = precision[name]
