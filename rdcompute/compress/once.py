"""Pruning once by a criterion, and the control that prunes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from rdcompute.compress.start import Masks, Start, Tools, kept_of
from rdcompute.criteria import CRITERIA, is_control
from rdcompute.criteria.gradient import training_gradient
from rdcompute.masks import achieved_ratio, kept_count, split_mask, top_k_mask
from rdcompute.models import layer_shapes, prunable_layers, weight_vector
from rdcompute.plan import Cell
from rdcompute.streams import stream


def start(cell: Cell, tools: Tools) -> Start:
    """Return the dense network with the mask of a criterion: all ones for the control."""
    model, dense_id = tools.dense_network(cell)
    meta: dict[str, Any] = {}
    if is_control(cell.method):
        masks: Masks = {name: np.ones(shape, bool) for name, shape in layer_shapes(model).items()}
    else:
        masks = _masks(cell, model, tools, _number_to_keep(cell, tools, meta))
    kept = kept_of(masks)
    ratio = achieved_ratio(tools.counts(cell), sum(kept.values()))
    return Start(model, masks, kept, ratio, dense_id, meta=meta)


def _number_to_keep(cell: Cell, tools: Tools, meta: dict[str, Any]) -> int:
    """Return how many weights the ratio keeps, or the matched network has kept; the latter is noted in `meta`."""
    if cell.match is None:
        return kept_count(tools.counts(cell), cell.ratio, cell.settings.ratio_accounting)
    matched = tools.result(cell.match).meta
    meta["target_ratio"] = matched["achieved_ratio"]
    return int(sum(matched["kept_weights"].values()))


def _masks(cell: Cell, model: nn.Module, tools: Tools, k: int) -> Masks:
    theta = weight_vector(model)
    criterion = CRITERIA.get(cell.method)
    gradient = _training_gradient(cell, model, tools) if criterion.needs_gradient else None
    name = f"mask/{cell.seed}/{cell.dataset_label}/{cell.arch}/{cell.method}/{cell.ratio:g}"
    scores = criterion.score(theta, gradient, cell.settings.weight_decay, stream(cell.root_seed, name))
    return split_mask(top_k_mask(scores, np.abs(theta), k), layer_shapes(model))


def _training_gradient(cell: Cell, model: nn.Module, tools: Tools) -> NDArray[np.float64]:
    """Return the gradient at the dense network, kept for the other cells of the same parent.

    Batches are those of training: as large as evaluation's, they would take several times the memory.
    """
    key = cell.dense.key
    if key not in tools.gradients:
        data = tools.data
        parts = training_gradient(
            model, data.train_images, data.train_labels, data.normalize, cell.settings.batch_size
        )
        tools.gradients.clear()
        tools.gradients[key] = np.concatenate([np.asarray(parts[n]).reshape(-1) for n in prunable_layers(model)])
    return tools.gradients[key]
