"""Killed at any moment, again and again: what is finished stays, what is resumed ends in the same bits."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import rdcompute
from rdcompute.compute import compute
from rdcompute.grid_file import load_grid
from rdstats.cube import digest, open_cube

# imports once, torch._dynamo too, which the first optimizer takes over a second for; every attempt is a fork of that
# process, killed after a delay drawn from a fixed stream
KILLER = """
import os, random, signal, sys, time
from pathlib import Path
import netCDF4, torch._dynamo, xarray
from rdcompute import provenance
from rdcompute.compute import compute
from rdcompute.execute import use_one_thread
from rdcompute.grid_file import load_grid

provenance.git_commit = lambda: "c0ffee"
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

# the same, killed by its own hand in a function that is called in one phase only
SUICIDE = """
import os, signal, sys
from importlib import import_module
from pathlib import Path
import netCDF4, torch._dynamo, xarray
from rdcompute import provenance
from rdcompute.compute import compute
from rdcompute.execute import use_one_thread
from rdcompute.grid_file import load_grid

grid, output = load_grid(sys.argv[1]), Path(sys.argv[2])
use_one_thread()
provenance.git_commit = lambda: "c0ffee"
for place in sys.argv[3:]:
    module, name, nth, text = place.split(":")
    child = os.fork()
    if child == 0:
        owner = import_module(module)
        real, calls = getattr(owner, name), [0]

        def fatal(*args, **kwargs):
            calls[0] += text in str(args)
            if calls[0] == int(nth):
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)

        setattr(owner, name, fatal)
        compute(grid, output, device="cpu", checkpoint_every=0.0)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    run = output.with_suffix(".run")
    patterns = ("cells/*/*.cell", "cells/*/*.json", "unfinished/*.epochs", "**/.*.part", "../.killed.nc-*.part")
    found = [len(list(run.glob(pattern))) for pattern in patterns]
    print(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, *found)
"""

# phase: (module, its function, the call that is the last, text of the arguments that count),
# and what is there then: finished cells, their twins, checkpoints, half-written files, half-written cubes
PHASES = {
    "dense training": ("rdcompute.training:_train_epoch:2:dense", (0, 0, 1, 0, 0)),
    "writing a checkpoint": ("rdstats.files:replace_file:2:.epochs", (0, 0, 1, 1, 0)),
    "evaluating a dense network": ("rdcompute.execute:predict:1:", (0, 0, 1, 0, 0)),
    "pruning": ("rdcompute.compress.once:split_mask:1:", (2, 2, 0, 0, 0)),
    "fine-tuning": ("rdcompute.training:_train_epoch:2:finetune", (2, 2, 1, 0, 0)),
    "evaluating a pruned network": ("rdcompute.execute:predict:1:", (2, 2, 1, 0, 0)),
    "between the twin and the cell": ("rdstats.files:replace_file:1:.cell", (2, 3, 1, 1, 0)),
    "between two cells": ("rdcompute.rundir:write_atomically:3:", (3, 3, 0, 0, 0)),
    "writing the cube": ("rdstats.cube.write:append_checksum:1:", (8, 8, 0, 0, 1)),
    "giving the cube its name": ("rdstats.cube.write:replace_file:1:", (8, 8, 0, 0, 1)),
}

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


def in_python(code, *arguments):
    """Run code in a Python of its own; return what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(Path(rdcompute.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True, text=True, timeout=120, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def attempts(grid_file, output, mean, n, seed):
    """Begin the job n times and kill it each time; return the kills and the finished cells after each."""
    lines = in_python(KILLER, grid_file, output, mean, n, seed).splitlines()
    return [tuple(map(int, line.split())) for line in lines]


def test_killed_many_times_and_the_digest_is_that_of_an_undisturbed_run(grid_file, tmp_path):
    grid = load_grid(str(grid_file))
    whole = compute(grid, tmp_path / "whole.nc", device="cpu")
    output = tmp_path / "killed.nc"
    steps = attempts(grid_file, output, 0.12, 30, 0)
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
    steps = attempts(grid_file, output, 0.05, 6, 3)
    assert steps[-1][0] >= 3
    with open_cube(output) as cube:  # the old one or a new one, always a whole one
        assert cube.attrs["grid_name"] == "a"
    output.unlink()
    attempts(grid_file, output, 0.03, 3, 4)
    again = compute(grid, output, device="cpu")
    assert again.n_reused == again.n_cells == summary.n_cells
    (tmp_path / "old.nc").write_bytes(before)
    with open_cube(output) as one, open_cube(tmp_path / "old.nc") as other:
        assert digest(one) == digest(other)


def test_killed_in_every_phase(tiny_npz, tmp_path):
    path, output = tmp_path / "grid.yaml", tmp_path / "killed.nc"
    path.write_text(
        f"name: a\nseeds: 2\nratio: [2, 4]\nexperiments: [{{dataset: {tiny_npz()}, arch: lenet, method: [sham, mp]}}]\n"
        "training: {lenet: {train: [3, 0.05], finetune: [3, 0.05], batch_size: 8, weight_decay: 5e-4}}\n"
    )
    whole = compute(load_grid(str(path)), tmp_path / "whole.nc", device="cpu")
    done = in_python(SUICIDE, path, output, *(place for place, _ in PHASES.values()))
    found = [tuple(map(int, line.split())) for line in done.splitlines()]
    assert dict(zip(PHASES, found, strict=True)) == {phase: (9, *there) for phase, (_, there) in PHASES.items()}
    summary = compute(load_grid(str(path)), output, device="cpu")
    assert (summary.n_reused, summary.failed) == (8, {})
    with open_cube(whole.output) as one, open_cube(output) as other:
        assert digest(one) == digest(other)
    assert [path for path in tmp_path.rglob("*") if path.name.endswith((".part", ".epochs"))] == []
