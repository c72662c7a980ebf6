"""What a plan takes on a device that need not be here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rdcompute import datasets
from rdcompute.calibrate import Sample, samples_of
from rdcompute.criteria import is_control
from rdcompute.datasets import holdout_size
from rdcompute.estimate import Network, Timing, play
from rdcompute.image_parts import PAD, n_training
from rdcompute.plan import Cell, Plan
from rdcompute.projection.model import Cost, gpu_cost
from rdcompute.projection.profile import DeviceProfile, Precision
from rdcompute.projection.work import Shape, Work, count_work
from rdstats.errors import InputError

N_DEVICES = (1, 2, 4, 8)
"""Numbers of devices for which the time of the whole plan is told."""
ENOUGH = 1.05
"""More workers on a device are worth it as long as they save this much."""


@dataclass(frozen=True)
class ImageCounts:
    """Training and test images of a dataset."""

    n_train: int
    n_test: int


@dataclass(frozen=True)
class ProjectedNetwork:
    """One network on one device.

    Attributes
    ----------
    network : dataset, as a grid names it, and architecture.
    precision : that matrices are multiplied in.
    batch : images of a step.
    step : what a step of training takes of device and host.
    step_seconds : of each worker, as many as there are being busy.
    flops, n_bytes : of a step.
    memory_bytes : of each worker.
    """

    network: Network
    precision: Precision
    batch: int
    step: Cost
    step_seconds: float
    flops: float
    n_bytes: float
    memory_bytes: float

    @property
    def images_per_second(self) -> float:
        """Return the images that one worker trains on in a second."""
        return self.batch / self.step_seconds

    @classmethod
    def of(cls, sample: Sample, work: Work, step: Cost, seconds: float, memory_bytes: float) -> ProjectedNetwork:
        flops, n_bytes = (sum(getattr(one, name) for one in work.step) for name in ("flops", "n_bytes"))
        return cls(sample.network, precision_of(sample), work.batch, step, seconds, flops, n_bytes, memory_bytes)


@dataclass(frozen=True)
class Crowd:
    """So many workers on one device: seconds of the whole plan, and whether they have room."""

    per_device: int
    seconds: float
    fits: bool


@dataclass(frozen=True)
class Projection:
    """A plan on a device.

    Attributes
    ----------
    profile : None for the CPU of this machine, whose rates were measured.
    timings : what `rdcompute.estimate.play` takes.
    per_device : workers that share a device.
    crowds : one device with 1, 2, ... workers, up to the cores of its host; empty for the CPU.
    wall : seconds of the whole plan on so many devices, with `per_device` workers each.
    call_us : microseconds of calling an operation on the CPU of this machine; None elsewhere.
    """

    profile: DeviceProfile | None
    networks: tuple[ProjectedNetwork, ...]
    timings: dict[Network, Timing]
    per_device: int
    crowds: tuple[Crowd, ...]
    wall: dict[int, float]
    call_us: float | None = None

    @property
    def suggested(self) -> Crowd | None:
        """Return the fewest workers a device that take hardly longer than the best number; None if one is enough."""
        possible = [crowd for crowd in self.crowds if crowd.fits]
        best = min((crowd.seconds for crowd in possible), default=0.0)
        found = next((crowd for crowd in possible if crowd.seconds <= ENOUGH * best), None)
        return None if found is None or found.per_device == 1 else found


def image_counts(plan: Plan, data_dir: Path | None = None) -> dict[str, ImageCounts]:
    """Return how many images every dataset of a plan has; one of which only its files tell must be here.

    Raises
    ------
    InputError
        A dataset that is not known and not here.
    """
    return {name: _counts(name, spec, data_dir) for name, spec in plan.datasets.items()}


def _counts(name: str, spec: datasets.DatasetSpec, data_dir: Path | None) -> ImageCounts:
    if spec.n_images is not None:
        return ImageCounts(*spec.n_images)
    if not datasets.status(name, data_dir).present:
        raise InputError(f"dataset '{name}': how many images it has is known from its files only, and they are not on "
                         f"this machine; how to get them: {spec.how_to_get}")  # fmt: skip
    data = datasets.load(name, data_dir)
    return ImageCounts(len(data.train_labels), len(data.test_labels))


def work_of(sample: Sample, plan: Plan, device: str) -> Work:
    """Return the work of a sample's network, as fine-tuning has it."""
    cell = sample.trained
    spec = plan.datasets[cell.dataset]
    return count_work(
        Shape(cell.arch, cell.widths, spec.n_classes, spec.image_shape, is_cropped(cell, plan), device), cell.settings
    )


def is_cropped(cell: Cell, plan: Plan) -> bool:
    """Return whether a cell's training images are cropped and flipped."""
    augment = cell.settings.augment
    return (plan.datasets[cell.dataset].augment if augment == "auto" else augment) == "crop-flip"


def split_sizes(cell: Cell, counts: ImageCounts, n_classes: int) -> tuple[int, int]:
    """Return the images trained on and those validated on, as `Timing` has them."""
    settings = cell.settings
    n = n_training(counts.n_train, n_classes, settings.train_fraction, settings.validation)
    if settings.validation == "holdout":
        return n, holdout_size(counts.n_train)
    return n - holdout_size(n), holdout_size(n)


def project(
    plan: Plan, left: Sequence[Cell], finished: Collection[str], counts: Mapping[str, ImageCounts],
    profile: DeviceProfile, devices: Sequence[str],
) -> Projection:  # fmt: skip
    """Return what is left of a plan on a GPU; nothing is timed.

    Parameters
    ----------
    left, finished : cells to be computed, keys of those that are finished.
    counts : see `image_counts`.
    devices : the device of every worker; those that share one have equal names.

    Raises
    ------
    InputError
        A precision that the profile has no peak of.
    """
    shared = Counter(devices)
    per_device = max(shared.values())
    samples = samples_of(left)
    works = {sample.network: work_of(sample, plan, "cuda") for sample in samples}
    costs = {sample.network: _costs(sample, works[sample.network], profile) for sample in samples}

    def timings(n_sharing: int) -> dict[Network, Timing]:
        return {s.network: _timing(s, plan, counts, works[s.network], costs[s.network], profile, n_sharing)
                for s in samples}  # fmt: skip

    networks = []
    for sample in samples:
        work, (step, *_) = works[sample.network], costs[sample.network]
        seconds = step.seconds(per_device, profile.host_cores)
        room = _memory(sample, plan, counts, work, profile)
        networks.append(ProjectedNetwork.of(sample, work, step, seconds, room))
    largest = max((one.memory_bytes for one in networks), default=0.0)
    crowds = [
        Crowd(k, play(left, finished, timings(k), k).wall, k * largest <= profile.memory_gb * 1e9)
        for k in range(1, profile.host_cores + 1)
    ]
    own = timings(per_device)
    wall = wall_times(left, finished, own, per_device, len(shared))
    return Projection(profile, tuple(networks), own, per_device, tuple(crowds), wall)


def wall_times(
    left: Sequence[Cell], finished: Collection[str], timings: Mapping[Network, Timing], per_device: int, n_devices: int
) -> dict[int, float]:
    """Return the seconds of the whole plan on several numbers of devices, `n_devices` among them."""
    return {n: play(left, finished, timings, n * per_device).wall for n in sorted({*N_DEVICES, n_devices})}


def precision_of(sample: Sample) -> Precision:
    """Return what a network's matrices are multiplied in."""
    return sample.trained.settings.precision


def _costs(sample: Sample, work: Work, profile: DeviceProfile) -> tuple[Cost, Cost, Cost]:
    """Return what a step, a batch of evaluation and one of a gradient take; only steps are not always in float32."""
    return (
        gpu_cost(work.step, profile, precision_of(sample)), gpu_cost(work.evaluation, profile, "fp32"),
        gpu_cost(work.gradient, profile, "fp32"),
    )  # fmt: skip


def _timing(
    sample: Sample, plan: Plan, counts: Mapping[str, ImageCounts], work: Work, costs: tuple[Cost, Cost, Cost],
    profile: DeviceProfile, n_sharing: int,
) -> Timing:  # fmt: skip
    cell, count = sample.trained, counts[sample.trained.dataset]
    n_train, n_holdout = split_sizes(cell, count, plan.datasets[cell.dataset].n_classes)
    step, evaluation, gradient = (one.seconds(n_sharing, profile.host_cores) for one in costs)
    per_image = profile.order_us_per_image + (profile.augment_us_per_image if is_cropped(cell, plan) else 0.0)
    return Timing(
        n_train, n_holdout, count.n_test, per_image * 1e-6 * n_train, a_image(step, n_train, work.batch),
        a_image(evaluation, n_holdout, work.eval_batch),
        a_image(gradient, n_train, work.batch) if sample.gradient else 0.0,
        profile.cell_seconds, profile.cell_seconds,
    )  # fmt: skip


def a_image(seconds: float, n_images: int, batch: int) -> float:
    """Return the seconds an image where batches take `seconds`, the last one as long as the others."""
    return seconds * -(-n_images // batch) / n_images if n_images else 0.0


def _memory(
    sample: Sample, plan: Plan, counts: Mapping[str, ImageCounts], work: Work, profile: DeviceProfile
) -> float:
    """Return the bytes of a worker: network four times over, images, where they are cropped, and what a step makes."""
    cell, count = sample.trained, counts[sample.trained.dataset]
    channels, height, width = plan.datasets[cell.dataset].image_shape
    margin = 2 * PAD if is_cropped(cell, plan) else 0
    pixels = count.n_train * channels * (height + margin) * (width + margin) + count.n_test * channels * height * width
    offsets = 8 * count.n_train * (height + width) if margin else 0
    masks = 4 * work.n_parameters if not is_control(sample.compressed.method) else 0
    return pixels + offsets + masks + 16 * work.n_parameters + work.most_bytes + profile.worker_memory_gb * 1e9
