"""The loop by hand does the engine's arithmetic; the operators of a step are counted and named."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmarks import by_hand, operators
from benchmarks.common import interleaved, process, ratios
from benchmarks.row import Sample
from benchmarks.training import LENET, RESNET, Task, loop, run_engine
from rdcompute import datasets
from rdcompute.device_data import DeviceData
from rdcompute.streams import stream

TASKS = [Task("small", LENET.arch, 300, LENET.shape), Task("small", RESNET.arch, 40, RESNET.shape)]
NAMES = ("order/benchmark/1", "augment/benchmark/1")


@pytest.fixture
def data_of(monkeypatch: pytest.MonkeyPatch) -> object:
    def missing(*_: object) -> None:
        raise ValueError("not there")

    monkeypatch.setattr(datasets, "load", missing)
    return lambda task: task.data()


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.arch)
@pytest.mark.parametrize("memory_format", ["channels_last", "contiguous"])
def test_by_hand_is_the_engine(
    task: Task, memory_format: str, data_of: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given the engine's order, crops and mirror images, the loop by hand ends in the same network."""
    data: DeviceData = data_of(task)  # type: ignore[operator]
    order = stream(data.root_seed, NAMES[0]).permutation(task.n_images)
    monkeypatch.setattr(torch, "randperm", lambda n: torch.from_numpy(order))
    batches = data.epoch(NAMES, by_hand.BATCH)
    monkeypatch.setattr(by_hand, "cropped_and_flipped", lambda padded, index: next(batches)[0])
    masks = task.masks()
    expected = run_engine(task, data, masks).state_dict()
    found = loop(task, data, masks, memory_format)().state_dict()
    before = task.model().state_dict()
    for name, tensor in expected.items():
        np.testing.assert_allclose(found[name].numpy(), tensor.numpy(), rtol=1e-3, atol=5e-5, err_msg=name)
    assert any(not np.allclose(before[name].numpy(), tensor.numpy(), atol=1e-4) for name, tensor in expected.items())
    for name, mask in masks.items():
        assert not found[f"{name}.weight"][~mask].any()
        assert found[f"{name}.weight"][mask].all()


def test_crops_are_of_the_padded_image_and_half_are_mirrored() -> None:
    size, n = 3, 200
    padded = torch.arange(2 * (size + 8) ** 2, dtype=torch.float32).reshape(2, 1, size + 8, size + 8)
    torch.manual_seed(0)
    index = torch.arange(n) % 2
    crops = by_hand.cropped_and_flipped(padded, index)
    assert crops.shape == (n, 1, size, size)
    mirrored = 0
    corners = set()
    for crop, image in zip(crops[:, 0], padded[index, 0], strict=True):
        turned = bool(crop[0, 0] > crop[0, 1])
        mirrored += turned
        own = crop.flip(1) if turned else crop
        top, left = divmod(int(own[0, 0] - image[0, 0]), size + 8)
        corners.add((top, left))
        assert torch.equal(own, image[top : top + size, left : left + size])
    assert 0.4 < mirrored / n < 0.6
    assert {top for top, _ in corners} == {left for _, left in corners} == set(range(9))


def test_flops_by_hand() -> None:
    """A convolution of 3x3 pixels on 6x6 (4x4 places, 2 of 1 channels) and a layer of 32 to 5; 2 images."""
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 5))
    found = operators.flops(model, torch.randn(2, 1, 6, 6), torch.tensor([0, 1]))
    forward_convolution, forward_layer = 2 * 2 * 2 * 16 * 9, 2 * 2 * 32 * 5
    # the first layer has a gradient of its weights only, the last one of weights and input
    assert found == {operators.CONVOLUTION: 2 * forward_convolution, operators.PRODUCTS: 3 * forward_layer}


def test_traffic_counts_what_is_read_and_written_once() -> None:
    a, b = torch.ones(10), torch.ones(10)
    traffic = operators.Traffic()
    with traffic:
        c = a + b
        c.view(2, 5)
        with traffic.within(operators.DATA):
            torch.relu(c)
    assert dict(traffic.bytes) == {operators.ELEMENTWISE: 3 * 40, operators.DATA: 2 * 40}


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("aten::conv2d", operators.CONVOLUTION), ("aten::convolution_backward", operators.CONVOLUTION),
        ("aten::mkldnn_convolution", operators.CONVOLUTION), ("aten::addmm", operators.PRODUCTS),
        ("aten::mm", operators.PRODUCTS), ("aten::native_batch_norm_backward", operators.NORM),
        ("aten::max_pool2d_with_indices", operators.POOLING), ("aten::nll_loss_forward", operators.LOSS),
        ("aten::threshold_backward", operators.ELEMENTWISE), ("aten::add_", operators.ELEMENTWISE),
        ("aten::_foreach_mul_", operators.OPTIMIZER), ("aten::comm", operators.OTHER),
    ],
)  # fmt: skip
def test_group(name: str, group: str) -> None:
    assert operators.group_of(name) == group


def test_profile_tells_groups_and_scopes_apart() -> None:
    class Batches:
        def epoch(self) -> Iterator[Tensor]:
            yield torch.randn(64, 64) + 1

    weight = nn.Parameter(torch.randn(64, 64))
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)

    def step() -> None:
        for batch in Batches().epoch():
            (batch @ weight).relu().sum().backward()
            optimizer.step()

    with operators.marked(Batches, "epoch", lambda: torch.profiler.record_function(operators.DATA_SCOPE)):
        found = operators.profile(step)
    assert set(found.operators[operators.PRODUCTS]) >= {"matmul"}
    assert {"randn", "add"} <= set(found.operators[operators.DATA]) | {"randn"}
    assert "add_" in found.operators[operators.OPTIMIZER]
    assert "relu" in found.operators[operators.ELEMENTWISE]
    assert 0 < sum(found.share(group) for group in operators.GROUPS) <= 1
    assert Batches.epoch.__qualname__.endswith("Batches.epoch")


def test_interleaved_goes_to_and_fro() -> None:
    called: list[str] = []
    first, second = interleaved([lambda: called.append("a"), lambda: called.append("b")], 3)
    assert "".join(called) == "abbaab"
    assert len(first) == len(second) == 3


def test_ratios_are_of_the_same_round() -> None:
    assert ratios([2.0, 9.0, 8.0], [1.0, 3.0, 2.0]) == Sample(3.0, 2.0, 4.0, 3)


def test_a_process_that_fails_says_why() -> None:
    seconds, gib = process("-c", "pass")
    assert seconds > 0
    assert 0 < gib < 1
    with pytest.raises(RuntimeError, match="ended with status 3: gone"):
        process("-c", "import sys; print('first', file=sys.stderr); print('gone', file=sys.stderr); sys.exit(3)")
