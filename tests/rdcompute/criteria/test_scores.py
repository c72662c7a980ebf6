"""The criteria's scores: by hand on a network of two layers, and how they rank."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from rdcompute.criteria import CONTROLS, CRITERIA, criterion_names, is_control
from rdcompute.criteria.gradient import training_gradient
from rdcompute.masks import top_k_mask
from rdstats.errors import InputError

EPS = 0.1
L = math.log(3)


def rng():
    return np.random.default_rng(0)


def two_layers():
    """h = w.x with w = (L - 1, 2); logits = (2h, h); at x = (1, 1/2), h = L and softmax = (3/4, 1/4)."""
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(2, 1, bias=False), nn.Linear(1, 2, bias=False), nn.Identity()
    )
    model.head_name = "3"
    model = model.double()
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([[L - 1, 2.0]], dtype=torch.float64))
        model[2].weight.copy_(torch.tensor([[2.0], [1.0]], dtype=torch.float64))
    return model


# Images (1, 1/2) of class 0 and (0, 0) of class 1. First: dT/dlogits = (-1/4, 1/4), dT/dV = that times h,
# dT/dw = (2 (-1/4) + 1 (1/4)) x = -x/4. Second: h = 0 and x = 0, so nothing. T is the mean of the two.
THETA = np.array([L - 1, 2.0, 2.0, 1.0])
GRADIENT = np.array([-1 / 8, -1 / 16, -L / 8, L / 8])

BY_HAND = {
    "mp": [L - 1, 2, 2, 1],
    "gp": [
        (L - 1) * (1 / 8 - (L - 1) / 10),
        2 * (1 / 5 - 1 / 16),
        2 * (1 / 5 - L / 8),
        1 / 10 + L / 8,
    ],
    "up": [(L - 1) / 8, 1 / 8, L / 4, L / 8],
}


def test_gradient_by_hand():
    images = torch.tensor([[2, 1], [0, 0]], dtype=torch.uint8).reshape(2, 1, 2, 1)
    parts = training_gradient(
        two_layers(), images, torch.tensor([0, 1]), lambda x: x.permute(0, 3, 1, 2).double() / 2, 2
    )
    assert list(parts) == ["1", "2"]
    flat = np.concatenate([part.reshape(-1) for part in parts.values()])
    np.testing.assert_allclose(flat, GRADIENT, rtol=1e-14)


@pytest.mark.parametrize("name", BY_HAND)
def test_scores_by_hand(name):
    scores = CRITERIA.get(name).score(THETA, GRADIENT, EPS, rng())
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, BY_HAND[name], rtol=1e-14)


def test_random_scores_come_from_the_generator_alone():
    score = CRITERIA.get("rp").score
    np.testing.assert_array_equal(score(THETA, None, EPS, rng()), rng().random(4))
    np.testing.assert_array_equal(score(-9 * THETA, GRADIENT, 0.0, rng()), rng().random(4))


def test_random_scores_keep_every_weight_equally_often():
    theta, generator = np.linspace(-3, 3, 20), rng()
    kept = sum(top_k_mask(CRITERIA.get("rp").score(theta, None, 0, generator), theta, 5) for _ in range(4000))
    # 4000 draws at 1/4: standard deviation 27
    assert np.abs(kept - 1000).max() < 5 * 27


def cases(n=20_000):
    generator = np.random.default_rng(2)
    return generator.standard_normal(n), generator.standard_normal(n) * 1e-3


def test_up_is_theta_times_the_gradient_of_the_cross_entropy():
    theta, grad = cases()
    scores = CRITERIA.get("up").score(theta, grad, 5e-4, rng())
    np.testing.assert_allclose(scores, np.abs(theta * grad), rtol=1e-10, atol=1e-18)


def test_without_weight_decay_gp_and_up_are_one():
    theta, grad = cases()
    gp, up = (CRITERIA.get(name).score(theta, grad, 0.0, rng()) for name in ("gp", "up"))
    np.testing.assert_array_equal(gp, up)


def test_with_weight_decay_gp_and_up_differ():
    theta, grad = cases()
    masks = [
        top_k_mask(CRITERIA.get(name).score(theta, grad, 5e-4, rng()), theta, 2000) for name in ("gp", "up")
    ]
    assert np.count_nonzero(masks[0] != masks[1]) > 100


@pytest.mark.parametrize("weight_decay", [5e-4, 0.1, 1.0])
def test_at_a_stationary_point_up_ranks_as_mp(weight_decay):
    theta, _ = cases()
    theta[:2000] = np.round(theta[:2000], 1)  # ties, settled by magnitude and position in both
    grad = -(weight_decay * theta)  # grad L is exactly 0
    up, mp = (CRITERIA.get(name).score(theta, grad, weight_decay, rng()) for name in ("up", "mp"))
    np.testing.assert_array_equal(up, weight_decay * theta**2)
    for k in (1, 400, 5000, 19_000):
        np.testing.assert_array_equal(top_k_mask(up, theta, k), top_k_mask(mp, theta, k))


@pytest.mark.parametrize("name", criterion_names())
def test_scores_change_nothing_they_are_given(name):
    theta, grad = cases(50)
    copies = theta.copy(), grad.copy()
    CRITERIA.get(name).score(theta, grad, 5e-4, rng())
    np.testing.assert_array_equal((theta, grad), copies)


def test_which_criteria_need_the_gradient():
    assert {name: CRITERIA.get(name).needs_gradient for name in criterion_names()[:4]} == {
        "mp": False,
        "gp": True,
        "up": True,
        "rp": False,
    }
    for name in ("mp", "rp"):
        assert CRITERIA.get(name).score(THETA, None, EPS, rng()).shape == (4,)


@pytest.mark.parametrize("name", ["gp", "up"])
@pytest.mark.parametrize("grad", [None, np.zeros(3), np.zeros((4, 1))])
def test_a_gradient_that_is_missing_or_of_another_shape(name, grad):
    with pytest.raises(ValueError, match=r"accepted: the shape of theta, \(4,\)"):
        CRITERIA.get(name).score(THETA, grad, EPS, rng())


def test_controls_are_methods_but_no_criteria():
    assert sorted(CONTROLS) == ["sham", "sham-chip", "sham-lth"]
    assert all(map(is_control, CONTROLS))
    assert not any(map(is_control, (*criterion_names(), "chip", "lth")))
    assert set(criterion_names()).isdisjoint(CONTROLS)


def test_unknown_criteria():
    with pytest.raises(
        InputError, match=r"method 'gpp' is unknown \(did you mean 'gp'\?\); accepted: mp, gp, up, rp"
    ):
        CRITERIA.get("gpp")
