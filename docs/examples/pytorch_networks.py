"""PyTorch: a network, quantised to int8 and pruned; with a data loader, on whatever device the network is."""

import copy

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.utils import prune
from torch.utils.data import DataLoader, TensorDataset

import rdcompute
import rdstats

images, labels = (torch.from_numpy(array) for array in load_digits(return_X_y=True))
images = images.float() / 16
train, test = slice(0, None, 2), slice(1, None, 2)
loader = DataLoader(TensorDataset(images[test], labels[test]), batch_size=256)


def fit(model, epochs):
    optimizer = torch.optim.Adam((p for p in model.parameters() if p.requires_grad), lr=0.01)
    for _ in range(epochs):
        loss = nn.functional.cross_entropy(model(images[train]), labels[train])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


torch.manual_seed(0)
dense = fit(nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)), epochs=60)


def quantised(model):
    if hasattr(torch.ao.quantization, "quantize_dynamic"):  # PyTorch announces that it moves to torchao
        return torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

    copied = copy.deepcopy(model)
    quantize_(copied, Int8DynamicActivationInt8WeightConfig())
    return copied


def pruned(model, amount):
    copied = copy.deepcopy(model)
    weights = [(layer, "weight") for layer in copied if isinstance(layer, nn.Linear)]
    prune.global_unstructured(weights, prune.L1Unstructured, amount=amount)
    return fit(copied, epochs=30)


before = rdcompute.evaluate(dense, loader)
for name, model in {"int8": quantised(dense), "pruned": pruned(dense, amount=0.8)}.items():
    after = rdcompute.evaluate(model, loader)
    result = rdstats.compare(before.predictions, after.predictions, labels=before.labels)
    print(f"{name}\n{result.summary()}\n")

# counts alone need no predictions, but say less: which images both get right is not known
by_counts = rdstats.compare(rdcompute.confusion(dense, loader), rdcompute.confusion(model, loader))
assert by_counts["slope"].value == result["slope"].value
assert by_counts["churn"].lower <= result["churn"].value <= by_counts["churn"].upper
