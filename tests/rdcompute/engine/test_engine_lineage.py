"""Replicates that are none, and pruned networks that lost their dense network."""

import json

import numpy as np
import pytest
import torch

from rdcompute import execute, lineage
from rdcompute.compute import assemble_run, compute, retry
from rdcompute.lineage import beginning, check_replicates, identities, initial_network, orphans
from rdcompute.models import ARCHITECTURES, Architecture
from rdcompute.plan import make_plan
from rdcompute.rundir import CellResult, RunDirectory
from rdcompute.runs import open_run
from rdstats.cube import digest, open_cube
from rdstats.errors import InputError


@pytest.fixture
def grid(tiny_npz, make_grid):
    experiment = {"dataset": tiny_npz(), "arch": "lenet", "method": ["sham", "mp"], "ratio": 2}
    return make_grid(seeds=3, experiments=[experiment])


def empty_run(folder, plan):
    return RunDirectory.open(folder, plan.grid.resolved(), {}, cells=[cell.key for cell in plan.cells])


def test_a_network_says_what_it_began_with(grid, tmp_path):
    summary = compute(grid, tmp_path / "cube.nc", device="cpu")
    run = RunDirectory.existing(summary.run_dir)
    plan = make_plan(grid)
    dense = [cell for cell in plan.cells if cell.is_dense]
    found = [run.readable(cell.key) for cell in dense]
    for cell, meta in zip(dense, found, strict=True):
        assert {name: meta[name] for name in ("init_id", "order_id")} == beginning(
            cell, initial_network(cell, 3, (1, 10, 10)), 54
        )
    for name in ("init_id", "order_id", "dense_id"):
        assert len({meta[name] for meta in found}) == 3


def test_a_network_that_draws_its_own_weights_is_refused_before_training(grid, tmp_path, monkeypatch, recorder):
    def stubborn(n_classes, image_shape):
        with torch.random.fork_rng():
            torch.manual_seed(1)
            return lenet.build(n_classes, image_shape)

    lenet = ARCHITECTURES.get("lenet")
    own = Architecture(**{**vars(lenet), "build": stubborn})
    monkeypatch.setitem(ARCHITECTURES._own, "lenet", own)
    told = recorder()
    with pytest.raises(InputError, match="tiny lenet: seeds 0 and 1 begin with the same weights, so they are one"):
        compute(grid, tmp_path / "cube.nc", device="cpu", listener=lambda *_: told)
    assert told.events == []


def test_one_order_under_two_seeds_is_refused(grid, tmp_path, monkeypatch):
    plan = make_plan(grid)
    real = lineage.stream
    monkeypatch.setattr(lineage, "stream", lambda root, name: real(root, name.replace("order/2/", "order/1/")))
    with pytest.raises(InputError, match="seeds 1 and 2 begin with the same order of images"):
        check_replicates(plan, {}, lambda cell: 54)


def test_few_images_may_come_in_one_order_by_chance(grid, tmp_path, monkeypatch):
    plan = make_plan(grid)
    monkeypatch.setattr(lineage, "stream", lambda root, name: np.random.default_rng(0))
    check_replicates(plan, {}, lambda cell: 19)
    with pytest.raises(InputError, match="order"):
        check_replicates(plan, {}, lambda cell: 20)


def test_what_finished_networks_began_with_counts(grid, tmp_path):
    plan = make_plan(grid)
    run = empty_run(tmp_path / "run", plan)
    first, second = [cell for cell in plan.cells if cell.is_dense][:2]
    own = beginning(second, initial_network(second, 3, (1, 10, 10)), 54)
    run.save(first.key, CellResult({**own, "dense_id": "x"}, {}), first.content())
    with pytest.raises(InputError, match="seeds 0 and 1 begin with the same weights"):
        check_replicates(plan, identities(plan.cells, run), lambda cell: 54)


def of_another_dense(run, cells):
    """Rewrite a finished dense network's hash, as if it had been computed again elsewhere."""
    dense = next(cell for cell in cells if cell.is_dense)
    result = run.load(dense.key)
    run.save(dense.key, CellResult({**result.meta, "dense_id": "another"}, result.arrays), dense.content())
    return dense


def test_cells_made_from_another_dense_network_are_computed_again(grid, tmp_path):
    whole = compute(grid, tmp_path / "cube.nc", device="cpu")
    plan, run = make_plan(grid), RunDirectory.existing(whole.run_dir)
    assert orphans(plan.cells, identities(plan.cells, run)) == []
    dense = of_another_dense(run, plan.cells)
    expected = [cell.key for cell in plan.cells if cell.parent is not None and cell.parent.key == dense.key]
    run.cell_path(expected[0]).with_suffix(".json").unlink()  # readable twins are not asked
    assert [cell.key for cell in orphans(plan.cells, identities(plan.cells, run))] == expected
    with pytest.warns(UserWarning, match="was made from another dense network"):
        again = compute(grid, tmp_path / "cube.nc", device="cpu")
    assert (again.n_done, again.failed) == (9, {})
    with open_cube(again.output) as cube:
        assert cube["dense_id"].values.ravel()[0] == "another"
    twin = json.loads(run.cell_path(expected[0]).with_suffix(".json").read_text())
    assert twin["result"]["parent_id"] == "another"
    assert run.cell_path(expected[0]).with_suffix(".orphan").is_file()


def test_assembling_alone_leaves_such_cells_out(grid, tmp_path):
    whole = compute(grid, tmp_path / "cube.nc", device="cpu")
    run = open_run(whole.run_dir)
    dense = of_another_dense(run.directory, run.plan.cells)
    for cell in run.plan.cells:  # nor is the readable twin believed
        run.directory.cell_path(cell.key).with_suffix(".json").write_text("{}")
    with pytest.warns(UserWarning, match="was made from another dense network than is there now; left out"):
        assemble_run(run, tmp_path / "part.nc")
    with open_cube(tmp_path / "part.nc") as cube:
        status = cube["status"].sel({"seed": dense.seed}).values
        assert sorted(status[np.isfinite(status)]) == [0, 0]
        assert int((cube["status"] == 1).sum()) == 4


def test_a_dense_network_lost_and_computed_to_the_same_bits_keeps_its_cells(grid, tmp_path):
    whole = compute(grid, tmp_path / "cube.nc", device="cpu")
    with open_cube(whole.output) as cube:
        before = digest(cube)
    plan, run = make_plan(grid), RunDirectory.existing(whole.run_dir)
    run.cell_path(plan.cells[0].key).unlink()
    again = compute(grid, tmp_path / "cube.nc", device="cpu")
    assert again.n_reused == 8
    with open_cube(whole.output) as cube:
        assert digest(cube) == before


def test_a_dense_network_computed_again_to_other_bits_takes_its_cells_with_it(grid, tmp_path, monkeypatch, recorder):
    """As on another machine: the cells that were finished are found only when the dense network is there again."""
    whole = compute(grid, tmp_path / "cube.nc", device="cpu")
    plan, run = make_plan(grid), RunDirectory.existing(whole.run_dir)
    run.cell_path(plan.cells[0].key).unlink()
    real = execute.beginning

    def elsewhere(cell, network, n_train):
        found = real(cell, network, n_train)
        with torch.no_grad():
            next(network.parameters()).add_(0.01)
        return found

    monkeypatch.setattr(execute, "beginning", elsewhere)
    told = recorder()
    with pytest.warns(UserWarning, match="was made from another dense network"):
        again = compute(grid, tmp_path / "cube.nc", device="cpu", listener=lambda *_: told)
    assert (again.n_done, again.failed) == (9, {})
    assert [key for kind, key, *_ in told.events if kind == "finished"] == [cell.key for cell in plan.cells[:3]]
    known = identities(plan.cells, run)
    assert orphans(plan.cells, known) == []
    assert known[plan.cells[1].key]["parent_id"] == known[plan.cells[0].key]["dense_id"]


def test_retrying_looks_at_all_replicates(grid, tmp_path):
    compute(grid, tmp_path / "cube.nc", device="cpu", order=lambda cells: list(cells)[:4])
    run = open_run(tmp_path / "cube.run")
    plan = run.plan
    second, third = [cell for cell in plan.cells if cell.is_dense][1:]
    meta = run.directory.load(second.key).meta
    run.directory.save(third.key, CellResult(meta, {}), third.content())
    with pytest.raises(InputError, match="seeds 1 and 2 begin with the same weights"):
        retry(run, [plan.cells[4]], device="cpu")
