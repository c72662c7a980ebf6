"""Lottery tickets: what a level is made of, by meaning, through the path that real runs take."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rdcompute import datasets, execute
from rdcompute.compress import lottery
from rdcompute.execute import Worker, use_one_thread
from rdcompute.lineage import content_hash, own_id_of
from rdcompute.lottery import next_mask, remaining_weights
from rdcompute.masks import unpack_masks
from rdcompute.models import build_model, layer_shapes, parameter_counts
from rdcompute.plan import make_plan
from rdcompute.rundir import CellResult, RunDirectory
from rdcompute.streams import stream, torch_seed

TICKET = {"train": [[5, 0.05], [4, 0.01]], "batch_size": 16, "weight_decay": 1e-3}  # 60 images: 4 steps an epoch


class Bench:
    """A worker on a fresh run directory that keeps what every training began with and came to."""

    def __init__(self, grid, folder, monkeypatch):
        use_one_thread()
        self.plan = make_plan(grid)
        self.run = RunDirectory.open(folder, grid.resolved(), {})
        self.worker = Worker(self.run, None, torch.device("cpu"))
        self.fits = []

        def keeping(model, data, phases, settings, **how):
            before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
            result = real(model, data, phases, settings, **how)
            self.fits.append((before, result.state, how))
            return result

        real = execute.fit
        monkeypatch.setattr(execute, "fit", keeping)

    def do(self, cell):
        self.worker.execute(cell)
        return self.run.load(cell.key)

    def all(self):
        return [(cell, self.do(cell)) for cell in self.plan.cells]


@pytest.fixture
def bench(tmp_path, monkeypatch, make_grid, tiny_npz):
    def make(arch="lenet", methods=("sham-lth", "lth"), levels=3, folder="run", channels=1, **ticket):
        experiment = {
            "dataset": tiny_npz(channels=channels), "arch": arch, "method": list(methods), "levels": levels
        }  # fmt: skip
        grid = make_grid(seeds=1, experiments=[experiment], training={"lth": {**TICKET, **ticket}})
        return Bench(grid, tmp_path / folder, monkeypatch)

    return make


def state_of(result, part="state"):
    return {name.removeprefix(f"{part}/"): a for name, a in result.arrays.items() if name.startswith(f"{part}/")}


def assert_equal_states(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(np.asarray(one[name]), np.asarray(other[name]), err_msg=name)


def test_every_level_begins_at_the_first_weights_and_leaves_its_mask_alone(bench):
    bench = bench("resnet20", levels=2, channels=3)
    found = bench.all()
    first = build_model("resnet20", 3, (3, 10, 10), torch_seed(0, "init/0/tiny/resnet20")).state_dict()
    assert any("running_var" in name for name in first)
    shapes = layer_shapes(build_model("resnet20", 3, (3, 10, 10), 0), head=True)
    assert list(shapes)[-1] == "linear"
    before = {name: np.ones(shape, bool) for name, shape in shapes.items()}
    for (cell, result), (began, ended, how) in zip(found, bench.fits, strict=True):
        assert_equal_states(began, first)  # weights, batch normalisation and its running statistics
        if not cell.level:
            continue
        masks = unpack_masks(result.arrays, shapes)
        assert how["masks"].keys() == masks.keys()
        for name, mask in masks.items():
            np.testing.assert_array_equal(how["masks"][name].numpy(), mask)
            assert not (mask & ~before[name]).any()
            weight = ended[f"{name}.weight"].numpy()
            assert (weight[~mask] == 0).all()
            assert (weight[mask] != first[f"{name}.weight"].numpy()[mask]).any()
        assert_equal_states(ended, state_of(result))
        before = masks


@pytest.mark.parametrize("head", [True, False])
def test_a_mask_is_that_of_the_weights_of_the_level_before(bench, head):
    bench = bench(prune_head=head)
    dense, _, *levels = bench.all()
    counts = parameter_counts("lenet", 3, (1, 10, 10))
    shapes = layer_shapes(build_model("lenet", 3, (1, 10, 10), 0), head=head)
    assert ("fc3" in shapes) == head
    n = sum(map(np.prod, shapes.values()))
    parent, mask = dense[1], np.ones(n, bool)
    for (_, result), kept in zip(levels, remaining_weights(int(n), 3, 0.2), strict=True):
        weights = np.concatenate([state_of(parent)[f"{name}.weight"].ravel() for name in shapes])
        mask = next_mask(np.abs(weights), mask, 0.2)
        found = unpack_masks(result.arrays, shapes)
        np.testing.assert_array_equal(np.concatenate([part.ravel() for part in found.values()]), mask)
        assert mask.sum() == kept
        assert result.meta["kept_weights"] == {name: int(part.sum()) for name, part in found.items()}
        assert result.meta["achieved_ratio"] == counts.total / (counts.total - n + kept)
        assert result.meta["dense_id"] == dense[1].meta["dense_id"]
        assert result.meta["parent_id"] == own_id_of(parent.meta)
        stored = {k: a for k, a in result.arrays.items() if k.startswith(("state/", "mask/"))}
        assert result.meta["own_id"] == content_hash(stored)
        parent = result
    assert [cell.ratio for cell, _ in levels] == [1.25, 1.5625, 1.953125]


def test_the_control_is_the_first_level_with_nothing_pruned(bench, monkeypatch):
    plain = bench(levels=1)
    (_, dense), (_, sham), (_, pruned) = plain.all()
    names = [how["stream_name"] for _, _, how in plain.fits]
    assert names == ["0/tiny/lenet/dense", "0/tiny/lenet/lth-1", "0/tiny/lenet/lth-1"]
    assert sham.meta["achieved_ratio"] == 1
    assert sham.meta["kept_weights"] == parameter_counts("lenet", 3, (1, 10, 10)).layers | {"fc3": 252}
    assert not any(name.startswith("state/") for name in sham.arrays)
    assert sham.meta["loss"] != pruned.meta["loss"]
    assert sham.meta["loss"] != dense.meta["loss"]  # another order
    monkeypatch.setattr(lottery, "next_mask", lambda magnitude, mask, fraction: mask)
    same = bench(levels=1, folder="same")
    (_, _), (_, sham), (_, whole) = same.all()
    assert_equal_states(same.fits[1][1], same.fits[2][1])
    for name in ("loss", "kept_epoch", "achieved_ratio", "kept_weights", "parent_id", "dense_id"):
        assert whole.meta[name] == sham.meta[name]
    np.testing.assert_array_equal(whole.arrays["prediction"], sham.arrays["prediction"])


def test_every_level_has_an_order_of_its_own_and_all_training_images(bench):
    bench = bench()
    bench.all()
    names = [how["stream_name"].rpartition("/")[2] for _, _, how in bench.fits]
    assert names == ["dense", "lth-1", "lth-1", "lth-2", "lth-3"]
    assert {how["first_step"] for _, _, how in bench.fits} == {0}
    meta = bench.run.load(bench.plan.cells[2].key).meta
    assert len(meta["loss"]) == 3  # 9 steps of 4 an epoch: nothing is held out
    assert meta["kept_epoch"] == 3
    assert all(np.isnan(meta["val_losses"]))


class ByHand:
    """The whole recipe in a few lines of plain PyTorch, on grey images that are not augmented."""

    rates = (0.05,) * 5 + (0.01,) * 4

    def __init__(self, path):
        self.data = datasets.load(path)
        x = torch.from_numpy(self.data.train_images).permute(0, 3, 1, 2).float()
        self.images = (x / 255 - self.data.mean[0]) / self.data.std[0]
        self.labels = torch.from_numpy(self.data.train_labels)
        self.model = build_model("lenet", 3, (1, 10, 10), torch_seed(0, "init/0/tiny/lenet"))

    def train(self, stage, steps, masks):
        weights = {name: self.model.get_submodule(name).weight.data for name in masks}
        for name, mask in masks.items():
            weights[name] *= mask
        sgd = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3, fused=True)
        rates = list(self.rates[steps])
        for epoch in range(1, 99):
            for batch in np.array_split(stream(0, f"order/0/tiny/lenet/{stage}/{epoch}").permutation(60), [16, 32, 48]):
                if not rates:
                    return {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
                sgd.param_groups[0]["lr"] = rates.pop(0)
                sgd.zero_grad()
                F.cross_entropy(self.model(self.images[batch]), self.labels[batch]).backward()
                sgd.step()
                for name, mask in masks.items():
                    weights[name] *= mask
        raise AssertionError

    def level(self, state, mask):
        """Return the masks after a level whose final state this is, by layer and flat."""
        shapes = layer_shapes(self.model, head=True)
        flat = np.concatenate([np.abs(state[f"{name}.weight"].numpy()).ravel() for name in shapes])
        left = np.sort(flat[mask])
        mask = mask & (flat > left[-(-len(left) // 5)])
        parts = np.split(mask, np.cumsum([np.prod(shape) for shape in shapes.values()])[:-1])
        return {n: torch.from_numpy(p.reshape(s)) for (n, s), p in zip(shapes.items(), parts, strict=True)}, mask


@pytest.mark.parametrize("steps", [0, 6])
def test_the_recipe_written_by_hand(bench, tiny_npz, steps):
    """Also with a rewind point within an epoch, after a change of the learning rate."""
    bench = bench(methods=["lth"], levels=2, rewind_steps=steps, memory_format="contiguous")
    (_, dense), *levels = bench.all()
    hand = ByHand(bench.plan.cells[0].dataset)
    point = hand.train("rewind", slice(0, steps), {})
    if steps:
        close(state_of(dense, "rewind"), point)
    else:
        assert state_of(dense, "rewind") == {}
    final = hand.train("dense", slice(steps, None), {})
    close(state_of(dense), final)
    mask = np.ones(sum(t.numel() for n, t in final.items() if n.endswith("weight")), bool)
    for level, (_, result) in enumerate(levels, start=1):
        masks, mask = hand.level(final, mask)
        found = unpack_masks(result.arrays, {name: tuple(m.shape) for name, m in masks.items()})
        assert sum(int((found[name] != m.numpy()).sum()) for name, m in masks.items()) == 0
        hand.model.load_state_dict(point)
        final = hand.train(f"lth-{level}", slice(steps, None), masks)
        close(state_of(result), final)
        assert len(result.meta["loss"]) == -(-(9 - steps) // 4)


def close(arrays, tensors):
    assert arrays.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_allclose(arrays[name], tensor.numpy(), rtol=1e-4, atol=1e-6, err_msg=name)


def test_rewinding_restores_running_statistics_and_forgets_momentum(bench):
    bench = bench("resnet20", methods=["lth"], levels=1, channels=3, rewind_steps=5)
    (_, dense), _ = bench.all()
    point = state_of(dense, "rewind")
    assert int(point["bn1.num_batches_tracked"]) == 5
    for began, ended, how in bench.fits:
        assert_equal_states(began, point)
        assert int(ended["bn1.num_batches_tracked"]) == 9
        assert how["first_step"] == 5
    assert bench.fits[1][2]["stream_name"].endswith("/lth-1")


def test_a_network_that_cannot_be_built_again_is_not_rewound(bench):
    bench = bench(levels=1)
    dense, _, level = bench.plan.cells
    result = bench.do(dense)
    bench.run.save(dense.key, CellResult({**result.meta, "init_id": "other"}, result.arrays), dense.content())
    with pytest.raises(RuntimeError, match="did not begin with the weights that its seed gives here"):
        bench.do(level)
    bench.run.save(dense.key, CellResult({**result.meta, "init_id": ""}, result.arrays), dense.content())
    bench.do(level)


def test_weights_that_all_tie_are_a_clear_failure(bench):
    bench = bench(levels=1, methods=["lth"])
    dense, level = bench.plan.cells
    result = bench.do(dense)
    flat = {name: np.ones_like(array) for name, array in result.arrays.items()}
    bench.run.save(dense.key, CellResult(result.meta, flat), dense.content())
    with pytest.raises(RuntimeError, match="level 1 of lth leaves no weight"):
        bench.do(level)


