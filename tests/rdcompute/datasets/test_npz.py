"""Archives of one's own: what is accepted, and every way in which one can be wrong."""

import zipfile

import numpy as np
import pytest

from rdcompute.datasets import dataset_spec, load, locate, status
from rdstats.errors import InputError

RNG = np.random.default_rng(0)
GREY = {
    "train_images": RNG.integers(0, 256, (12, 9, 11), dtype=np.uint8),
    "train_labels": np.arange(12) % 3,
    "test_images": RNG.integers(0, 256, (6, 9, 11), dtype=np.uint8),
    "test_labels": np.arange(6) % 3,
}
RGB = {
    **GREY,
    "train_images": RNG.integers(0, 256, (12, 9, 11, 3), dtype=np.uint8),
    "test_images": RNG.integers(0, 256, (6, 9, 11, 3), dtype=np.uint8),
}
KERAS = dict(zip(("x_train", "y_train", "x_test", "y_test"), GREY.values(), strict=True))


def write(tmp_path, arrays, name="mine.npz", compressed=True):
    path = tmp_path / name
    (np.savez_compressed if compressed else np.savez)(path, **arrays)
    return path


def as_uint8_column(arrays):
    return {key: a[:, None].astype(np.uint8) if "labels" in key else a for key, a in arrays.items()}


@pytest.mark.parametrize(
    ("arrays", "image_shape", "augment"),
    [
        (GREY, (1, 9, 11), "none"),
        (KERAS, (1, 9, 11), "none"),
        ({**GREY, "train_images": GREY["train_images"][..., None]}, (1, 9, 11), "none"),
        (as_uint8_column(GREY), (1, 9, 11), "none"),  # MedMNIST
        (RGB, (3, 9, 11), "crop-flip"),
        (
            {**as_uint8_column(RGB), "val_images": np.zeros(3), "val_labels": np.zeros(1)},
            (3, 9, 11),
            "crop-flip",
        ),
        ({key: np.asfortranarray(array) for key, array in RGB.items()}, (3, 9, 11), "crop-flip"),
        ({**GREY, "train_labels": GREY["train_labels"].astype(">i2")}, (1, 9, 11), "none"),
    ],
)
@pytest.mark.parametrize("compressed", [True, False])
def test_what_is_accepted(tmp_path, arrays, image_shape, augment, compressed):
    path = write(tmp_path, arrays, compressed=compressed)
    data = load(str(path))
    images = arrays["x_train" if "x_train" in arrays else "train_images"]
    np.testing.assert_array_equal(data.train_images.reshape(images.shape), images)
    np.testing.assert_array_equal(data.train_labels, np.arange(12) % 3)
    np.testing.assert_array_equal(data.test_labels, np.arange(6) % 3)
    assert data.test_images.shape == (6, *image_shape[1:], image_shape[0])
    assert (data.name, data.image_shape, data.augment) == ("mine", image_shape, augment)
    assert data.class_names == ("0", "1", "2")
    spec = dataset_spec(str(path))
    assert (spec.name, spec.n_classes, spec.image_shape, spec.augment) == ("mine", 3, image_shape, augment)
    assert spec.loader(None).checksum() == data.checksum()


def test_statistics_are_those_of_the_training_images(tmp_path):
    data = load(str(write(tmp_path, RGB)))
    scaled = RGB["train_images"] / 255
    assert data.mean == tuple(scaled.mean((0, 1, 2)).round(4).tolist())
    assert data.std == tuple(scaled.std((0, 1, 2)).round(4).tolist())


@pytest.mark.parametrize("names", [np.array(["a", "b", "c", "d"]), np.array([b"a", b"b", b"c", b"d"])])
def test_class_names_decide_the_number_of_classes(tmp_path, names):
    path = write(tmp_path, {**GREY, "class_names": names})
    assert load(str(path)).class_names == ("a", "b", "c", "d")  # class d has no image
    assert dataset_spec(str(path)).n_classes == 4


def test_a_path_is_relative_to_the_data_folder_or_absolute(tmp_path, monkeypatch):
    path = write(tmp_path, GREY)
    (tmp_path / "other").mkdir()
    assert locate("mine.npz", tmp_path) == path
    assert locate(str(path), tmp_path / "other") == path
    assert locate("mine.npz", tmp_path / "other") is None
    monkeypatch.setenv("RD_DATA_DIR", str(tmp_path))
    assert locate("mine.npz") == path


def test_status(tmp_path):
    path = write(tmp_path, GREY)
    found, absent = status("mine.npz", tmp_path), status("absent.npz", tmp_path)
    assert (found.name, found.present, found.where) == ("mine", True, path)
    assert (absent.present, absent.where, absent.expected) == (False, None, str(tmp_path / "absent.npz"))


def without(key):
    return {other: array for other, array in GREY.items() if other != key}


WRONG = {
    "missing key": (without("test_labels"), r"lacks test_labels; found: test_images.*accepted: train_images"),
    "nothing": ({}, "lacks train_images, .*found: nothing"),
    "float images": ({**GREY, "train_images": GREY["train_images"] / 255}, "'train_images' holds float64"),
    "int images": ({**GREY, "test_images": GREY["test_images"].astype(int)}, "'test_images' holds int64"),
    "flat images": ({**GREY, "train_images": GREY["train_images"][0]}, r"'train_images' has shape \(9, 11\)"),
    "two channels": ({**RGB, "train_images": RGB["train_images"][..., :2]}, r"shape \(12, 9, 11, 2\)"),
    "channels first": ({**RGB, "train_images": RGB["train_images"].transpose(0, 3, 1, 2)}, "or 3"),
    "no images": ({**GREY, "test_images": GREY["test_images"][:0]}, r"'test_images' has shape \(0, 9, 11\)"),
    "other size": (
        {**GREY, "test_images": GREY["test_images"][:, 1:]},
        "accepted: the same size and channels",
    ),
    "grey and colour": ({**RGB, "test_images": GREY["test_images"]}, "accepted: the same size and channels"),
    "float labels": ({**GREY, "train_labels": GREY["train_labels"] * 1.0}, "'train_labels' holds float64"),
    "bool labels": ({**GREY, "test_labels": GREY["test_labels"] > 0}, "'test_labels' holds bool"),
    "text labels": ({**GREY, "test_labels": np.array(list("abcabc"))}, "'test_labels' holds <U1"),
    "multi-label": ({**GREY, "train_labels": np.zeros((12, 14), int)}, r"accepted: \(12,\) or \(12, 1\)"),
    "fewer labels": ({**GREY, "train_labels": GREY["train_labels"][1:]}, r"'train_labels' has shape \(11,\)"),
    "negative": ({**GREY, "train_labels": GREY["train_labels"] - 1}, "has labels from -1 to 1"),
    "enormous": (
        {**GREY, "train_labels": np.full(12, 2**64 - 1, np.uint64)},
        "labels from 18446744073709551615",
    ),
    "skipped": ({**GREY, "train_labels": GREY["train_labels"] * 2}, "goes up to 4 but skips 1"),
    "not from 0": ({**GREY, "train_labels": GREY["train_labels"] + 1}, "goes up to 3 but skips 0"),
    "test only": (
        {**GREY, "test_labels": GREY["test_labels"] + 1},
        "'test_labels' has label 3; accepted: 0 to 2",
    ),
    "one class": (
        {**GREY, "train_labels": np.zeros(12, int), "test_labels": np.zeros(6, int)},
        "has 1 class; accepted: 2 or more",
    ),
    "few names": ({**GREY, "class_names": np.array(["a", "b"])}, "has label 2; accepted: 0 to 1"),
    "same names": (
        {**GREY, "class_names": np.array(["a", "b", "a"])},
        "'class_names' has duplicates: a, b, a",
    ),
    "number names": ({**GREY, "class_names": np.arange(3)}, "'class_names' has .* accepted: a list of texts"),
    "nested names": ({**GREY, "class_names": np.array([["a"], ["b"]])}, "accepted: a list of texts"),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("function", [load, dataset_spec])
def test_wrong_arrays(tmp_path, case, function):
    arrays, message = WRONG[case]
    path = write(tmp_path, arrays)
    with pytest.raises(InputError, match=message) as caught:
        function(str(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_channel_that_never_varies(tmp_path):
    images = RGB["train_images"].copy()
    images[..., 1] = 7
    with pytest.raises(InputError, match="channel 1 of 'train_images' never varies"):
        load(str(write(tmp_path, {**RGB, "train_images": images})))


@pytest.mark.parametrize("key", ["train_labels", "class_names", "train_images"])
def test_pickles_are_not_read(tmp_path, key):
    objects = np.array([{"a": 1}] * 12, dtype=object)
    with pytest.raises(InputError, match=rf"not a readable \.npz archive: '{key}.npy' holds Python objects"):
        load(str(write(tmp_path, {**GREY, key: objects})))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a readable"),
        (b"PK\x03\x04", "not a readable"),
        (b"<html>", "not a readable"),
        (None, "no such file"),
    ],
)
def test_files_that_are_no_archive(tmp_path, content, message):
    path = tmp_path / "mine.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=f"mine.npz: {message}"):
        load("mine.npz", tmp_path)


def test_a_folder_of_that_name(tmp_path):
    (tmp_path / "mine.npz").mkdir()
    assert locate("mine.npz", tmp_path) is None
    with pytest.raises(InputError, match=r"mine\.npz: cannot be read"):
        load("mine.npz", tmp_path)


def test_a_single_array_under_that_name(tmp_path):
    with (tmp_path / "mine.npz").open("wb") as file:
        np.save(file, GREY["train_images"])
    with pytest.raises(InputError, match=r"not a readable \.npz archive"):
        load("mine.npz", tmp_path)


def test_a_member_that_is_no_array(tmp_path):
    path = write(tmp_path, GREY)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("notes.txt", "hello")
    with pytest.raises(InputError, match=r"not a readable \.npz archive: .*magic string"):
        load(str(path))


def test_a_header_that_promises_more_than_there_is(tmp_path):
    path = tmp_path / "mine.npz"
    header = {"descr": "|u1", "fortran_order": False, "shape": (10**9, 28, 28)}
    with zipfile.ZipFile(path, "w") as archive:
        for key in GREY:
            with archive.open(f"{key}.npy", "w") as member:
                np.lib.format.write_array_header_1_0(member, header)
                member.write(b"\0" * 28)
    with pytest.raises(InputError, match=r"has 28 bytes for shape \(1000000000, 28, 28\)"):
        load(str(path))


@pytest.mark.parametrize("compressed", [True, False])
def test_truncated_files(tmp_path, compressed):
    path = write(tmp_path, GREY, compressed=compressed)
    content = path.read_bytes()
    for length in range(0, len(content), 97):
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match=r"not a readable \.npz archive"):
            load(str(path))


@pytest.mark.parametrize("compressed", [True, False])
def test_a_damaged_byte_is_noticed_or_harmless(tmp_path, compressed):
    path = write(tmp_path, GREY, compressed=compressed)
    content = bytearray(path.read_bytes())
    checksum = load(str(path)).checksum()
    n_noticed, positions = 0, range(0, len(content), 29)
    for position in positions:
        damaged = bytearray(content)
        damaged[position] ^= 0x5A
        path.write_bytes(damaged)
        try:
            assert load(str(path)).checksum() == checksum  # a date or another field that means nothing
        except InputError:
            n_noticed += 1
    assert n_noticed > 0.8 * len(positions)
