"""The engine's training loop against the simplest hand-written one with the same arithmetic (one thread)."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.common import Row, interleaved
from rdcompute import datasets
from rdcompute.device_data import DeviceData
from rdcompute.execute import use_one_thread
from rdcompute.models import build_model
from rdcompute.training import fit
from rdcompute.training_settings import TrainingSettings

N_IMAGES, N_EPOCHS, BATCH = 12800, 2, 128


def rows() -> list[Row]:
    """Compare images a second for LeNet on Fashion-MNIST (random images of that size where it is not there)."""
    use_one_thread()
    data = _data()
    settings = TrainingSettings(batch_size=BATCH, train=((N_EPOCHS, 0.01),))

    def engine() -> None:
        model = build_model("lenet", 10, (1, 28, 28), 0).to(memory_format=torch.channels_last)
        fit(model, data, settings.train, settings, stream_name="benchmark")

    images = data.normalize(data.train_images)
    holdout = data.normalize(data.holdout_images)

    def by_hand() -> None:
        model = build_model("lenet", 10, (1, 28, 28), 0).to(memory_format=torch.channels_last)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True)
        for _ in range(N_EPOCHS):
            model.train()
            for index in torch.randperm(len(images)).split(BATCH):
                loss = F.cross_entropy(model(images[index]), data.train_labels[index])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            model.eval()
            with torch.no_grad():
                F.cross_entropy(model(holdout), data.holdout_labels)

    engine(), by_hand()  # warm up
    a, b, ratio = interleaved(by_hand, engine)
    total = data.n_train * N_EPOCHS
    return [
        ("LeNet, Fashion-MNIST size, by hand", f"{total / a:,.0f} images/s", ""),
        ("LeNet, Fashion-MNIST size, engine", f"{total / b:,.0f} images/s", f"{ratio:.3f} of by hand"),
    ]


def _data() -> DeviceData:
    try:
        data = datasets.load("fashion-mnist", None)
    except ValueError:
        rng = np.random.default_rng(0)
        shape = (N_IMAGES + 5000, 28, 28, 1)
        labels = np.arange(shape[0]) % 10
        names = tuple(map(str, range(10)))
        images = rng.integers(0, 256, shape, dtype=np.uint8)
        data = datasets.ImageData("random", images, labels, images[:1000], labels[:1000], names, (0.5,), (0.5,), "none")
    whole = len(data.train_labels)
    return DeviceData.load(data, torch.device("cpu"), root_seed=0, train_fraction=min(1.0, N_IMAGES / (whole - 5000)))
