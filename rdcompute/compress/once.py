"""Pruning once by a criterion, and the control that prunes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from rdcompute.compress.start import Masks, Start, Tools, kept_of
from rdcompute.criteria import criterion_of, is_control
from rdcompute.criteria.gradient import batch_gradient, flat, training_gradient
from rdcompute.device_data import Batch
from rdcompute.masks import achieved_ratio, keep_fraction, kept_count, split_mask, top_k_mask
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
        masks = _masks(cell, model, tools, meta)
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


def _masks(cell: Cell, model: nn.Module, tools: Tools, meta: dict[str, Any]) -> Masks:
    """Return the masks of a criterion; one whose gradient is that of a batch moves the model's batch statistics."""
    criterion = criterion_of(cell.method)
    theta, biases = weight_vector(model), np.empty(0)
    gradient = None
    if criterion.needs_gradient and criterion.gradient == "batch":
        parts = batch_gradient(model, *_batch(cell, tools))
        biases, gradient = _biases(model), np.concatenate(parts)
    elif criterion.needs_gradient:
        gradient = _training_gradient(cell, model, tools)
    name = f"mask/{cell.seed}/{cell.dataset_label}/{cell.arch}/{cell.method}/{cell.ratio:g}"
    everything = np.concatenate([theta, biases])
    scores = criterion.score(everything, gradient, cell.settings.weight_decay, stream(cell.root_seed, name))
    scores, others = np.split(scores, [theta.size])
    if criterion.keep is not None and cell.match is None:
        mask = criterion.keep(scores, others, keep_fraction(tools.counts(cell), cell.ratio))
    else:  # matched, the released criteria rank as their own rule does, by |s|
        ranks = scores if criterion.keep is None else np.abs(scores)
        mask = top_k_mask(ranks, np.abs(theta), _number_to_keep(cell, tools, meta))
    return split_mask(mask, layer_shapes(model))


def _biases(model: nn.Module) -> NDArray[np.float64]:
    return flat(layer.bias for layer in prunable_layers(model).values() if layer.bias is not None)


def _batch(cell: Cell, tools: Tools) -> Batch:
    """Return one augmented batch of training images, the same for all methods and ratios of a seed.

    As large as those of training: the released code takes one from the loader that trains.
    """
    name = f"batch/{cell.seed}/{cell.dataset_label}/{cell.arch}"
    return next(tools.data.epoch((name, f"{name}/augment"), cell.settings.batch_size))


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
