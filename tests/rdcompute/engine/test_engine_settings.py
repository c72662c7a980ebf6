"""Recipes of training: defaults, families, and shortening."""

import math

import pytest
from pydantic import ValidationError

from rdcompute.method_settings import method_settings
from rdcompute.training_settings import TrainingSettings, family, n_epochs, settings_for, step_rates


def learning_rates(phases, settings=TrainingSettings()):  # noqa: B008
    """The rate of every epoch, which is one step here."""
    return [float(rate) for epoch in step_rates(phases, settings, 1)[0] for rate in epoch]


def test_defaults_are_the_papers():
    lenet = settings_for("lenet", {})
    assert learning_rates(lenet.train) == [0.01] * 30
    assert learning_rates(lenet.finetune) == [0.01] * 15
    assert (lenet.batch_size, lenet.momentum, lenet.nesterov, lenet.weight_decay) == (128, 0.9, True, 0)
    resnet = settings_for("resnet56", {})
    assert learning_rates(resnet.train) == [0.01] * 10 + [0.1] * 20 + [0.01] * 10 + [0.001] * 10 + [0.0001] * 10
    assert learning_rates(resnet.finetune) == [0.1] * 10 + [0.01] * 5 + [0.001] * 5 + [0.0001] * 5
    assert (resnet.batch_size, resnet.weight_decay, resnet.ratio_accounting) == (128, 5e-4, "exact")


def test_each_source_overrides_the_one_before():
    blocks = {"resnet": {"batch_size": 64, "momentum": 0.8}, "resnet20": {"momentum": 0.5}, "lenet": {"batch_size": 1}}
    twenty, fifty_six = settings_for("resnet20", blocks), settings_for("resnet56", blocks)
    assert (twenty.weight_decay, twenty.batch_size, twenty.momentum) == (5e-4, 64, 0.5)
    assert (fifty_six.weight_decay, fifty_six.batch_size, fifty_six.momentum) == (5e-4, 64, 0.8)
    assert settings_for("resnet20", {"resnet": {"weight_decay": 0}}).weight_decay == 0
    assert settings_for("resnet20", {"resnet20": {"weight_decay": 1}, "resnet": {"weight_decay": 2}}).weight_decay == 1


def test_family_is_the_name_without_its_depth():
    assert [family(name) for name in ("resnet20", "resnet110", "lenet")] == ["resnet", "resnet", "lenet"]


def test_one_phase_may_stand_alone():
    assert settings_for("lenet", {"lenet": {"train": [3, 0.1]}}).train == ((3, 0.1),)


@pytest.mark.parametrize(
    "field",
    [
        {"train": []}, {"train": [[0, 0.1]]}, {"train": [[3, 0]]}, {"train": [[3, -0.1]]}, {"train": [[3]]},
        {"train": [[3, 0.1, 1]]}, {"train": 3}, {"train": [[True, 0.1]]}, {"train": [[3.5, 0.1]]},
        {"train": [["3", 0.1]]}, {"batch_size": 0}, {"batch_size": True}, {"batch_size": "32"}, {"momentum": 1},
        {"momentum": -0.1}, {"weight_decay": -1}, {"weight_decay": float("inf")}, {"weight_decay": False},
        {"train_fraction": 0}, {"train_fraction": 1.1}, {"ratio_accounting": "mine"}, {"augment": "mixup"},
        {"memory_format": "nhwc"}, {"eval_batch_size": 0}, {"nesterov": "maybe"}, {"epochs": 3},
    ],
)  # fmt: skip
def test_wrong_fields_are_refused(field):
    with pytest.raises(ValidationError):
        TrainingSettings.model_validate(field)


def test_shortening_keeps_every_phase_and_rounds_half_up():
    block = {"train": [[10, 0.1], [5, 0.01], [1, 0.001]], "train_fraction": 0.5}
    recipe = settings_for("resnet20", {"resnet20": block})
    short = recipe.scaled(epochs=0.1, train=0.5)
    assert short.train == ((1, 0.1), (1, 0.01), (1, 0.001))
    assert recipe.scaled(epochs=0.25).train == ((3, 0.1), (1, 0.01), (1, 0.001))
    assert short.finetune == ((1, 0.1), (1, 0.01), (1, 0.001), (1, 0.0001))
    assert short.train_fraction == 0.25
    assert recipe.scaled() == recipe


def one(**fields):
    return TrainingSettings.model_validate(fields)


def test_a_phase_of_steps_is_cut_into_epochs_wherever_they_end():
    rates, begins = step_rates(((5, 0.1), (4, 0.01)), one(unit="steps"), 4)
    assert [epoch.tolist() for epoch in rates] == [[0.1] * 4, [0.1, 0.01, 0.01, 0.01], [0.01]]
    assert begins == [1, 2]


def test_steps_that_are_left_out_are_the_first_ones():
    rates, begins = step_rates(((5, 0.1), (4, 0.01)), one(unit="steps"), 4, first_step=3)
    assert [epoch.tolist() for epoch in rates] == [[0.1, 0.1, 0.01, 0.01], [0.01, 0.01]]
    assert begins == [1, 1]
    rates, begins = step_rates(((2, 0.1), (1, 0.01)), one(), 3, first_step=5)
    assert [epoch.tolist() for epoch in rates] == [[0.1, 0.01, 0.01], [0.01]]


def test_the_cosine_is_that_of_chips_released_code():
    n, total, warm = 7, 20, 5
    rates, begins = step_rates(((total, 0.01),), one(schedule="cosine", warmup_epochs=warm), n)
    assert begins == [1]
    for e, epoch in enumerate(rates):
        for i, rate in enumerate(epoch):
            base = 0.5 * 0.01 * (1 + math.cos(math.pi * (e - warm) / (total - warm)))
            expected = base * (1 + i + e * n) / (warm * n) if e < warm else base
            assert rate == pytest.approx(expected, rel=1e-12)


def test_a_cosine_shorter_than_its_warm_up_still_ends_with_a_full_rate():
    rates, _ = step_rates(((3, 0.01),), one(schedule="cosine", warmup_epochs=5), 2)
    assert rates[-1].tolist() == [0.01, 0.01]
    assert step_rates(((1, 0.01),), one(schedule="cosine", warmup_epochs=5), 2)[0][0].tolist() == [0.01, 0.01]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"validation": "none"}, "keep last"),
        ({"schedule": "cosine", "unit": "steps"}, "unit is steps"),
        ({"warmup_epochs": 2}, "goes with schedule cosine"),
    ],
)
def test_fields_that_contradict_each_other(fields, words):
    assert words in one(**fields).contradiction()
    assert one(validation="none", keep="last").contradiction() == ""


def test_epochs_of_steps_are_those_of_cifar():
    assert n_epochs(((30_000, 0.1),), one(unit="steps")) == 77
    assert n_epochs(((3, 0.1), (4, 0.1)), one()) == 7


def test_recipes_of_methods_come_after_the_architectures_and_before_their_own_blocks():
    blocks = {"resnet": {"weight_decay": 0.5, "eval_batch_size": 7}, "chip": {"batch_size": 32}}
    chip = method_settings("resnet56", "chip", blocks)
    assert (chip.weight_decay, chip.eval_batch_size, chip.batch_size, chip.nesterov) == (5e-3, 7, 32, False)
    assert (chip.finetune, chip.schedule, chip.warmup_epochs) == (((400, 0.01),), "cosine", 5)
    lth = method_settings("resnet56", "lth", blocks)
    assert (lth.train, lth.unit, lth.weight_decay, lth.nesterov) == (((30_000, 0.1),), "steps", 1e-4, False)
    assert (lth.prune_fraction, lth.rewind_steps, lth.prune_head) == (0.2, 0, True)
    assert method_settings("resnet56", "", blocks) == settings_for("resnet56", blocks)
