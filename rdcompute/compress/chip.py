"""CHIP: the channels that are least independent are removed, and the control that keeps them all."""

from __future__ import annotations

from torch import nn

from rdcompute.channels.feature_maps import Scores, channel_scores
from rdcompute.channels.selection import Selection, aligned, as_released, copy_weights
from rdcompute.compress.start import Start, Tools
from rdcompute.device_data import MEMORY_FORMATS
from rdcompute.method_settings import ChannelSettings
from rdcompute.models import ARCHITECTURES, build_narrow, narrow_counts
from rdcompute.plan import Cell
from rdcompute.widths import full_widths


def start(cell: Cell, tools: Tools) -> Start:
    """Return a smaller network of the dense one's most independent channels.

    That of the control has all channels, and differs from the dense one only where batch normalisation begins anew.
    """
    settings = cell.settings
    assert isinstance(settings, ChannelSettings)
    dense, dense_id = tools.dense_network(cell)
    data = tools.data
    widths = cell.widths or full_widths(ARCHITECTURES.get(cell.arch).n_blocks)
    if cell.widths is None:
        selection: Selection = as_released({}, widths)
    else:
        selection = (aligned if settings.aligned else as_released)(_scores(cell, dense, tools), widths)
    model = build_narrow(cell.arch, widths, data.n_classes, data.image_shape)
    model = model.to(data.train_labels.device).to(memory_format=MEMORY_FORMATS[settings.memory_format])
    copy_weights(dense, model, selection, copy_batchnorm=settings.copy_batchnorm)
    counts = narrow_counts(widths, data.n_classes, data.image_shape)
    return Start(model, {}, counts.layers, tools.counts(cell).total / counts.total, dense_id)


def _scores(cell: Cell, dense: nn.Module, tools: Tools) -> Scores:
    """Return the independence of the channels of the dense network, kept for its other cells."""
    key = cell.dense.key
    if key not in tools.independence:
        name = f"batch/{cell.seed}/{cell.dataset_label}/{cell.arch}/chip"
        scores = channel_scores(dense, tools.data, name)
        tools.independence.clear()
        tools.independence[key] = scores
    return tools.independence[key]
