"""What must be known of a dataset after its images have been let go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rdcompute import datasets
from rdcompute.datasets.images import Labels
from rdcompute.grid import dataset_label
from rdcompute.image_parts import n_training
from rdcompute.plan import Cell, Plan
from rdcompute.streams import stream
from rdstats.errors import InputError


@dataclass(frozen=True, eq=False)
class ImageFacts:
    """Labels of the test set, names of the classes, number of training images, checksum of everything."""

    test_labels: Labels
    class_names: tuple[str, ...]
    n_train_images: int
    checksum: str

    @property
    def n_classes(self) -> int:
        return len(self.class_names)

    def n_train(self, cell: Cell) -> int:
        """Return how many images a cell trains on."""
        settings = cell.settings
        return n_training(self.n_train_images, self.n_classes, settings.train_fraction, settings.validation)


def image_facts(plan: Plan, data_dir: Path | None) -> dict[str, ImageFacts]:
    """Read every dataset of a plan, one at a time, so that no two are in memory.

    Raises
    ------
    InputError
        A dataset that is not there, damaged, or too small for a hold-out: now, rather than in every cell.
    """
    return {name: _facts(datasets.load(name, data_dir)) for name in plan.datasets}


def checksums(facts: Mapping[str, ImageFacts]) -> dict[str, str]:
    """Return the checksums of the datasets as the cube names them."""
    return {dataset_label(name): fact.checksum for name, fact in facts.items()}


def _facts(data: datasets.ImageData) -> ImageFacts:
    labels = data.train_labels
    try:
        datasets.stratified_holdout(labels, datasets.holdout_size(len(labels)), stream(0, "check"))
    except InputError as error:
        raise InputError(f"dataset '{data.name}': {error}") from None
    return ImageFacts(data.test_labels, data.class_names, len(labels), data.checksum())
