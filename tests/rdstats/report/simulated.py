"""Simulated cubes with known effects of pruning."""

from dataclasses import dataclass

import numpy as np

import rdstats

RATIOS = (2, 4, 10)
PATTERN = np.linspace(-0.12, 0.12, 10)
ACROSS = 0.12 * np.resize([1.0, -1.0, -1.0, 1.0], 10)


@dataclass(frozen=True)
class Arm:
    """What becomes of the dense network's recalls: their spread, their mean, and how far the pattern turns."""

    spread: float = 0.9
    accuracy: float = 0.8
    turn: float = 0.0
    noise: float = 0.01

    def recall(self, deviation, rng):
        if self.accuracy <= 0.1:
            return np.eye(len(deviation))[0]
        other = ACROSS * np.linalg.norm(deviation) / np.linalg.norm(ACROSS)
        turned = np.cos(self.turn) * deviation + np.sin(self.turn) * other
        return np.clip(self.accuracy + self.spread * turned + rng.normal(0, self.noise, len(deviation)), 0.01, 0.99)


CONTROL, COLLAPSED = Arm(), Arm(accuracy=0.1)


def _matrix(recall, images, rng):
    wrong = (1 - recall)[:, None] / (len(recall) - 1)
    share = np.where(np.eye(len(recall), dtype=bool), recall[:, None], wrong)
    return np.stack([rng.multinomial(images, row / row.sum()) for row in share])


def simulate(
    arms, *, seeds=8, ratios=RATIOS, places=(("digits", "lenet"),), images=2000, rng=0, missing=(), attrs=None,
    **options,
):  # fmt: skip
    """Build a cube.

    ``arms`` maps a method to one `Arm` or one a ratio; "sham" gets ratio 1; ``missing`` lists (method, ratio)
    that were planned and not computed; ``attrs`` are as if a grid of ours had made it, and more; options are those of
    `rdstats.build`.
    """
    rng = np.random.default_rng(rng)
    datasets, archs = (list(dict.fromkeys(labels)) for labels in zip(*places, strict=True))
    axis = [*([1.0] if any(m.startswith("sham") for m in arms) else []), *map(float, ratios)]
    dense = np.full((seeds, len(datasets), len(archs), 10, 10), np.nan)
    after = np.full((seeds, len(datasets), len(archs), len(arms), len(axis), 10, 10), np.nan)
    status = np.full(after.shape[:-2], np.nan)
    for seed in range(seeds):
        for dataset, arch in places:
            at = seed, datasets.index(dataset), archs.index(arch)
            deviation = PATTERN + rng.normal(0, 0.02, 10)
            dense[at] = _matrix(0.8 + deviation, images, rng)
            for i, (method, arm) in enumerate(arms.items()):
                own = [1.0] if method.startswith("sham") else list(map(float, ratios))
                chosen = [arm] * len(own) if isinstance(arm, Arm) else arm
                for ratio, one in zip(own, chosen, strict=True):
                    cell = (*at, i, axis.index(ratio))
                    status[cell] = (method, ratio) not in missing
                    if status[cell]:
                        after[cell] = _matrix(one.recall(deviation, rng), images, rng)
    dims = ("seed", "dataset", "arch", "method", "ratio")
    coords = dict(zip(dims, (list(range(seeds)), datasets, archs, list(arms), axis), strict=True))
    attrs, variables = {"source": "rdcompute"} | (attrs or {}), {"status": (dims, status)}
    return rdstats.build(dense, after, dims=dims, coords=coords, variables=variables, attrs=attrs, **options)
