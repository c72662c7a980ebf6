"""Which channels a smaller residual network takes over, and the copying of their weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from rdcompute.channels.feature_maps import Scores
from rdcompute.models.resnet import Block
from rdcompute.widths import PLANES, Widths, full_widths

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Selection:
    """Channels of the full network, by what of the smaller one they become.

    Attributes
    ----------
    filters, inputs : channels that each convolution of a block puts out and takes in, by its name.
    sources : input channels of the shortcuts that begin the stages, -1 for zeros; none where they go by position.
    """

    filters: Mapping[str, Index]
    inputs: Mapping[str, Index]
    sources: Mapping[str, Index] = field(default_factory=dict)


def best(scores: NDArray[np.float64], n: int) -> Index:
    """Return the positions of the `n` highest scores, ascending; of equal ones the first.

    Examples
    --------
    >>> best(np.array([0.1, 0.5, 0.3, 0.5, 0.3]), 3).tolist()
    [1, 2, 3]
    """
    return np.sort(np.argsort(-scores, kind="stable")[:n])


def as_released(scores: Scores, widths: Widths) -> Selection:
    """Return the selection of CHIP's released code: each convolution's own best filters.

    A convolution takes the inputs that the one before has kept, as they come.  So a block takes what the second
    convolution of the block before has kept, although the sum that it is given has other channels at some of these
    places; shortcuts add by position.
    """
    filters: dict[str, Index] = {}
    inputs: dict[str, Index] = {}
    last: Index | None = None
    full = full_widths(widths.n_blocks).convolutions()
    for (name, n_inputs, n_filters, _), (_, _, left, _) in zip(full, widths.convolutions(), strict=True):
        inputs[name] = np.arange(n_inputs) if last is None else last
        last = best(scores[name], left) if left < n_filters else None
        filters[name] = np.arange(n_filters) if last is None else last
    return Selection(filters, inputs)


def aligned(scores: Scores, widths: Widths) -> Selection:
    """Return a selection with one set of channels for all outputs of a stage: the highest mean independence.

    Shortcuts then carry every channel that is left to its own place, across stages, too.
    """
    blocks = [[f"layer{stage}.{k}" for k in range(widths.n_blocks)] for stage in (1, 2, 3)]
    kept = [np.arange(PLANES[0])]
    for names, planes, left in zip(blocks, PLANES, widths.out, strict=True):
        own = [scores[f"{name}.conv2"] for name in names] if left < planes else [np.zeros(planes)]
        kept.append(best(np.mean(own, axis=0), left))
    filters: dict[str, Index] = {}
    inputs: dict[str, Index] = {}
    sources: dict[str, Index] = {}
    for stage, names in enumerate(blocks):
        for k, name in enumerate(names):
            inner = best(scores[f"{name}.conv1"], widths.mid[stage][k])
            inputs[f"{name}.conv1"] = kept[stage + 1] if k else kept[stage]
            filters[f"{name}.conv1"] = inputs[f"{name}.conv2"] = inner
            filters[f"{name}.conv2"] = kept[stage + 1]
        shift = (PLANES[stage] - PLANES[max(0, stage - 1)]) // 2  # zeros before the channels of the full shortcut
        sources[names[0]] = _positions(kept[stage], kept[stage + 1] - shift)
    return Selection(filters, inputs, sources)


def _positions(there: Index, wanted: Index) -> Index:
    """Return where each of the `wanted` stands in `there`, -1 where it does not."""
    place = {int(channel): i for i, channel in enumerate(there)}
    return np.array([place.get(int(channel), -1) for channel in wanted], np.int64)


@torch.no_grad()
def copy_weights(dense: nn.Module, narrow: nn.Module, selection: Selection, *, copy_batchnorm: bool) -> None:
    """Give a smaller network the weights of the `dense` one that are selected; the stem and the head as they are.

    Parameters
    ----------
    copy_batchnorm : take over the normalisation of the selected channels, too; without it, that of `narrow` stays new.
    """
    for name in ["conv1", "linear", *(["bn1"] if copy_batchnorm else [])]:
        narrow.get_submodule(name).load_state_dict(dense.get_submodule(name).state_dict())
    for name, filters in selection.filters.items():
        weight = _convolution(dense, name).weight
        rows, columns = (torch.from_numpy(index).to(weight.device) for index in (filters, selection.inputs[name]))
        _convolution(narrow, name).weight.copy_(weight[rows][:, columns])
        if copy_batchnorm:
            normalisation = name.replace("conv", "bn")
            state = dense.get_submodule(normalisation).state_dict()
            picked = {key: value[rows] if value.ndim else value for key, value in state.items()}
            narrow.get_submodule(normalisation).load_state_dict(picked)
    for name, source in selection.sources.items():
        block = narrow.get_submodule(name)
        assert isinstance(block, Block)
        block.route(torch.from_numpy(source).to(block.conv1.weight.device))


def _convolution(model: nn.Module, name: str) -> nn.Conv2d:
    module = model.get_submodule(name)
    assert isinstance(module, nn.Conv2d)
    return module
