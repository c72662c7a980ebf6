"""The training loop that a person writes who wants speed and nothing else: tensors, shuffled indices, no DataLoader.

Images are normalised once, before the loop, and lie in memory as floats.  There is no bookkeeping: no state is kept,
nothing is logged, the only number that leaves the loop is the last validation loss.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PAD = 4
BATCH, EVAL_BATCH = 128, 500


def train(
    model: nn.Module, images: Tensor, labels: Tensor, val_images: Tensor, val_labels: Tensor, *, epochs: int, lr: float,
    layout: torch.memory_format, weight_decay: float = 0.0, crop_flip: bool = False,
    masks: Mapping[str, Tensor] | None = None,
) -> float:  # fmt: skip
    """Train with SGD (Nesterov .9), validate after every epoch; masked weights are zero before and after every step.

    `layout` is the memory format of model and images.  With `crop_flip`, `images` are padded by `PAD` on each side.
    """
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, nesterov=True, weight_decay=weight_decay)
    masked = [(model.get_parameter(f"{name}.weight"), mask) for name, mask in (masks or {}).items()]
    val_loss = torch.zeros(())
    _prune(masked)
    for _ in range(epochs):
        model.train()
        for index in torch.randperm(len(labels)).split(BATCH):
            batch = cropped_and_flipped(images, index) if crop_flip else images[index]
            loss = F.cross_entropy(model(batch.contiguous(memory_format=layout)), labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            _prune(masked)
        model.eval()
        with torch.no_grad():
            parts = zip(val_images.split(EVAL_BATCH), val_labels.split(EVAL_BATCH), strict=True)
            val_loss = sum(F.cross_entropy(model(x), y, reduction="sum") for x, y in parts) / len(val_labels)
    return float(val_loss)


@torch.no_grad()
def _prune(masked: list[tuple[Tensor, Tensor]]) -> None:
    for weight, mask in masked:
        weight.mul_(mask)


def cropped_and_flipped(padded: Tensor, index: Tensor) -> Tensor:
    """Return random crops of the images at `index`, every other one mirrored, as a whole batch at once."""
    n, size = len(index), padded.shape[-1] - 2 * PAD
    top, left = torch.randint(0, 2 * PAD + 1, (2, n, 1))
    rows, columns = top + torch.arange(size), left + torch.arange(size)
    columns = torch.where(torch.rand(n, 1) < 0.5, columns.flip(1), columns)
    batch = padded[index[:, None, None], :, rows[:, :, None], columns[:, None, :]]  # (n, H, W, C)
    return batch.permute(0, 3, 1, 2)
