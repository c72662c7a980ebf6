"""A grid of LeNets as most people write it: Dataset, transforms, DataLoader, `.item()`, best checkpoint on disk."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from torch.nn.utils import prune
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from rdcompute import datasets
from rdcompute.image_parts import ImageParts
from rdcompute.masks import kept_count
from rdcompute.models import build_model, parameter_counts, prunable_layers

SHAPE = (1, 28, 28)


class Images(Dataset):
    """One picture at a time, as torchvision's datasets give them."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, transform: Any) -> None:
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        return self.transform(Image.fromarray(self.images[i, :, :, 0])), int(self.labels[i])


def grid(seeds: int, epochs: int, finetune: int, ratio: list[float]) -> dict[str, Any]:
    """Return the grid file of the same job."""
    recipe = {"batch_size": 128, "train": [[epochs, 0.01]], "finetune": [[finetune, 0.01]], "weight_decay": 0,
              "momentum": 0.9, "nesterov": True, "ratio_accounting": "shrinkbench"}  # fmt: skip
    cells = {"dataset": "fashion-mnist", "arch": "lenet", "method": ["sham", "mp"]}
    return {"name": "usual", "seeds": seeds, "ratio": ratio, "experiments": [cells], "training": {"lenet": recipe}}


def job(folder: Path, seeds: int, epochs: int, finetune: int, ratio: list[float], share: float) -> None:
    """Train, prune, fine-tune and test the cells of `grid`, one after the other."""
    data = datasets.load("fashion-mnist")
    parts = ImageParts.split(data, root_seed=0, train_fraction=share)  # the engine's own split
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(data.mean, data.std)])
    train, val, test = (
        DataLoader(Images(images, labels, transform), batch_size=128, shuffle=shuffle, num_workers=2)
        for images, labels, shuffle in (
            (parts.train_images, parts.train_labels, True),
            (parts.holdout_images, parts.holdout_labels, False),
            (parts.test_images, parts.test_labels, False),
        )
    )
    counts = parameter_counts("lenet", 10, SHAPE)
    for seed in range(seeds):
        torch.manual_seed(seed)
        best = folder / f"dense-{seed}.pt"
        _fit(build_model("lenet", 10, SHAPE, seed), train, val, test, epochs, best)
        for t in [1.0, *ratio]:
            model = build_model("lenet", 10, SHAPE, seed)
            model.load_state_dict(torch.load(best, weights_only=True))
            if t > 1:
                layers = [(layer, "weight") for layer in prunable_layers(model).values()]
                amount = counts.prunable_weights - kept_count(counts, t, "shrinkbench")
                prune.global_unstructured(layers, pruning_method=prune.L1Unstructured, amount=amount)
            _fit(model, train, val, test, finetune, folder / f"pruned-{seed}-{t:g}.pt")


def _fit(model: nn.Module, train: Any, val: Any, test: Any, epochs: int, path: Path) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True)
    lowest = float("inf")
    for _ in range(epochs):
        model.train()
        running = 0.0
        for images, labels in train:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            running += loss.item()
        val_loss = _evaluate(model, val)[0]
        if val_loss < lowest:
            lowest = val_loss
            torch.save(model.state_dict(), path)
    model.load_state_dict(torch.load(path, weights_only=True))
    np.save(path.with_suffix(".npy"), _evaluate(model, test)[1])


@torch.no_grad()
def _evaluate(model: nn.Module, loader: Any) -> tuple[float, np.ndarray]:
    model.eval()
    total, predictions = 0.0, []
    for images, labels in loader:
        outputs = model(images)
        total += F.cross_entropy(outputs, labels, reduction="sum").item()
        predictions.append(outputs.argmax(1).numpy())
    return total / len(loader.dataset), np.concatenate(predictions)


def options(parser: argparse.ArgumentParser) -> None:
    """Add the size of the job to a command line."""
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--finetune", type=int, default=2)
    parser.add_argument("--ratio", type=float, nargs="*", default=[2, 10, 50])
    parser.add_argument("--share", type=float, default=0.3, help="of the training images")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    options(parser)
    job(**vars(parser.parse_args(sys.argv[1:])))
