"""IDX files: what is read, and every way in which one can be wrong."""

import gzip
import struct

import numpy as np
import pytest

from rdcompute.datasets.idx import read_images, read_labels
from rdstats.errors import InputError

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
GOOD_IMAGES = bytes((0, 0, 8, 3)) + struct.pack(">3I", 2, 3, 4) + IMAGES.tobytes()
GOOD_LABELS = bytes((0, 0, 8, 1)) + struct.pack(">I", 4) + bytes((3, 0, 9, 1))


def write(tmp_path, content, name="file"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


PACKED = gzip.compress(GOOD_IMAGES, mtime=0)  # a time of day in it would be another test name on each worker


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain", GOOD_IMAGES),
        ("packed.gz", PACKED),
        ("packed-without-suffix", PACKED),
    ],
)
def test_images_plain_and_compressed(tmp_path, name, content):
    images = read_images(write(tmp_path, content, name), (3, 4))
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, IMAGES[..., None])


def test_labels(tmp_path):
    labels = read_labels(write(tmp_path, GOOD_LABELS), n_images=4, n_classes=10)
    assert labels.dtype == np.int64
    assert labels.tolist() == [3, 0, 9, 1]


def flipped(content, position):
    return content[:position] + bytes((content[position] ^ 0xFF,)) + content[position + 1 :]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 bytes are too few for an IDX header of 16 bytes"),
        (GOOD_IMAGES[:15], "15 bytes are too few"),
        (b"\1" + GOOD_IMAGES[1:], "first bytes 01000803 .* accepted: 00000803"),
        (b"\0\0\x0d\3" + GOOD_IMAGES[4:], "first bytes 00000d03"),
        (GOOD_LABELS + b"\0" * 20, "first bytes 00000801"),
        (GOOD_IMAGES[:-1], "is truncated: 23 bytes after the header; accepted: 24"),
        (GOOD_IMAGES[:16], "is truncated: 0 bytes"),
        (GOOD_IMAGES + b"\0", "has trailing bytes: 25 bytes"),
        (b"\0\0\x08\3" + b"\xff" * 12, "is truncated"),  # a size no machine could allocate
        (b"\0\0\x08\3" + struct.pack(">3I", 0, 3, 4), r"the header says shape \(0, 3, 4\)"),
        (
            b"\0\0\x08\3" + struct.pack(">3I", 2, 4, 3) + IMAGES.tobytes(),
            "images of 4x3 pixels; accepted: 3x4",
        ),
        (PACKED[:-9], "damaged gzip file"),
        (PACKED[:5], "damaged gzip file"),
        (flipped(PACKED, -6), "damaged gzip file"),  # the checksum
        (flipped(PACKED, 12), "damaged gzip file"),  # the data
        (PACKED + b"rest", "damaged gzip file"),
        (gzip.compress(GOOD_IMAGES + b"\0", mtime=0), "has trailing bytes"),
        (b"<html>not found</html>", "first bytes 3c68746d"),
    ],
)
def test_wrong_image_files(tmp_path, content, message):
    path = write(tmp_path, content)
    with pytest.raises(InputError, match=message) as caught:
        read_images(path, (3, 4))
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["missing", "folder"])
def test_a_file_that_cannot_be_read(tmp_path, kind):
    path = tmp_path if kind == "folder" else tmp_path / "absent"
    with pytest.raises(InputError, match="cannot be read"):
        read_images(path, (3, 4))


def test_text_under_the_name_of_a_gzip_file(tmp_path):
    with pytest.raises(InputError, match="damaged gzip file"):
        read_images(write(tmp_path, GOOD_IMAGES, "file.gz"), (3, 4))


@pytest.mark.parametrize(
    ("n_images", "n_classes", "message"),
    [
        (5, 10, "4 labels for 5 images"),
        (3, 10, "4 labels for 3 images"),
        (4, 9, "label 9 at position 2; accepted: 0 to 8"),
    ],
)
def test_labels_that_do_not_fit(tmp_path, n_images, n_classes, message):
    path = write(tmp_path, GOOD_LABELS)
    with pytest.raises(InputError, match=message) as caught:
        read_labels(path, n_images, n_classes)
    assert str(caught.value).startswith(f"{path}: ")
