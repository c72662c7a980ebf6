"""The training loop: masks, the kept epoch, divergence, and what it may look at."""

import dataclasses
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rdcompute import datasets, training
from rdcompute.device_data import DeviceData
from rdcompute.models import build_model, prunable_layers
from rdcompute.training import DivergedError, confusion_matrix, fit, predict, validate
from rdcompute.training_settings import TrainingSettings

SETTINGS = TrainingSettings.model_validate({"batch_size": 16, "weight_decay": 1e-2})
PHASES = ((2, 0.05), (1, 0.01))


@pytest.fixture(scope="module")
def grey(tiny_npz):
    return DeviceData.load(datasets.load(tiny_npz()), torch.device("cpu"), root_seed=0)


@pytest.fixture(scope="module")
def colour(tiny_npz):
    return DeviceData.load(datasets.load(tiny_npz("rgb", channels=3, n_train=40)), torch.device("cpu"), root_seed=0)


def lenet():
    return build_model("lenet", 3, (1, 10, 10), 1).to(memory_format=torch.channels_last)


def train(model, data, phases=PHASES, settings=SETTINGS, name="0/tiny/lenet/dense", **options):
    return fit(model, data, phases, settings, stream_name=name, **options)


def random_masks(model, share=0.5):
    rng = np.random.default_rng(0)
    layers = prunable_layers(model)
    return {name: torch.from_numpy(rng.random(tuple(layer.weight.shape)) < share) for name, layer in layers.items()}


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("arch", ["lenet", "resnet20"])
def test_masked_weights_are_exactly_zero_after_every_epoch(arch, memory_format, grey, colour):
    data = grey if arch == "lenet" else colour
    assert data.crop_flip is (arch == "resnet20")
    shape = (data.train_images.shape[3], 10, 10)
    model = build_model(arch, 3, shape, 0).to(memory_format=memory_format)
    masks = random_masks(model)
    before = {name: layer.weight.detach().clone() for name, layer in prunable_layers(model).items()}
    seen = []

    def check(report):
        seen.append(report.epoch)
        for name, layer in prunable_layers(model).items():
            assert (layer.weight[~masks[name]] == 0).all()

    result = train(model, data, masks=masks, on_epoch=check, phases=((1, 0.1), (1, 0.05)))
    assert seen == [1, 2]
    for name, mask in masks.items():
        weight = result.state[f"{name}.weight"]
        assert (weight[~mask] == 0).all()
        assert (weight[mask] != 0).all()
        assert (weight[mask] != before[name][mask]).float().mean() > 0.5
    others = set(result.state) - {f"{name}.weight" for name in masks}
    assert any("bias" in name for name in others)
    assert all((result.state[name] != 0).any() for name in others if name.endswith(".bias"))


def naive_fit(model, data, phases, settings, name, masks):
    """SGD with momentum and decay written out, one phase list, masks after each step."""
    parameters = dict(model.named_parameters())
    keep = {f"{layer}.weight": mask for layer, mask in masks.items()}
    velocity = {}
    with torch.no_grad():
        for key, mask in keep.items():
            parameters[key] *= mask
    epoch = 0
    for n, rate in phases:
        for _ in range(n):
            epoch += 1
            model.train()
            for x, y in data.epoch((f"order/{name}/{epoch}", f"augment/{name}/{epoch}"), settings.batch_size):
                gradients = torch.autograd.grad(F.cross_entropy(model(x), y), list(parameters.values()))
                with torch.no_grad():
                    for (key, weight), gradient in zip(parameters.items(), gradients, strict=True):
                        g = gradient + settings.weight_decay * weight
                        velocity[key] = settings.momentum * velocity[key] + g if key in velocity else g.clone()
                        step = g + settings.momentum * velocity[key] if settings.nesterov else velocity[key]
                        weight -= rate * step
                        if key in keep:
                            weight *= keep[key]
    return parameters


@pytest.mark.parametrize(
    "change", [{}, {"nesterov": False}, {"momentum": 0.0}, {"weight_decay": 0.0}, {"batch_size": 54}]
)
def test_the_loop_is_sgd_on_the_loss_with_decay(grey, change):
    settings = SETTINGS.model_copy(update=change)
    model, reference = lenet(), lenet()
    masks = random_masks(model)
    train(model, grey, settings=settings, masks=masks)
    expected = naive_fit(reference, grey, PHASES, settings, "0/tiny/lenet/dense", masks)
    for name, weight in model.named_parameters():  # other order of float32 additions
        torch.testing.assert_close(weight, expected[name], rtol=1e-4, atol=1e-6)


def scripted(monkeypatch, losses):
    values = iter(losses)
    monkeypatch.setattr(training, "validate", lambda *args: (next(values), 0.5))


@pytest.mark.parametrize(
    ("losses", "kept"),
    [([3.0, 1.0, 2.0], 2), ([2.0, 1.0, 1.0], 2), ([1.0, 1.0, 1.0], 1), ([3.0, 2.0, 1.0], 3), ([1.0, 2.0, 3.0], 1)],
)
def test_the_kept_epoch_has_the_lowest_validation_loss_earliest_on_ties(grey, monkeypatch, losses, kept):
    scripted(monkeypatch, losses)
    model, states = lenet(), []
    result = train(model, grey, on_epoch=lambda report: states.append(training.snapshot(model)))
    assert (result.kept_epoch, result.val_loss) == (kept, min(losses))
    assert [report.val_loss for report in result.history] == losses
    for name, tensor in result.state.items():
        assert torch.equal(tensor, states[kept - 1][name])


def test_the_kept_state_is_a_copy(grey, monkeypatch):
    scripted(monkeypatch, [1.0, 2.0, 3.0])
    model = lenet()
    result = train(model, grey)
    weight = dict(model.named_parameters())["fc1.weight"]
    assert not torch.equal(result.state["fc1.weight"], weight)
    kept = result.state["fc1.weight"].clone()
    with torch.no_grad():
        weight.zero_()
    assert torch.equal(result.state["fc1.weight"], kept)


def test_losses_are_means_over_images(grey):
    model = lenet()
    model.eval()
    with torch.no_grad():
        expected = F.cross_entropy(model(grey.normalize(grey.holdout_images)), grey.holdout_labels)
    for batch_size in (500, 4, 1):
        settings = SETTINGS.model_copy(update={"eval_batch_size": batch_size})
        assert validate(model, grey, settings)[0] == pytest.approx(float(expected), rel=1e-6)
    still = train(model, grey, phases=((1, 1e-30),), settings=SETTINGS.model_copy(update={"batch_size": 7}))
    model.eval()
    with torch.no_grad():
        expected = F.cross_entropy(model(grey.normalize(grey.train_images)), grey.train_labels)
    assert still.history[0].loss == pytest.approx(float(expected), rel=1e-6)


def test_epochs_are_reported_in_order(grey):
    reports = []
    result = train(lenet(), grey, on_epoch=reports.append)
    assert tuple(reports) == result.history
    assert [(r.epoch, r.n_epochs, r.n_images) for r in reports] == [(i, 3, grey.n_train) for i in (1, 2, 3)]
    assert all(r.seconds > 0 for r in reports)
    assert min(r.val_loss for r in reports) == result.val_loss == reports[result.kept_epoch - 1].val_loss


def test_it_learns(grey):
    result = train(lenet(), grey, phases=((12, 0.05),), settings=SETTINGS.model_copy(update={"weight_decay": 0.0}))
    model = lenet()
    model.load_state_dict(result.state)
    assert (predict(model, grey, 10) == grey.test_labels.numpy()).mean() > 0.9


@pytest.mark.parametrize("losses", [[float("nan")], [float("inf")], [1.0, float("nan")]])
def test_a_loss_that_is_no_number_ends_the_training(grey, monkeypatch, losses):
    scripted(monkeypatch, losses)
    reports = []
    with pytest.raises(DivergedError, match=f"in epoch {len(losses)} of 3"):
        train(lenet(), grey, on_epoch=reports.append)
    assert len(reports) == len(losses) - 1


def test_a_learning_rate_too_high_diverges(grey):
    with pytest.raises(DivergedError, match=r"validation loss .* in epoch 1 of 3"):
        train(lenet(), grey, phases=((3, 1e20),))


def test_the_test_set_plays_no_part(grey):
    other = dataclasses.replace(grey, test_images=255 - grey.test_images, test_labels=grey.test_labels * 0)
    one, two = train(lenet(), grey), train(lenet(), other)
    assert [r.val_loss for r in one.history] == [r.val_loss for r in two.history]
    assert all(torch.equal(tensor, two.state[name]) for name, tensor in one.state.items())


def test_the_holdout_only_selects(grey, monkeypatch):
    other = dataclasses.replace(grey, holdout_images=255 - grey.holdout_images)
    last = {}
    for name, data in (("a", grey), ("b", other)):
        model = lenet()
        train(model, data)
        last[name] = training.snapshot(model)
    assert all(torch.equal(tensor, last["b"][name]) for name, tensor in last["a"].items())


def test_order_follows_the_stream_name(grey):
    one, same, other = (train(lenet(), grey, name=name) for name in ("0/t/l/dense", "0/t/l/dense", "1/t/l/dense"))
    assert [r.loss for r in one.history] == [r.loss for r in same.history]
    assert [r.loss for r in one.history] != [r.loss for r in other.history]


def test_batch_statistics_are_not_moved_by_validation_or_prediction(colour):
    model = build_model("resnet20", 3, (3, 10, 10), 0)
    before = training.snapshot(model)
    validate(model, colour, SETTINGS.model_copy(update={"eval_batch_size": 3}))
    predictions = predict(model, colour, 5)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    np.testing.assert_array_equal(predictions, predict(model, colour, 500))


def test_confusion_matrix_has_the_true_class_on_the_rows():
    labels, predictions = np.array([0, 0, 0, 2, 2, 1]), np.array([0, 2, 2, 1, 2, 1])
    matrix = confusion_matrix(labels, predictions, 4)
    assert matrix.tolist() == [[1, 0, 2, 0], [0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("rule", "validations", "kept"),
    [
        ("best", [(3, 0.1), (1, 0.2), (2, 0.9), (4, 0.3)], 2),
        ("last", [(1, 0.9), (2, 0.8), (3, 0.7), (4, 0.6)], 4),
        ("accuracy", [(1, 0.1), (2, 0.7), (3, 0.9), (4, 0.9)], 3),
        ("released", [(1, 0.9), (2, 0.8), (6, 0.1), (5, 0.1)], 4),  # the last phase has the epochs 3 and 4
        ("released", [(1, 0.9), (2, 0.8), (5, 0.1), (6, 0.1)], 3),
    ],
)
def test_the_rule_chooses_the_kept_epoch(grey, monkeypatch, rule, validations, kept):
    values = iter(validations)
    monkeypatch.setattr(training, "validate", lambda *args: next(values))
    settings = SETTINGS.model_copy(update={"keep": rule})
    result = train(lenet(), grey, phases=((2, 0.05), (2, 0.01)), settings=settings)
    assert (result.kept_epoch, result.val_loss) == (kept, validations[kept - 1][0])


def test_the_released_validation_loss_is_the_unweighted_mean_of_batches(grey):
    model, size = lenet(), 4
    n = len(grey.holdout_labels)
    assert n % size, "the last batch has to be smaller for this to be seen"
    model.eval()
    with torch.no_grad():
        losses = F.cross_entropy(model(grey.normalize(grey.holdout_images)), grey.holdout_labels, reduction="none")
    expected = torch.stack([part.mean() for part in torch.split(losses, size)]).mean()
    released = SETTINGS.model_copy(update={"keep": "released", "batch_size": size})
    assert validate(model, grey, released)[0] == pytest.approx(float(expected), rel=1e-6)
    assert validate(model, grey, SETTINGS)[0] != pytest.approx(float(expected), rel=1e-6)


def test_without_validation_all_images_are_trained_on(tiny_npz):
    data = datasets.load(tiny_npz())
    none, test, holdout = (
        DeviceData.load(data, torch.device("cpu"), root_seed=0, validation=v) for v in ("none", "test", "holdout")
    )
    assert none.n_train == test.n_train == len(data.train_labels) == holdout.n_train + len(holdout.holdout_labels)
    assert torch.equal(test.holdout_images, test.test_images)
    result = train(lenet(), none, settings=SETTINGS.model_copy(update={"validation": "none", "keep": "last"}))
    assert result.kept_epoch == len(result.history)
    assert math.isnan(result.val_loss)
    assert all(math.isnan(report.val_loss) for report in result.history)


def test_accuracy_is_that_of_the_predictions(grey):
    model = lenet()
    held = dataclasses.replace(grey, test_images=grey.holdout_images, test_labels=grey.holdout_labels)
    expected = np.mean(predict(model, held, 500) == grey.holdout_labels.numpy())
    assert validate(model, grey, SETTINGS)[1] == pytest.approx(expected, rel=1e-12)


def test_a_renewed_optimizer_forgets_its_momentum_between_phases(grey):
    phases = ((1, 0.05), (1, 0.05))
    renewed = SETTINGS.model_copy(update={"renew_optimizer": True, "keep": "last"})
    one = train(lenet(), grey, phases=phases, settings=renewed)
    other = train(lenet(), grey, phases=phases, settings=renewed.model_copy(update={"renew_optimizer": False}))
    assert one.history[0].loss == other.history[0].loss
    assert one.history[1].loss != other.history[1].loss

    # by hand: two trainings of one epoch, the second with the order of epoch 2
    model = lenet()
    train(model, grey, phases=phases[:1], settings=renewed)
    order = DeviceData.epoch
    shifted = type("Shifted", (), {
        "__getattr__": lambda self, name: getattr(grey, name),
        "epoch": lambda self, streams, size: order(grey, tuple(s[:-1] + "2" for s in streams), size),
    })()  # fmt: skip
    train(model, shifted, phases=phases[1:], settings=renewed)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, one.state[name])


def test_a_training_of_steps_ends_after_so_many(grey):
    steps_per_epoch = -(-grey.n_train // SETTINGS.batch_size)
    seen = []

    class Counting(torch.optim.SGD):
        def step(self, *args):
            seen.append(self.param_groups[0]["lr"])
            return super().step(*args)

    settings = SETTINGS.model_copy(update={"unit": "steps", "keep": "last"})
    n = steps_per_epoch + 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim, "SGD", Counting)
        result = train(lenet(), grey, phases=((n - 1, 0.05), (1, 0.01)), settings=settings)
        assert seen == [0.05] * (n - 1) + [0.01]
        assert len(result.history) == 2
        seen.clear()
        fit(lenet(), grey, ((n, 0.05),), settings, stream_name="a", first_step=n - 2)
        assert len(seen) == 2
