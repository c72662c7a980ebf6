"""UCI digits, which scikit-learn carries in its wheel: a real dataset without any download."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rdcompute.datasets.images import ImageData, Images
from rdcompute.datasets.spec import DatasetSpec
from rdcompute.datasets.split import stratified_holdout
from rdcompute.streams import stream
from rdstats.errors import InputError

SIZE = 28
N_TEST = 898  # half of the 1,797 images, about 90 a class
MEAN, STD = 0.3047, 0.3243  # channel_statistics of the training half
HOW_TO_GET = "pip install scikit-learn (part of the extra 'compute')"


def upsample(images: npt.NDArray[np.integer]) -> Images:
    """Enlarge 8x8 images with values 0..16 to 28x28 with values 0..255, bilinearly.

    Pixel centres are aligned (output i lies at (4i - 5)/14 in input pixels) and edges repeat. Everything
    is an integer, up to one division that rounds half up, so the result is the same on every machine.

    Parameters
    ----------
    images
        Integers 0..16, shape (N, 8, 8).

    Returns
    -------
    uint8, shape (N, 28, 28, 1).
    """
    below, part = np.divmod(4 * np.arange(SIZE) - 5, 14)
    weights = np.zeros((SIZE, 8), dtype=np.int64)  # in 1/14
    np.add.at(weights, (np.arange(SIZE), np.clip(below, 0, 7)), 14 - part)
    np.add.at(weights, (np.arange(SIZE), np.clip(below + 1, 0, 7)), part)
    enlarged = weights @ images.astype(np.int64) @ weights.T  # in 1/196 of 0..16
    scale = 196 * 16
    return ((2 * 255 * enlarged + scale) // (2 * scale)).astype(np.uint8)[..., np.newaxis]


def load(data_dir: Path | None = None) -> ImageData:
    """Load the digits, a fixed stratified half of them as the test set; `data_dir` plays no part.

    Raises
    ------
    InputError
        scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise InputError(f"dataset 'digits' needs scikit-learn: {HOW_TO_GET}") from error
    bunch = load_digits()
    images, labels = upsample(bunch.images.astype(np.int64)), bunch.target.astype(np.int64)
    train, test = stratified_holdout(labels, N_TEST, stream(0, "split/digits"))
    return ImageData(
        name="digits",
        train_images=images[train],
        train_labels=labels[train],
        test_images=images[test],
        test_labels=labels[test],
        class_names=tuple("0123456789"),
        mean=(MEAN,),
        std=(STD,),
    )


def locate(data_dir: Path | None = None) -> Path | None:
    """Return the folder of scikit-learn, None if it is not installed."""
    found = importlib.util.find_spec("sklearn")
    return Path(found.origin).parent if found is not None and found.origin else None


SPEC = DatasetSpec(
    name="digits",
    loader=load,
    n_classes=10,
    image_shape=(1, SIZE, SIZE),
    description="handwritten digits, 899 and 898 grey images enlarged from 8x8 to 28x28 (UCI, 1998)",
    how_to_get=HOW_TO_GET,
    locate=locate,
    expected="scikit-learn installed",
    n_images=(1797 - N_TEST, N_TEST),
)
