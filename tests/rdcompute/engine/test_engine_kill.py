"""Killed at any moment, again and again: what is finished stays, what is resumed ends in the same bits."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import rdcompute
from rdcompute.compute import compute
from rdcompute.grid import load_grid
from rdstats.cube import digest, open_cube

# imports once; every attempt is a fork of that process, killed after a delay drawn from a fixed stream
KILLER = """
import os, random, signal, sys, time
from pathlib import Path
from rdcompute.compute import compute
from rdcompute.execute import use_one_thread
from rdcompute.grid import load_grid

grid, output, mean, n = load_grid(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
use_one_thread()
draw = random.Random(int(sys.argv[5]))
kills = 0
for attempt in range(n):
    child = os.fork()
    if child == 0:
        compute(grid, output, device="cpu", checkpoint_every=0.0)
        os._exit(0)
    time.sleep(draw.expovariate(1 / mean))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    kills += os.WIFSIGNALED(status)
    print(kills, sum(1 for _ in output.with_suffix(".run").glob("cells/*/*.cell")), flush=True)
"""

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and a signal that cannot be refused")


@pytest.fixture
def grid_file(tiny_npz, tmp_path):
    path = tmp_path / "grid.yaml"
    path.write_text(
        "name: a\nseeds: 2\nratio: [2, 4]\n"
        f"experiments: [{{dataset: {tiny_npz()}, arch: lenet, method: [sham, mp, gp]}}]\n"
        "training: {lenet: {train: [3, 0.05], finetune: [3, 0.05], batch_size: 8, weight_decay: 5e-4}}\n"
    )
    return path


def attempts(grid_file, output, mean, n, seed):
    """Begin the job n times and kill it each time; return the kills and the finished cells after each."""
    environment = {**os.environ, "PYTHONPATH": str(Path(rdcompute.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", KILLER, str(grid_file), str(output), str(mean), str(n), str(seed)],
        capture_output=True, text=True, timeout=120, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [tuple(map(int, line.split())) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("seed", [0, 1])
def test_killed_many_times_and_the_digest_is_that_of_an_undisturbed_run(seed, grid_file, tmp_path):
    grid = load_grid(str(grid_file))
    whole = compute(grid, tmp_path / "whole.nc", device="cpu")
    output = tmp_path / "killed.nc"
    steps = attempts(grid_file, output, 0.12, 40, seed)
    assert steps[-1][0] >= 10  # killed that often, in training, pruning, evaluation, writing or assembly
    finished = [n for _, n in steps]
    assert finished == sorted(finished)  # no finished cell is lost
    summary = compute(grid, output, device="cpu")
    assert summary.failed == {}
    with open_cube(whole.output) as one, open_cube(summary.output) as other:
        assert digest(one) == digest(other)
    left = [path for path in tmp_path.rglob("*") if path.name.endswith((".part", ".epochs"))]
    assert left == []


def test_killed_while_the_cube_is_written(grid_file, tmp_path):
    grid = load_grid(str(grid_file))
    output = tmp_path / "cube.nc"
    summary = compute(grid, output, device="cpu")
    before = output.read_bytes()
    steps = attempts(grid_file, output, 0.05, 12, 3)
    assert steps[-1][0] >= 3
    with open_cube(output) as cube:  # the old one or a new one, always a whole one
        assert cube.attrs["grid_name"] == "a"
    output.unlink()
    attempts(grid_file, output, 0.03, 6, 4)
    again = compute(grid, output, device="cpu")
    assert again.n_reused == again.n_cells == summary.n_cells
    (tmp_path / "old.nc").write_bytes(before)
    with open_cube(output) as one, open_cube(tmp_path / "old.nc") as other:
        assert digest(one) == digest(other)
