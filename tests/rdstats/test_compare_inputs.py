"""What goes into a comparison: labels, classes, axes; and what is refused, in one line."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import rdstats
from rdstats.errors import InputError

BEFORE, AFTER = [[90, 10], [30, 70]], [[70, 30], [50, 50]]
LABELS = [0] * 6 + [1] * 6
GOOD = [0] * 7 + [1] * 5


def test_classes_are_the_labels_sorted_or_as_given():
    texts = np.array(["b", "a"])
    found = rdstats.compare(texts[GOOD], texts[LABELS], labels=texts[LABELS])
    assert found.cube["class_name"].values.tolist() == ["a", "b"]
    assert found.cube["confusion_dense"].values.tolist() == [[5, 1], [0, 6]]
    turned = rdstats.compare(texts[GOOD], texts[LABELS], labels=texts[LABELS], classes=["b", "a", "c"])
    assert turned.cube["class_name"].values.tolist() == ["b", "a", "c"]
    assert turned.cube["confusion_dense"].values.tolist() == [[6, 0, 0], [1, 5, 0], [0, 0, 0]]


def test_names_for_whole_numbers():
    found = rdstats.compare(GOOD, LABELS, labels=LABELS, classes=["cat", "dog"])
    assert found.cube["class_name"].values.tolist() == ["cat", "dog"]
    assert "class_name" not in rdstats.compare(GOOD, LABELS, labels=LABELS).cube
    others = rdstats.compare(np.array(GOOD) + 5, np.array(LABELS) + 5, labels=np.array(LABELS) + 5)
    assert others.cube["class_name"].values.tolist() == ["5", "6"]
    ordered = rdstats.compare(GOOD, LABELS, labels=LABELS, classes=[1, 0])
    assert ordered.cube["confusion_dense"].values.tolist() == [[5, 1], [0, 6]]


def test_whole_floats_and_booleans_are_labels():
    expected = rdstats.compare(GOOD, LABELS, labels=LABELS).to_dict()
    for kind in (float, bool):
        assert rdstats.compare(*(np.array(part, kind) for part in (GOOD, LABELS)), labels=LABELS).to_dict() == expected


def test_predictions_outside_the_classes():
    strange = [7, *GOOD[1:]]
    with pytest.raises(InputError, match=r"before: position 0: 7 is predicted but is none of the classes 0, 1; unk"):
        rdstats.compare(strange, LABELS, labels=LABELS)
    found = rdstats.compare(strange, LABELS, labels=LABELS, unknown="other")
    assert found.cube["class_name"].values.tolist() == ["0", "1", "other"]
    assert found.cube["confusion_dense"].values.tolist() == [[5, 0, 1], [1, 5, 0], [0, 0, 0]]
    assert [record["class_name"] for record in found.classes] == ["0", "1"]
    assert "class_name" not in rdstats.compare(GOOD, LABELS, labels=LABELS, unknown="other").cube
    with pytest.raises(InputError, match="a class is called 'other' already"):
        rdstats.compare(["x"] * 2, ["a", "other"], labels=["a", "other"], unknown="other")
    with pytest.raises(InputError, match=r"unknown: received 'othr'.*did you mean 'other'"):
        rdstats.compare(GOOD, LABELS, labels=LABELS, unknown="othr")


def test_missing_predictions():
    gap = [None, *GOOD[1:]]
    with pytest.raises(InputError, match="before: position 0: no value; a class is accepted in every row; unknown"):
        rdstats.compare(gap, LABELS, labels=LABELS)
    found = rdstats.compare(gap, LABELS, labels=LABELS, unknown="other")
    assert found.cube["confusion_dense"].values[0].tolist() == [5, 0, 1]
    texts = rdstats.compare(["a", None, "b"], ["a", "b", "b"], labels=["a", "b", "b"], unknown="other")
    assert texts.cube["confusion_dense"].values[1].tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"labels": [0, None] * 6}, "labels: position 1: no label"),
        ({"labels": ["a"] * 12}, "labels are texts, before holds whole numbers"),
        ({"labels": [0.5] * 12}, r"labels: class labels are accepted, got 0\.5"),
        ({"labels": [[0, 1]] * 6}, "labels: one label an image"),
        ({"labels": []}, "labels: one label an image"),
        ({"labels": [0, 1]}, r"before: 2 labels but predictions of shape \(12,\)"),
        ({"before": np.full((12, 2), 0.5)}, r"got 0\.5 \(scores\? take argmax\(-1\) first\)"),
        ({"before": np.ones((12, 2), int)}, r"12 labels but predictions of shape \(12, 2\) \(scores of classes\?"),
        ({"before": [GOOD, GOOD]}, r"before has shape \(2, 12\): its 1 leading axes need names"),
        ({"before": [GOOD], "dims": ["seed"]}, r"before has shape \(1, 12\), after \(12,\)"),
        ({"classes": [0]}, "labels: position 6: 1 is none of the classes 0"),
        ({"classes": [0, 0, 1]}, "classes: every class once"),
        ({"level": 95}, "level 95"),
        ({"control": [0]}, "control: 12 labels but predictions"),
    ],
)
def test_wrong_predictions(arguments, words):
    with pytest.raises(InputError, match=words) as error:
        rdstats.compare(**({"before": GOOD, "after": LABELS, "labels": LABELS} | arguments))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"before": GOOD}, "predictions need labels="),
        ({"before": [[0.9, 0.1], [0.3, 0.7]]}, "normalised matrices"),
        ({"after": np.ones((3, 3))}, r"before has shape \(2, 2\), after \(3, 3\)"),
        ({"after": [[90, 10], [30, 71]]}, "100 and 101 test images"),
        ({"after": [[90, -10], [130, 70]]}, "-10 at true_class=0, predicted_class=1"),
        ({"before": [BEFORE], "after": [AFTER]}, r"its 1 leading axes need names, such as dims=\('seed',\)"),
        ({"before": [BEFORE], "after": [AFTER], "dims": ("ratio",)}, "has no ratio; for grids"),
        ({"before": [[BEFORE]], "after": [[AFTER]], "dims": ("seed", "seed")}, "repeated name"),
        ({"classes": ["cat"]}, "classes: 2 names"),
        ({"before": pd.DataFrame(BEFORE, list("ab"), list("ab")), "after": pd.DataFrame(AFTER, list("ac"), list("ac"))},
         "before and after name their classes differently"),
        ({"control": [[1, 2, 3]]}, r"control \(1, 3\)"),
    ],
)  # fmt: skip
def test_wrong_matrices(arguments, words):
    with pytest.raises(InputError, match=words) as error:
        rdstats.compare(**({"before": BEFORE, "after": AFTER} | arguments))
    assert "\n" not in str(error.value)


def test_labelled_arrays_bring_their_names():
    stack = xr.DataArray(
        [BEFORE, BEFORE], dims=("seed", "true_class", "predicted_class"), coords={"true_class": ["cat", "dog"]}
    )
    found = rdstats.compare(stack, stack)
    assert found.cube["confusion"].dims[0] == "seed"
    assert found.cube["class_name"].values.tolist() == ["cat", "dog"]


def test_frames_in_another_order_are_refused():
    labels = pd.Series(LABELS)
    with pytest.raises(InputError, match="labels and before have one index in different orders"):
        rdstats.compare(pd.Series(GOOD).iloc[::-1], LABELS, labels=labels)
    held_out = pd.Series(LABELS, index=np.arange(12) + 100)  # a test split keeps the index of the whole
    rdstats.compare(pd.Series(GOOD), LABELS, labels=held_out)
    rdstats.compare(pd.Series(GOOD).iloc[::-1].to_numpy(), LABELS, labels=labels)
