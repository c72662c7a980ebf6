"""The statistics: a whole analysis of a paper-size cube, and the vectorised layer against the obvious loop."""

from __future__ import annotations

import statistics
import tempfile
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.common import process, processes, repeated, seconds
from benchmarks.row import Row, Sample, once
from rdstats import array

SEEDS, COLUMNS, CLASSES, IMAGES = 30, 80, 10, 1000
SAMPLED = 40
"""Columns that the loop is really run on; its time is scaled to all of them."""


def rows() -> list[Row]:
    """Time the whole process, the loop, and the bootstrap."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "paper.nc")
        process("-m", "benchmarks.cubes", "paper", path)
        command = ("-m", "rdcli", "analyze", path, "--family", "all", "--arch", "cifar10=resnet56", "--format", "json")
        elapsed, peak = processes(*command, repeats=3)
        labelled, cells = padded(path)
    ours, loop = _small()
    whole, scaled = "rd analyze --family all, paper-size cube", "times as fast as the loop"
    return [
        Row(whole, elapsed, "s", note="whole process"),
        Row(whole, peak, "GiB"),
        Row("2,400 ten-class cells, vectorised", ours.times(1e3), "ms", once(loop / ours.median), scaled,
            note=f"the loop: {loop:.1f} s, scaled from {SAMPLED} of {COLUMNS} columns"),
        Row("padded paper-size cube, counts to slopes", labelled, "s", once(cells / labelled.median), scaled,
            note=f"the loop: {cells:.0f} s, scaled from {SAMPLED} cells"),
        Row("10,000 resamples of 88 columns of 30 seeds", repeated(_bootstrap, 3), "s", note="BCa intervals"),
    ]  # fmt: skip


def _matrices(shape: tuple[int, ...], classes: int, images: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    wrong = np.full((classes, classes), 0.1 / (classes - 1))
    chances = wrong + np.diag(0.9 - wrong[0, 0] + 0.06 * np.sin(np.arange(classes)))
    chances /= chances.sum(axis=-1, keepdims=True)
    return rng.multinomial(images // classes, chances, (*shape, classes)).astype(float)


def vectorised(before: np.ndarray, after: np.ndarray, supported: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Return scores, slopes and tests of `(column, seed, C, C)` matrices at once."""
    result = {}
    balances = []
    for name, matrices in (("before", before), ("after", after)):
        counts = array.class_counts(matrices)
        for measure in array.MEASURES:
            result[f"{measure} {name}"] = array.score(measure, *counts)
        result[f"accuracy {name}"] = array.accuracy(counts.correct, counts.support)
        balances.append(array.normalized_balance(result[f"recall {name}"], counts.support))
    slopes = result["slope"] = array.slope(*balances)
    result["spread"] = array.spread_ratio(*balances)
    result["p"] = array.paired_ttest(slopes[:-1], slopes[1:], alternative="less").p
    result["mean"] = array.t_interval(slopes).mean
    return result


def looped(before: np.ndarray, after: np.ndarray) -> dict[str, np.ndarray]:
    """Do the same cell by cell with scikit-learn and test by test with pingouin."""
    import pingouin
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    true, predicted = (part.ravel() for part in np.indices(before.shape[-2:]))
    slopes = np.empty(before.shape[:2])
    for index in np.ndindex(*slopes.shape):
        balances = []
        for matrices in (before, after):
            weight = matrices[index].ravel()
            _, recall, _, _ = precision_recall_fscore_support(
                true, predicted, sample_weight=weight, zero_division=np.nan
            )
            accuracy = accuracy_score(true, predicted, sample_weight=weight)
            balances.append((recall - accuracy) / accuracy)
        slopes[index] = balances[0] @ balances[1] / (balances[0] @ balances[0])
    tests = [pingouin.ttest(a, b, paired=True, alternative="less") for a, b in pairwise(slopes)]
    means = [pingouin.ttest(column, 1) for column in slopes]
    return {
        "slope": slopes,
        "p": np.array([test.filter(regex="^p").iloc[0, 0] for test in tests]),
        "n": np.array(len(means)),
    }


def _small() -> tuple[Sample, float]:
    """Return seconds of the vectorised layer on 2,400 cells, and of the loop scaled to them; results compared."""
    before = _matrices((COLUMNS, SEEDS), CLASSES, IMAGES)
    after = _matrices((COLUMNS, SEEDS), CLASSES, IMAGES, seed=1)
    ours = repeated(lambda: vectorised(before, after), 9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        looped(before[:2], after[:2])  # imports and first calls are not counted
        loop = seconds(lambda: looped(before[:SAMPLED], after[:SAMPLED])) * COLUMNS / SAMPLED
        mine, theirs = vectorised(before[:3], after[:3]), looped(before[:3], after[:3])
    np.testing.assert_allclose(mine["slope"], theirs["slope"], rtol=1e-9)
    np.testing.assert_allclose(mine["p"], theirs["p"], rtol=1e-9)
    return ours, loop


def _bootstrap() -> None:
    values = np.random.default_rng(0).normal(1, 0.1, (88, SEEDS))
    array.bca_interval(values, generator=np.random.default_rng(1))


def padded(path: str) -> tuple[Sample, float]:
    """Return seconds of the labelled layer on a paper-size cube in memory, and of the loop over its cells (scaled)."""
    from rdstats import class_counts, open_cube, slopes

    with open_cube(path) as opened:
        names = [name for name in opened.data_vars if "sample" not in opened[name].dims]
        cube = opened[names].load()
        ours = repeated(lambda: slopes(class_counts(cube)), 3)
        cells = np.argwhere((cube["status"] == 1).values)
        chosen = cells[np.random.default_rng(0).permutation(len(cells))[:SAMPLED]]
        order = ("seed", "dataset", "arch")
        before = cube["confusion_dense"].transpose(*order, ...)
        dims = cube["status"].dims
        pairs = []
        for cell in chosen:
            where = dict(zip(dims, cell.tolist(), strict=True))
            pairs.append((before.isel({d: where[d] for d in order}).values, cube["confusion"].isel(where).values))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        known = [[part[~np.isnan(part).all(-1)][:, ~np.isnan(part).all(0)] for part in pair] for pair in pairs]
        tick = [
            seconds(lambda one=one: looped(one[0][None, None], one[1][None, None])) for one in known
        ]  # the tests of a single network are warnings, not work
    return ours, statistics.mean(tick) * len(cells)
