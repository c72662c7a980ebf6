"""Classes that lose and win: only where chance was seen and excluded, beside what all classes lost."""

import re

import numpy as np
import pytest

import rdstats
from rdstats.charts import figure_panels
from rdstats.report import finding, findings
from rdstats.report.losers import _points, class_changes, column_sentences, judged, largest

BEFORE = np.array([90, 80, 70, 60])


def cube(change, noise=((0, 0, 0, 0),) * 6):
    """Six seeds of 100 images a class: the images right before, and after `change` and each seed's `noise`."""

    def matrices(right):
        result = np.zeros((len(right), 4, 4))
        for c in range(4):
            result[:, c, c], result[:, c, (c + 1) % 4] = right[:, c], 100 - right[:, c]
        return result

    dense = np.repeat(BEFORE[None], 6, axis=0)
    after = dense + np.array(change) + np.array(noise)
    return rdstats.build(
        matrices(dense), matrices(after)[:, None], dims=("seed", "method"), coords={"method": ["mp"]},
        class_names=["cat", "dog", "bird", "fish"],
    )  # fmt: skip


NOISE = ((1, 1, 1, 0), (-1, 0, 2, 0), (0, -1, -2, 0), (1, 1, 0, 0), (-1, -1, 1, 0), (0, 0, -2, 0))


def test_a_change_that_every_seed_repeats_says_nothing_of_chance():
    """fish loses ten points in all six seeds alike: no variation, so no inference."""
    analysis = rdstats.analyze(cube((-20, 0, 0, -10), NOISE))
    losers, winners = largest(class_changes(analysis))
    assert [change.record["class_name"] for change in losers] == ["cat"]
    assert winners == []
    (panel,) = figure_panels(analysis, "classes")
    told = {row["text"].partition(":")[0]: row["text"] for row in panel.rows}
    assert told["cat"].endswith("loses")
    assert told["fish"].startswith("fish: recall 0.600 to 0.500")
    assert told["fish"].endswith("undecided")


def test_losers_beyond_the_loss_of_accuracy_are_counted():
    analysis = rdstats.analyze(cube((-20, -3, -4, 0), NOISE))
    ((column, text),) = column_sentences(analysis, class_changes(analysis))
    assert column == "All networks"
    assert "lose" in text
    assert "1 of the losers beyond the change of accuracy" in text
    assert "(accuracy -6.8 points)" in text
    alike = rdstats.analyze(cube((-10, -10, -10, -10), [[*row[:3], row[0]] for row in NOISE]))
    ((_, text),) = column_sentences(alike, class_changes(alike))
    assert text.startswith("4 of 4 classes lose: ")
    assert "none of the losers beyond the change of accuracy" in text


def test_points_are_never_minus_zero():
    assert [_points(value) for value in (-0.031, 0.0, -0.0, -0.0004, 0.00002, 1e-9)] == [
        "-3.1", "0.0", "0.0", "-0.04", "+0.002", "0.0",
    ]  # fmt: skip


NAMES = ["cat", "dog", "bird", "fish"]
LABELS = np.repeat(np.arange(4), 200)
RIGHT = np.where(np.arange(800) % np.repeat([5, 4, 4, 5], 200) == 0, (LABELS + 1) % 4, LABELS)


def compared(how):
    """A pair of which cat loses 32 points and fish wins 20: its predictions, or its two matrices alone."""
    after = RIGHT.copy()
    after[:80] = 1
    after[600:] = 3
    if how == "predictions":
        return rdstats.compare(RIGHT, after, labels=LABELS, classes=NAMES)
    matrices = [np.histogram2d(LABELS, part, bins=[np.arange(5)] * 2)[0] for part in (RIGHT, after)]
    return rdstats.compare(*matrices, classes=NAMES)


@pytest.mark.parametrize(("how", "rule"), [
    ("predictions", "Decided by McNemar's test, corrected by Holm over the classes;"),
    ("matrices", "Decided by intervals over test images, whatever images both models get right, simultaneous at 95%"),
])  # fmt: skip
def test_the_finding_of_one_pair_names_what_the_comparison_names(how, rule):
    found = compared(how)
    level = found.source.level
    own = [(c.record["class_name"], c.value, c.record["lower"], c.record["upper"], c.sure)
           for c in class_changes(found.analysis)]  # fmt: skip
    assert own == [(c.record["class_name"], c.value, c.record["lower"], c.record["upper"], c.sure)
                   for c in judged(found.classes, level)]  # fmt: skip
    first = findings(found.analysis).sentences[0]
    assert first.startswith("On these test images: 1 of 4 classes loses: cat -32.0 points (")
    assert "1 of 4 classes wins: fish +20.0 points (" in first
    assert rule in first
    assert first.endswith("another training run may change other classes.")
    told = re.search(r"cat -32.0 points \([^)]*\)", first).group()
    assert told in found.summary()
    assert "no claim about compression is made" in findings(found.analysis).sentences[1]


def test_a_pair_without_a_change_beyond_chance_says_so():
    same = rdstats.compare(RIGHT, RIGHT, labels=LABELS, classes=NAMES)
    assert finding(same.analysis).startswith("On these test images: no class's change is beyond chance. Decided by Mc")


def test_single_classes_are_in_the_finding_of_one_pair_alone(pair_of_models):
    """Not where a control, several cells, several runs or a collapsed model would need more than a sentence."""
    after = RIGHT.copy()
    after[:80] = 1
    with_control = rdstats.compare(RIGHT, after, labels=LABELS, classes=NAMES, control=RIGHT)
    found = findings(with_control.analysis)
    assert found.classes.startswith("On these test images: 1 of 4 classes loses: cat -32.0")
    assert found.intensified.startswith("The control is of one training run only")
    gone = rdstats.compare(RIGHT, np.zeros_like(RIGHT), labels=LABELS, classes=NAMES).analysis
    for other in (pair_of_models, rdstats.analyze(cube((-20, 0, 0, -10), NOISE)), gone):
        assert findings(other).classes == ""
        assert len(findings(other).sentences) == 3
