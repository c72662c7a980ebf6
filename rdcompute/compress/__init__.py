"""Ways to compress a dense network: each returns what its cell's training starts with."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rdcompute.compress import chip, lottery, once
from rdcompute.compress.lottery import rewind_point
from rdcompute.compress.start import Start, Tools, load_state, state_arrays
from rdcompute.plan import Cell

__all__ = ["Start", "Tools", "load_state", "make_start", "rewind_point", "state_arrays"]

_WAYS: Mapping[str, Callable[[Cell, Tools], Start]] = {"": once.start, "chip": chip.start, "lth": lottery.start}


def make_start(cell: Cell, tools: Tools) -> Start:
    """Return what the training of a compressed cell starts with."""
    return _WAYS[cell.recipe](cell, tools)
