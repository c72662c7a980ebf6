"""The device is never waited for within an epoch: what is read of it is read once, at the end."""

import functools

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from rdcompute import datasets
from rdcompute.criteria.gradient import batch_gradient, training_gradient
from rdcompute.device_data import DeviceData
from rdcompute.execute import use_one_thread
from rdcompute.models import build_model, build_narrow, prunable_layers
from rdcompute.training import fit, predict, validate
from rdcompute.training_settings import TrainingSettings
from rdcompute.widths import narrow_widths

READS = {"_local_scalar_dense", "equal", "is_nonzero", "item"}
SIZES = {"nonzero", "masked_select", "_unique", "_unique2", "unique_dim", "unique_consecutive", "bincount", "histc",
         "repeat_interleave"}  # fmt: skip
"""Results whose shape depends on values: a GPU is waited for until they are known."""


class Watch(TorchDispatchMode):
    """Counts what makes the host wait for an accelerator, inside the steps of epochs and outside.

    On the device ``meta``, which has no values at all, reading is an error that nothing can hide; here it gives zeros,
    so that a training comes to its end.
    """

    def __init__(self, monkeypatch):
        super().__init__()
        self.inside = False
        self.steps, self.others, self.n_steps = [], [], 0
        for name in ("tolist", "cpu"):
            monkeypatch.setattr(torch.Tensor, name, self.method(name, getattr(torch.Tensor, name)))
        monkeypatch.setattr(torch, "tensor", self.sent(torch.tensor))

    def note(self, what):
        (self.steps if self.inside else self.others).append(what)

    def method(self, name, real):
        """What no dispatcher sees on the CPU; its own parts are not counted again."""

        @functools.wraps(real)
        def watched(tensor, *args, **kwargs):
            self.note(name)
            if not tensor.is_meta:
                return real(tensor, *args, **kwargs)
            there = torch.zeros(tensor.shape, dtype=tensor.dtype)
            return real(there) if name == "tolist" else there

        return watched

    def sent(self, real):
        """A tensor of the host's values that is made on the device is a copy, which ``meta`` does without."""

        @functools.wraps(real)
        def watched(*args, device=None, **kwargs):
            if device is not None and torch.device(device).type != "cpu":
                self.note("copy of the host's values")
            return real(*args, device=device, **kwargs)

        return watched

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func._schema.name.removeprefix("aten::")
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        if name in READS:
            self.note(name)
            if tensors[0].is_meta:
                return True if name == "equal" else 0
        masks = [t for t in tree_leaves(args[1:2]) if isinstance(t, torch.Tensor) and t.dtype == torch.bool]
        if name in SIZES or (masks and name.startswith(("index", "_index"))):
            self.note(name)
        devices = {tensor.device for tensor in tensors} | ({kwargs["device"]} if kwargs.get("device") else set())
        if name in ("_to_copy", "copy_") and len(devices) > 1:
            self.note(f"{name} between devices")
        return func(*args, **kwargs)

    def of(self, data):
        """The same data, whose epochs say where their steps begin and end."""
        watch = self

        class Watched:
            def __getattr__(self, name):
                return getattr(data, name)

            def epoch(self, *args):
                for batch in data.epoch(*args):
                    watch.inside = True
                    watch.n_steps += 1
                    yield batch
                watch.inside = False

        return Watched()


@pytest.fixture(scope="module")
def images(tiny_npz):
    return {n: datasets.load(tiny_npz(f"sync{n}", channels=n, n_train=40)) for n in (1, 3)}


@pytest.fixture
def bench(images, monkeypatch):
    """A network, data and settings on a device, and what watches them."""

    def make(arch, device="meta", **settings):
        use_one_thread()
        n_channels = 1 if arch == "lenet" else 3
        settings = TrainingSettings(batch_size=16, **settings)
        data = DeviceData.load(
            images[n_channels], torch.device(device), root_seed=0, augment=settings.augment,
            memory_format=settings.memory_format,
        )  # fmt: skip
        if arch == "narrow":
            model = build_narrow("resnet20", narrow_widths((0, 0.2, 0.2, 0.5, 0.5, 0.5), 3), 3, (3, 10, 10))
        else:
            model = build_model(arch, 3, (n_channels, 10, 10), 1)
        model = model.to(device).to(memory_format=torch.channels_last)
        return model, data, settings, Watch(monkeypatch)

    return make


def train(model, data, settings, watch, *, masked=False):
    masks = {name: torch.ones(layer.weight.shape, dtype=torch.bool) for name, layer in prunable_layers(model).items()}
    with watch:
        return fit(model, watch.of(data), ((2, 0.05),), settings, stream_name="0/t/a/dense",
                   masks=masks if masked else None)  # fmt: skip


@pytest.mark.parametrize(
    ("arch", "device", "masked", "settings"),
    [
        ("lenet", "meta", False, {}),
        ("lenet", "meta", True, {"memory_format": "contiguous", "keep": "released"}),
        ("lenet", "cpu", True, {"precision": "tf32", "deterministic": False}),
        ("lenet", "cpu", True, {"precision": "bf16"}),
        ("resnet20", "meta", True, {"augment": "crop-flip"}),
        ("resnet20", "cpu", False, {"augment": "crop-flip", "precision": "bf16"}),
        ("narrow", "meta", False, {"augment": "crop-flip", "weight_decay": 5e-4}),
    ],
)
def test_an_epoch_reads_the_device_once_and_validation_once(bench, monkeypatch, arch, device, masked, settings):
    if device == "meta":  # as PyTorch does on a GPU, all parameters in one
        monkeypatch.setattr(torch.optim, "SGD", functools.partial(torch.optim.SGD, foreach=True))
    model, data, settings, watch = bench(arch, device, **settings)
    train(model, data, settings, watch, masked=masked)
    assert watch.n_steps == 2 * 3
    assert watch.steps == []
    reads = [what for what in watch.others if "copy" not in what]
    assert reads == ["_local_scalar_dense", "tolist"] * 2


def test_orders_and_augmentations_are_sent_once_an_epoch(bench):
    _, data, _, watch = bench("resnet20", augment="crop-flip")
    with watch:
        for _ in watch.of(data).epoch(("a", "b"), 16):
            pass
    assert watch.steps == []
    assert watch.others == ["_to_copy between devices"] * 3


VALUES = [
    lambda x: x * x.sum().item(),
    lambda x: x if bool((x > 0).any()) else -x,
    lambda x: x + 0 * float(x.max()),
    lambda x: x + 0 * x[x > 0].sum(),
    lambda x: x + 0 * torch.nonzero(x).sum(),
    lambda x: x + 0 * torch.masked_select(x, x > 0).sum(),
    lambda x: x * torch.unique(x).numel(),
    lambda x: x if torch.equal(x, x) else -x,
    lambda x: x + 0 * sum(x[0, 0, 0].tolist()),
    lambda x: x + 0 * x.detach().cpu().sum(),
]
COPIES = [lambda x: x * torch.tensor([2.0]).to(x.device), lambda x: x * torch.tensor([2.0], device=x.device)]


@pytest.mark.parametrize(
    ("device", "planted"),
    [(device, planted) for device in ("cpu", "meta") for planted in VALUES] + [("meta", copy) for copy in COPIES],
)
def test_whatever_waits_for_the_device_in_a_step_is_seen(bench, device, planted):
    model, data, settings, watch = bench("lenet", device)
    model.register_forward_pre_hook(lambda _, inputs: (planted(*inputs),))
    try:
        train(model, data, settings, watch)
    except (NotImplementedError, RuntimeError):
        assert device == "meta"  # there is no way on without a value
    assert watch.steps


@pytest.mark.parametrize("arch", ["lenet", "resnet20"])
def test_predictions_and_gradients_are_read_once(bench, arch):
    model, data, settings, watch = bench(arch)
    images, labels = data.train_images, data.train_labels
    for task in (
        lambda: predict(model, data, 7),
        lambda: training_gradient(model, images, labels, data.normalize, 7),
        lambda: batch_gradient(model, data.normalize(images), labels),
    ):
        watch.others.clear()
        with watch:
            result = task()
        n = sum(part.size > 0 for part in result) if isinstance(result, tuple) else 1  # of weights and of biases
        assert watch.others == ["cpu"] * n
    watch.others.clear()
    with watch:
        assert validate(model, data, settings) == (0, 0)
    assert watch.others == ["tolist"]
