"""Precision and determinism: what holds for a cell, for its training steps alone, and never for the next cell."""

import itertools

import numpy as np
import pytest
import torch

from rdcompute import datasets, precision
from rdcompute.compiled import training_forward
from rdcompute.criteria.gradient import training_gradient
from rdcompute.device_data import DeviceData
from rdcompute.execute import Worker, use_one_thread
from rdcompute.grid import Grid
from rdcompute.grid_file import load_grid
from rdcompute.lineage import content_hash
from rdcompute.models import build_model, build_narrow
from rdcompute.plan import grid_cells, make_plan
from rdcompute.precision import arithmetic, in_steps
from rdcompute.provenance import determinism
from rdcompute.rundir import RunDirectory
from rdcompute.training import fit, predict, validate
from rdcompute.training_settings import TrainingSettings
from rdcompute.widths import narrow_widths

CPU = torch.device("cpu")


def flags():
    """Every flag that a cell may set, as PyTorch has it now."""
    cudnn = torch.backends.cudnn
    return {
        "matmul": torch.get_float32_matmul_precision(), "conv": cudnn.allow_tf32,
        "places": {name: place.fp32_precision for name, place in precision._places().items()},
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warn_only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "fill": torch.utils.deterministic.fill_uninitialized_memory,
        "cudnn": (cudnn.deterministic, cudnn.benchmark),
    }  # fmt: skip


def settings(**fields):
    return TrainingSettings(**fields)


@pytest.fixture
def older(monkeypatch):
    """PyTorch as before 2.9: no precision of its own for each kind of product."""
    monkeypatch.setattr(precision, "_places", dict)


@pytest.fixture(params=["as it is", "older"])
def version(request):
    if request.param == "older":
        request.getfixturevalue("older")
    return request.param


def test_float32_means_float32_and_tf32_holds_for_the_steps_only(version):
    assert flags()["conv"]  # PyTorch's own choice
    for name in ("fp32", "tf32", "bf16"):
        own = settings(precision=name)
        with arithmetic(own, CPU):
            assert (flags()["matmul"], flags()["conv"]) == ("highest", False)
            assert set(flags()["places"].values()) <= {"ieee"}
            with in_steps(own):
                fast = name == "tf32"
                assert (flags()["matmul"], flags()["conv"]) == ("high" if fast else "highest", fast)
                assert set(flags()["places"].values()) <= {"tf32" if fast else "ieee"}
            assert (flags()["matmul"], flags()["conv"]) == ("highest", False)


@pytest.mark.parametrize("deterministic", [True, False])
def test_deterministic_decides_what_cuda_may_do(deterministic):
    with arithmetic(settings(deterministic=deterministic), CPU):
        found = flags()
        assert found["deterministic"] is deterministic
        assert found["cudnn"] == (deterministic, not deterministic)
        assert not found["fill"]
        unordered = torch.zeros(3).put_
        if deterministic:
            with pytest.raises(RuntimeError, match="deterministic"):
                unordered(torch.tensor([0, 0]), torch.tensor([1.0, 2.0]))
        else:
            unordered(torch.tensor([0, 0]), torch.tensor([1.0, 2.0]))
    with arithmetic(settings(), torch.device("mps")):
        assert not flags()["deterministic"]


def _warning_only():
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = True


def _newer():
    for place in precision._places().values():
        place.fp32_precision = "tf32"


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize(
    "before",
    [lambda: None, _warning_only, lambda: torch.set_float32_matmul_precision("medium"),
     lambda: torch.set_float32_matmul_precision("high"), _newer],
)  # fmt: skip
def test_after_a_cell_everything_is_as_it_was(before, fails, version):
    with arithmetic(settings(), CPU):  # for the sake of the other tests
        before()
        if before is _newer:  # what the older flags say is then an error to ask for, on both sides
            torch.set_float32_matmul_precision("high")
            torch.backends.cudnn.allow_tf32 = True
            _newer()
        there = flags()
        own = settings(precision="tf32", deterministic=False)
        try:
            with arithmetic(own, CPU), in_steps(own):
                assert flags() != there
                if fails:
                    raise KeyError
        except KeyError:
            assert fails
        assert flags() == there


ARCHS = ["lenet", "resnet20", "resnet32", "resnet44", "resnet56", "resnet110", "narrow"]


def network(arch):
    if arch != "narrow":
        return build_model(arch, 3, (3, 10, 10), 1)
    model = build_narrow("resnet20", narrow_widths((0, 0.2, 0.2, 0.5, 0.5, 0.5), 3), 3, (3, 10, 10))
    for block in itertools.chain(model.layer1, model.layer2, model.layer3):
        n_out, n_in = block.conv2.out_channels, block.conv1.in_channels
        block.route(torch.arange(n_out) % (n_in + 1) - 1)  # any channel, or none, and one several times
    return model


@pytest.mark.parametrize("arch", ARCHS)
def test_every_network_has_deterministic_kernels_and_the_bits_of_default_ones(arch):
    """On the CPU the mode changes no bit; were there an operation without such a kernel, it would raise."""
    use_one_thread()

    def gradients(own):
        model = network(arch).to(memory_format=torch.channels_last)
        data = (torch.arange(1200, dtype=torch.float32).reshape(4, 3, 10, 10) / 600).sin()
        with arithmetic(own, CPU), in_steps(own):
            logits = training_forward(model, own, CPU)(data)
            torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0])).backward()
        return content_hash({name: p.grad.numpy() for name, p in model.named_parameters()})

    assert gradients(settings()) == gradients(settings(deterministic=False))
    if arch in ("lenet", "resnet20", "narrow"):
        assert gradients(settings()) != gradients(settings(precision="bf16"))


@pytest.fixture(scope="module")
def data(tiny_npz):
    return DeviceData.load(datasets.load(tiny_npz("prec", channels=3)), CPU, root_seed=0)


def test_bfloat16_is_for_the_steps_and_everything_that_is_kept_or_counted_is_float32(data):
    use_one_thread()
    own = settings(precision="bf16", batch_size=16)
    model = build_model("resnet20", 3, (3, 10, 10), 1).to(memory_format=torch.channels_last)
    seen = {True: set(), False: set()}
    model.linear.register_forward_hook(lambda m, inputs, output: seen[m.training].add(output.dtype))
    model.layer1[0].conv1.register_forward_hook(lambda m, inputs, output: seen[m.training].add(output.dtype))
    with arithmetic(own, CPU):
        result = fit(model, data, ((2, 0.05),), own, stream_name="0/t/a/dense")
        predicted = predict(model, data, 7)
        training_gradient(model, data.train_images, data.train_labels, data.normalize, 16)
        again = validate(model, data, own)
    assert seen == {True: {torch.bfloat16}, False: {torch.float32}}
    assert {t.dtype for t in result.state.values() if t.is_floating_point()} == {torch.float32}
    assert {p.grad.dtype for p in model.parameters()} == {torch.float32}
    assert again[0] == result.history[-1].val_loss
    same = build_model("resnet20", 3, (3, 10, 10), 2).to(memory_format=torch.channels_last)
    same.load_state_dict(model.state_dict())
    with arithmetic(settings(), CPU):
        assert np.array_equal(predict(same, data, 7), predicted)
    logits = training_forward(model.train(), own, CPU)(data.normalize(data.test_images))
    assert logits.dtype == torch.float32  # so the loss is


def test_tf32_is_for_the_steps(data):
    own = settings(precision="tf32", batch_size=16)
    model = build_model("lenet", 3, (3, 10, 10), 1).to(memory_format=torch.channels_last)
    seen = {True: set(), False: set()}
    model.conv1.register_forward_hook(lambda m, *_: seen[m.training].add((flags()["matmul"], flags()["conv"])))
    model.conv1.weight.register_hook(lambda _: seen[True].add((flags()["matmul"], flags()["conv"])))
    with arithmetic(own, CPU):
        fit(model, data, ((1, 0.05),), own, stream_name="0/t/a/dense")
        predict(model, data, 7)
        training_gradient(model, data.train_images, data.train_labels, data.normalize, 16)
    assert seen[False] == {("highest", False)}
    assert seen[True] == {("high", True), ("highest", False)}  # the latter in the gradient of a criterion


def test_cells_of_other_precision_in_one_worker_have_the_bits_that_they_have_alone(make_grid, tiny_npz, tmp_path):
    use_one_thread()
    tiny = {"batch_size": 16, "train": [[2, 0.05]], "finetune": [[1, 0.05]]}
    path = tiny_npz("own", channels=3)
    kinds = {"bf16": {"precision": "bf16"}, "tf32": {"precision": "tf32", "deterministic": False}, "fp32": {}}
    grids = [
        make_grid(seeds=1, experiments=[{"dataset": path, "arch": "lenet", "method": "mp", "ratio": 2}],
                  training={"lenet": {**tiny, **fields}}) for fields in kinds.values()
    ]  # fmt: skip

    def results(of):
        run = RunDirectory.open(tmp_path / f"{len(list(tmp_path.iterdir()))}.run", {"name": "x"}, {})
        worker = Worker(run, None, CPU)
        found = []
        for grid in of:
            for cell in make_plan(grid).cells:
                worker.execute(cell)
                found.append(run.load(cell.key))
        return found

    before = flags()
    together = results(grids)
    assert flags() == before
    alone = [one for grid in grids for one in results([grid])]
    for one, other in zip(together, alone, strict=True):
        assert one.arrays.keys() == other.arrays.keys()
        assert all(np.array_equal(one.arrays[name], other.arrays[name]) for name in one.arrays)
    assert together[0].meta["dense_id"] != together[4].meta["dense_id"]
    told = [one.meta["made"]["determinism"] for one in together]
    names = ("precision", "float32_matmul_precision", "cudnn_allow_tf32", "deterministic_algorithms", "cudnn_benchmark")
    assert [tuple(one[name] for name in names) for one in told[::2]] == [
        ("bf16", "highest", False, True, False), ("tf32", "high", True, False, True),
        ("fp32", "highest", False, True, False),
    ]  # fmt: skip
    assert [one["compile"] for one in told] == [False] * 6


def test_each_field_is_part_of_a_hash_when_it_is_not_default():
    def key(**fields):
        document = {"name": "x", "seeds": 1, "training": {"lenet": fields},
                    "experiments": [{"dataset": "mnist", "arch": "lenet", "method": "mp", "ratio": 2}]}  # fmt: skip
        return tuple(cell.key for cell in grid_cells(Grid.model_validate(document)))

    kinds = [{}, {"precision": "tf32"}, {"precision": "bf16"}, {"compile": True}, {"deterministic": False}]
    assert len({key(**fields) for fields in kinds}) == len(kinds)
    assert key() == key(precision="fp32", compile=False, deterministic=True)


@pytest.mark.parametrize(
    ("grid", "first", "last"),
    [
        ("fashion.yaml", "79447305ce37100d4911721568895a25", "d9be6adcf605bcdc7c1472acc8f7ccb0"),
        ("lth.yaml", "686470cd365ad66d0d9022f87970306a", "805890aba1ceeae12b7452003af7d008"),
        ("chip.yaml", "7baee009149111c0e66ef7ba7b407762", "e72c77f8cb66a898db3a871c661687f0"),
        ("released.yaml", "9705b5ce915960e4520742ffd62b28c1", "c26959977a55c375e46ac01409e58ccf"),
    ],
)
def test_shipped_grids_have_the_hashes_that_they_had_before_there_were_these_fields(grid, first, last):
    cells = grid_cells(load_grid(grid))
    assert (cells[0].key, cells[-1].key) == (first, last)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [("precision", "fp16", "'fp32', 'tf32' or 'bf16'"), ("compile", "perhaps", "compile"), ("deterministic", 3, "3")],
)
def test_another_value_is_refused_in_one_line(refused, field, value, words):
    text = "name: x\nseeds: 1\nexperiments: [{dataset: mnist, arch: lenet, method: mp, ratio: 2}]\n"
    assert words in refused(text + f"training: {{lenet: {{{field}: {value}}}}}\n")


def test_what_is_recorded_is_what_holds(monkeypatch):
    own = settings(precision="tf32")
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    with arithmetic(own, CPU):
        told = determinism(own)
    assert told["cublas_workspace_config"] == ":16:8"
    names = ("precision", "float32_matmul_precision", "deterministic_algorithms")
    assert [told[name] for name in names] == ["tf32", "high", True]
