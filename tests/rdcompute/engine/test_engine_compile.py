"""torch.compile in training steps: graphs by shape alone, eager evaluation, and one line where nothing compiles."""

import functools
import shutil
import time

import numpy as np
import pytest
import torch
import torch._dynamo.config as dynamo
import torch._inductor.config as inductor
from torch import nn

from rdcompute import datasets
from rdcompute.checkpoint import CellCheckpoint
from rdcompute.compiled import CompilerError, check_compiler
from rdcompute.compute import compute
from rdcompute.device_data import DeviceData
from rdcompute.execute import use_one_thread
from rdcompute.models import build_model, prunable_layers
from rdcompute.plan import make_plan
from rdcompute.precision import arithmetic
from rdcompute.rundir import RunDirectory
from rdcompute.stopwatch import time_network
from rdcompute.training import fit
from rdcompute.training_settings import TrainingSettings
from rdstats.errors import InputError

PHASES = ((3, 0.05),)
COMPILED, EAGER = (TrainingSettings(batch_size=16, compile=compile) for compile in (True, False))


class Killed(BaseException):
    """Ends a training as a kill does."""


@pytest.fixture(scope="module")
def data(tiny_npz):
    """Forty images to train on: two batches of 16 and one of 8."""
    use_one_thread()
    images = datasets.load(tiny_npz("comp", n_train=45))
    return DeviceData.load(images, torch.device("cpu"), root_seed=0)


OPEN = "any number of images"


class Graphs(list):
    """Number of images of each graph, in the order in which they were made, which takes so many seconds."""

    seconds = 0.0


@pytest.fixture
def graphs(monkeypatch):
    """Compile graphs to what PyTorch does anyway, which needs no compiler."""
    made = Graphs()

    def backend(graph, inputs):
        time.sleep(made.seconds)
        sizes = [t.shape[0] for t in inputs if isinstance(t, torch.Tensor) and t.shape[1:] == (1, 10, 10)]
        made.append(OPEN if any(isinstance(t, torch.SymInt) for t in inputs) else sizes[0])
        return graph.forward

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))
    yield made
    torch.compiler.reset()


class Softmax(nn.Module):
    """Softmax regression: as little as can be compiled."""

    head_name = ""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(100, 3)
        with torch.no_grad():
            self.fc.weight.copy_(torch.linspace(-0.1, 0.1, 300).reshape(3, 100))
            self.fc.bias.zero_()

    def forward(self, x):
        return self.fc(x.flatten(1))


def train(model, data, settings=COMPILED, *, run=None, stop=None, masked=False):
    rng = np.random.default_rng(0)
    masks = {name: torch.from_numpy(rng.random(tuple(layer.weight.shape)) < 0.5)
             for name, layer in prunable_layers(model).items()}  # fmt: skip

    def on_epoch(report):
        if report.epoch == stop:
            raise Killed

    checkpoint = CellCheckpoint(run, "ab" * 16, 0.0) if run else None
    with arithmetic(settings, torch.device("cpu")):
        result = fit(model, data, PHASES, settings, stream_name="0/t/a/dense", masks=masks if masked else None,
                     on_epoch=on_epoch, checkpoint=checkpoint)  # fmt: skip
    for name, layer in prunable_layers(model).items():
        assert not masked or not layer.weight[~masks[name]].any()
    return result


def lenet():
    return build_model("lenet", 3, (1, 10, 10), 1).to(memory_format=torch.channels_last)


def same(one, other):
    return all(torch.equal(one.state[name], other.state[name]) for name in one.state) and (
        [r.loss for r in one.history] == [r.loss for r in other.history]
    )


def test_every_shape_has_a_graph_and_only_training_has_any(data, graphs):
    train(lenet(), data)
    assert graphs == [16, 8]
    graphs.clear()
    train(lenet(), data, EAGER)
    assert graphs == []


def test_compiled_steps_train_the_network_itself(data, graphs):
    assert same(train(lenet(), data, masked=True), train(lenet(), data, EAGER, masked=True))


def test_many_networks_in_one_process_are_all_compiled(data, graphs):
    """Two graphs each are more in all than PyTorch compiles of one function before it gives up in silence."""
    with dynamo.patch(recompile_limit=2):
        for _ in range(3):
            train(lenet(), data)
    assert len(graphs) == 6


def test_the_limit_is_an_error_and_not_a_silent_end_of_compiling(data, graphs):
    with dynamo.patch(recompile_limit=1), pytest.raises(CompilerError, match=r"^torch.compile failed: [^\n]+\Z"):
        train(lenet(), data)


def test_what_cannot_be_one_graph_is_an_error(data, graphs):
    class Reading(Softmax):
        def forward(self, x):
            return super().forward(x if float(x.sum()) > 0 else -x)

    with pytest.raises(CompilerError, match=r"^torch.compile failed: [^\n]+\Z"):
        train(Reading(), data)


@pytest.mark.parametrize("stop", [1, 2])
def test_a_compiled_training_that_goes_on_makes_the_graphs_of_one_that_was_not_stopped(data, graphs, tmp_path, stop):
    run = RunDirectory.open(tmp_path / "a.run", {"name": "x"}, {})
    whole = train(lenet(), data)
    with pytest.raises(Killed):
        train(lenet(), data, run=run, stop=stop)
    graphs.clear()
    assert same(train(lenet(), data, run=run), whole)
    assert graphs == [16, 8]


def test_compiled_in_bfloat16(data, graphs):
    low = COMPILED.model_copy(update={"precision": "bf16"})
    result = train(lenet(), data, low)
    assert len(graphs) == 2
    assert same(result, train(lenet(), data, low.model_copy(update={"compile": False})))
    assert not same(result, train(lenet(), data, EAGER))


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++, a C++ compiler")
def test_really_compiled(data, monkeypatch, tmp_path):
    """Compiled by PyTorch's own backend, a training goes on to the same bits, and ends near the eager one."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    run = RunDirectory.open(tmp_path / "a.run", {"name": "x"}, {})
    compiled, eager = (one.model_copy(update={"batch_size": 20}) for one in (COMPILED, EAGER))  # one shape
    # without vector instructions and the header file made for many graphs, a third of the time
    with inductor.patch({"cpp.vec_isa_ok": False, "cpp_cache_precompile_headers": False}):
        whole = train(Softmax(), data, compiled, masked=True)
        with pytest.raises(Killed):
            train(Softmax(), data, compiled, run=run, stop=2, masked=True)
        assert same(train(Softmax(), data, compiled, run=run, masked=True), whole)
    assert list((tmp_path / "cache").rglob("*.so"))
    near = train(Softmax(), data, eager, masked=True)
    assert [r.loss for r in whole.history] == pytest.approx([r.loss for r in near.history], rel=1e-5)


@pytest.fixture
def no_compiler(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))  # what is there needs no compiler
    monkeypatch.setenv("TORCHINDUCTOR_FX_GRAPH_CACHE", "0")
    with inductor.patch({"cpp.cxx": (None, "no-such-compiler"), "fx_graph_cache": False}):
        yield


WORDS = r"^compile: true needs a C\+\+ compiler, and none is found[^\n]*\Z"


@pytest.fixture
def grid(make_grid, tiny_npz):
    tiny = {"batch_size": 16, "train": [[1, 0.05]], "finetune": [[1, 0.05]], "compile": True}
    return make_grid(
        seeds=1, experiments=[{"dataset": tiny_npz(), "arch": "lenet", "method": "mp", "ratio": 2}],
        training={"lenet": tiny},
    )  # fmt: skip


def test_without_a_compiler_nothing_is_begun(grid, no_compiler, tmp_path):
    with pytest.raises(InputError, match=WORDS):
        compute(grid, tmp_path / "cube.nc", device="cpu")
    assert not (tmp_path / "cube.run").exists()


def test_a_compiler_that_goes_away_is_told_in_one_line_too(data, no_compiler):
    with pytest.raises(CompilerError, match=WORDS):
        train(Softmax(), data)


def test_only_what_is_compiled_needs_a_compiler(no_compiler, monkeypatch):
    check_compiler([EAGER], ["cpu", "cuda:0"])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"^compile: true needs Triton on cuda[^\n]*\Z"):
        check_compiler([EAGER, COMPILED], ["cuda:0", "cuda:1"])


def test_a_plan_times_compiled_steps_and_adds_to_each_cell_what_compiling_takes(grid, graphs, data):
    dense, compressed = make_plan(grid).cells
    graphs.seconds = 0.5
    timing = time_network(dense, compressed, False, (data, datasets.dataset_spec(dense.dataset)), "cpu")
    assert graphs.count(16) == 2  # what the first cell leaves on disk makes the others faster
    assert min(timing.dense, timing.compressed) > graphs.seconds
    assert 16 * timing.train < graphs.seconds / 2
