"""The gradient of the training loss against one full-batch backward pass."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rdcompute.criteria.gradient import training_gradient
from rdcompute.models import build_model, prunable_layers


@pytest.fixture(autouse=True)
def one_thread():
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


def data(n=37, size=12, channels=3):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (n, size, size, channels), generator=generator, dtype=torch.uint8)
    return images, torch.arange(n) % 5


def normalize(images):
    return images.permute(0, 3, 1, 2).double() / 128 - 1


def normalize_float(images):
    return images.permute(0, 3, 1, 2).float() / 128 - 1


def network(arch, double=True):
    """A network whose batch normalisation has seen some data."""
    model = build_model(arch, 5, (3, 12, 12), seed=0)
    model(normalize_float(data(20)[0]) * 1.5)
    return model.double() if double else model


def full_batch(model, images, labels):
    model.eval()
    model.zero_grad()
    F.cross_entropy(model(normalize(images)), labels).backward()
    gradient = {name: layer.weight.grad.numpy() for name, layer in prunable_layers(model).items()}
    model.zero_grad()
    return gradient


@pytest.mark.parametrize("arch", ["lenet", "resnet20"])
@pytest.mark.parametrize("batch_size", [1, 10, 37, 100])
def test_equals_one_backward_pass_over_everything(arch, batch_size):
    images, labels = data()
    computed = training_gradient(network(arch), images, labels, normalize, batch_size)
    expected = full_batch(network(arch), images, labels)
    assert list(computed) == list(expected)
    for name, part in computed.items():
        assert part.dtype == np.float64
        np.testing.assert_allclose(part, expected[name], rtol=1e-9, atol=1e-12 * np.abs(expected[name]).max())


def test_a_float32_network_is_accumulated_in_float64():
    images, labels = data()
    computed = training_gradient(network("resnet20", double=False), images, labels, normalize_float, 4)
    expected = full_batch(network("resnet20"), images, labels)
    for name, part in computed.items():
        assert part.dtype == np.float64
        # single precision of the passes themselves, over 20 layers
        np.testing.assert_allclose(part, expected[name], rtol=0, atol=2e-5 * np.abs(expected[name]).max())


def test_small_contributions_are_not_lost_in_the_sum():
    # One image with a gradient of order 1 and 300 with 1e-8 of it: float32 sums would drop the latter.
    model = build_model("lenet", 2, (1, 10, 10), seed=0)
    images = torch.full((301, 10, 10, 1), 1, dtype=torch.uint8)
    images[0] = 255
    labels = torch.zeros(301, dtype=torch.int64)

    def scaled(batch):
        x = batch.permute(0, 3, 1, 2).float()
        return torch.where(x > 1, x, x * 1e-3)

    one = training_gradient(model, images[:1], labels[:1], scaled, 1)
    small = training_gradient(model, images[1:2], labels[1:2], scaled, 1)
    both = training_gradient(model, images, labels, scaled, 1)
    for name in one:
        np.testing.assert_allclose(both[name] * 301, one[name] + 300 * small[name], rtol=1e-12, atol=1e-15)


def test_leaves_no_trace():
    model = network("resnet20")
    model.train()
    model.layer2.eval()  # modes may differ from module to module
    modes = [module.training for module in model.modules()]
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    training_gradient(model, *data(), normalize, 8)
    assert [module.training for module in model.modules()] == modes
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_the_mode_is_restored_after_an_error():
    model = network("resnet20").train()

    def broken(images):
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        training_gradient(model, *data(), broken, 8)
    assert all(module.training for module in model.modules())


def test_the_mode_and_no_grad_of_the_caller_do_not_matter():
    images, labels = data()
    expected = training_gradient(network("resnet20").eval(), images, labels, normalize, 8)
    with torch.no_grad():
        computed = training_gradient(network("resnet20").train(), images, labels, normalize, 8)
    for name in expected:
        np.testing.assert_array_equal(computed[name], expected[name])


def test_channels_last_gives_the_same_order():
    images, labels = data()
    expected = training_gradient(network("resnet20"), images, labels, normalize, 8)
    model = network("resnet20").to(memory_format=torch.channels_last)
    computed = training_gradient(
        model, images, labels, lambda x: normalize(x).contiguous(memory_format=torch.channels_last), 8
    )
    for name in expected:
        scale = np.abs(expected[name]).max()
        np.testing.assert_allclose(computed[name], expected[name], rtol=1e-9, atol=1e-12 * scale)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_an_accelerator():
    images, labels = data()
    model = network("resnet20").cuda()
    computed = training_gradient(model, images.cuda(), labels.cuda(), normalize, 8)
    expected = full_batch(network("resnet20"), images, labels)
    for name in expected:
        scale = np.abs(expected[name]).max()
        np.testing.assert_allclose(computed[name], expected[name], rtol=1e-9, atol=1e-11 * scale)


@pytest.mark.parametrize(("n_images", "n_labels", "batch_size"), [(0, 0, 4), (5, 4, 4), (4, 5, 4), (5, 5, 0)])
def test_wrong_sizes(n_images, n_labels, batch_size):
    images, labels = data(5)
    with pytest.raises(
        ValueError, match=f"received {n_images} images, {n_labels} labels and batch_size {batch_size}"
    ):
        training_gradient(network("lenet"), images[:n_images], labels[:n_labels], normalize, batch_size)
