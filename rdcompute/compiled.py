"""Training steps through torch.compile: graphs that depend on nothing but the shape of a batch."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

import torch
from torch import Tensor, nn

from rdcompute.training_settings import TrainingSettings
from rdstats.errors import InputError

Forward = Callable[[Tensor], Tensor]


class CompilerError(RuntimeError):
    """A network that torch.compile cannot compile here."""


def training_forward(model: nn.Module, settings: TrainingSettings, device: torch.device) -> Forward:
    """Return what a training step calls in place of `model`, on its parameters: compiled, in bfloat16, or itself.

    In bfloat16, products and activations are; parameters, their gradients, momentum, running statistics and the logits
    that the loss is taken of are float32.
    """
    run = _compiled(model) if settings.compile else model
    if settings.precision != "bf16":
        return run

    def in_bfloat16(images: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16):
            return run(images).float()

    return in_bfloat16


def _compiled(model: nn.Module) -> Forward:
    """Compile whole graphs, one for each shape of a batch: the full one, and the last of an epoch.

    Shapes are never left open: whether they were would depend on which had come before, and a training that goes on
    from a checkpoint would have other bits.  What was compiled before is forgotten, so that the number of networks
    that a process has trained never reaches the limit from which PyTorch computes without compiling; a whole graph
    (`fullgraph`) makes that limit an error.
    """
    torch.compiler.reset()
    run: Forward = torch.compile(model, dynamic=False, fullgraph=True)
    return run


@contextmanager
def compiler_errors() -> Iterator[None]:
    """Say in one line what goes wrong with compiling in the block: the forward pass, or the backward pass after it."""
    try:
        yield
    except Exception as error:
        from torch._dynamo.exc import FailOnRecompileLimitHit, TorchDynamoException

        if isinstance(error, TorchDynamoException | FailOnRecompileLimitHit):
            raise CompilerError(_words(error)) from error
        raise


def check_compiler(settings: Iterable[TrainingSettings], devices: Iterable[str]) -> None:
    """Refuse to compile where nothing can: without a C++ compiler on the CPU, without Triton elsewhere.

    Raises
    ------
    InputError
        Before anything is trained.
    """
    if any(one.compile for one in settings):
        for kind in dict.fromkeys(device.partition(":")[0] for device in devices):
            if lack := _lack(kind):
                raise InputError(lack)


def _lack(kind: str) -> str:
    """Return what compiling for a kind of device lacks, "" if nothing is known to be missing."""
    if kind == "cuda" and importlib.util.find_spec("triton") is None:
        return "compile: true needs Triton on cuda, which is not installed; install it or leave compile out"
    with suppress(ImportError):  # where a version of PyTorch has it elsewhere, the first step will tell
        from torch._inductor.cpp_builder import get_cpp_compiler
        from torch._inductor.exc import InvalidCxxCompiler

        try:
            get_cpp_compiler()
        except (InvalidCxxCompiler, RuntimeError):
            return _NO_COMPILER
    return ""


_NO_COMPILER = (
    "compile: true needs a C++ compiler, and none is found (CXX, else the system's own); install one or leave compile "
    "out"
)


def _words(error: Exception) -> str:
    """Return the first line of what the compiler says, or what is missing."""
    text = str(error).strip()
    if "No working C++ compiler" in text or "InvalidCxxCompiler" in text:
        return _NO_COMPILER
    return f"torch.compile failed: {text.splitlines()[0] if text else type(error).__name__}"
