"""Classes that lose and win: only where chance was seen and excluded, beside what all classes lost."""

import numpy as np

import rdstats
from rdstats.charts import figure_panels
from rdstats.report.losers import _points, class_changes, column_sentences, largest

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
