"""torchmetrics: confusion matrices that a training or test loop has collected anyway."""

import json
from pathlib import Path

import torch
from torchmetrics.classification import MulticlassConfusionMatrix

import rdstats

generator = torch.Generator().manual_seed(0)
labels = torch.randint(0, 5, (2000,), generator=generator)
metrics = {"dense": MulticlassConfusionMatrix(5), "pruned": MulticlassConfusionMatrix(5)}
for name, error in {"dense": 0.1, "pruned": 0.3}.items():
    wrong = torch.rand(2000, generator=generator) < error * (1 + labels) / 3
    predictions = torch.where(wrong, (labels + 1) % 5, labels)
    for batch in torch.arange(2000).split(256):
        metrics[name].update(predictions[batch], labels[batch])

# true classes are on the rows there, too
counts = {name: metric.compute() for name, metric in metrics.items()}
result = rdstats.compare(counts["dense"], counts["pruned"])
print(result.summary())

# the same from files
Path("counts.json").write_text(json.dumps({name: matrix.tolist() for name, matrix in counts.items()}))
cube = rdstats.import_files("counts.json").cube()
slopes = rdstats.analyze(cube).slopes["slope"]
assert slopes.item() == result["slope"].value
