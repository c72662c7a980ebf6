"""What a compressed cell begins its training with, and what is needed to make that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from rdcompute.device_data import DeviceData
from rdcompute.models import ParameterCounts
from rdcompute.plan import Cell
from rdcompute.rundir import CellResult, RunDirectory

Masks = dict[str, NDArray[np.bool_]]
"""By layer; true where a weight stays."""


@dataclass(frozen=True)
class Start:
    """A network that is ready to be trained.

    Attributes
    ----------
    model : on its device.
    masks : of the layers whose weights are masked in training; empty where nothing is masked.
    kept_weights : weights that are left in every layer that can lose some.
    achieved_ratio : all parameters of the dense network over all that are left.
    parent_id : content hash of the network that it was made of.
    stage : last part of the name of the streams of order and augmentation.
    first_step : steps of the training's phases that are left out at the beginning.
    keeps_state : whether other cells are made of this one, so that its weights are stored.
    meta : more that the cell's result says.
    """

    model: nn.Module
    masks: Masks
    kept_weights: dict[str, int]
    achieved_ratio: float
    parent_id: str
    stage: str = "finetune"
    first_step: int = 0
    keeps_state: bool = False
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Tools:
    """What a start is made with.

    Attributes
    ----------
    run : finished cells.
    data : of the cell's dataset, on the device.
    network : returns the network that a dense cell begins with, on the device.
    counts : returns the sizes of a cell's network.
    gradients : the last training gradient, by the key of its dense network.
    independence : of the channels of the last dense network that lost some, by its key, then by layer.
    """

    run: RunDirectory
    data: DeviceData
    network: Callable[[Cell], nn.Module]
    counts: Callable[[Cell], ParameterCounts]
    gradients: dict[str, NDArray[np.float64]]
    independence: dict[str, dict[str, NDArray[np.float64]]]

    def result(self, cell: Cell) -> CellResult:
        """Return a finished cell that another one is made of."""
        result = self.run.load(cell.key)
        if result is None:
            what = "dense network" if cell.is_dense else cell.title
            raise RuntimeError(f"{what} {cell.key} is damaged or gone; run the same command again")
        return result

    def dense_network(self, cell: Cell) -> tuple[nn.Module, str]:
        """Return the trained dense network of a cell, and its content hash."""
        model = self.network(cell.dense)
        result = self.result(cell.dense)
        load_state(model, result)
        return model, str(result.meta["dense_id"])


def load_state(model: nn.Module, result: CellResult, part: str = "state") -> None:
    """Put the weights and buffers that a result holds under `part` into a model."""
    prefix = f"{part}/"
    arrays = {n.removeprefix(prefix): a for n, a in result.arrays.items() if n.startswith(prefix)}
    model.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})


def state_arrays(state: dict[str, torch.Tensor], part: str = "state") -> dict[str, NDArray[Any]]:
    """Return weights and buffers as arrays of a result, under `part`."""
    return {f"{part}/{name}": tensor.cpu().numpy() for name, tensor in state.items()}


def kept_of(masks: Masks) -> dict[str, int]:
    """Return the number of weights that each mask leaves."""
    return {name: int(mask.sum()) for name, mask in masks.items()}
