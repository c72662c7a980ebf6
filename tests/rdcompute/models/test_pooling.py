"""Pooling and ReLU in one step against PyTorch's own, bit for bit."""

import pytest
import torch
import torch.nn.functional as F

from rdcompute.models import build_model
from rdcompute.models.pooling import VECTOR, pool_relu

FORMATS = [torch.channels_last, torch.contiguous_format]


def plain(x):
    return F.relu(F.max_pool2d(x, 2))


def with_gradient(function, x, gradient):
    x = x.clone().requires_grad_(True)
    out = function(x)
    out.backward(gradient[:, :, : out.shape[2], : out.shape[3]])
    return out.detach(), x.grad


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(3, 6, 26, 26), (2, 1, 7, 5), (2, VECTOR, 11, 11), (1, 5, 2, 3)])
def test_same_bits_as_pooling_with_many_ties(shape, dtype, memory_format):
    random = torch.Generator().manual_seed(1)
    x = torch.randint(-2, 3, shape, generator=random).to(dtype).contiguous(memory_format=memory_format)
    gradient = torch.randn(shape, generator=random).to(dtype)
    for ours, theirs in zip(with_gradient(pool_relu, x, gradient), with_gradient(plain, x, gradient), strict=True):
        assert torch.equal(ours, theirs)


def test_few_channels_go_the_fast_way_and_many_the_usual_one():
    few, many = (torch.zeros(1, n, 4, 4, requires_grad=True) for n in (VECTOR - 1, VECTOR))
    assert "PoolReLU" in pool_relu(few).grad_fn.name()
    assert "Relu" in pool_relu(many).grad_fn.name()


def test_what_is_not_a_number_stays_one():
    x = torch.zeros(1, 1, 2, 2)
    x[0, 0, 1, 0] = torch.nan
    assert pool_relu(x).isnan().all()


def test_a_second_derivative_is_refused():
    x = torch.randn(1, 1, 4, 4, generator=torch.Generator().manual_seed(1), requires_grad=True)
    (first,) = torch.autograd.grad(pool_relu(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


@pytest.fixture
def lenet():
    return build_model("lenet", 3, (1, 10, 10), 1).eval()


def test_networks_can_be_transformed_as_functions(lenet):
    images = torch.randn(4, 1, 10, 10, generator=torch.Generator().manual_seed(1))
    each = torch.func.vmap(lambda image: lenet(image[None])[0])(images)
    torch.testing.assert_close(each, lenet(images))
    weights = dict(lenet.named_parameters())
    gradients = torch.func.grad(lambda own: torch.func.functional_call(lenet, own, (images,)).sum())(weights)
    lenet(images).sum().backward()
    assert all(torch.equal(gradients[name], weight.grad) for name, weight in weights.items())


@pytest.mark.filterwarnings("ignore:`torch.jit.trace:FutureWarning")  # users of older formats need it
def test_networks_can_be_exported_and_traced(lenet):
    images = torch.randn(4, 1, 10, 10, generator=torch.Generator().manual_seed(1))
    exported, traced = torch.export.export(lenet, (images,)), torch.jit.trace(lenet, images)
    for network, graph in ((exported.module(), exported.graph), (traced, traced.inlined_graph)):
        assert str(graph).count("max_pool2d") >= 2
        assert torch.equal(network(images), lenet(images))
