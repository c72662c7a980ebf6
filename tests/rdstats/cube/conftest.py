"""One example cube with everything that can go missing, written cell by cell."""

from types import SimpleNamespace

import numpy as np
import pytest

from rdstats.cube import DONE, FAILED, MISSING, CubeWriter, open_cube

COORDS = {
    "seed": [0, 1, 2],
    "dataset": ["tri", "duo"],
    "arch": ["net"],
    "method": ["sham", "mp"],
    "ratio": [1.0, 2.0, 4.0],
    "true_class": [0, 1, 2],
    "predicted_class": [0, 1, 2],
    "sample": 12,
    "layer": ["conv", "fc"],
}
ATTRS = {
    "source": "rdcompute",
    "root_seed": 0,
    "seeds": [0, 1, 2],
    "provenance": '{"host": "here"}',
}
LABELS = {"tri": np.repeat([0, 1, 2], 4), "duo": np.repeat([0, 1], 4)}
PLANNED = {"tri": [("sham", 1.0), ("mp", 2.0), ("mp", 4.0)], "duo": [("sham", 1.0), ("mp", 2.0)]}
STATUS = {(2, "tri", "mp", 4.0): FAILED, (2, "duo", "mp", 2.0): MISSING}


def confusion(labels, predicted):
    n = labels.max() + 1
    matrix = np.zeros((n, n), int)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix


def cells():
    """Every cell (before: method None) with its predictions."""
    rng = np.random.default_rng(5)
    for seed in COORDS["seed"]:
        for dataset, labels in LABELS.items():
            for method, ratio in [(None, None), *PLANNED[dataset]]:
                wrong = rng.random(len(labels)) < 0.3
                predicted = np.where(wrong, rng.integers(0, labels.max() + 1, len(labels)), labels)
                yield seed, dataset, method, ratio, predicted


def write(path, skip=(), attrs=ATTRS, **changed):
    """Write the example; `skip` variables; `changed`: variable -> value in every cell."""
    with CubeWriter(path, COORDS, attrs=attrs) as writer:
        for dataset, labels in LABELS.items():
            names = np.array([f"{dataset}{c}" for c in range(labels.max() + 1)], object)
            writer.put({"dataset": dataset}, label=labels, n_classes=labels.max() + 1, class_name=names)
        for seed, dataset, method, ratio, predicted in cells():
            where = {"seed": seed, "dataset": dataset, "arch": "net"}
            matrix = confusion(LABELS[dataset], predicted)
            if method is None:
                values = {
                    "confusion_dense": matrix,
                    "prediction_dense": predicted,
                    "dense_id": f"{dataset}-{seed}",
                }
            else:
                where |= {"method": method, "ratio": ratio}
                status = STATUS.get((seed, dataset, method, ratio), DONE)
                values = {"status": status}
                if status == DONE:
                    values |= {
                        "confusion": matrix,
                        "prediction": predicted,
                        "achieved_ratio": ratio,
                        "kept_weights": np.array([7, np.nan]),
                        "seconds": 1.5,
                    }
            values |= {name: value for name, value in changed.items() if name in values}
            writer.put(where, **{name: value for name, value in values.items() if name not in skip})


@pytest.fixture(scope="session")
def example_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("cube") / "example.nc"
    write(path)
    return path


@pytest.fixture
def example(example_file):
    """The example, lazily opened."""
    with open_cube(example_file) as cube:
        yield cube


@pytest.fixture
def recipe():
    """What the example is made of."""
    return SimpleNamespace(
        COORDS=COORDS, ATTRS=ATTRS, LABELS=LABELS, STATUS=STATUS, cells=cells, confusion=confusion, write=write
    )
