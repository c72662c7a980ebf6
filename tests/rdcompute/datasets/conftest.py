"""Small files in the formats of the real datasets."""

import gzip
import struct

import numpy as np
import pytest


def idx_bytes(array, magic=None):
    """Return an IDX file of unsigned bytes, with another magic number on request."""
    header = magic if magic is not None else bytes((0, 0, 8, array.ndim))
    return header + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(np.uint8).tobytes()


@pytest.fixture
def small_idx():
    """Images and labels of both parts by the names of MNIST's files, as arrays."""
    rng = np.random.default_rng(0)
    return {
        "train-images-idx3-ubyte": rng.integers(0, 256, (30, 28, 28), dtype=np.uint8),
        "train-labels-idx1-ubyte": np.arange(30) % 10,
        "t10k-images-idx3-ubyte": rng.integers(0, 256, (20, 28, 28), dtype=np.uint8),
        "t10k-labels-idx1-ubyte": np.arange(20) % 10,
    }


@pytest.fixture
def write_idx():
    """Write arrays as IDX files into a folder, ``compress`` choosing the names that become .gz."""

    def write(folder, arrays, compress=()):
        folder.mkdir(parents=True, exist_ok=True)
        for name, array in arrays.items():
            content = idx_bytes(array)
            if name in compress:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
            else:
                (folder / name).write_bytes(content)

    return write
