"""The architectures: what they compute, how they start, what they refuse."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from rdcompute.models import ARCHITECTURES, Architecture, architecture_names, build_model
from rdcompute.models.resnet import Block
from rdstats.errors import InputError


@pytest.fixture(autouse=True)
def one_thread():
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


def test_names():
    assert architecture_names()[:6] == ("lenet", "resnet20", "resnet32", "resnet44", "resnet56", "resnet110")


@pytest.mark.parametrize("arch", architecture_names()[:6])
@pytest.mark.parametrize("image_shape", [(1, 28, 28), (3, 32, 32), (3, 17, 23), (1, 10, 10)])
def test_logits_for_any_size_and_channels(arch, image_shape):
    model = build_model(arch, 7, image_shape, seed=0).eval()
    with torch.no_grad():
        logits = model(torch.randn(2, *image_shape, generator=torch.Generator().manual_seed(0)))
    assert logits.shape == (2, 7)
    assert not torch.allclose(logits.exp().sum(1), torch.ones(2))  # logits, no log-softmax


@pytest.mark.parametrize(
    ("arch", "image_shape", "message"),
    [
        ("lenet", (1, 9, 28), "arch 'lenet' received images of 9x28 pixels; accepted: 10x10 or larger"),
        ("lenet", (1, 28, 8), "28x8"),
        ("resnet56", (3, 7, 32), "arch 'resnet56' received images of 7x32 pixels; accepted: 8x8 or larger"),
    ],
)
def test_images_that_are_too_small(arch, image_shape, message):
    with pytest.raises(InputError, match=message):
        build_model(arch, 10, image_shape, seed=0)


@pytest.mark.parametrize(("arch", "size"), [("lenet", 10), ("resnet20", 8)])
def test_the_smallest_images(arch, size):
    assert build_model(arch, 2, (1, size, size), 0).eval()(torch.zeros(1, 1, size, size)).shape == (1, 2)


def test_an_unknown_architecture():
    with pytest.raises(InputError, match=r"arch 'resnet50' is unknown .*accepted: lenet, resnet20"):
        build_model("resnet50", 10, (3, 32, 32), seed=0)


def test_a_head_that_does_not_exist(monkeypatch):
    monkeypatch.setattr(ARCHITECTURES, "_own", dict(ARCHITECTURES._own))
    ARCHITECTURES.add(Architecture("odd", lambda n, shape: nn.Sequential(nn.Linear(2, n)), head="fc"))
    with pytest.raises(InputError, match="arch 'odd' names 'fc' as its head but has no such module"):
        build_model("odd", 10, (1, 28, 28), seed=0)


def state(arch, seed):
    shape = (1, 28, 28) if arch == "lenet" else (3, 32, 32)
    return torch.cat([p.detach().reshape(-1) for p in build_model(arch, 10, shape, seed).parameters()])


@pytest.mark.parametrize("arch", ["lenet", "resnet20"])
def test_the_seed_alone_decides_the_initial_weights(arch):
    first = state(arch, 2**62 + 5)
    torch.rand(3)
    assert torch.equal(first, state(arch, 2**62 + 5))
    assert not torch.equal(first, state(arch, 0))


def test_building_leaves_the_global_random_state_alone():
    before = torch.random.get_rng_state()
    build_model("resnet20", 10, (3, 32, 32), seed=3)
    assert torch.equal(before, torch.random.get_rng_state())
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(1)
        on_device = torch.cuda.get_rng_state()
        build_model("lenet", 10, (1, 28, 28), seed=3)
        assert torch.equal(on_device, torch.cuda.get_rng_state())


def test_models_are_built_on_the_cpu_whatever_the_default_device():
    with torch.device("meta"):
        model = build_model("lenet", 10, (1, 28, 28), seed=0)
    assert {p.device.type for p in model.parameters()} == {"cpu"}


def test_resnets_start_kaiming_normal_and_lenet_as_pytorch_does():
    resnet = build_model("resnet56", 100, (3, 32, 32), seed=0)
    for name, module in resnet.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            fan_in = module.weight[0].numel()
            n = module.weight.numel()
            expected = (2 / fan_in) ** 0.5
            assert abs(module.weight.std().item() / expected - 1) < 6 / (2 * n) ** 0.5, name
            assert module.weight.abs().max() > 2.2 * expected, name  # a uniform of that spread ends at 1.73
    lenet = build_model("lenet", 10, (1, 28, 28), seed=0)
    for module in (lenet.conv1, lenet.conv2, lenet.fc1, lenet.fc2, lenet.fc3):
        bound = module.weight[0].numel() ** -0.5
        assert 0.9 * bound < module.weight.abs().max() <= bound


def test_lenet_equals_the_usual_order_of_relu_and_pooling():
    model = build_model("lenet", 10, (1, 28, 28), seed=1)
    x = torch.randn(4, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    out = F.max_pool2d(F.relu(model.conv1(x)), 2)
    out = F.max_pool2d(F.relu(model.conv2(out)), 2)
    out = model.fc3(F.relu(model.fc2(F.relu(model.fc1(out.flatten(1))))))
    assert torch.equal(model(x), out)


@pytest.mark.parametrize("size", [8, 9])
def test_the_shortcut_takes_every_other_pixel_and_pads_both_sides_with_zeros(size):
    block = Block(16, 32, stride=2).eval()
    nn.init.zeros_(block.bn2.weight)  # only the shortcut is left
    x = torch.rand(2, 16, size, size, generator=torch.Generator().manual_seed(0))
    out = block(x).detach()
    assert torch.equal(out[:, 8:24], x[:, :, ::2, ::2])
    assert not out[:, :8].any()
    assert not out[:, 24:].any()


def test_the_shortcut_is_the_identity_elsewhere():
    block = Block(16, 16, stride=1).eval()
    nn.init.zeros_(block.bn2.weight)
    x = torch.rand(2, 16, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(block(x), x)


def test_a_resnet_uses_its_convolutions_and_shortcuts():
    model = build_model("resnet20", 10, (3, 32, 32), seed=0).eval()
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    maps = []
    for stage in (model.layer1, model.layer2, model.layer3):
        stage.register_forward_hook(lambda module, inputs, output: maps.append(output))
    logits = model(x)
    assert [tuple(m.shape[1:]) for m in maps] == [(16, 32, 32), (32, 16, 16), (64, 8, 8)]
    np.testing.assert_allclose(
        logits.detach(), model.linear(maps[2].mean((2, 3))).detach(), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("arch", ["lenet", "resnet20"])
def test_training_and_repetition_are_bit_identical_on_one_thread(arch):
    gradients = []
    for _ in range(2):
        shape = (1, 28, 28) if arch == "lenet" else (3, 16, 16)
        model = build_model(arch, 3, shape, seed=0)
        x = torch.randn(8, *shape, generator=torch.Generator().manual_seed(0))
        F.cross_entropy(model(x), torch.arange(8) % 3).backward()
        gradients.append(torch.cat([p.grad.reshape(-1) for p in model.parameters()]))
    assert torch.equal(*gradients)
