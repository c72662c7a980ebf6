"""Numbers of channels of residual networks, and which of them a list of sparsities leaves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rdstats.errors import InputError

PLANES = (16, 32, 64)
"""Channels of the three stages of a network that has lost none; the stem has as many as the first."""

BY_STAGE = 6
"""Length of a list of one rate a stage: stem, outputs of stages 1 and 2, inner channels of stages 1, 2 and 3."""


@dataclass(frozen=True)
class Widths:
    """Channels of a residual network of two-convolution blocks.

    Attributes
    ----------
    out : of the outputs of all blocks of each of the three stages.
    mid : between the two convolutions of every block, by stage.
    """

    out: tuple[int, int, int]
    mid: tuple[tuple[int, ...], ...]

    @property
    def n_blocks(self) -> int:
        """Return the number of blocks of a stage."""
        return len(self.mid[0])

    def convolutions(self) -> Iterator[tuple[str, int, int, int]]:
        """Yield name, inputs, outputs and stage (from 0) of the convolutions of all blocks, in forward order."""
        inputs = PLANES[0]
        for stage, (out, mids) in enumerate(zip(self.out, self.mid, strict=True)):
            for k, mid in enumerate(mids):
                yield f"layer{stage + 1}.{k}.conv1", inputs, mid, stage
                yield f"layer{stage + 1}.{k}.conv2", mid, out, stage
                inputs = out


def full_widths(n_blocks: int) -> Widths:
    """Return the widths of a network that has lost no channel.

    Examples
    --------
    >>> full_widths(3).mid
    ((16, 16, 16), (32, 32, 32), (64, 64, 64))
    """
    return Widths(PLANES, tuple((planes,) * n_blocks for planes in PLANES))


def narrow_widths(rates: Sequence[float], n_blocks: int) -> Widths:
    """Return the widths that sparsities leave: floor(C (1 - s)) of C channels, in double precision.

    Parameters
    ----------
    rates : of the stem (0), of the outputs of stages 1 and 2, then of the inner channels of every block in turn
        (3 + 3 n_blocks in all), or of every stage (6 in all); stage 3 puts out all its channels.
    n_blocks : blocks of a stage.

    Raises
    ------
    InputError
        A list of another length, or one that leaves no channel somewhere.

    Examples
    --------
    >>> narrow_widths([0, 0.15, 0.15, 0.4, 0.4, 0.4], 9).out
    (13, 27, 64)
    """
    if len(rates) not in (BY_STAGE, 3 + 3 * n_blocks):
        raise InputError(
            f"{len(rates)} rates; {BY_STAGE} (by stage) or {3 + 3 * n_blocks} (by block) are accepted for a network "
            f"of 3 stages of {n_blocks} blocks"
        )
    inner = rates[3:] if len(rates) > BY_STAGE else [rate for rate in rates[3:] for _ in range(n_blocks)]
    planes = [channels for channels in PLANES for _ in range(n_blocks)]
    out = tuple(map(_left, PLANES, (*rates[1:3], 0.0)))
    mid = tuple(map(_left, planes, inner))
    for name, left in (("stage 1", out[0]), ("stage 2", out[1]), *((f"block {i + 1}", n) for i, n in enumerate(mid))):
        if left < 1:
            raise InputError(f"{name} would have no channel left; a lower rate is accepted")
    return Widths((out[0], out[1], out[2]), tuple(mid[i : i + n_blocks] for i in range(0, len(mid), n_blocks)))


def _left(channels: int, rate: float) -> int:
    return math.floor(channels * (1 - rate))
