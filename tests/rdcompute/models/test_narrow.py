"""Residual networks of other widths: their sizes, and how their shortcuts fit."""

import pytest
import torch
from torch import nn

from rdcompute.method_settings import CHIP_LISTS
from rdcompute.models import (
    ARCHITECTURES,
    build_model,
    build_narrow,
    multiplications,
    narrow_counts,
    parameter_counts,
    prunable_layers,
)
from rdcompute.models.resnet import Block
from rdcompute.widths import Widths, full_widths, narrow_widths
from rdstats.errors import InputError

PUBLISHED = {  # list -> outputs, inner channels by stage, parameters, multiplications in millions
    1.75: ((13, 27, 64), (9, 19, 38), 485_413, 65.17),
    3.33: ((9, 19, 64), (8, 12, 19), 240_793, 34.20),
    8.27: ((4, 9, 64), (4, 6, 9), 103_201, 11.40),
    19.11: ((2, 4, 64), (2, 3, 4), 44_638, 4.36),
}
ODD = Widths((5, 11, 64), ((3, 16, 2), (7, 32, 1), (64, 9, 5)))


@pytest.mark.parametrize("label", PUBLISHED)
def test_the_lists_give_the_networks_that_chip_published(label):
    out, mids, parameters, millions = PUBLISHED[label]
    widths = narrow_widths(CHIP_LISTS[label], 9)
    assert widths == Widths(out, tuple((mid,) * 9 for mid in mids))
    assert narrow_counts(widths, 10, (3, 32, 32)).total == parameters
    assert multiplications(widths, 10, (3, 32, 32)) / 1e6 == pytest.approx(millions, abs=0.005)


def test_a_list_by_block_and_one_by_stage_are_alike():
    whole = [0, 0.4, 0.4, *[0.5] * 9, *[0.6] * 9, *[0.7] * 9]
    assert narrow_widths(whole, 9) == narrow_widths(CHIP_LISTS[3.33], 9)
    by_block = narrow_widths([0, 0.1, 0.2, 0.5, 0, 0.25, 0, 0, 0, 0.9, 0.8, 0.7], 3)
    assert by_block == Widths((14, 25, 64), ((8, 16, 12), (32, 32, 32), (6, 12, 19)))
    assert narrow_widths([0] * 6, 18) == full_widths(18)


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ([0] * 11, "11 rates; 6 .by stage. or 12 .by block. are accepted"),
        ([0, 0.95, 0, 0, 0, 0], "stage 1 would have no channel left"),
        ([0, 0, 0.97, 0, 0, 0], "stage 2 would"),
        ([0, 0, 0, *[0] * 4, 0.99, *[0] * 4], "block 5 would have no channel left"),
    ],
)
def test_lists_that_do_not_fit(rates, words):
    with pytest.raises(InputError, match=words):
        narrow_widths(rates, 3)


@pytest.mark.parametrize("widths", [ODD, full_widths(3), narrow_widths(CHIP_LISTS[19.11], 3)])
@pytest.mark.parametrize("shape", [(3, 17, 22), (1, 8, 8)])
def test_counts_are_those_of_the_network_that_is_built(widths, shape):
    model = build_narrow("resnet20", widths, 7, shape)
    counts = narrow_counts(widths, 7, shape)
    assert counts.total == sum(p.numel() for p in model.parameters())
    assert counts.layers == {name: layer.weight.numel() for name, layer in prunable_layers(model).items()}
    assert counts.prunable_weights == counts.prunable_with_bias == sum(counts.layers.values())
    done = []

    def note(module, inputs, output):
        done.append(module.weight.numel() * output[0].numel() // len(module.weight))

    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(note)
    assert model.eval()(torch.zeros(1, *shape)).shape == (1, 7)
    assert multiplications(widths, 7, shape) == sum(done)


def test_the_full_width_is_the_architecture():
    for depth in (20, 32, 44, 56, 110):
        arch = f"resnet{depth}"
        widths = full_widths(ARCHITECTURES.get(arch).n_blocks)
        assert narrow_counts(widths, 100, (3, 32, 32)) == parameter_counts(arch, 100, (3, 32, 32))
    assert ARCHITECTURES.get("lenet").n_blocks == 0
    full = build_narrow("resnet20", full_widths(3), 10, (3, 8, 8))
    assert full.state_dict().keys() == build_model("resnet20", 10, (3, 8, 8), 1).state_dict().keys()
    assert full.head_name == "linear"


@pytest.mark.parametrize(
    ("in_planes", "planes", "stride", "kept", "zeros"),
    [
        (16, 13, 1, range(2, 15), (0, 0)), (16, 9, 1, range(4, 13), (0, 0)), (16, 4, 1, range(6, 10), (0, 0)),
        (16, 2, 1, range(7, 9), (0, 0)), (13, 27, 2, range(13), (7, 7)), (9, 19, 2, range(9), (5, 5)),
        (4, 9, 2, range(4), (2, 3)), (2, 4, 2, range(2), (1, 1)), (27, 64, 2, range(27), (18, 19)),
        (19, 64, 2, range(19), (22, 23)), (9, 64, 2, range(9), (27, 28)), (4, 64, 2, range(4), (30, 30)),
    ],
)  # fmt: skip
def test_shortcuts_pad_and_crop_as_chips_do(in_planes, planes, stride, kept, zeros):
    block = Block(in_planes, planes, stride, mid=3).eval()
    nn.init.zeros_(block.bn2.weight)  # only the shortcut is left
    x = torch.rand(2, in_planes, 6, 6, generator=torch.Generator().manual_seed(0))
    before, behind = zeros
    out = block(x).detach()
    assert torch.equal(out[:, before : planes - behind], x[:, list(kept), ::stride, ::stride])
    assert out[:, :before].abs().sum() == out[:, planes - behind :].abs().sum() == 0


def test_a_routed_shortcut_takes_the_channels_it_is_told():
    block = Block(4, 3, stride=2).eval()
    nn.init.zeros_(block.bn2.weight)
    block.route(torch.tensor([2, -1, 0]))
    x = torch.rand(2, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    out = block(x).detach()
    assert torch.equal(out[:, [0, 2]], x[:, [2, 0], ::2, ::2])
    assert not out[:, 1].any()
    assert torch.equal(block.state_dict()["source"], torch.tensor([2, -1, 0]))
