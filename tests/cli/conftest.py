"""Small cubes and grids for the command line tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import rdstats
from rdcli.app import app


class Rd:
    """Runs `rd` in this process; `stdout`, `stderr` and `status` of the last call stay readable."""

    def __call__(self, *arguments: object) -> int:
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        self.stdout, self.stderr, self.status = result.stdout, result.stderr, result.exit_code
        return self.status

    def refused(self, *arguments: object) -> str:
        """Return the one line on stderr of a call that must be refused as wrong input."""
        assert self(*arguments) == 2, (self.stdout, self.stderr)
        assert self.stdout == ""
        lines = self.stderr.strip().splitlines()
        assert len(lines) == 1, lines
        return lines[0]


@pytest.fixture
def rd() -> Rd:
    return Rd()


def simulate(n_seeds: int = 6, seed: int = 0) -> object:
    """A cube with sham, mp and up at 1, 2, 4 and 10: up and mp 10 spread the recalls of dense networks apart."""
    rng = np.random.default_rng(seed)
    methods, ratios, n = ["sham", "mp", "up"], [1.0, 2.0, 4.0, 10.0], 200
    recall = np.array([0.95, 0.9, 0.85, 0.7])
    cells = {("sham", 1.0): 1.0, **{(m, r): 1 + 0.06 * r for m in ("mp", "up") for r in ratios[1:]}}

    def draw(spread: float) -> np.ndarray:
        right = rng.binomial(n, 1 - (1 - recall) * spread)
        matrix = np.diag(right).astype(float)
        for c in range(4):
            matrix[c, (c + 1) % 4] += n - right[c]
        return matrix

    after = np.full((n_seeds, 1, 1, 3, 4, 4, 4), np.nan)
    for (method, ratio), spread in cells.items():
        for s in range(n_seeds):
            after[s, 0, 0, methods.index(method), ratios.index(ratio)] = draw(spread)
    dense = np.array([draw(1.0) for _ in range(n_seeds)]).reshape(n_seeds, 1, 1, 4, 4)
    status = np.where(np.isnan(after[..., 0, 0]), np.nan, 1.0)
    dense_id = np.array([[[f"net{s}"]] for s in range(n_seeds)], object)
    return rdstats.build(
        dense, after, dims=("seed", "dataset", "arch", "method", "ratio"),
        coords={"seed": range(n_seeds), "dataset": ["toy"], "arch": ["net"], "method": methods, "ratio": ratios},
        class_names=["cat", "dog", "bird", "<b>&"],
        variables={"status": (("seed", "dataset", "arch", "method", "ratio"), status),
                   "dense_id": (("seed", "dataset", "arch"), dense_id)},
    )  # fmt: skip


@pytest.fixture(scope="session")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cube") / "toy.nc"
    rdstats.save(simulate(), path)
    return path


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small image data set in three classes that are easy to tell apart."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    parts = {}
    for part, n in (("train", 90), ("test", 30)):
        labels = np.arange(n) % 3
        images = rng.integers(0, 60, (n, 12, 12), dtype=np.uint8)
        for c in range(3):
            images[labels == c, 4 * c : 4 * c + 4] += 150
        parts |= {f"{part}_images": images, f"{part}_labels": labels.astype(np.uint8)}
    np.savez(folder / "bars.npz", **parts)
    return folder


GRID = """\
name: small
seeds: 2
ratio: [2, 4]
experiments:
  - {dataset: bars.npz, arch: lenet, method: [sham, mp]}
training:
  lenet: {batch_size: 16, train: [[2, 0.05]], finetune: [[1, 0.05]]}
"""


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(GRID)
    return path
