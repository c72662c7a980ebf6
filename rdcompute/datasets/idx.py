"""Reader of IDX files, the format of MNIST and its successors, plain or compressed with gzip.

Four bytes of magic (0, 0, type, number of dimensions), each dimension as a big-endian 32-bit integer, then
the values in row-major order. Only unsigned bytes (type 8) occur in image datasets.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rdstats.errors import InputError

UNSIGNED_BYTE = 8


def read_images(path: Path, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Read a file of grey images.

    Parameters
    ----------
    path
        IDX file of three dimensions, plain or gzip (told by its first bytes, not its name).
    size
        Height and width that the images have to have.

    Returns
    -------
    uint8 array of shape (N, H, W, 1).

    Raises
    ------
    InputError
        The file is missing, damaged, truncated, has trailing bytes, or holds something else.
    """
    images = read_idx(path, 3)
    if images.shape[1:] != size:
        raise InputError(
            f"{path}: images of {images.shape[1]}x{images.shape[2]} pixels; accepted: {size[0]}x{size[1]}"
        )
    return images[..., np.newaxis]


def read_labels(path: Path, n_images: int, n_classes: int) -> npt.NDArray[np.int64]:
    """Read the labels of `n_images` images.

    Returns
    -------
    int64 array of shape (n_images,), values 0 to n_classes - 1.

    Raises
    ------
    InputError
        As `read_images`; the number of labels is not that of the images; a label is out of range.
    """
    labels = read_idx(path, 1).astype(np.int64)
    if labels.size != n_images:
        raise InputError(f"{path}: {labels.size} labels for {n_images} images; accepted: one an image")
    if labels.max() >= n_classes:
        where = int(np.argmax(labels >= n_classes))
        raise InputError(f"{path}: label {labels[where]} at position {where}; accepted: 0 to {n_classes - 1}")
    return labels


def read_idx(path: Path, n_dims: int) -> npt.NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes with `n_dims` dimensions; raises InputError as `read_images`."""
    content = _content(path)
    start = 4 + 4 * n_dims
    if len(content) < start:
        raise InputError(f"{path}: {len(content)} bytes are too few for an IDX header of {start} bytes")
    magic = bytes((0, 0, UNSIGNED_BYTE, n_dims))
    if content[:4] != magic:
        raise InputError(
            f"{path}: first bytes {content[:4].hex()} are not those of an IDX file of unsigned bytes "
            f"with {n_dims} dimensions; accepted: {magic.hex()}"
        )
    shape = tuple(int(size) for size in np.frombuffer(content[4:start], dtype=">u4"))
    if not all(shape):
        raise InputError(f"{path}: the header says shape {shape}; accepted: every size at least 1")
    n_values, n_expected = len(content) - start, math.prod(shape)
    if n_values != n_expected:
        fault = "is truncated" if n_values < n_expected else "has trailing bytes"
        raise InputError(f"{path}: {fault}: {n_values} bytes after the header; accepted: {n_expected}")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape).copy()


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not (content.startswith(b"\x1f\x8b") or path.suffix == ".gz"):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: damaged gzip file: {error}") from error
