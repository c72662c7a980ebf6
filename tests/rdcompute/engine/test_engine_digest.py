"""One grid, one cube: whatever the number of processes, the order, and the interruptions."""

import pytest

from rdcompute.compute import compute
from rdstats.cube import digest, open_cube


@pytest.fixture(scope="module")
def grid(tiny_npz, make_grid):
    methods = ["sham", "mp", "gp", "rp"]
    experiment = {"dataset": tiny_npz("rgb", channels=3), "arch": "lenet", "method": methods, "ratio": [2, 4]}
    return make_grid(seeds=2, experiments=[experiment])


def digest_of(summary):
    assert summary.failed == {}
    assert summary.n_done == summary.n_cells == 16
    with open_cube(summary.output) as cube:
        return digest(cube)


@pytest.fixture(scope="module")
def reference(grid, tmp_path_factory):
    return digest_of(compute(grid, tmp_path_factory.mktemp("here") / "cube.nc", device="cpu"))


def test_the_digest_sees_another_root_seed(grid, reference, tmp_path):
    other = grid.model_copy(update={"root_seed": 1})
    assert digest_of(compute(other, tmp_path / "cube.nc", device="cpu")) != reference


def test_again_is_the_same(grid, reference, tmp_path):
    assert digest_of(compute(grid, tmp_path / "cube.nc", device="cpu")) == reference


def test_two_processes_are_the_same(grid, reference, tmp_path, recorder):
    told = recorder()
    summary = compute(grid, tmp_path / "cube.nc", device="cpu", n_workers=2, listener=lambda plan, n: told)
    assert digest_of(summary) == reference
    kinds = [kind for kind, *_ in told.events]
    assert (kinds.count("started"), kinds.count("epoch"), kinds.count("finished")) == (16, 32, 16)


def reverse(cells):
    return sorted(cells, key=lambda cell: cell.key, reverse=True)


def whole_levels(cells):
    return [*(c for c in cells if c.is_dense), *reversed([c for c in cells if not c.is_dense])]


@pytest.mark.parametrize("order", [reverse, whole_levels, lambda cells: list(cells)[::-1]])
def test_another_order_is_the_same(grid, reference, tmp_path, recorder, order):
    told = recorder()
    summary = compute(grid, tmp_path / "cube.nc", device="cpu", order=order, listener=lambda plan, n: told)
    assert digest_of(summary) == reference
    plain = recorder()
    compute(grid, tmp_path / "plain.nc", device="cpu", listener=lambda plan, n: plain)
    started = [key for kind, key, *_ in told.events if kind == "started"]
    assert started != [key for kind, key, *_ in plain.events if kind == "started"]


@pytest.mark.parametrize("n_workers", [1, 2])
def test_an_interruption_is_the_same(grid, reference, tmp_path, recorder, n_workers):
    def interrupt(kind, cell):
        if kind == "finished":
            finished.append(cell.key)
            if len(finished) == 5:
                raise KeyboardInterrupt

    finished = []
    output = tmp_path / "cube.nc"
    with pytest.raises(KeyboardInterrupt):
        compute(grid, output, device="cpu", n_workers=n_workers, listener=lambda plan, n: recorder(interrupt))
    assert not output.exists()
    files = {key: output.with_suffix(".run") / "cells" / key[:2] / f"{key}.cell" for key in finished}
    before = {key: path.stat().st_mtime_ns for key, path in files.items()}
    summary = compute(grid, output, device="cpu")
    assert digest_of(summary) == reference
    assert 5 <= summary.n_reused <= 5 + 2 * (n_workers - 1)  # a second worker may have finished more unheard
    assert {key: path.stat().st_mtime_ns for key, path in files.items()} == before
