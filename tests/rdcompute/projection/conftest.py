"""Works that several tests look at, counted once."""

from __future__ import annotations

import pytest

from rdcompute.projection.work import Shape, Work, count_work
from rdcompute.training_settings import settings_for

LENET = Shape("lenet", None, 10, (1, 28, 28), False, "cuda")
RESNET20 = Shape("resnet20", None, 10, (3, 32, 32), True, "cuda")


@pytest.fixture(scope="session")
def lenet() -> Work:
    return count_work(LENET, settings_for("lenet", {}))


@pytest.fixture(scope="session")
def resnet20() -> Work:
    return count_work(RESNET20, settings_for("resnet20", {}))
