"""Which architectures there are and how one is built from a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rdcompute.registry import Registry
from rdcompute.widths import Widths
from rdstats.errors import InputError

if TYPE_CHECKING:
    from torch import nn

ImageShape = tuple[int, int, int]


@dataclass(frozen=True)
class Architecture:
    """A family member such as ``resnet56``.

    Parameters
    ----------
    name
        Name in grids and cubes.
    build
        ``build(n_classes, image_shape)`` returns the freshly initialised network; image_shape is
        (channels, height, width). It draws from torch's global CPU generator and raises InputError for
        images it cannot take.
    head
        Name of the module that outputs the logits. It is never pruned.
    n_blocks
        Blocks in each of the three stages of a `rdcompute.models.resnet.ResNet`, whose channels ``chip`` can remove;
        0 for any other network.
    """

    name: str
    build: Callable[[int, ImageShape], nn.Module]
    head: str
    n_blocks: int = 0


ARCHITECTURES: Registry[Architecture] = Registry("arch", "rdcompute.models", Architecture)


def architecture_names() -> tuple[str, ...]:
    """Return the names of all architectures, those of installed packages included."""
    return ARCHITECTURES.names()


def build_model(arch: str, n_classes: int, image_shape: ImageShape, seed: int) -> nn.Module:
    """Build `arch` on the CPU with the initial weights that `seed` gives.

    The global random state, on every device, is the same before and after.

    Parameters
    ----------
    arch
        Name of an architecture.
    n_classes
        Number of outputs.
    image_shape
        (channels, height, width).
    seed
        Any non-negative integer below 2**63, see `rdcompute.streams.torch_seed`.

    Raises
    ------
    InputError
        Unknown architecture, or images it cannot take.
    """
    import torch

    # default_generator is the CPU's: torch.manual_seed would reseed every accelerator as well
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(seed)
        return construct(arch, n_classes, image_shape)


def build_narrow(arch: str, widths: Widths, n_classes: int, image_shape: ImageShape) -> nn.Module:
    """Return a residual network like `arch` with other `widths`; its weights are those that seed 0 draws."""
    import torch

    from rdcompute.models.resnet import ResNet

    architecture = ARCHITECTURES.get(arch)
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(0)
        model = ResNet(6 * architecture.n_blocks + 2, n_classes, image_shape, widths)
    model.head_name = architecture.head  # type: ignore[assignment]
    return model


def construct(arch: str, n_classes: int, image_shape: ImageShape) -> nn.Module:
    """Build `arch` on the current default device and write its head's name into ``model.head_name``."""
    architecture = ARCHITECTURES.get(arch)
    model = architecture.build(n_classes, image_shape)
    modules = dict(model.named_modules())
    if architecture.head not in modules:
        raise InputError(
            f"arch '{arch}' names '{architecture.head}' as its head but has no such module; "
            f"its last one is '{list(modules)[-1]}'"
        )
    model.head_name = architecture.head  # type: ignore[assignment]
    return model


def _lenet(n_classes: int, image_shape: ImageShape) -> nn.Module:
    from rdcompute.models.lenet import LeNet

    return LeNet(n_classes, image_shape)


def _resnet(depth: int) -> Callable[[int, ImageShape], nn.Module]:
    def build(n_classes: int, image_shape: ImageShape) -> nn.Module:
        from rdcompute.models.resnet import ResNet

        return ResNet(depth, n_classes, image_shape)

    return build


ARCHITECTURES.add(Architecture("lenet", _lenet, head="fc3"))
for _depth in (20, 32, 44, 56, 110):
    ARCHITECTURES.add(Architecture(f"resnet{_depth}", _resnet(_depth), head="linear", n_blocks=(_depth - 2) // 6))
