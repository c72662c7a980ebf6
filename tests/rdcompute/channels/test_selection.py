"""Which weights a smaller network takes over, and that it computes what it should."""

import numpy as np
import pytest
import torch

from rdcompute.channels.feature_maps import channel_scores
from rdcompute.channels.selection import aligned, as_released, best, copy_weights
from rdcompute.models import build_model, build_narrow, layer_shapes
from rdcompute.widths import PLANES, Widths, full_widths

SHAPE = (3, 9, 9)
NARROW = Widths((5, 11, 64), ((3, 16, 2), (7, 32, 1), (64, 9, 5)))


@pytest.fixture
def dense():
    """A ResNet-20 whose normalisation has learnt something."""
    model = build_model("resnet20", 4, SHAPE, 0).eval()
    rng = torch.Generator().manual_seed(1)
    for name, tensor in model.state_dict().items():
        if "bn" in name and tensor.ndim:
            tensor.copy_(0.5 + torch.rand(tensor.shape, generator=rng))
        elif tensor.ndim == 0:
            tensor.fill_(7)
    return model


@pytest.fixture
def images():
    return torch.randn(6, *SHAPE, generator=torch.Generator().manual_seed(2))


def random_scores(seed=0):
    rng = np.random.default_rng(seed)
    names = full_widths(3).convolutions()
    return {name: rng.random(n) for name, _, n, stage in names if stage < 2 or name.endswith("conv1")}


def narrowed(dense, widths, selection, copy_batchnorm):
    model = build_narrow("resnet20", widths, 4, SHAPE).eval()
    copy_weights(dense, model, selection, copy_batchnorm=copy_batchnorm)
    return model


def test_the_best_are_ascending_and_ties_go_to_the_first():
    assert best(np.array([3.0, 1.0, 2.0, 5.0]), 2).tolist() == [0, 3]
    assert best(np.array([0.0, 7.0, 0.0, 0.0]), 3).tolist() == [0, 1, 2]


@pytest.mark.parametrize("copy_batchnorm", [False, True])
def test_weights_are_copied_one_by_one_as_released(dense, copy_batchnorm):
    """Written out as the released loader does it, entry by entry."""
    scores = random_scores()
    model = narrowed(dense, NARROW, as_released(scores, NARROW), copy_batchnorm)
    old, new, fresh = dense.state_dict(), model.state_dict(), build_narrow("resnet20", NARROW, 4, SHAPE).state_dict()
    last = None
    for name, shape in layer_shapes(dense).items():
        if name == "conv1":
            continue
        weight, target = old[f"{name}.weight"], new[f"{name}.weight"]
        keep = None
        if len(target) < shape[0]:
            keep = sorted(sorted(range(shape[0]), key=lambda i, name=name: -scores[name][i])[: len(target)])
        rows = list(range(shape[0])) if keep is None else keep
        columns = list(range(shape[1])) if last is None else last
        assert target.shape[:2] == (len(rows), len(columns))
        for a, row in enumerate(rows):
            for b, column in enumerate(columns):
                assert torch.equal(target[a, b], weight[row, column]), name
        last = keep
        normalisation = name.replace("conv", "bn")
        for part in ("weight", "bias", "running_mean", "running_var"):
            expected = old[f"{normalisation}.{part}"][rows] if copy_batchnorm else fresh[f"{normalisation}.{part}"]
            assert torch.equal(new[f"{normalisation}.{part}"], expected)
        assert new[f"{normalisation}.num_batches_tracked"] == (7 if copy_batchnorm else 0)
    for name in ("conv1.weight", "linear.weight", "linear.bias"):
        assert torch.equal(new[name], old[name])
    assert torch.equal(new["bn1.bias"], old["bn1.bias"] if copy_batchnorm else torch.zeros(16))


@pytest.mark.parametrize("select", [as_released, aligned])
def test_nothing_removed_computes_what_the_dense_network_does_bit_by_bit(dense, images, select):
    model = narrowed(dense, full_widths(3), select(random_scores(), full_widths(3)), copy_batchnorm=True)
    with torch.no_grad():
        assert torch.equal(model(images), dense(images))
        new = narrowed(dense, full_widths(3), select({**random_scores()}, full_widths(3)), copy_batchnorm=False)
        assert not torch.allclose(new(images), dense(images))


def silence(dense, out, mid, rng):
    """Let all but some random channels of the first two stages, and of all blocks, be zero; return those left."""
    left = [np.sort(rng.choice(n, k, replace=False)) for n, k in zip(PLANES, out, strict=True)]
    state = dense.state_dict()
    for stage, mids in enumerate(mid):
        for k, n_inner in enumerate(mids):
            block = f"layer{stage + 1}.{k}"
            inner = rng.choice(PLANES[stage], n_inner, replace=False)
            for normalisation, kept in ((f"{block}.bn1", inner), (f"{block}.bn2", left[stage])):
                gone = np.setdiff1d(np.arange(PLANES[stage]), kept)
                state[f"{normalisation}.weight"][gone] = 0
                state[f"{normalisation}.bias"][gone] = 0
    # what the stem, and the first stage, hand on by their shortcuts is zero, too, where it is to be left out
    state["bn1.weight"][np.setdiff1d(np.arange(16), left[0])] = 0
    state["bn1.bias"][np.setdiff1d(np.arange(16), left[0])] = 0
    return left


def test_aligned_channels_compute_the_same_function_where_all_others_are_zero(dense, images):
    rng = np.random.default_rng(3)
    out, mid = (8, 32, 64), ((5, 16, 2), (7, 32, 9), (64, 9, 5))
    left = silence(dense, out, mid, rng)
    carried = set(left[0] + 8)  # stage 2 has those of stage 1 at least
    more = [c for c in range(32) if c not in carried][:6]
    state = dense.state_dict()
    gone = [c for c in range(32) if c not in carried | set(more)]
    for k in range(3):
        state[f"layer2.{k}.bn2.weight"][gone] = 0
        state[f"layer2.{k}.bn2.bias"][gone] = 0
    widths = Widths((8, 14, 64), mid)
    scores = channel_scores_of(dense, images)
    model = narrowed(dense, widths, aligned(scores, widths), copy_batchnorm=True)
    with torch.no_grad():
        torch.testing.assert_close(model(images), dense(images), rtol=1e-4, atol=1e-4)
        broken = narrowed(dense, widths, as_released(scores, widths), copy_batchnorm=True)
        assert (broken(images) - dense(images)).abs().max() > 0.1


class Images:
    """What `channel_scores` needs of a dataset."""

    def __init__(self, images):
        self.images, self.n_train = images, len(images)
        self.asked = []

    def epoch(self, streams, batch_size):
        self.asked.append((streams, batch_size))
        for part in self.images.split(batch_size):
            yield part, None


def channel_scores_of(model, images):
    return channel_scores(model, Images(images), "any")


def test_channels_are_measured_after_relu_and_after_the_shortcut(dense, images, monkeypatch):
    from rdcompute.channels import feature_maps

    seen = {}
    real = feature_maps.independence_of_maps

    def watched(maps):
        seen[len(seen)] = maps
        return real(maps)

    monkeypatch.setattr(feature_maps, "independence_of_maps", watched)
    data = Images(images)
    dense.train()
    scores = channel_scores(dense, data, "batch/0/a/b/chip")
    assert data.asked == [(("batch/0/a/b/chip", "batch/0/a/b/chip/augment"), 128)]
    assert not dense.training
    assert scores.keys() == random_scores().keys()
    maps = dict(zip(scores, seen.values(), strict=True))
    with torch.no_grad():
        x = torch.relu(dense.bn1(dense.conv1(images)))
        for stage in (1, 2, 3):
            for k, block in enumerate(dense.get_submodule(f"layer{stage}")):
                assert torch.equal(maps[f"layer{stage}.{k}.conv1"], torch.relu(block.bn1(block.conv1(x))))
                x = block(x)
                assert stage == 3 or torch.equal(maps[f"layer{stage}.{k}.conv2"], x)
    name = "layer2.1.conv2"
    np.testing.assert_allclose(scores[name], real(maps[name]).numpy() / len(images), rtol=1e-12)
    seen.clear()
    dense(images)
    assert not seen, "the hooks are gone"


def test_as_many_images_as_are_asked_for_or_as_there_are(dense, images, monkeypatch):
    few = channel_scores(dense, Images(images), "any", n_images=4)
    assert_same(few, channel_scores(dense, Images(images[:4]), "any"))
    from rdcompute.channels import feature_maps

    monkeypatch.setattr(feature_maps, "BATCH", 3)
    assert_same(few, channel_scores(dense, Images(images), "any", n_images=4))


def assert_same(one, other):
    for name, scores in one.items():
        np.testing.assert_allclose(scores, other[name], rtol=1e-4)
