"""The criteria of the released code: by hand on a network of two layers, and what their threshold really keeps."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from rdcompute.criteria import CRITERIA, criterion_of, keeps_exactly, matched_label
from rdcompute.criteria.gradient import batch_gradient, flat
from rdcompute.criteria.released import beyond_quantile, independently
from rdcompute.masks import achieved_ratio, keep_fraction, kept_count, top_k_mask
from rdcompute.models import build_model, parameter_counts, prunable_layers, weight_vector

RATIOS = (2, 4, 10, 20, 50)
EPS = 5e-4
L = math.log(3)
N = 848_304  # prunable weights of ResNet-56


def rng(seed=0):
    return np.random.default_rng(seed)


def score(name, theta, grad, weight_decay=0.3):
    """Whatever the weight decay of the training, the released scores are the same."""
    return CRITERIA.get(name).score(theta, grad, weight_decay, rng())


def two_layers():
    """h = w.x + b with w = (L - 2, 2), b = 1; logits = (2h + 1, h + 1); at x = (1, 1/2), softmax = (3/4, 1/4)."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 1), nn.Linear(1, 2), nn.Identity())
    model.head_name = "3"
    model = model.double()
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([[L - 2, 2.0]], dtype=torch.float64))
        model[1].bias.copy_(torch.tensor([1.0], dtype=torch.float64))
        model[2].weight.copy_(torch.tensor([[2.0], [1.0]], dtype=torch.float64))
        model[2].bias.copy_(torch.tensor([1.0, 1.0], dtype=torch.float64))
    return model


# Of class 0: dT/dlogits = (-1/4, 1/4), dT/dh = 2 (-1/4) + 1/4 = -1/4, times x and 1 for w and b; for V times h = L.
THETA, BIASES = np.array([L - 2, 2, 2, 1]), np.ones(3)
GRADIENT, BIAS_GRADIENT = np.array([-1 / 4, -1 / 8, -L / 4, L / 4]), np.array([-1 / 4, -1 / 4, 1 / 4])
BY_HAND = {
    "gp-released": [(2 - L) / 4, 1 / 4, L / 2, L / 4],
    "up-released": [(L - 2) / 4 + EPS * (L - 2) ** 2, 1 / 4 + 4 * EPS, L / 2 + 4 * EPS, -L / 4 + EPS],
    "up-released-abs": [(2 - L) / 4 - EPS * (L - 2) ** 2, 1 / 4 + 4 * EPS, L / 2 + 4 * EPS, L / 4 - EPS],
}


def test_gradient_by_hand():
    image = torch.tensor([1, 0.5], dtype=torch.float64).reshape(1, 1, 2, 1)
    weights, biases = batch_gradient(two_layers(), image.repeat(3, 1, 1, 1), torch.tensor([0, 0, 0]))
    np.testing.assert_allclose(weights, GRADIENT, rtol=1e-14)
    np.testing.assert_allclose(biases, BIAS_GRADIENT, rtol=1e-14)


@pytest.mark.parametrize("name", BY_HAND)
def test_scores_by_hand(name):
    np.testing.assert_allclose(score(name, THETA, GRADIENT), BY_HAND[name], rtol=1e-14)
    with pytest.raises(ValueError, match="accepted: the shape of theta"):
        score(name, THETA, None)


@pytest.mark.parametrize(
    ("name", "share", "kept"),
    [
        # of the 7 scores the biases have 1/4 each; gp: .225, then 1/4 four times, .275, .549
        ("gp-released", 1 / 6, [0, 0, 1, 1]),  # q = .275, which is kept
        ("gp-released", 1 / 7, [0, 0, 1, 0]),
        ("gp-released", 1 / 2, [0, 1, 1, 1]),  # q = 1/4, ties are kept
        # up: -.275, -.249 (a bias), -.225, .2505, .2505 (biases), .252, .549, so that q = .2505 prunes at share .5 only
        ("up-released", 1 / 2, [0, 1, 1, 1]),
        ("up-released", 1 / 3, [0, 1, 1, 1]),
        ("up-released", 1 / 6, [0, 1, 1, 1]),  # q = .252
        ("up-released", 2 / 3, [1, 1, 1, 1]),  # q = -.225: nothing
        ("up-released-abs", 1 / 6, [0, 0, 1, 1]),
    ],
)  # fmt: skip
def test_masks_by_hand(name, share, kept):
    scores = score(name, np.r_[THETA, BIASES], np.r_[GRADIENT, BIAS_GRADIENT])
    mask = CRITERIA.get(name).keep(scores[:4], scores[4:], share + 1e-12)  # rounding of 6 (1 - share) does not decide
    np.testing.assert_array_equal(mask, np.array(kept, bool))


@pytest.mark.parametrize(
    ("share", "kept"),
    [(0.4, [1, 1, 1, 1]), (0.3, [1, 0, 0, 1]), (0.6, [1, 1, 1, 1]), (0.1, [0, 0, 0, 0]), (1.0, [1, 1, 1, 1])],
)
def test_threshold_by_hand(share, kept):
    """Of -10, -3, -1, 1, 2, 10 the quantiles .6, .7, .4, .9 and 0 are 1 (a tie), 1.5, -1, 6 and -10."""
    mask = beyond_quantile(np.array([-3.0, -1, 1, 2]), np.array([10.0, -10]), share)
    np.testing.assert_array_equal(mask, np.array(kept, bool))


def test_scores_that_are_none_are_refused():
    with pytest.raises(ValueError, match="1 of 3 scores are NaN"):
        beyond_quantile(np.array([1.0, np.nan]), np.array([2.0]), 0.5)


@pytest.mark.parametrize("draw", ["standard_normal", "laplace", "standard_cauchy"])
def test_symmetric_scores_keep_twice_the_share(draw):
    scores = getattr(rng(3), draw)(size=N)
    shares = (1 / 2, 1 / 4, 1 / 10, 1 / 20, 1 / 50)
    kept = [beyond_quantile(scores, np.empty(0), f).mean() for f in shares]
    np.testing.assert_allclose(kept, [1, 0.5, 0.2, 0.1, 0.04], rtol=0, atol=0.004)


@pytest.mark.parametrize(
    ("r", "expected"),
    [
        (30, (0.978, 0.480, 0.188, 0.092, 0.036)),
        (10, (0.937, 0.446, 0.167, 0.079, 0.030)),
        (3, (0.797, 0.345, 0.119, 0.056, 0.021)),
        (1, (0.560, 0.253, 0.100, 0.050, 0.020)),
        (0.3, (0.500, 0.250, 0.100, 0.050, 0.020)),
    ],
)
def test_what_up_released_keeps_where_weight_decay_shifts_the_scores(r, expected):
    """r: standard deviation of g over that of 5e-4 theta, both normal and independent (Monte Carlo, half a million)."""
    theta, grad = rng(1).standard_normal((2, 500_000))
    scores = score("up-released", theta, grad * r * EPS)
    kept = [beyond_quantile(scores, np.empty(0), f).mean() for f in (1 / 2, 1 / 4, 1 / 10, 1 / 20, 1 / 50)]
    np.testing.assert_allclose(kept, expected, rtol=0, atol=0.004)


def test_ratios_that_a_resnet56_achieves_with_symmetric_scores():
    counts = parameter_counts("resnet56", 10, (3, 32, 32))
    theta, grad = rng(2).standard_normal((2, N))
    scores = score("up-released", theta, grad)  # r = 2000
    kept = [beyond_quantile(scores, np.empty(0), keep_fraction(counts, ratio)) for ratio in RATIOS]
    achieved = [achieved_ratio(counts, int(mask.sum())) for mask in kept]
    np.testing.assert_allclose(achieved, [1.0056, 2.022, 5.14, 10.6, 29.0], rtol=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_up_released_keeps_what_its_absolute_value_keeps_at_the_achieved_share(seed):
    theta, grad = rng(seed).standard_normal((2, 50_000))
    signed, unsigned = (score(name, theta, grad * EPS * 10) for name in ("up-released", "up-released-abs"))
    np.testing.assert_array_equal(unsigned, np.abs(signed))
    for share in (0.3, 0.1, 0.02):
        mask = beyond_quantile(signed, np.empty(0), share)
        assert share * len(theta) < mask.sum() < len(theta)
        np.testing.assert_array_equal(mask, top_k_mask(unsigned, theta, int(mask.sum())))
        assert beyond_quantile(unsigned, np.empty(0), share).sum() < mask.sum()


@pytest.mark.parametrize("arch", ["lenet", "resnet20"])
def test_the_released_magnitude_pruning_is_mp_under_shrinkbench_accounting(arch):
    """Its threshold is a quantile of the weights alone, without the biases, so mp needs no released twin."""
    shape = (1, 28, 28) if arch == "lenet" else (3, 32, 32)
    counts = parameter_counts(arch, 10, shape)
    theta = np.abs(weight_vector(build_model(arch, 10, shape, 5)))
    assert len(np.unique(theta)) > 0.99 * len(theta)
    for ratio in (1, *RATIOS):
        released = beyond_quantile(theta, np.empty(0), keep_fraction(counts, ratio))
        mask = top_k_mask(theta, theta, kept_count(counts, ratio, "shrinkbench"))
        np.testing.assert_array_equal(released, mask)


def test_random_pruning_is_independent_from_weight_to_weight():
    n, share, draws = 2000, 0.1, 500
    generator = rng()
    kept = [independently(generator.random(n), np.empty(0), share).sum() for _ in range(draws)]
    sd = math.sqrt(n * share * (1 - share))
    assert np.mean(kept) == pytest.approx(n * share, abs=5 * sd / math.sqrt(draws))
    assert np.std(kept) == pytest.approx(sd, rel=5 / math.sqrt(2 * draws))
    assert independently(generator.random(n), np.empty(0), 1.0).all()


def resnet():
    model = build_model("resnet20", 5, (3, 12, 12), seed=0).double()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.fill_(0.3)
    return model


def batch():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(16, 3, 12, 12, generator=generator, dtype=torch.float64), torch.arange(16) % 5


def test_the_batch_normalises_itself_and_moves_the_running_statistics():
    images, labels = batch()
    model, reference = resnet().eval(), resnet().train()
    weights, biases = batch_gradient(model, images, labels)
    F.cross_entropy(reference(images), labels).backward()
    expected = flat(layer.weight.grad for layer in prunable_layers(reference).values())
    np.testing.assert_allclose(weights, expected, rtol=1e-10, atol=1e-14)
    assert biases.size == 0
    stem = nn.functional.conv2d(images, model.conv1.weight, padding=1)
    moved = 0.9 * 0.3 + 0.1 * stem.mean((0, 2, 3))
    torch.testing.assert_close(model.bn1.running_mean, moved.detach(), rtol=1e-12, atol=1e-12)
    for name, buffer in model.named_buffers():
        assert torch.equal(buffer, dict(reference.named_buffers())[name]), name
    assert int(model.bn1.num_batches_tracked) == 1


def test_nothing_else_is_moved():
    model = resnet()
    model.layer2.eval()
    modes = [module.training for module in model.modules()]
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    batch_gradient(model, *batch())
    assert [module.training for module in model.modules()] == modes
    assert all(p.grad is None and torch.equal(p, before[name]) for name, p in model.named_parameters())


def test_weights_and_biases_come_in_the_order_of_the_layers():
    model = build_model("lenet", 5, (3, 12, 12), 0).to(memory_format=torch.channels_last)
    weights, biases = batch_gradient(model, batch()[0].float(), batch()[1])
    layers = prunable_layers(model)
    images, labels = batch()
    F.cross_entropy(model(images.float()), labels).backward()
    np.testing.assert_array_equal(weights, np.concatenate([p.weight.grad.numpy().ravel() for p in layers.values()]))
    np.testing.assert_array_equal(biases, np.concatenate([p.bias.grad.numpy() for p in layers.values()]))
    assert weights.dtype == biases.dtype == np.float64


def test_which_criteria_keep_exactly_what_the_ratio_says():
    exact = {name: keeps_exactly(name) for name in ("mp", "gp", "up", "rp", *BY_HAND, "rp-released", "sham", "lth")}
    assert [name for name, value in exact.items() if value] == ["mp", "gp", "up", "rp"]
    label = matched_label("gp", "up-released")
    assert (label, matched_label("gp", None)) == ("gp@up-released", "gp")
    assert criterion_of(label) is CRITERIA.get("gp")
    assert not keeps_exactly(label)
