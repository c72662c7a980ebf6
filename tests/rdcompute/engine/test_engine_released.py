"""The released code's criteria and protocol, against the same written out by hand on tiny networks."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rdcompute import datasets, device_data, execute
from rdcompute.criteria.released import EPS
from rdcompute.device_data import DeviceData
from rdcompute.execute import Worker, use_one_thread
from rdcompute.masks import achieved_ratio, keep_fraction, kept_count, largest_ratio
from rdcompute.models import build_model, parameter_counts, prunable_layers
from rdcompute.plan import make_plan
from rdcompute.rundir import RunDirectory
from rdcompute.streams import stream, torch_seed
from rdcompute.training import predict
from rdstats.errors import InputError

RELEASED = {
    "batch_size": 16, "train": [[1, 0.01], [1, 0.1], [3, 0.02]], "finetune": [[2, 0.1], [2, 0.02]], "weight_decay": 0,
    "renew_optimizer": True, "validation": "test", "keep": "released", "ratio_accounting": "shrinkbench",
}  # fmt: skip


class Bench:
    """A worker on a fresh run directory that keeps the beginning and the end of every cell's training."""

    def __init__(self, grid, folder, monkeypatch):
        use_one_thread()
        self.plan = make_plan(grid)
        self.run = RunDirectory.open(folder, grid.resolved(), {})
        self.worker = Worker(self.run, None, torch.device("cpu"))
        self.starts, self.states = {}, {}
        real = execute.make_start

        def starting(cell, tools):
            start = real(cell, tools)
            state = {name: tensor.clone() for name, tensor in start.model.state_dict().items()}
            self.starts[cell.key] = (state, start.masks)
            return start

        def fitting(*args, _real=execute.fit, **options):
            self.last = _real(*args, **options)
            return self.last

        monkeypatch.setattr(execute, "make_start", starting)
        monkeypatch.setattr(execute, "fit", fitting)

    def do(self, cell):
        self.worker.execute(cell)
        self.states[cell.key] = self.last.state
        return self.run.load(cell.key)


@pytest.fixture
def bench(make_grid, tmp_path, monkeypatch):
    def make(name, arch, *methods, training=RELEASED, ratio=(4, 10), seeds=1, more=()):
        first = {"dataset": name, "arch": arch, "method": list(methods), "ratio": list(ratio)}
        grid = make_grid(seeds=seeds, experiments=[first, *more], training={"lenet": training, "resnet": training})
        return Bench(grid, tmp_path / "run", monkeypatch)

    return make


@pytest.fixture(scope="module")
def colour(tiny_npz):
    return tiny_npz("rgb", channels=3, n_train=60, n_test=31)


def parts(path):
    return DeviceData.load(datasets.load(path), torch.device("cpu"), root_seed=0, validation="test")


class ByHand:
    """The released driver: an optimizer a phase, the test set validates, the last phase's best epoch is kept."""

    def __init__(self, data, seed, arch, shape):
        self.data, self.where = data, f"{seed}/rgb/{arch}"
        model = build_model(arch, 3, shape, torch_seed(0, f"init/{self.where}"))
        self.model = model.to(memory_format=torch.channels_last)

    def train(self, phases, stage, masks=None):
        epoch = 0
        for n, rate in phases:
            best, saved = np.inf, None
            recipe = {"momentum": 0.9, "nesterov": True, "weight_decay": 0, "fused": True}
            optimizer = torch.optim.SGD(self.model.parameters(), rate, **recipe)
            for _ in range(n):
                epoch += 1
                self.model.train()
                names = tuple(f"{what}/{self.where}/{stage}/{epoch}" for what in ("order", "augment"))
                for x, y in self.data.epoch(names, 16):
                    optimizer.zero_grad()
                    F.cross_entropy(self.model(x), y).backward()
                    optimizer.step()
                    self.apply(masks or {})
                loss = self.validate()
                if loss < best:
                    best = loss
                    saved = (epoch, {name: t.clone() for name, t in self.model.state_dict().items()})
        self.model.load_state_dict(saved[1])
        return saved[0]

    def apply(self, masks):
        with torch.no_grad():
            for name, mask in masks.items():
                self.model.get_submodule(name).weight.mul_(torch.from_numpy(mask))

    def validate(self):
        self.model.eval()
        losses = []
        with torch.no_grad():
            batches = (self.data.test_images.split(16), self.data.test_labels.split(16))
            for images, labels in zip(*batches, strict=True):
                losses.append(float(F.cross_entropy(self.model(self.data.normalize(images)), labels)) / 128)
        return np.mean(losses)

    def prune(self, ratio):
        """Prune by -theta g + 5e-4 theta^2, the threshold among signed scores, biases in it; return masks and q."""
        self.model.train()
        name = f"batch/{self.where}"
        x, y = next(self.data.epoch((name, f"{name}/augment"), 16))
        self.model.zero_grad()
        F.cross_entropy(self.model(x), y).backward()
        scores = {}
        for layer, module in prunable_layers(self.model).items():
            for key, p in module.named_parameters():
                theta, g = p.detach().double().numpy(), p.grad.double().numpy()
                scores[layer, key] = -theta * g + EPS * theta**2
        counts = parameter_counts(self.where.rpartition("/")[2], 3, self.data.image_shape)
        pool = np.concatenate([s.ravel() for s in scores.values()])
        q = np.quantile(pool, 1 - keep_fraction(counts, ratio))
        masks = {layer: ~((s < q) & (s > -q)) for (layer, key), s in scores.items() if key == "weight"}
        self.apply(masks)
        return masks, q


@pytest.mark.parametrize(("arch", "ratio"), [("resnet20", 10), ("lenet", 8)])
def test_the_whole_released_protocol(bench, colour, arch, ratio):
    bench = bench(colour, arch, "up-released", ratio=[ratio])
    dense, pruned = bench.plan.cells
    results = [bench.do(cell) for cell in (dense, pruned)]
    data = parts(colour)
    hand = ByHand(data, 0, arch, data.image_shape)
    assert hand.train(RELEASED["train"], "dense") == results[0].meta["kept_epoch"]
    np.testing.assert_array_equal(results[0].arrays["prediction"], predict(hand.model, data, 500))
    for name, tensor in hand.model.state_dict().items():
        np.testing.assert_array_equal(results[0].arrays[f"state/{name}"], tensor.numpy(), err_msg=name)

    masks, q = hand.prune(ratio)
    assert q > 0, "else nothing is pruned"
    started, own = bench.starts[pruned.key]
    for name, mask in masks.items():
        np.testing.assert_array_equal(own[name], mask)
    assert not all(mask.all() for mask in masks.values())
    for name, tensor in hand.model.named_buffers():  # moved by the batch
        assert torch.equal(started[name], tensor), name
    kept = {name: int(mask.sum()) for name, mask in masks.items()}
    counts = parameter_counts(arch, 3, data.image_shape)
    assert results[1].meta["kept_weights"] == kept
    assert results[1].meta["achieved_ratio"] == achieved_ratio(counts, sum(kept.values())) < ratio / 1.3

    assert hand.train(RELEASED["finetune"], "finetune", masks) == results[1].meta["kept_epoch"]
    for name, tensor in hand.model.state_dict().items():
        assert torch.equal(bench.states[pruned.key][name], tensor), name
    np.testing.assert_array_equal(results[1].arrays["prediction"], predict(hand.model, data, 500))
    for name, mask in masks.items():
        assert (hand.model.get_submodule(name).weight.detach().numpy()[~mask] == 0).all()


def test_magnitude_and_random_pruning_leave_the_batch_statistics_alone(bench, colour):
    bench = bench(colour, "resnet20", "mp", "rp-released", "gp-released", ratio=[4])
    dense, *others = bench.plan.cells
    result = bench.do(dense)
    for cell in others:
        bench.do(cell)
        same = [
            bool((result.arrays[f"state/{name}"] == tensor.numpy()).all())
            for name, tensor in bench.starts[cell.key][0].items() if "running" in name
        ]  # fmt: skip
        assert set(same) == {cell.method != "gp-released"}, cell.title


def test_one_batch_for_all_methods_and_ratios_of_a_seed(bench, colour, monkeypatch):
    drawn = []

    def listening(root, name):
        drawn.append(name)
        return stream(root, name)

    monkeypatch.setattr(device_data, "stream", listening)
    bench = bench(colour, "lenet", "gp-released", "up-released-abs", "mp", ratio=[4, 8], seeds=2)
    for cell in bench.plan.cells:
        drawn.clear()
        bench.do(cell)
        batches = [name for name in drawn if name.startswith("batch/")]
        wanted = [] if cell.is_dense or cell.method == "mp" else [f"batch/{cell.seed}/rgb/lenet"]
        assert batches == [name for one in wanted for name in (one, f"{one}/augment")], cell.title


def test_random_masks_fluctuate_around_the_share_and_zeros_stay(bench, tiny_npz):
    training = {**RELEASED, "train": [1, 0.01], "finetune": [1, 0.1], "weight_decay": 1e-3}
    bench = bench(tiny_npz(), "lenet", "rp-released", ratio=[3, 3.001, 3.002], training=training, seeds=2)
    counts = parameter_counts("lenet", 3, (1, 10, 10))
    kept = []
    for cell in bench.plan.cells:
        result = bench.do(cell)
        if cell.is_dense:
            continue
        kept.append(sum(result.meta["kept_weights"].values()))
        for name, mask in bench.starts[cell.key][1].items():
            assert int(mask.sum()) == result.meta["kept_weights"][name]
            assert (bench.states[cell.key][f"{name}.weight"].numpy()[~mask] == 0).all()
    share = keep_fraction(counts, 3)
    sd = np.sqrt(counts.prunable_weights * share * (1 - share))
    assert len(set(kept)) > 1
    assert np.abs(np.array(kept) - share * counts.prunable_weights).max() < 5 * sd


def test_ratio_one_prunes_nothing(bench, tiny_npz):
    bench = bench(tiny_npz(), "lenet", "gp-released", "up-released", "rp-released", ratio=[1])
    assert [bench.do(cell).meta.get("achieved_ratio", 1) for cell in bench.plan.cells] == [1, 1, 1, 1]


def test_a_ratio_of_the_released_criteria_means_what_it_means_in_their_code(make_grid, tiny_npz):
    counts = parameter_counts("lenet", 3, (1, 10, 10))
    largest = [largest_ratio(counts, accounting) for accounting in ("exact", "shrinkbench")]

    def planned(method, ratio):
        experiment = {"dataset": tiny_npz(), "arch": "lenet", "method": method, "ratio": [2, ratio]}
        return make_plan(make_grid(seeds=1, experiments=[experiment]))

    assert largest[0] < largest[1]
    assert planned("up-released", largest[1]).labels("ratio") == [2, largest[1]]
    with pytest.raises(InputError, match=r"leaves no weight .* \(exact accounting\)"):
        planned("mp", largest[1])
    with pytest.raises(InputError, match=r"leaves no weight .* \(shrinkbench accounting\)"):
        planned("rp-released", largest[1] + 1)


def test_matched_to_up_released_its_absolute_value_is_the_same_network(bench, colour):
    """The mask of the unsigned score at the achieved ratio is that of the signed one, and everything else is equal."""
    matched = {"dataset": colour, "arch": "resnet20", "method": ["up-released-abs", "gp-released", "mp", "rp-released"],
               "ratio": [8], "match": "up-released"}  # fmt: skip
    bench = bench(colour, "resnet20", "sham", "up-released", "up-released-abs", ratio=[8], more=[matched])
    cells = {cell.method: cell for cell in bench.plan.cells}
    results = {method: bench.do(cell) for method, cell in cells.items()}
    one, twin = (cells[name].key for name in ("up-released", "up-released-abs@up-released"))
    for name, mask in bench.starts[one][1].items():
        np.testing.assert_array_equal(mask, bench.starts[twin][1][name])
    for before, after in ((bench.starts[one][0], bench.starts[twin][0]), (bench.states[one], bench.states[twin])):
        for name, tensor in before.items():
            assert torch.equal(tensor, after[name]), name
    pair = (results["up-released"], results["up-released-abs@up-released"])
    np.testing.assert_array_equal(*(result.arrays["prediction"] for result in pair))

    achieved = results["up-released"].meta["achieved_ratio"]
    counts = parameter_counts("resnet20", 3, (3, 10, 10))
    nominal = results["up-released-abs"].meta["achieved_ratio"]
    assert achieved < nominal == achieved_ratio(counts, kept_count(counts, 8, "shrinkbench"))
    for method in ("up-released-abs", "gp-released", "mp", "rp-released"):
        meta = results[f"{method}@up-released"].meta
        assert (meta["achieved_ratio"], meta["target_ratio"]) == (achieved, achieved), method
    assert "target_ratio" not in results["up-released-abs"].meta


def test_made_to_match_up_released_ranks_by_the_size_of_its_scores(bench, tiny_npz):
    path = tiny_npz()
    matched = {"dataset": path, "arch": "lenet", "method": ["up-released", "up-released-abs"], "ratio": [4],
               "match": "mp"}  # fmt: skip
    bench = bench(path, "lenet", "mp", ratio=[4], more=[matched])
    for cell in bench.plan.cells:
        bench.do(cell)
    mp, signed, unsigned = (bench.starts[cell.key][1] for cell in bench.plan.cells if not cell.is_dense)
    for name, mask in unsigned.items():
        np.testing.assert_array_equal(signed[name], mask)
    assert any((mp[name] != mask).any() for name, mask in unsigned.items())
