"""Lottery tickets (LTH): the level before says what goes, the rewind point what the weights are that stay."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from rdcompute.checkpoint import CellCheckpoint
from rdcompute.compress.start import Masks, Start, Tools, kept_of, load_state, state_arrays
from rdcompute.criteria import is_control
from rdcompute.device_data import DeviceData
from rdcompute.lineage import content_hash, dense_id_of, own_id_of, stream_name
from rdcompute.lottery import lottery_ratio, next_mask
from rdcompute.masks import split_mask, unpack_masks
from rdcompute.method_settings import LotterySettings
from rdcompute.models import layer_shapes
from rdcompute.plan import Cell
from rdcompute.rundir import CellResult
from rdcompute.training import fit

REWIND = "rewind"
"""Part of a dense network's result: its state when the rewind point was reached."""


def rewind_steps(cell: Cell) -> int:
    """Return the steps after which a network is what others are rewound to; 0 where that is its initialisation."""
    return cell.settings.rewind_steps if isinstance(cell.settings, LotterySettings) else 0


def rewind_point(
    cell: Cell, model: nn.Module, data: DeviceData, checkpoint: CellCheckpoint
) -> tuple[int, dict[str, NDArray[Any]]]:
    """Train a dense network up to its rewind point; return the steps that took, and its state for the result.

    A training that was interrupted beyond that point has it in its `checkpoint`; before, it goes on from its own.
    """
    steps = rewind_steps(cell)
    if not steps:
        return 0, {}
    if checkpoint.load() is None:
        first = checkpoint.of_stage(REWIND)
        settings = cell.settings.model_copy(update={"keep": "last"})
        result = fit(
            model, data, cell.phases, settings, stream_name=stream_name(cell, REWIND), last_step=steps, checkpoint=first
        )
        checkpoint.carry(result.state, first, sum(report.seconds for report in result.history))
    return steps, state_arrays(checkpoint.carried, REWIND)


def start(cell: Cell, tools: Tools) -> Start:
    """Return the rewound network with the mask of its level: all ones for the control."""
    assert cell.parent is not None
    assert isinstance(cell.settings, LotterySettings)
    parent = tools.result(cell.parent)
    model = _rewound(cell, tools, parent if cell.parent.is_dense else tools.result(cell.dense))
    shapes = layer_shapes(model, head=cell.settings.prune_head)
    before = _ones(shapes) if cell.parent.is_dense else unpack_masks(parent.arrays, shapes)
    masks = before if is_control(cell.method) else _pruned(cell, parent, before, cell.settings.prune_fraction)
    kept = kept_of(masks)
    n = sum(mask.size for mask in masks.values())
    return Start(
        model, masks, kept, lottery_ratio(tools.counts(cell), n, sum(kept.values())), own_id_of(parent.meta),
        stage=f"lth-{max(1, cell.level)}", first_step=rewind_steps(cell), keeps_state=not is_control(cell.method),
        meta={"dense_id": dense_id_of(parent.meta)},
    )  # fmt: skip


def _rewound(cell: Cell, tools: Tools, dense: CellResult) -> nn.Module:
    """Return the network at the rewind point, all parameters and buffers."""
    model = tools.network(cell.dense)
    if rewind_steps(cell):
        load_state(model, dense, REWIND)
        return model
    state = {name: tensor.detach().cpu().numpy() for name, tensor in model.state_dict().items()}
    if dense.meta.get("init_id", "") not in ("", content_hash(state)):
        raise RuntimeError(
            f"{cell.dense.title} did not begin with the weights that its seed gives here: it was computed with another "
            "version of PyTorch, and a lottery ticket cannot be rewound to what is not there"
        )
    return model


def _pruned(cell: Cell, parent: CellResult, before: Masks, fraction: float) -> Masks:
    """Return the masks after the level before, by the weights it was left with."""
    magnitude = np.abs(np.concatenate([parent.arrays[f"state/{name}.weight"].reshape(-1) for name in before]))
    flat = next_mask(magnitude, np.concatenate([mask.reshape(-1) for mask in before.values()]), fraction)
    if not flat.any():
        raise RuntimeError(f"level {cell.level} of lth leaves no weight, as the largest ones tie")
    return split_mask(flat, {name: mask.shape for name, mask in before.items()})


def _ones(shapes: dict[str, tuple[int, ...]]) -> Masks:
    return {name: np.ones(shape, bool) for name, shape in shapes.items()}
