"""Classifiers of every kind evaluated in one pass: counts, predictions, modes, and what is refused."""

import subprocess
import sys
from collections import UserDict
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

import rdcompute
import rdstats
from rdstats.errors import InputError

N, C = 90, 4
GENERATOR = torch.Generator().manual_seed(0)
INPUTS = torch.randn(N, 6, generator=GENERATOR)
TRUTH = torch.randint(0, C, (N,), generator=GENERATOR)


def network():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, C))


def loader(size=32, **options):
    return DataLoader(TensorDataset(INPUTS, TRUTH), batch_size=size, **options)


class Called(nn.Module):
    """A network with two arguments, whose result has `logits`."""

    def __init__(self, wrap):
        super().__init__()
        self.inner, self.wrap = network(), wrap

    def forward(self, x, scale=None):
        return self.wrap(self.inner(x if scale is None else x * scale))


@pytest.mark.parametrize("size", [1, 7, 32, N, 1000])
def test_counts_are_those_of_a_loop_and_of_scikit_learn(size):
    model = network()
    found = rdcompute.evaluate(model, loader(size))
    model.eval()
    with torch.no_grad():
        expected = torch.cat([model(x).argmax(1) for x, _ in loader(size)]).numpy()
    np.testing.assert_array_equal(found.predictions, expected)
    np.testing.assert_array_equal(found.labels, TRUTH.numpy())
    np.testing.assert_array_equal(found.confusion, confusion_matrix(TRUTH, expected, labels=range(C)))
    np.testing.assert_array_equal(rdcompute.confusion(model, loader(size)), found.confusion)
    assert [x.dtype for x in (found.confusion, found.labels, found.predictions)] == [np.int64] * 3
    assert found.confusion.sum() == N


def test_two_evaluations_are_a_comparison():
    before, after = (rdcompute.evaluate(model, loader()) for model in (network(), network().bfloat16().float()))
    found = rdstats.compare(before.predictions, after.predictions, labels=before.labels, classes=range(C))
    np.testing.assert_array_equal(found.cube["confusion"].values.squeeze(), after.confusion)


ONE_HALF = torch.tensor(0.5)
BATCHES = {
    "pairs": (lambda x, y: (x, y), None),
    "lists": (lambda x, y: [x, y], None),
    "arguments": (lambda x, y: ((x, ONE_HALF), y), ONE_HALF),
    "arguments by name": (lambda x, y: ({"x": x, "scale": ONE_HALF}, y), ONE_HALF),
    "mapping": (lambda x, y: {"x": x, "labels": y}, None),
    "mapping, label": (lambda x, y: UserDict(x=x, label=y, scale=ONE_HALF), ONE_HALF),
    "labels in a list": (lambda x, y: (x, y.tolist()), None),
    "labels in NumPy": (lambda x, y: (x, y.numpy().astype(np.uint8)), None),
    "labels in int32": (lambda x, y: (x, y.int()), None),
}


@pytest.mark.parametrize(("batch", "scale"), BATCHES.values(), ids=BATCHES)
def test_batches_of_every_form(batch, scale):
    model = Called(lambda scores: scores)
    expected = rdcompute.confusion(model, [(INPUTS if scale is None else INPUTS * scale, TRUTH)])
    np.testing.assert_array_equal(rdcompute.confusion(model, (batch(x, y) for x, y in loader())), expected)


@pytest.mark.parametrize("kind", [torch.uint8, torch.int8, torch.int16, torch.int32])
def test_small_whole_numbers_do_not_overflow(kind):
    labels = torch.arange(100)
    found = rdcompute.confusion(nn.Identity(), [(torch.eye(100).roll(1, 1), labels.to(kind))])
    np.testing.assert_array_equal(found, np.roll(np.eye(100), 1, 1))


@pytest.mark.parametrize(
    "wrap",
    [lambda scores: scores, lambda scores: SimpleNamespace(logits=scores, loss=None), lambda scores: {"logits": scores},
     lambda scores: scores.double(), lambda scores: (scores * 1e4).round().int()],
    ids=["tensor", "object", "mapping", "double", "whole numbers"],
)  # fmt: skip
def test_outputs_of_every_form(wrap):
    expected = rdcompute.confusion(Called(lambda scores: scores), loader())
    np.testing.assert_array_equal(rdcompute.confusion(Called(wrap), loader()), expected)


def test_functions_and_bound_methods():
    model = network()
    expected = rdcompute.confusion(model, loader())
    np.testing.assert_array_equal(rdcompute.confusion(model.forward, loader()), expected)
    assert model.training  # the module of the method was in evaluation mode only meanwhile
    np.testing.assert_array_equal(rdcompute.confusion(lambda x: model.eval()(x), loader()), expected)


def flags(model):
    return [one.training for one in model.modules()]


@pytest.mark.parametrize("fails", [False, True])
def test_every_training_flag_is_restored(fails):
    model = network()
    model[1].eval()
    before, statistics = flags(model), model[1].running_mean.clone()
    seen = []
    model[0].register_forward_hook(lambda *_: seen.append((flags(model), torch.is_inference_mode_enabled())))
    batches = [*loader(), (INPUTS, TRUTH[:-1])] if fails else loader()
    if fails:
        with pytest.raises(InputError, match="batch 4: labels have shape"):
            rdcompute.confusion(model, batches)
    else:
        rdcompute.confusion(model, batches)
    assert seen[:3] == [([False] * len(before), True)] * 3
    assert flags(model) == before
    assert torch.equal(model[1].running_mean, statistics)


def test_modules_that_do_more_when_their_mode_changes():
    class Merging(nn.Linear):
        merged = False

        def train(self, mode=True):
            self.merged = not mode
            return super().train(mode)

    class Fixed(nn.Linear):
        def train(self, mode=True):
            raise NotImplementedError("exported programs have one mode")

    model = nn.Sequential(Merging(6, C)).train()
    rdcompute.confusion(model, loader())
    assert (model[0].merged, model[0].training) == (False, True)
    assert rdcompute.confusion(Fixed(6, C), loader()).sum() == N


def test_batches_that_a_dataset_keeps_can_still_be_trained_on():
    kept = []

    def batches():
        for x, y in loader():
            kept.append(x * 2)
            yield kept[-1], y

    model = network()
    rdcompute.confusion(model, batches())
    model(kept[0]).sum().backward()
    assert model[0].weight.grad is not None


class Calls(TorchDispatchMode):
    """Counts the operations by name."""

    def __init__(self):
        super().__init__()
        self.found = {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        self.found[name] = self.found.get(name, 0) + 1
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("evaluated", [rdcompute.confusion, rdcompute.evaluate])
def test_nothing_is_read_from_the_device_before_the_end(evaluated):
    reads = []
    for size in (N, 3):
        with Calls() as calls:
            evaluated(network().eval(), [*zip(INPUTS.split(size), TRUTH.split(size), strict=True)])
        assert calls.found["argmax"] == N // size
        reads.append(calls.found.get("_local_scalar_dense", 0))
        # those that wait for the device to know a size
        assert not {"bincount", "nonzero", "unique2", "_unique2", "masked_select"} & set(calls.found)
    assert reads[0] == reads[1]


def test_inputs_and_counts_are_where_the_model_is():
    """The device `meta` stands for another one: it computes nothing, so the end is not reached."""
    model = network().to("meta")
    seen = []
    model[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].device.type))
    with pytest.raises(NotImplementedError, match="meta"):
        rdcompute.confusion(model, loader())
    assert seen == ["meta"] * 3
    with pytest.raises(NotImplementedError, match="meta"):
        rdcompute.confusion(lambda x: model(x), loader(), device="meta")
    assert seen == ["meta"] * 6


def test_quantised_modules_without_parameters():
    class Int8(nn.Module):
        """Weights in int8 that are neither parameters nor buffers, as dynamically quantised layers have them."""

        def __init__(self, dense):
            super().__init__()
            self.scale = dense.weight.detach().abs().max() / 127
            self.weight = (dense.weight.detach() / self.scale).round().to(torch.int8)

        def forward(self, x):
            return x @ self.weight.float().T * self.scale

    dense = nn.Linear(6, C, bias=False)
    model = Int8(dense)
    assert [*model.parameters(), *model.buffers()] == []
    before, after = (rdcompute.evaluate(one, loader()) for one in (dense, model))
    assert (before.predictions == after.predictions).mean() > 0.9


# PyTorch announces that its quantised tensors will go; as long as they are there, they are accepted
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
@pytest.mark.skipif(not hasattr(torch, "quantize_per_tensor"), reason="this PyTorch has no quantised tensors")
def test_quantised_scores():
    quantised = torch.quantize_per_tensor(network().eval()(INPUTS).detach(), 0.05, 0, torch.qint8)
    found = rdcompute.evaluate(nn.Identity(), [(quantised, TRUTH)])
    np.testing.assert_array_equal(found.predictions, quantised.dequantize().argmax(1))


S = torch.eye(C)
Y = torch.arange(C)
NAN = torch.where(torch.arange(C)[:, None] == 2, torch.nan, S)


@pytest.mark.parametrize(
    ("batches", "line"),
    [([], "loader: there is no batch (an iterator gives its batches once)"),
     ([(S[:0], Y[:0])], "loader: there is no image in any batch"),
     ([(S, Y), (S, Y + 1)], "labels: 1 of 8 are none of the model's 4 classes: they reach from 0 to 4; 0 to 3 is "
      "accepted"),
     ([(S, Y + 1), (S, Y + 1)], "labels: 2 of 8 are none of the model's 4 classes: they reach from 1 to 4; 0 to 3 is "
      "accepted"),
     ([(S, torch.tensor([0, -100, 2, 3]))], "labels: 1 of 4 are none of the model's 4 classes: they reach from -100 to "
      "3; 0 to 3 is accepted"),
     ([(S, Y), (NAN, Y)], "model: the scores of 1 of 8 images are not a number, so none is the largest; to count these "
      "images nevertheless, end the model's forward with torch.nan_to_num"),
     ([(S, Y), (S[:, :3], Y)], "batch 2: scores of 3 classes, before of 4"),
     ([(S, Y[:3])], "batch 1: labels have shape (3,), scores (4, 4); one label an image is accepted"),
     ([(S, S.long())], "batch 1: labels have shape (4, 4), scores (4, 4); one label an image is accepted"),
     ([(S, Y.float())], "batch 1: labels are torch.float32; whole numbers are accepted"),
     ([(S, ["a", "b"])], "batch 1: labels: received list; whole numbers (B,) are accepted"),
     ([(S, None)], "batch 1: labels: received NoneType; whole numbers (B,) are accepted"),
     ([(S[:, :1], Y)], "batch 1: the model returns scores of shape (4, 1) (one score an image: two classes need two); "
      "(B, C) with 2 to 10,000 classes is accepted"),
     ([(S[None], Y)], "batch 1: the model returns scores of shape (1, 4, 4); (B, C) with 2 to 10,000 classes is "
      "accepted"),
     ([(torch.empty(4, 10_001), Y)], "batch 1: the model returns scores of shape (4, 10001); (B, C) with 2 to 10,000 "
      "classes is accepted"),
     ([("texts", Y)], "batch 1: the model returns str; a tensor (B, C), or one called logits, is needed"),
     ([(S, Y, Y)], "batch 1: 3 parts; (inputs, labels) or a mapping with labels is accepted"),
     ([S], "batch 1: Tensor; (inputs, labels) or a mapping with labels is accepted"),
     ([{"x": S, "y": Y}], "batch 1: a mapping with x, y; labels (or label) is needed"),
     (7, "loader: received int; an iterable of batches is accepted")],
)  # fmt: skip
def test_refused_in_one_line(batches, line):
    model = nn.Identity().train()
    with pytest.raises(InputError) as error:
        rdcompute.confusion(model, batches)
    assert str(error.value) == line
    assert model.training


def test_what_is_no_model_is_refused():
    with pytest.raises(InputError, match="model: received str; a module or a function is accepted"):
        rdcompute.confusion("resnet20", loader())


@pytest.mark.parametrize(
    "options",
    [{"shuffle": True}, {"sampler": RandomSampler(TRUTH)},
     {"batch_size": 1, "batch_sampler": BatchSampler(RandomSampler(TRUTH), 8, False)}],
    ids=["shuffle", "sampler", "batch sampler"],
)  # fmt: skip
def test_predictions_in_an_order_that_changes_are_refused(options):
    shuffled = DataLoader(TensorDataset(INPUTS, TRUTH), **options)
    with pytest.raises(InputError, match="loader: it shuffles, so that predictions of two models belong to different"):
        rdcompute.evaluate(network(), shuffled)
    np.testing.assert_array_equal(rdcompute.confusion(network(), shuffled), rdcompute.confusion(network(), loader()))


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_torch_is_loaded_on_first_use():
    assert python("import sys, rdcompute; print('torch' in sys.modules, *dir(rdcompute))") == (
        "False Evaluation confusion evaluate"
    )
    code = "import sys, rdcompute; sys.modules['torch'] = None\ntry: rdcompute.confusion\nexcept ImportError as e: "
    assert python(f"{code}print(e)") == "rdcompute.confusion needs torch: pip install 'recall-distortion[compute]'"
    with pytest.raises(AttributeError, match="no attribute 'confuse'"):
        rdcompute.confuse  # noqa: B018
