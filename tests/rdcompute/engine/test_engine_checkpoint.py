"""Checkpoints: a training that goes on ends in the same bits, and never trusts a damaged file."""

import numpy as np
import pytest
import torch

from rdcompute import datasets
from rdcompute.checkpoint import CellCheckpoint
from rdcompute.device_data import DeviceData
from rdcompute.models import build_model, prunable_layers
from rdcompute.rundir import CellResult, RunDirectory
from rdcompute.training import fit
from rdcompute.training_settings import TrainingSettings

PHASES = ((3, 0.05), (2, 0.01))
KEY = "ab" * 16


class Killed(BaseException):
    """Ends a training as a kill does: nothing is caught, nothing is tidied up."""


@pytest.fixture
def run(tmp_path):
    return RunDirectory.open(tmp_path / "a.run", {"name": "x"}, {})


@pytest.fixture(scope="module")
def data(tiny_npz):
    images = datasets.load(tiny_npz("rgb", channels=3, n_train=40))
    return {
        form: DeviceData.load(images, torch.device("cpu"), root_seed=0, memory_format=form)
        for form in ("channels_last", "contiguous")
    }


def train(arch, data, form, run=None, *, every=0.0, stop=None, masked=False, momentum=0.9):
    """Train from scratch or from the run's checkpoint; `stop` kills after that epoch."""
    model = build_model(arch, 3, (3, 10, 10), 1)
    model = model.to(memory_format=torch.channels_last if form == "channels_last" else torch.contiguous_format)
    rng = np.random.default_rng(0)
    masks = {name: torch.from_numpy(rng.random(tuple(layer.weight.shape)) < 0.5)
             for name, layer in prunable_layers(model).items()}  # fmt: skip
    seen = []

    def on_epoch(report):
        seen.append(report.epoch)
        if report.epoch == stop:
            raise Killed

    settings = TrainingSettings.model_validate({"batch_size": 16, "weight_decay": 1e-2, "momentum": momentum})
    result = fit(
        model, data[form], PHASES, settings, stream_name="0/t/a/dense", masks=masks if masked else None,
        on_epoch=on_epoch, checkpoint=CellCheckpoint(run, KEY, every) if run else None,
    )  # fmt: skip
    return result, seen


def assert_same(one, other):
    assert one.kept_epoch == other.kept_epoch
    assert one.val_loss == other.val_loss
    assert [r.loss for r in one.history] == [r.loss for r in other.history]
    assert [r.epoch for r in one.history] == [1, 2, 3, 4, 5]
    for name, tensor in one.state.items():
        assert torch.equal(tensor, other.state[name]), name


@pytest.mark.parametrize("form", ["channels_last", "contiguous"])
@pytest.mark.parametrize(
    ("arch", "masked", "momentum"), [("lenet", False, 0.9), ("lenet", False, 0.0), ("resnet20", True, 0.9)]
)
def test_going_on_after_any_epoch_gives_the_same_bits(arch, masked, momentum, form, data, run):
    options = {"masked": masked, "momentum": momentum}
    whole, _ = train(arch, data, form, **options)
    for stop in range(1, 6):
        with pytest.raises(Killed):
            train(arch, data, form, run, stop=stop, **options)
        result, seen = train(arch, data, form, run, **options)
        assert seen == list(range(stop + 1, 6))
        assert_same(result, whole)
        run.checkpoint_path(KEY).unlink()


def test_killed_again_and_again(data, run):
    whole, _ = train("lenet", data, "contiguous")
    for stop in range(1, 6):
        with pytest.raises(Killed):
            train("lenet", data, "contiguous", run, stop=stop)
    result, seen = train("lenet", data, "contiguous", run)
    assert seen == []
    assert_same(result, whole)


def test_nothing_is_kept_before_it_is_due(data, run):
    with pytest.raises(Killed):
        train("lenet", data, "contiguous", run, stop=4, every=3600)
    assert not run.checkpoint_path(KEY).exists()


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:200] + b"x" + b[201:], lambda b: b""])
def test_a_damaged_checkpoint_is_no_checkpoint(damage, data, run):
    whole, _ = train("lenet", data, "contiguous")
    with pytest.raises(Killed):
        train("lenet", data, "contiguous", run, stop=3)
    path = run.checkpoint_path(KEY)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.warns(UserWarning, match="was damaged; set aside, the training begins anew"):
        result, seen = train("lenet", data, "contiguous", run)
    assert seen == [1, 2, 3, 4, 5]
    assert_same(result, whole)
    assert path.with_suffix(".damaged").is_file()


def test_a_checkpoint_of_another_cell_is_not_taken(data, run):
    with pytest.raises(Killed):
        train("lenet", data, "contiguous", run, stop=3)
    run.checkpoint_path(KEY).rename(run.checkpoint_path("cd" * 16))
    with pytest.warns(UserWarning, match="was damaged"):
        assert run.load_checkpoint("cd" * 16) is None


def test_a_checkpoint_of_a_copy_of_another_network_is_not_taken(data, run):
    def of(parent_id):
        return CellCheckpoint(run, KEY, 0.0, parent_id)

    with pytest.raises(Killed):
        train("lenet", data, "contiguous", run, stop=3)
    own, other = CellCheckpoint(run, KEY, 0.0), of("another")
    assert other.load() is None
    assert (other.earlier, other.began >= own.began) == (0.0, True)
    progress = own.load()
    assert own.earlier == sum(report.seconds for report in progress.history) > 0
    of("a").save(progress)
    assert own.load() is None
    assert of("a").load() is not None


def test_gone_when_the_cell_is_done_or_failed(run):
    for end in (
        lambda: run.save(KEY, CellResult({}, {}), {}),
        lambda: run.save_failure(KEY, {}, "diverged", ""),
    ):
        run.save_checkpoint(KEY, CellResult({}, {}))
        assert run.checkpoint_path(KEY).exists()
        end()
        assert not run.checkpoint_path(KEY).exists()
