"""Recipes of training: defaults, families, and shortening."""

import pytest
from pydantic import ValidationError

from rdcompute.training_settings import TrainingSettings, family, learning_rates, settings_for


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
