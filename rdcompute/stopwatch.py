"""Time training steps, evaluation, gradient and the rest of a cell, through the very code that computes cells."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from rdcompute import datasets
from rdcompute.channels.feature_maps import N_IMAGES, channel_scores
from rdcompute.compress import load_state
from rdcompute.criteria.gradient import training_gradient
from rdcompute.device_data import MEMORY_FORMATS, Batch, DeviceData
from rdcompute.disk import specimen
from rdcompute.estimate import Timing
from rdcompute.lineage import beginning, content_hash, initial_network
from rdcompute.masks import split_mask, top_k_mask
from rdcompute.models import build_narrow, layer_shapes, parameter_counts, weight_vector
from rdcompute.plan import Cell
from rdcompute.rundir import RunDirectory
from rdcompute.training import fit, validate
from rdcompute.training_settings import TrainingSettings

ENOUGH = 1.0
"""Seconds of training steps that are timed, in `FEWEST` blocks or more."""
BLOCK = 0.05
"""Seconds of a block of steps: long enough that waiting for the device at its end does not count."""
FEWEST, TOO_LONG = 3, 5.0
"""Fewer repeats are enough once a timing has taken `TOO_LONG` seconds."""
MEASURED = 16
"""Images on which the measuring of channels is timed."""
_SMALL_RATE = ((1_000, 1e-9),)
"""Learning rate of the timed steps: nothing is learnt, so nothing can diverge."""


def clock(device: torch.device) -> float:
    """Return the time in seconds, once the device has done all that it was given."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
    return time.perf_counter()


def prepare(cell: Cell, device: str, data_dir: Path | None) -> tuple[DeviceData, datasets.DatasetSpec]:
    """Return the data of a cell on the device."""
    settings = cell.settings
    data = DeviceData.load(
        datasets.load(cell.dataset, data_dir), torch.device(device), root_seed=cell.root_seed,
        augment=settings.augment, train_fraction=settings.train_fraction, validation=settings.validation,
        memory_format=settings.memory_format,
    )  # fmt: skip
    return data, datasets.dataset_spec(cell.dataset, data_dir)


def time_network(
    dense: Cell, compressed: Cell, gradient: bool, prepared: tuple[DeviceData, datasets.DatasetSpec], device: str
) -> Timing:
    """Time what the cells of a network consist of.

    Training is timed with masks, as fine-tuning has them; to train without is faster by less than can be timed.  Of a
    network that has lost channels, which has none, it is its own training that is timed.
    """
    data, spec = prepared
    where = torch.device(device)
    trained = dense if compressed.widths is None else compressed
    settings = trained.settings
    full = _placed(initial_network(dense, spec.n_classes, spec.image_shape), settings, where)
    network = full if compressed.widths is None else _placed(
        build_narrow(compressed.arch, compressed.widths, spec.n_classes, spec.image_shape), settings, where
    )  # fmt: skip
    start, step = _time_steps(network, trained, data, where)
    # as many images as train in a second or two: a slow network shows its pace on fewer
    n = max(1, min(settings.eval_batch_size, round(2 * ENOUGH / step)))
    timed = settings.model_copy(update={"eval_batch_size": n, "keep": "best"})
    part = replace(data, holdout_images=data.test_images[:n], holdout_labels=data.test_labels[:n])
    evaluating = _repeat(lambda: validate(network, part, timed), where) / len(part.holdout_labels)
    images, labels = data.train_images[:n], data.train_labels[:n]
    ranking = _repeat(
        lambda: training_gradient(network, images, labels, data.normalize, settings.batch_size), where
    ) / len(labels) if gradient else 0.0  # fmt: skip
    few = min(MEASURED, data.n_train)
    measuring = 0.0 if compressed.widths is None else (
        _repeat(lambda: channel_scores(full, data, "timing", few), where) / few * min(N_IMAGES, data.n_train)
    )  # fmt: skip
    rest = [_time_rest(dense, compressed, data, spec, where) for _ in range(2)][-1]
    n_holdout = len(data.holdout_labels) if settings.validation == "holdout" else datasets.holdout_size(data.n_train)
    n_train = data.n_train - (0 if settings.validation == "holdout" else n_holdout)
    return Timing(
        n_train, n_holdout, len(data.test_labels), start, step, evaluating, ranking, *rest, channels=measuring
    )


def _placed(network: nn.Module, settings: TrainingSettings, device: torch.device) -> nn.Module:
    return network.to(device).to(memory_format=MEMORY_FORMATS[settings.memory_format])


def _time_steps(network: nn.Module, cell: Cell, data: DeviceData, device: torch.device) -> tuple[float, float]:
    """Return the seconds before the first step of an epoch, and the seconds an image of the steps."""
    shapes = layer_shapes(network) if cell.widths is None else {}
    masks = {name: torch.ones(shape, dtype=torch.bool) for name, shape in shapes.items()}
    watch = _Watch(data, lambda: clock(device))
    with contextlib.suppress(_Enough):
        fit(network, cast(DeviceData, watch), _SMALL_RATE, cell.settings, stream_name="timing", masks=masks)
    return watch.result()


class _Enough(Exception):
    """Leaves a training whose steps have been timed."""


@dataclass
class _Watch:
    """A dataset whose epochs note when batches are asked for: in between, the loop has made its steps."""

    data: DeviceData
    clock: Callable[[], float]
    starts: list[float] = field(default_factory=list)
    blocks: list[tuple[float, int]] = field(default_factory=list)
    n_steps: int = 1  # of a block
    spent: float = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.data, name)

    def epoch(self, streams: tuple[str, str], batch_size: int) -> Iterator[Batch]:
        begun = self.clock()
        mark, n_images, n_steps = begun, 0, 0
        for batch in self.data.epoch(streams, batch_size):
            if n_steps == self.n_steps:
                now = self.clock()
                self._note(now - mark, n_images, n_steps)
                mark, n_images, n_steps = now, 0, 0
            elif mark == begun:
                mark = self.clock()
                self.starts.append(mark - begun)
            yield batch
            n_images += len(batch[1])
            n_steps += 1
        self._note(self.clock() - mark, n_images, n_steps)

    def _note(self, seconds: float, n_images: int, n_steps: int) -> None:
        """Keep a block of steps; the first ones, in which memory is reserved, are told apart by `result`."""
        self.blocks.append((seconds, n_images))
        self.spent += seconds
        if len(self.blocks) == 2:
            self.n_steps = max(1, round(BLOCK * n_steps / seconds))
        if len(self.blocks) >= 2 + (FEWEST if self.spent < TOO_LONG else 0) and self.spent >= ENOUGH:
            raise _Enough

    def result(self) -> tuple[float, float]:
        """Return the median start of an epoch and the median seconds an image, without the first blocks."""
        warm = self.blocks[2:] or self.blocks[-1:]
        whole = max(n for _, n in warm) / 2  # what is left at the end of an epoch may be a single image
        return statistics.median(self.starts), statistics.median(s / n for s, n in warm if n >= whole)


def _repeat(task: Callable[[], object], device: torch.device) -> float:
    """Return the median seconds of a task, the first time not counted unless it took long."""
    seconds: list[float] = []
    while sum(seconds) < ENOUGH / 4 or len(seconds) < FEWEST + 1:
        begun = clock(device)
        task()
        seconds.append(clock(device) - begun)
        if sum(seconds) >= TOO_LONG:
            break
    return statistics.median(seconds[1:] or seconds)


def _time_rest(
    dense: Cell, compressed: Cell, data: DeviceData, spec: datasets.DatasetSpec, device: torch.device
) -> tuple[float, float]:
    """Return the seconds of a dense and of a compressed cell beside epochs and test, in a temporary folder."""
    counts = parameter_counts(dense.arch, spec.n_classes, spec.image_shape)
    results = [specimen(cell, spec, counts, len(data.test_labels)) for cell in (dense, compressed)]
    with tempfile.TemporaryDirectory(prefix="rd-plan-") as folder:
        run = RunDirectory(Path(folder), {})
        begun = clock(device)
        network = initial_network(dense, spec.n_classes, spec.image_shape).to(device)
        beginning(dense, network, data.n_train)
        content_hash({name: tensor.cpu().numpy() for name, tensor in network.state_dict().items()})
        run.save(dense.key, results[0], dense.content())
        middle = clock(device)
        network = initial_network(dense, spec.n_classes, spec.image_shape).to(device)
        result = run.load(dense.key)
        assert result is not None
        load_state(network, result)
        theta = np.abs(weight_vector(network))
        split_mask(top_k_mask(theta, theta, theta.size // 2), layer_shapes(network))
        run.save(compressed.key, results[1], compressed.content())
        return middle - begun, clock(device) - middle
