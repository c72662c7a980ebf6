"""One cell at a time, through the path that real runs take."""

import itertools

import numpy as np
import pytest
import torch

from rdcompute import datasets, device_data, execute, image_parts, training
from rdcompute.criteria import CRITERIA, criterion_names, keeps_exactly
from rdcompute.criteria.gradient import training_gradient
from rdcompute.execute import Worker, choose_device, use_one_thread
from rdcompute.lineage import content_hash
from rdcompute.masks import kept_count
from rdcompute.models import build_model, layer_shapes, parameter_counts, prunable_layers, weight_vector
from rdcompute.plan import make_plan
from rdcompute.rundir import RunDirectory
from rdcompute.streams import stream, torch_seed
from rdstats.errors import InputError


class Bench:
    """A worker on a fresh run directory that keeps the fit of every cell."""

    def __init__(self, grid, folder, monkeypatch):
        use_one_thread()
        self.plan = make_plan(grid)
        self.run = RunDirectory.open(folder, grid.resolved(), {})
        self.worker = Worker(self.run, None, torch.device("cpu"))
        self.fits = {}
        real = execute.fit

        def keeping(*args, **kwargs):
            self.masks = kwargs.get("masks")
            self.last = real(*args, **kwargs)
            return self.last

        monkeypatch.setattr(execute, "fit", keeping)

    def do(self, cell):
        self.worker.execute(cell)
        self.fits[cell.key] = self.last
        return self.run.load(cell.key)


@pytest.fixture
def bench(tmp_path, monkeypatch):
    return lambda grid: Bench(grid, tmp_path / "run", monkeypatch)


def test_every_dense_network_has_its_own_gradient(bench, make_grid, tiny_npz, monkeypatch):
    """One worker prunes two seeds, and two ratios of each: a gradient is computed once, and is no other seed's."""
    experiments = [{"dataset": tiny_npz(), "arch": "lenet", "method": "gp", "ratio": [2, 4]}]
    bench = bench(make_grid(seeds=2, experiments=experiments))
    found = []

    def watched(model, *args):
        found.append(training_gradient(model, *args))
        return found[-1]

    monkeypatch.setattr("rdcompute.compress.once.training_gradient", watched)
    dense = [bench.do(cell).meta["dense_id"] for cell in bench.plan.cells if cell.is_dense]
    assert dense[0] != dense[1]
    for cell in bench.plan.cells:
        if not cell.is_dense:
            assert bench.do(cell).meta["parent_id"] == dense[cell.seed]
            state = bench.run.load(cell.dense.key).arrays
            weights = {name: state[f"state/{name}.weight"].astype(float) for name in bench.masks}
            scores = [np.abs(w * (found[cell.seed][name] + 5e-4 * w)).ravel() for name, w in weights.items()]
            mask = np.concatenate([mask.numpy().ravel() for mask in bench.masks.values()])
            assert np.concatenate(scores)[mask].min() >= np.concatenate(scores)[~mask].max()
    assert len(found) == 2


@pytest.mark.parametrize("accounting", ["exact", "shrinkbench"])
def test_every_criterion_keeps_the_exact_count(bench, make_grid, tiny_npz, accounting):
    settings = {"batch_size": 16, "train": [1, 0.05], "finetune": [1, 0.05], "weight_decay": 1e-3}
    methods = list(filter(keeps_exactly, criterion_names()))
    grid = make_grid(
        seeds=1,
        experiments=[{"dataset": tiny_npz(), "arch": "lenet", "method": methods, "ratio": [1, 1.1, 3, 20]}],
        training={"lenet": {**settings, "ratio_accounting": accounting}},
    )
    bench = bench(grid)
    counts = parameter_counts("lenet", 3, (1, 10, 10))
    for cell in bench.plan.cells:
        result = bench.do(cell)
        if cell.is_dense:
            continue
        kept = kept_count(counts, cell.ratio, accounting)
        assert sum(result.meta["kept_weights"].values()) == kept, cell.title
        assert result.meta["kept_weights"].keys() == counts.layers.keys()
        assert result.meta["achieved_ratio"] == counts.total / (counts.total - counts.prunable_weights + kept)
        state = bench.fits[cell.key].state
        for name, mask in bench.masks.items():
            assert int(mask.sum()) == result.meta["kept_weights"][name]
            assert (state[f"{name}.weight"][~mask] == 0).all()
        if accounting == "exact":
            assert result.meta["achieved_ratio"] == pytest.approx(cell.ratio, rel=1e-3)


def test_pruning_nothing_is_the_control_bit_by_bit(bench, make_grid, tiny_npz):
    grid = make_grid(
        seeds=1,
        experiments=[{"dataset": tiny_npz(channels=3), "arch": "lenet", "method": ["sham", "mp", "rp"], "ratio": 1}],
    )
    bench = bench(grid)
    dense, sham, mp, rp = bench.plan.cells
    results = [bench.do(cell) for cell in (dense, sham, mp, rp)]
    for cell, result in zip((mp, rp), results[2:], strict=True):
        for name in ("confusion", "prediction"):
            np.testing.assert_array_equal(result.arrays[name], results[1].arrays[name])
        for name in ("val_losses", "loss", "kept_epoch", "val_loss", "achieved_ratio", "kept_weights"):
            assert result.meta[name] == results[1].meta[name]
        for name, tensor in bench.fits[cell.key].state.items():
            assert torch.equal(tensor, bench.fits[sham.key].state[name]), name
    assert not torch.equal(bench.fits[sham.key].state["fc1.weight"], bench.fits[dense.key].state["fc1.weight"])


def test_masks_are_those_of_the_criterion_at_the_dense_network(bench, make_grid, tiny_npz):
    """Recomputed from the stored dense weights: gradient over the training part, hold-out excluded."""
    path = tiny_npz()
    methods = list(filter(keeps_exactly, criterion_names()))
    bench = bench(make_grid(seeds=1, experiments=[{"dataset": path, "arch": "lenet", "method": methods, "ratio": 4}]))
    data = datasets.load(path)
    train, _ = datasets.stratified_holdout(data.train_labels, 6, stream(0, "holdout/tiny"))
    for cell in bench.plan.cells:
        result = bench.do(cell)
        if cell.is_dense:
            model = build_model("lenet", 3, (1, 10, 10), 0)
            arrays = {n.removeprefix("state/"): torch.from_numpy(a) for n, a in result.arrays.items() if "state/" in n}
            model.load_state_dict(arrays)
            theta = weight_vector(model)

            def normalize(batch):
                return ((batch / 255 - data.mean[0]) / data.std[0]).permute(0, 3, 1, 2)

            images, labels = torch.from_numpy(data.train_images[train]), torch.from_numpy(data.train_labels[train])
            parts = training_gradient(model, images, labels, normalize, 500)
            gradient = np.concatenate([parts[name].ravel() for name in prunable_layers(model)])
            continue
        criterion = CRITERIA.get(cell.method)
        rng = stream(0, f"mask/0/tiny/lenet/{cell.method}/4")
        scores = criterion.score(theta, gradient, cell.settings.weight_decay, rng)
        flat = np.concatenate([bench.masks[name].numpy().ravel() for name in layer_shapes(model)])
        threshold = np.sort(scores)[-flat.sum()]
        # another order of float32 operations: scores within rounding of the threshold may go either way
        clear = np.abs(scores - threshold) > 1e-4 * threshold
        assert clear.mean() > 0.99
        np.testing.assert_array_equal(flat[clear], (scores > threshold)[clear])


def test_random_masks_differ_between_seeds_and_ratios(bench, make_grid, tiny_npz):
    bench = bench(
        make_grid(seeds=2, experiments=[{"dataset": tiny_npz(), "arch": "lenet", "method": "rp", "ratio": [2, 2.001]}])
    )
    masks = []
    for cell in bench.plan.cells:
        bench.do(cell)
        if not cell.is_dense:
            masks.append(bench.masks["fc2"].numpy())
    agreement = [(a == b).mean() for i, a in enumerate(masks) for b in masks[:i]]
    assert all(0.4 < share < 0.6 for share in agreement)


def test_streams_are_common_to_all_methods_and_ratios(bench, make_grid, tiny_npz, monkeypatch):
    names = []

    def listening(root, name):
        names.append((root, name))
        return stream(root, name)

    for module in (image_parts, device_data):
        monkeypatch.setattr(module, "stream", listening)
    methods = ["sham", "mp", "gp", "rp"]
    experiment = {"dataset": tiny_npz("rgb", channels=3), "arch": "lenet", "method": methods, "ratio": [2, 4]}
    grid = make_grid(seeds=1, root_seed=8, experiments=[experiment])
    bench = bench(grid)
    drawn = {}
    for cell in bench.plan.cells:
        names.clear()
        bench.do(cell)
        drawn[cell.key] = list(names)
    dense, *compressed = bench.plan.cells
    where = "0/rgb/lenet"
    assert drawn[dense.key] == [
        (8, "holdout/rgb"),
        *[(8, f"{kind}/{where}/dense/{epoch}") for epoch in (1, 2) for kind in ("order", "augment")],
    ]
    for cell in compressed:
        expected = [(8, f"{kind}/{where}/finetune/{epoch}") for epoch in (1, 2) for kind in ("order", "augment")]
        assert drawn[cell.key] == expected, cell.title


def test_the_dense_network_starts_from_its_stream(bench, make_grid, tiny_npz):
    grid = make_grid(
        seeds=[3],
        experiments=[{"dataset": tiny_npz(), "arch": "lenet", "method": "sham"}],
        training={"lenet": {"train": [1, 1e-30], "finetune": [1, 1e-30]}},
    )
    bench = bench(grid)
    dense = bench.do(bench.plan.cells[0])
    initial = build_model("lenet", 3, (1, 10, 10), torch_seed(0, "init/3/tiny/lenet"))
    for name, tensor in initial.state_dict().items():
        np.testing.assert_array_equal(dense.arrays[f"state/{name}"], tensor.numpy())
    bench.do(bench.plan.cells[1])
    for name, tensor in bench.fits[bench.plan.cells[1].key].state.items():
        np.testing.assert_array_equal(dense.arrays[f"state/{name}"], tensor.numpy())


def test_the_stored_matrix_is_that_of_the_kept_weights(bench, make_grid, tiny_npz, monkeypatch):
    """The first epoch is kept here, not the last."""
    losses = itertools.count(1.0)
    monkeypatch.setattr(training, "validate", lambda *args: (next(losses), 0.5))
    path = tiny_npz("rgb", channels=3)
    bench = bench(make_grid(seeds=1, experiments=[{"dataset": path, "arch": "resnet20", "method": "sham"}]))
    result = bench.do(bench.plan.cells[0])
    assert (result.meta["kept_epoch"], result.meta["val_losses"]) == (1, [1.0, 2.0])
    data = datasets.load(path)
    model = build_model("resnet20", 3, (3, 10, 10), 5)
    model.load_state_dict({n[6:]: torch.from_numpy(a) for n, a in result.arrays.items() if n.startswith("state/")})
    model.eval()
    x = (torch.from_numpy(data.test_images) / 255 - torch.tensor(data.mean)) / torch.tensor(data.std)
    with torch.no_grad():
        logits = model(x.permute(0, 3, 1, 2).float())
    clear = logits.topk(2).values.diff().abs().numpy().ravel() > 1e-3  # far enough from ties for any rounding
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(result.arrays["prediction"][clear], logits.argmax(1).numpy()[clear])
    expected = np.zeros((3, 3), int)
    for label, prediction in zip(data.test_labels, result.arrays["prediction"], strict=True):
        expected[label, prediction] += 1
    np.testing.assert_array_equal(result.arrays["confusion"], expected)


def test_a_parent_that_is_gone_is_a_clear_failure(bench, make_grid, tiny_npz):
    bench = bench(make_grid(seeds=1, experiments=[{"dataset": tiny_npz(), "arch": "lenet", "method": "sham"}]))
    with pytest.raises(RuntimeError, match="damaged or gone; run the same command again"):
        bench.do(bench.plan.cells[1])


def test_content_hash_is_of_names_types_shapes_and_values():
    state = {"a": np.arange(6.0).reshape(2, 3), "b": np.array(1)}
    again = {"b": np.array(1), "a": np.asfortranarray(state["a"])}
    assert content_hash(state) == content_hash(again)
    for other in (
        {**state, "a": state["a"].T.copy()},
        {**state, "a": state["a"].astype(np.float32)},
        {**state, "a": state["a"] + 1e-9},
        {"c": state["a"], "b": state["b"]},
    ):
        assert content_hash(other) != content_hash(state)


def test_devices_are_checked():
    assert choose_device("cpu") == "cpu"
    assert choose_device("cpu:0") == "cpu:0"
    assert choose_device("auto") in ("cpu", "cuda", "mps")
    for wrong in ("gpu", "cuda:x", "cuda:", "cpu:", "cuda:-1", ""):
        with pytest.raises(InputError, match="auto, cpu, cuda, cuda:N or mps is accepted"):
            choose_device(wrong)
    for absent in ("cpu:1", "cuda:99"):
        with pytest.raises(InputError, match="not on this machine"):
            choose_device(absent)
