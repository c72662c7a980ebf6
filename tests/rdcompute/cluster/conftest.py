"""A real cluster of two spawned workers, shared by the tests of a file, and a grid of seconds."""

import json
import logging

import dask
import pytest
from distributed import Client, LocalCluster

from rdcompute.cluster.start import Cluster
from rdcompute.compute import compute
from rdcompute.grid_file import load_grid
from rdstats.cube import digest, open_cube

# of every worker: one commit for all cubes, whatever happens to the checkout; cells that kill it, named by a file
PRELOADED = """
import os, signal
from pathlib import Path
from rdcompute import execute, provenance

provenance.git_commit = lambda: "c0ffee"
real = getattr(execute.Worker.execute, "real", execute.Worker.execute)  # Dask may load this twice
deadly = Path("DEADLY")


def execute_unless_deadly(self, cell, on_epoch=None):
    if deadly.exists() and deadly.read_text().splitlines()[0] in cell.title:
        with open(deadly, "a") as file:
            file.write("\\nonce")
        os.kill(os.getpid(), signal.SIGKILL)
    real(self, cell, on_epoch)


execute_unless_deadly.real = real
execute.Worker.execute = execute_unless_deadly
"""


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    """The scheduler of two workers, processes that are started again when they die.

    They end with the file of tests: those of others count the children of their process.
    """
    preloaded = tmp_path_factory.mktemp("workers") / "preloaded.py"
    deadly = preloaded.with_name("deadly")
    preloaded.write_text(PRELOADED.replace("DEADLY", str(deadly)))
    patient = {"distributed.deploy.lost-worker-timeout": "600s"}  # one that begins again imports for a while
    with dask.config.set(patient), LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, memory_limit=0,
        scheduler_kwargs={"dashboard": False, "dashboard_address": ":0"},
        silence_logs=logging.CRITICAL, preload=[str(preloaded)], host="127.0.0.1",
    ) as cluster:  # fmt: skip
        cluster.deadly = deadly
        yield cluster


@pytest.fixture
def cluster(workers):
    return Cluster(workers.scheduler_address)


@pytest.fixture
def client(workers):
    with Client(workers.scheduler_address, set_as_default=False) as client:
        client.wait_for_workers(2)
        yield client


@pytest.fixture
def deadly(workers):
    """Let every worker die that begins a cell whose title has a text."""
    yield workers.deadly.write_text
    workers.deadly.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def make_grid(tmp_path_factory):
    """Return a checked grid on the handwritten digits; a tenth of them, two epochs, where nothing else is said."""

    def make(*experiments, seeds=2, scale=0.1, **fields):
        path = tmp_path_factory.mktemp("grid") / "grid.yaml"
        lenet = {"batch_size": 32, "train": [[2, 0.05]], "finetune": [[1, 0.05]], "weight_decay": 5e-4, **fields}
        training = {"lenet": lenet, "lth": {"batch_size": 32, "train": [[3, 0.05]]}}
        every = [{"dataset": "digits", "arch": "lenet", **experiment} for experiment in experiments]
        path.write_text(json.dumps({"name": "a", "seeds": seeds, "experiments": every, "training": training}))
        return load_grid(str(path)).scaled({"train": scale})

    return make


@pytest.fixture(scope="session")
def small(make_grid):
    return make_grid({"method": ["sham", "mp", "gp"], "ratio": [2]})


@pytest.fixture(scope="session")
def locally(tmp_path_factory):
    """Return the digest of the cube that this process computes of a grid."""
    known = {}

    def locally(grid):
        if id(grid) not in known:
            output = tmp_path_factory.mktemp("locally") / "cube.nc"
            known[id(grid)] = digest_of(compute(grid, output, device="cpu").output)
        return known[id(grid)]

    return locally


def digest_of(path):
    with open_cube(path) as cube:
        return digest(cube)


@pytest.fixture(name="digest_of")
def digest_of_fixture():
    return digest_of
