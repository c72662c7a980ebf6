"""Stratified hold-outs."""

import numpy as np
import pytest

from rdcompute.datasets import holdout_size, stratified_holdout
from rdstats.errors import InputError


@pytest.mark.parametrize(
    ("n_train", "expected"), [(60_000, 5000), (20_000, 5000), (19_999, 2000), (899, 90), (15, 2), (14, 1)]
)
def test_holdout_size(n_train, expected):
    assert holdout_size(n_train) == expected


@pytest.mark.parametrize("n_holdout", [1, 7, 90, 500, 900])
def test_both_parts_cover_the_images_and_the_total_is_exact(n_holdout):
    rng = np.random.default_rng(0)
    labels = rng.choice(3, 1000, p=[0.7, 0.2, 0.1])
    train, holdout = stratified_holdout(labels, n_holdout, rng)
    assert len(holdout) == n_holdout
    assert np.array_equal(np.sort(np.concatenate([train, holdout])), np.arange(1000))
    assert (np.diff(train) > 0).all()
    assert (np.diff(holdout) > 0).all()
    assert train.dtype == holdout.dtype == np.int64
    quota = n_holdout * np.bincount(labels) / 1000
    assert (np.abs(np.bincount(labels[holdout], minlength=3) - quota) < 1).all()


def test_shares_by_hand():
    # quotas 7 * (50, 30, 20)/100 = 3.5, 2.1, 1.4: whole parts 3, 2, 1, the seventh to the largest remainder
    labels = np.repeat([0, 4, 9], [50, 30, 20])
    _, holdout = stratified_holdout(labels, 7, np.random.default_rng(0))
    assert [np.count_nonzero(labels[holdout] == label) for label in (0, 4, 9)] == [4, 2, 1]


def test_no_class_is_used_up():
    labels = np.array([0] * 2 + [1] * 2 + [2])  # quotas at 2 of 5: .8, .8, .4
    for n_holdout in (1, 2):
        train, _ = stratified_holdout(labels, n_holdout, np.random.default_rng(0))
        assert set(labels[train]) == {0, 1, 2}
    labels = np.array([0] * 9 + [1])
    train, holdout = stratified_holdout(labels, 8, np.random.default_rng(0))  # quotas 7.2 and .8
    assert len(holdout) == 8
    assert set(labels[train]) == {0, 1}


def test_the_generator_decides_which_images():
    labels = np.repeat(np.arange(10), 100)
    first, again, other = (
        stratified_holdout(labels, 100, np.random.default_rng(seed))[1].tolist() for seed in (3, 3, 4)
    )
    assert first == again != other


@pytest.mark.parametrize("n_holdout", [0, -1, 8, 10])
def test_a_holdout_that_is_not_possible(n_holdout):
    labels = np.repeat([0, 1, 2], [4, 3, 3])
    with pytest.raises(InputError, match=rf"a hold-out of {n_holdout} of 10 images .* accepted: 1 to 7"):
        stratified_holdout(labels, n_holdout, np.random.default_rng(0))
