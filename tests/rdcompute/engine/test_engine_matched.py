"""Cells that keep as many weights as another one: planned, computed, lost, merged, analysed."""

import json
import re
import shutil

import numpy as np
import pytest

from rdcompute import execute
from rdcompute.compute import assemble_run, compute, retry
from rdcompute.criteria import CRITERIA, Criterion
from rdcompute.criteria.released import beyond_quantile
from rdcompute.describe import describe_plan
from rdcompute.estimate import Timing, play
from rdcompute.lineage import identities, orphans
from rdcompute.merge import merge_runs
from rdcompute.plan import make_plan
from rdcompute.rundir import CellResult, RunDirectory
from rdcompute.runs import column_states, failed_cells, open_run
from rdstats import analyze
from rdstats._labelled import is_control
from rdstats.cube import digest, open_cube
from rdstats.errors import InputError
from rdstats.families.declare import MATCHED

RATIO = 8
TWIN = "up-released-abs@up-released"
UP, GP = "up-released", "gp@up-released"
SETTINGS = {"batch_size": 16, "train": [[2, 0.05]], "finetune": [[1, 0.05]], "ratio_accounting": "shrinkbench"}


@pytest.fixture(scope="module")
def images(tiny_npz):
    return tiny_npz(n_test=100)


@pytest.fixture(scope="module")
def grid(images, make_grid):
    def make(seeds=(0,), methods=("gp",), first=("sham", UP), **more):
        where = {"dataset": images, "arch": "lenet", "ratio": [RATIO]}
        matched = [{**where, "method": list(methods), "match": UP}] if methods else []
        experiments = [*matched, {**where, "method": list(first)}]  # matched first: the plan has them last all the same
        return make_grid(seeds=list(seeds), experiments=experiments, training={"lenet": SETTINGS}, **more)

    return make


@pytest.fixture(scope="module")
def finished(grid, tmp_path_factory):
    """A finished run; not to be changed."""
    own = grid(seeds=(0, 3, 5), methods=("up-released-abs", "gp", "mp"))
    return own, compute(own, tmp_path_factory.mktemp("matched") / "cube.nc", device="cpu")


@pytest.fixture
def run(grid, tmp_path):
    """A finished run of one seed with its cells by method, dense ""."""
    own = grid()
    compute(own, tmp_path / "cube.nc", device="cpu")
    return own, RunDirectory.existing(tmp_path / "cube.run"), {cell.method: cell for cell in make_plan(own).cells}


def keeping(monkeypatch, keep):
    """Let up-released choose its weights in another way."""
    real = CRITERIA.get(UP)
    changed = Criterion(real.name, real.needs_gradient, real.score, real.gradient, keep)
    monkeypatch.setitem(CRITERIA._own, UP, changed)


def fewer(scores, others, share):
    return beyond_quantile(scores, others, share / 2)


def test_matched_cells_have_names_of_their_own_and_come_last(grid):
    plan = make_plan(grid(methods=("gp", "mp"), first=("sham", "gp", UP)))
    assert [cell.method for cell in plan.cells] == ["", "sham", "gp", UP, GP, "mp@up-released"]
    cells = {cell.method: cell for cell in plan.cells}
    assert cells[GP].needs == (cells[""], cells[UP])
    assert {cell.method for cell in cells[GP].lineage} == {"", UP, GP}
    assert cells[GP].content()["match"] == cells[UP].key
    assert cells["gp"].match is None
    assert MATCHED in GP
    assert not is_control(GP)


def test_a_plan_says_what_decides_the_number_of_weights(grid):
    lines = describe_plan(make_plan(grid(first=("sham", "mp", UP))))
    assert f"  {GP}: ratio 8, with as many weights as up-released keeps" in lines
    assert "  up-released: ratio 8, nominal: its rule decides how many stay" in lines
    assert "  mp: ratio 8" in lines
    assert sum("kept weights at ratio" in line for line in lines) == 1
    assert not any("kept weights" in line for line in describe_plan(make_plan(grid())))


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        (["gp", "gp"], r"duplicate cells: \S+ lenet gp@up-released at ratio 8 is there twice"),
        (["sham"], "match is for criteria that prune once"),
    ],
)
def test_refused(images, refused, methods, words):
    where = {"dataset": images, "arch": "lenet", "ratio": 8}
    both = [{**where, "method": [UP]}, {**where, "method": methods, "match": UP}]
    text = json.dumps({"name": "a", "seeds": 1, "experiments": both})
    assert re.search(words, refused(text))


def test_the_cube_has_the_ratio_that_was_aimed_at(finished):
    with open_cube(finished[1].output) as opened:
        cube = opened.isel(dataset=0, arch=0, ratio=1).load()
    assert cube["method"].values.tolist() == ["sham", UP, TWIN, GP, "mp@up-released"]
    aimed, achieved = (cube[name].transpose("method", "seed").values for name in ("target_ratio", "achieved_ratio"))
    assert (achieved[1] < 0.9 * RATIO).all()
    assert len(set(achieved[1])) > 1
    for i in (2, 3, 4):
        np.testing.assert_array_equal(achieved[i], achieved[1])
        np.testing.assert_array_equal(aimed[i], achieved[1])
    assert np.isnan(aimed[:2]).all()
    kept = cube["kept_weights"].sum("layer").transpose("method", "seed").values
    np.testing.assert_array_equal(kept[2:], np.broadcast_to(kept[1], (3, 3)))


def test_the_matched_family_compares_every_matched_method(finished):
    with open_cube(finished[1].output) as cube:
        tests = analyze(cube, family="matched").tests
    assert list(zip(tests["first_method"].values, tests["second_method"].values, strict=True)) == [
        (UP, TWIN), (UP, GP), (UP, "mp@up-released"),
    ]  # fmt: skip
    # the twin is the same network: nothing to test, and the estimate is exactly 0
    assert (tests["reason"].values[0], tests["estimate"].values[0]) == ("no_variation", 0)
    assert tests["reason"].values[1:].tolist() == ["", ""]
    assert (tests["estimate"].values[1:] != 0).all()


def test_a_failure_takes_along_what_matches(grid, tmp_path, monkeypatch):
    def broken(scores, others, share):
        raise RuntimeError("broken")

    with monkeypatch.context() as patched:
        keeping(patched, broken)
        summary = compute(grid(first=("sham", UP, "gp")), tmp_path / "cube.nc", device="cpu")
    whose = {title.rpartition("seed 0 ")[2]: message for title, message in summary.failures.items()}
    assert whose == {
        "up-released 8": "RuntimeError: broken",
        f"{GP} 8": "up-released 8, which it needs, failed: RuntimeError: broken",
    }
    run = open_run(summary.run_dir)
    cells = {cell.method: cell for cell in run.plan.cells}
    assert {cell.method for cell, _ in failed_cells(run)} == {UP, GP}
    states = {state.method: (state.done, state.failed) for state in column_states(run)}
    assert states == {"dense": (1, 0), "sham": (1, 0), UP: (0, 1), "gp": (1, 0), GP: (0, 1)}
    again = retry(run, [cells[GP]], device="cpu")  # with what it needs
    assert (again.failed, again.n_done) == ({}, 5)
    achieved = [run.directory.load(cells[m].key, ()).meta["achieved_ratio"] for m in (UP, GP)]
    assert achieved[0] == achieved[1]


def test_a_matched_network_lost_and_computed_to_the_same_bits_keeps_its_cells(run):
    own, directory, cells = run
    directory.cell_path(cells[UP].key).unlink()
    again = compute(own, directory.path.with_suffix(".nc"), device="cpu")
    assert (again.n_reused, again.n_done) == (3, 4)


def test_one_that_keeps_another_number_takes_its_cells_with_it(run, monkeypatch, recorder):
    own, directory, cells = run
    before = directory.load(cells[GP].key, ()).meta["achieved_ratio"]
    directory.cell_path(cells[UP].key).unlink()
    keeping(monkeypatch, fewer)
    told = recorder()
    with pytest.warns(UserWarning, match=r"was made from another network than the one that is there now"):
        again = compute(own, directory.path.with_suffix(".nc"), device="cpu", listener=lambda *_: told)
    assert [key for kind, key, *_ in told.events if kind == "finished"] == [cells[UP].key, cells[GP].key]
    assert (again.n_done, again.failed) == (4, {})
    achieved = [directory.load(cells[m].key, ()).meta["achieved_ratio"] for m in (UP, GP)]
    assert achieved[0] == achieved[1] > before


def with_another_number(directory, cell):
    """Rewrite a finished network's ratio, as if it had been computed elsewhere."""
    result = directory.load(cell.key)
    kept = dict.fromkeys(result.meta["kept_weights"], 1)
    meta = {**result.meta, "achieved_ratio": 9.5, "kept_weights": kept}
    directory.save(cell.key, CellResult(meta, result.arrays), cell.content())


def test_orphans_are_found_before_anything_is_computed(run):
    own, directory, cells = run
    plan = make_plan(own)
    with_another_number(directory, cells[UP])
    assert [cell.method for cell in orphans(plan.cells, identities(plan.cells, directory))] == [GP]
    with pytest.warns(UserWarning, match="keeps another number of weights than .* up-released 8; left out"):
        left = assemble_run(open_run(directory.path), directory.path.with_name("part.nc"))
    assert left.n_done == 3
    with pytest.warns(UserWarning, match="was made from another network"):
        compute(own, directory.path.with_suffix(".nc"), device="cpu")
    assert directory.load(cells[GP].key, ()).meta["target_ratio"] == 9.5


def test_what_needs_an_orphan_is_one(run):
    own, directory, cells = run
    plan = make_plan(own)
    known = identities(plan.cells, directory)
    known[cells[UP].key]["parent_id"] = "another"
    assert [cell.method for cell in orphans(plan.cells, known)] == [UP, GP]


def test_a_checkpoint_of_another_number_is_not_gone_on_from(run, monkeypatch):
    """The weights that the earlier mask set to zero would stay zero in the new one."""
    own, directory, cells = run
    made = []
    real = execute.CellCheckpoint

    class Listening(real):
        def __init__(self, run, key, every, parent_id="", *others, **more):
            made.append((key, parent_id))
            super().__init__(run, key, every, parent_id, *others, **more)

    monkeypatch.setattr(execute, "CellCheckpoint", Listening)
    keeping(monkeypatch, fewer)
    for method in (UP, GP):
        directory.cell_path(cells[method].key).unlink()
    compute(own, directory.path.with_suffix(".nc"), device="cpu")
    dense_id = directory.load(cells[""].key, ()).meta["dense_id"]
    achieved = directory.load(cells[UP].key, ()).meta["achieved_ratio"]
    assert made == [(cells[UP].key, dense_id), (cells[GP].key, f"{dense_id} {achieved}")]


def test_matched_cells_are_added_to_a_run(grid, tmp_path):
    small, whole = grid(methods=()), grid(methods=("gp",))
    compute(small, tmp_path / "cube.nc", device="cpu")
    summary = compute(whole, tmp_path / "cube.nc", device="cpu", extend=True)
    assert (summary.n_reused, summary.n_done) == (3, 4)


def test_runs_are_merged_with_what_was_matched(finished, grid, tmp_path):
    own, summary = finished
    for seed in own.seeds:
        compute(grid(seeds=(seed,), methods=("up-released-abs", "gp", "mp")), tmp_path / f"{seed}.nc", device="cpu")
    merged = merge_runs([tmp_path / f"{seed}.run" for seed in own.seeds], tmp_path / "all.run")
    assert (merged.n_done, merged.n_cells) == (18, 18)
    assemble_run(open_run(merged.path), tmp_path / "all.nc")
    with open_cube(tmp_path / "all.nc") as cube, open_cube(summary.output) as whole:
        assert digest(cube) == digest(whole)


def test_methods_of_two_machines_are_merged_where_their_numbers_agree(grid, tmp_path):
    for name, methods in (("a", ("gp",)), ("b", ("gp", "mp"))):
        compute(grid(methods=methods), tmp_path / f"{name}.nc", device="cpu")
    merged = merge_runs([tmp_path / "a.run", tmp_path / "b.run"], tmp_path / "m.run")
    run = open_run(merged.path)
    assert [cell.method for cell in run.plan.cells] == ["", "sham", UP, GP, "mp@up-released"]
    assert merged.n_done == 5

    # one machine kept another number of weights, and the other run alone has the matched network
    shutil.copytree(tmp_path / "a.run", tmp_path / "c.run")
    other = RunDirectory.existing(tmp_path / "c.run")
    cells = {cell.method: cell for cell in run.plan.cells}
    with_another_number(other, cells[UP])
    other.cell_path(cells[GP].key).unlink()
    RunDirectory.existing(tmp_path / "b.run").cell_path(cells[UP].key).unlink()
    with pytest.raises(InputError, match=r"gp@up-released, ratio 8 of \S+b.run keeps another number of weights than "
                                         r"up-released in \S+c.run"):  # fmt: skip
        merge_runs([tmp_path / "c.run", tmp_path / "b.run"], tmp_path / "n.run")
    assert not (tmp_path / "n.run").exists()


def test_a_matched_cell_waits_for_both_that_it_needs(grid):
    plan = make_plan(grid(methods=("gp", "mp")))
    timing = Timing(100, 20, 80, 0.5, 0.1, 0.025, 0.2, dense=3.0, compressed=1.0)
    network = (plan.cells[0].dataset, "lenet")
    dense, tuned, gradient = 3 + 2 * 11 + 2, 1 + 1 * 11 + 2, 20
    one, two = (play(plan.cells, (), {network: timing}, n).wall for n in (1, 2))
    assert one == pytest.approx(dense + 4 * tuned + gradient)  # gp's; that of a batch is nothing
    assert two == pytest.approx(dense + tuned + tuned + gradient)  # sham beside up-released, mp beside gp
