"""Parameter counts and the order of the prunable weights."""

import numpy as np
import pytest
import torch
from torch import nn

from rdcompute.models import (
    ARCHITECTURES,
    Architecture,
    architecture_names,
    build_model,
    layer_shapes,
    parameter_counts,
    prunable_layers,
    weight_vector,
)
from rdstats.errors import InputError


@pytest.mark.parametrize(
    ("arch", "n_classes", "image_shape", "total", "weights", "with_bias"),
    [
        ("lenet", 10, (1, 28, 28), 60_074, 58_998, 59_224),
        ("resnet20", 10, (3, 32, 32), 269_722, 267_696, 267_696),
        ("resnet32", 10, (3, 32, 32), 464_154, 461_232, 461_232),
        ("resnet44", 10, (3, 32, 32), 658_586, 654_768, 654_768),
        ("resnet56", 10, (3, 32, 32), 853_018, 848_304, 848_304),
        ("resnet110", 10, (3, 32, 32), 1_727_962, 1_719_216, 1_719_216),
        ("resnet56", 100, (3, 32, 32), 858_868, 848_304, 848_304),
    ],
)
def test_totals_of_the_released_code(arch, n_classes, image_shape, total, weights, with_bias):
    counts = parameter_counts(arch, n_classes, image_shape)
    assert (counts.total, counts.prunable_weights, counts.prunable_with_bias) == (total, weights, with_bias)
    assert sum(counts.layers.values()) == weights


@pytest.mark.parametrize("arch", architecture_names()[:6])
@pytest.mark.parametrize("image_shape", [(1, 28, 28), (3, 32, 32), (3, 13, 21)])
def test_counts_are_those_of_the_built_network(arch, image_shape):
    counts = parameter_counts(arch, 5, image_shape)
    model = build_model(arch, 5, image_shape, seed=0)
    assert counts.total == sum(p.numel() for p in model.parameters())
    assert counts.layers == {name: layer.weight.numel() for name, layer in prunable_layers(model).items()}
    assert weight_vector(model).size == counts.prunable_weights


def test_layers_by_hand():
    counts = parameter_counts("lenet", 10, (1, 28, 28))
    assert counts.layers == {"conv1": 54, "conv2": 864, "fc1": 48_000, "fc2": 10_080}
    layers = parameter_counts("resnet20", 10, (3, 32, 32)).layers
    assert list(layers)[:4] == ["conv1", "layer1.0.conv1", "layer1.0.conv2", "layer1.1.conv1"]
    assert (len(layers), layers["conv1"], layers["layer3.2.conv2"]) == (19, 432, 36_864)
    assert "linear" not in layers


def test_counting_draws_nothing():
    before = torch.random.get_rng_state()
    parameter_counts("lenet", 10, (1, 28, 28))
    parameter_counts("resnet20", 10, (3, 32, 32))
    assert torch.equal(before, torch.random.get_rng_state())


def test_wrong_input_is_refused_while_counting():
    with pytest.raises(InputError, match="accepted: 10x10 or larger"):
        parameter_counts("lenet", 10, (1, 8, 8))
    with pytest.raises(InputError, match="did you mean 'lenet'"):
        parameter_counts("le-net", 10, (1, 28, 28))


def test_weight_vector_has_the_order_of_layers_and_indices():
    model = build_model("lenet", 10, (1, 28, 28), seed=0)
    vector = weight_vector(model)
    assert vector.dtype == np.float64
    position = 0
    for name, shape in layer_shapes(model).items():
        weight = model.get_submodule(name).weight.detach().numpy()
        assert weight.shape == shape
        np.testing.assert_array_equal(vector[position : position + weight.size].reshape(shape), weight)
        position += weight.size
    channels_last = weight_vector(model.to(memory_format=torch.channels_last))
    np.testing.assert_array_equal(channels_last, vector)


def test_a_head_of_several_layers_is_not_pruned(monkeypatch):
    def build(n_classes, image_shape):
        head = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, n_classes))
        return nn.Sequential(nn.Linear(2, 4), nn.Tanh(), head, nn.Identity())

    monkeypatch.setattr(ARCHITECTURES, "_own", dict(ARCHITECTURES._own))
    ARCHITECTURES.add(Architecture("two-headed", build, head="2"))
    counts = parameter_counts("two-headed", 10, (1, 28, 28))
    assert counts.layers == {"0": 8}
    assert (counts.total, counts.prunable_with_bias) == (12 + 15 + 40, 12)


def test_a_network_without_prunable_layers(monkeypatch):
    monkeypatch.setattr(ARCHITECTURES, "_own", dict(ARCHITECTURES._own))
    ARCHITECTURES.add(Architecture("bare", lambda n, shape: nn.Sequential(nn.Linear(4, n)), head="0"))
    model = build_model("bare", 3, (1, 2, 2), seed=0)
    assert weight_vector(model).shape == (0,)
    assert parameter_counts("bare", 3, (1, 2, 2)).prunable_weights == 0


def test_a_network_that_was_not_built_here():
    with pytest.raises(ValueError, match="no head_name; build it with"):
        prunable_layers(nn.Sequential(nn.Linear(2, 2)))
