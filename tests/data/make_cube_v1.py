"""Write cube_v1.nc, the frozen cube of schema version 1: python tests/data/make_cube_v1.py

The file is kept, not made anew: files of an old schema must open for ever.  No random numbers, so that the
same cube comes out anywhere.
"""

from pathlib import Path

import numpy as np

from rdstats.cube import DONE, FAILED, MISSING, CubeWriter

PATH = Path(__file__).with_name("cube_v1.nc")
COORDS = {
    "seed": [0, 1, 2],
    "dataset": ["quad", "duo"],
    "arch": ["net"],
    "method": ["sham", "mp"],
    "ratio": np.array([1.0, 2.0, 4.0]),
    "true_class": [0, 1, 2, 3],
    "predicted_class": [0, 1, 2, 3],
    "sample": 80,
    "layer": ["conv", "fc"],
}
LABELS = {"quad": np.arange(80) % 4, "duo": np.arange(50) % 2}
PLANNED = {"quad": [("sham", 1.0), ("mp", 2.0), ("mp", 4.0)], "duo": [("sham", 1.0), ("mp", 2.0)]}
UNFINISHED = {(2, "quad", "mp", 4.0): FAILED, (1, "duo", "mp", 2.0): MISSING}


def predictions(labels: np.ndarray, number: int) -> np.ndarray:
    """Return labels with errors at places that look irregular, more of them in higher classes and numbers."""
    n_classes = labels.max() + 1
    mixed = (np.arange(len(labels)) * 7919 + number * 104729) % 1009
    wrong = mixed % 101 < 8 + 6 * labels + number % 13
    return np.where(wrong, (labels + 1 + mixed % (n_classes - 1)) % n_classes, labels)


def confusion(labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return the matrix of counts by true and predicted class."""
    matrix = np.zeros((labels.max() + 1,) * 2, int)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix


def main() -> None:
    """Write the cube."""
    attrs = {"title": "frozen cube of schema version 1", "source": "rdcompute", "root_seed": 0, "scaled": ""}
    with CubeWriter(PATH, COORDS, attrs={**attrs, "provenance": "made by make_cube_v1.py"}) as writer:
        for dataset, labels in LABELS.items():
            names = np.array([f"{dataset} {c}" for c in range(labels.max() + 1)], object)
            writer.put({"dataset": dataset}, label=labels, class_name=names)
        number = 0
        for seed in COORDS["seed"]:
            for dataset, labels in LABELS.items():
                where = {"seed": seed, "dataset": dataset, "arch": "net"}
                before = predictions(labels, number)
                writer.put(where, confusion_dense=confusion(labels, before), prediction_dense=before)
                writer.put(where, dense_id=f"{dataset}{seed}")
                for method, ratio in PLANNED[dataset]:
                    number += 1
                    cell = {**where, "method": method, "ratio": ratio}
                    state = UNFINISHED.get((seed, dataset, method, ratio), DONE)
                    writer.put(cell, status=state)
                    if state == DONE:
                        after = predictions(labels, number * 3)
                        writer.put(cell, confusion=confusion(labels, after), prediction=after)
                        kept = np.array([100 // ratio, 30 // ratio])
                        writer.put(cell, achieved_ratio=ratio, kept_weights=kept)


if __name__ == "__main__":
    main()
