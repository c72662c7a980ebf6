"""Run directories of several machines: joined, or refused with what contradicts; their own files stay as they are."""

import errno
import json
import os
import shutil
import signal
import warnings

import numpy as np
import pytest

from rdcompute import cellfile, merge_cells
from rdcompute.compute import assemble_run, compute
from rdcompute.lock import RunLock
from rdcompute.manifest import write_manifest
from rdcompute.merge import merge_runs
from rdcompute.plan import make_plan
from rdcompute.rundir import CellResult, RunDirectory
from rdcompute.runs import column_states, open_run
from rdcompute.storage import StorageError
from rdstats.cube import digest, merge_cubes, open_cube
from rdstats.errors import InputError


@pytest.fixture(scope="module")
def images(tiny_npz):
    return tiny_npz(n_test=10)


@pytest.fixture(scope="module")
def grid(images, make_grid):
    def make(seeds=(0, 3), methods=("sham", "mp"), **more):
        experiment = {"dataset": images, "arch": "lenet", "method": list(methods)}
        return make_grid(seeds=list(seeds), experiments=[experiment], **{"ratio": [2, 4], **more})

    return make


@pytest.fixture(scope="module")
def computed(grid, tmp_path_factory):
    """The whole grid, and each seed alone: name -> cube; not to be changed."""
    folder = tmp_path_factory.mktemp("computed")
    seeds = {"whole": (0, 3), "zero": (0,), "three": (3,)}
    return {name: compute(grid(own), folder / f"{name}.nc", device="cpu").output for name, own in seeds.items()}


@pytest.fixture
def copy(computed, tmp_path):
    """Return a function that copies a run, keeping the cells that a test of cells accepts."""

    def copy(name, to, keep=lambda cell: True):
        path = tmp_path / f"{to}.run"
        shutil.copytree(computed[name].with_suffix(".run"), path)
        run = RunDirectory.existing(path)
        for cell in cells_of(run):
            if not keep(cell):
                run.cell_path(cell.key).unlink()
        return run

    return copy


def cells_of(run):
    return open_run(run.path).plan.cells


def cell_of(run, **labels):
    return next(c for c in cells_of(run) if labels.items() <= {"method": None, **c.where}.items())


def rewrite(run, cell, meta=None, arrays=None, to=None):
    """Change the result of a cell, or store it as that of another one."""
    result = run.load(cell.key)
    changed = CellResult({**result.meta, **(meta or {})}, {**result.arrays, **(arrays or {})})
    changed = CellResult({k: v for k, v in changed.meta.items() if v is not None}, changed.arrays)
    target = run.cell_path((to or cell).key)
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(cellfile.pack((to or cell).key, changed))


def contents(*paths):
    return {p: p.read_bytes() for path in paths for p in sorted(path.rglob("*")) if p.is_file()}


def digest_of(path):
    with open_cube(path) as cube:
        return digest(cube)


def assembled(path, output):
    assemble_run(open_run(path), output)
    return digest_of(output)


DENSE = {"seed": 3, "method": None}
MP = {"seed": 3, "method": "mp", "ratio": 4.0}
AT = "seed 3, dataset tiny, arch lenet"


@pytest.fixture
def refused(tmp_path):
    """Return the message with which runs are not merged, paths without their folder; nothing is written."""

    def refused(*runs, output="m.run", error=InputError):
        paths = [getattr(run, "path", run) for run in runs]
        before = contents(tmp_path), sorted(tmp_path.rglob("*"))
        with pytest.raises(error) as caught:
            merge_runs(paths, tmp_path / output)
        assert (contents(tmp_path), sorted(tmp_path.rglob("*"))) == before
        assert "\n" not in str(caught.value)
        return str(caught.value).replace(f"{tmp_path}{os.sep}", "")

    return refused


def test_seeds_of_two_machines_are_the_whole(computed, tmp_path):
    sources = [computed[name].with_suffix(".run") for name in ("zero", "three")]
    before = contents(*sources)
    told = []
    merged = merge_runs(sources, tmp_path / "m.run", progress=lambda *n: told.append(n))
    assert contents(*sources) == before
    assert (merged.n_done, merged.n_cells, told[-1]) == (8, 8, (8, 8))
    assert assembled(merged.path, tmp_path / "m.nc") == digest_of(computed["whole"])
    cubes = merge_cubes([computed["zero"], computed["three"]], tmp_path / "c.nc")
    assert cubes.n_done == 6
    assert digest_of(cubes.path) == digest_of(computed["whole"])
    assert not list(tmp_path.glob(".*"))


def test_the_result_is_a_run_directory_like_any_other(computed, copy, grid, tmp_path):
    zero = copy("zero", "a", lambda cell: cell.method != "mp")
    merged = merge_runs([zero.path, computed["three"].with_suffix(".run")], tmp_path / "m.run")
    assert merged.n_done == 6
    states = {state.method: (state.done, state.missing) for state in column_states(open_run(merged.path))}
    assert states == {"dense": (2, 0), "sham": (2, 0), "mp": (2, 2)}
    run = RunDirectory.existing(merged.path)
    assert all("seconds" in run.readable(c.key) for c in cells_of(run) if run.has(c.key))
    summary = compute(grid(), tmp_path / "m.nc", run_dir=merged.path, device="cpu")
    assert (summary.n_reused, summary.n_done) == (6, 8)
    assert digest_of(tmp_path / "m.nc") == digest_of(computed["whole"])
    summary = compute(grid((0, 3, 4)), tmp_path / "n.nc", run_dir=merged.path, device="cpu", extend=True)
    assert summary.n_reused == 8


@pytest.mark.parametrize("turned", [False, True])
def test_cells_of_one_grid_in_parts_that_overlap(computed, copy, tmp_path, turned):
    one = copy("whole", "a", lambda cell: cell.seed == 0 or cell.method != "mp")
    two = copy("whole", "b", lambda cell: cell.seed == 3 and cell.method != "sham")
    for cell in cells_of(two):
        if two.has(cell.key):
            rewrite(two, cell, {"seconds": 99.0, "started": "2026-01-01T00:00:00+00:00", "made": {"device": "cpu"}})
    merged = merge_runs([two.path, one.path] if turned else [one.path, two.path], tmp_path / "m.run")
    assert merged.n_done == 8
    assert RunDirectory.existing(merged.path).manifest["grid"] == one.manifest["grid"]
    compute_again = compute(open_run(one.path).grid, tmp_path / "m.nc", run_dir=merged.path, device="cpu")
    assert compute_again.n_reused == 8


def test_experiments_of_two_machines(computed, grid, tmp_path):
    """Other methods, and more ratios; the control, which both have, is one."""
    other = compute(grid((0,), ("sham", "rp"), ratio=[2]), tmp_path / "b.nc", device="cpu")
    merged = merge_runs([computed["zero"].with_suffix(".run"), other.run_dir], tmp_path / "m.run")
    assert (merged.n_done, merged.n_cells) == (5, 5)
    found = [(c.method, c.ratio) for c in cells_of(RunDirectory.existing(merged.path))]
    assert found == [("", 1), ("sham", 1), ("mp", 2), ("mp", 4), ("rp", 2)]
    cubes = merge_cubes([computed["zero"], other.output], tmp_path / "c.nc")
    assert assembled(merged.path, tmp_path / "m.nc") == digest_of(cubes.path)


def test_scaled_runs(grid, tmp_path):
    """Shares of epochs and images must be the same; the seeds that were left out may be in another run."""
    half = {"epochs": 0.5, "train": 0.8}
    parts = [(grid((0, 3)).scaled({**half, "seeds": 1}), "a"), (grid((0, 3)).scaled(half), "b")]
    paths = [compute(one, tmp_path / f"{name}.nc", device="cpu").run_dir for one, name in parts]
    merged = merge_runs(paths, tmp_path / "m.run")
    assert open_run(merged.path).grid.scale == half
    assert assembled(merged.path, tmp_path / "m.nc") == digest_of(tmp_path / "b.nc")


def test_a_dataset_that_lies_elsewhere_on_the_other_machine(computed, grid, images, make_grid, tmp_path):
    moved = tmp_path / "tiny.npz"
    shutil.copy(images, moved)
    experiment = {"dataset": str(moved), "arch": "lenet", "method": ["sham", "mp"], "ratio": [2, 4]}
    other = compute(make_grid(seeds=[3], experiments=[experiment]), tmp_path / "b.nc", device="cpu")
    moved.unlink()  # the name that is a file here is taken, whichever run it is of
    merged = merge_runs([other.run_dir, computed["zero"].with_suffix(".run")], tmp_path / "m.run")
    assert {c.dataset for c in cells_of(RunDirectory.existing(merged.path))} == {images}


@pytest.mark.parametrize(
    ("labels", "change", "expected"),
    [
        (MP, {"meta": {"val_loss": 9.0}}, f"{AT}, method mp, ratio 4 differs between a.run and b.run (val_loss)"),
        (MP, {"arrays": {"prediction": np.full(10, 7, np.uint32)}},
         f"{AT}, method mp, ratio 4 differs between a.run and b.run (prediction)"),
        (DENSE, {"arrays": {"confusion": np.zeros((3, 3), np.int32)}},
         f"the dense network of {AT} differs between a.run and b.run (confusion)"),
        (DENSE, {"arrays": {"state/x": np.zeros(3)}},
         f"the dense network of {AT} differs between a.run and b.run (state/x)"),
    ],
)  # fmt: skip
def test_results_that_differ_are_named(copy, refused, labels, change, expected):
    one, two = copy("whole", "a"), copy("whole", "b")
    rewrite(two, cell_of(two, **labels), **change)
    assert refused(one, two) == expected


def test_what_an_older_version_did_not_record_is_no_difference(copy, tmp_path):
    one, two = copy("whole", "a"), copy("whole", "b")
    for cell in cells_of(two):
        rewrite(two, cell, {"parent_id": None, "init_id": None, "order_id": None})
    for i, paths in enumerate([(one.path, two.path), (two.path, one.path)]):
        assert merge_runs(paths, tmp_path / f"{i}.run").n_done == 8


def test_a_pruned_network_comes_with_its_own_dense_one(copy, refused, tmp_path):
    one = copy("whole", "a", lambda cell: cell.is_dense)
    two = copy("whole", "b", lambda cell: not cell.is_dense)
    pruned = cell_of(two, **MP)
    assert merge_runs([two.path, one.path], tmp_path / "fits.run").n_done == 8
    rewrite(two, pruned, {"parent_id": "another"})
    assert refused(one, two) == (
        "seed 3, dataset tiny, arch lenet, method mp, ratio 4 of b.run was made of another dense network than the one "
        "in a.run"
    )
    rewrite(two, pruned, {"parent_id": None})  # of a version that did not record it
    with pytest.warns(UserWarning, match="ratio 4 of .*: left out, as it does not say which dense network"):
        assert merge_runs([one.path, two.path], tmp_path / "m.run").n_done == 7
    shutil.copy(one.cell_path(cell_of(one, **DENSE).key), two.cell_path(cell_of(two, **DENSE).key))
    assert merge_runs([one.path, two.path], tmp_path / "n.run").n_done == 8


def test_a_copied_run_is_no_replicate(copy, refused):
    one, two = copy("whole", "a", lambda cell: cell.seed == 0), copy("whole", "b", lambda cell: cell.seed == 0)
    rewrite(two, cell_of(two, seed=0, method=None), to=cell_of(two, **DENSE))
    message = refused(one, two)
    assert message.startswith("seeds 0 and 3 have the same dense network (dataset tiny, arch lenet)")


def test_damaged_cells_are_left_out_and_not_touched(computed, copy, tmp_path):
    one, two = copy("whole", "a"), copy("whole", "b", lambda cell: cell.seed == 0)
    cut, exchanged = (one.cell_path(cell_of(one, **labels).key) for labels in (MP, {**MP, "seed": 0}))
    cut.write_bytes(cut.read_bytes()[:-1])
    shutil.copy(one.cell_path(cell_of(one, seed=0, method="sham").key), exchanged)
    before = contents(one.path, two.path)
    with pytest.warns(UserWarning, match="is damaged; left out") as caught:
        merged = merge_runs([one.path, two.path], tmp_path / "m.run")
    assert len(caught) == 2
    assert merged.n_done == 7  # seed 0 is whole in the other run
    assert contents(one.path, two.path) == before
    assert not RunDirectory.existing(merged.path).has(cell_of(one, **MP).key)


def test_failures_and_unfinished_trainings(copy, tmp_path):
    one = copy("whole", "a", lambda cell: cell.seed == 0)
    two = copy("whole", "b", lambda cell: cell.is_dense)
    three, done = cell_of(one, **MP), cell_of(one, seed=0, method="sham")
    two.save_failure(three.key, three.content(), "DivergedError: loss nan", "Traceback")
    two.save_failure(done.key, done.content(), "OutOfMemory", "Traceback")
    begun = cell_of(one, seed=3, method="sham")
    for run, n_epochs in ((one, 1), (two, 2)):
        run.save_checkpoint(done.key, CellResult({}, {}))
        run.save_checkpoint(begun.key, CellResult({"history": [run.path.name] * n_epochs}, {}))
    early = copy("whole", "c", lambda cell: cell.is_dense)
    early.save_checkpoint(begun.key, CellResult({"history": ["c.run"]}, {}))
    merged = RunDirectory.existing(merge_runs([one.path, early.path, two.path], tmp_path / "m.run").path)
    assert [path.stem for path in (merged.path / "failed").iterdir()] == [three.key]
    assert json.loads(merged.failure_path(three.key).read_text())["error"] == "DivergedError: loss nan"
    assert [path.stem for path in (merged.path / "unfinished").iterdir()] == [begun.key]
    assert merged.load_checkpoint(begun.key).meta["history"] == ["b.run"] * 2


def test_a_training_begun_from_a_dense_network_that_is_not_there_starts_anew(copy, tmp_path):
    one, two = copy("whole", "a", lambda cell: cell.is_dense), copy("whole", "b", lambda cell: False)
    cell = cell_of(one, **MP)
    two.save_checkpoint(cell.key, CellResult({"history": [1]}, {}))
    merged = RunDirectory.existing(merge_runs([one.path, two.path], tmp_path / "m.run").path)
    assert not merged.checkpoint_path(cell.key).exists()


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"name": "another"}, 'name: in a.run "test", in b.run "another"'),
        ({"root_seed": 1}, "root_seed: in a.run 0, in b.run 1"),
        ({"training": {"lenet": {"batch_size": 8}}}, "training.lenet.batch_size: in a.run 16, in b.run 8"),
    ],
)
def test_other_grids_are_refused_with_what_differs(copy, grid, tmp_path, refused, change, difference):
    one, other = copy("whole", "a"), grid((4,), **change)
    keys = [cell.key for cell in make_plan(other).cells]
    datasets = one.manifest["datasets"]
    two = RunDirectory.open(tmp_path / "b.run", other.resolved(), datasets, document=other.document(), cells=keys)
    message = refused(one, two)
    assert message.startswith("a.run and b.run are of different grids: ")
    assert difference in message


def test_other_data_under_one_name_are_refused(copy, refused):
    one, two = copy("whole", "a"), copy("whole", "b")
    manifest = two.path / "run.json"
    write_manifest(manifest, {**two.manifest, "datasets": {"tiny": "another"}})
    assert refused(one, two) == "a.run and b.run were computed on different data called tiny"


def test_wrong_arguments(copy, refused, tmp_path):
    one, two = copy("zero", "a"), copy("three", "b")
    assert refused(one) == "two or more run directories are needed to merge, got 1"
    assert refused(one, two, one) == "a.run is given twice"
    (tmp_path / "folder").mkdir()
    assert refused(one, tmp_path / "folder") == "folder: not a run directory (it holds no run.json)"
    assert refused(one, two, output="b.run") == "output b.run holds files; give a new or empty folder"
    assert "is inside the run directory a.run" in refused(one, two, output="a.run/m.run")
    assert "does not exist" in refused(one, two, output="no/m.run")
    (tmp_path / "file").write_text("")
    assert refused(one, two, output="file") == "output file is a file; give the name of a new folder"
    manifest = two.path / "run.json"
    manifest.write_text(json.dumps({**two.manifest, "run_schema": 99}))
    assert "made by a version with run schema 99" in refused(one, two)
    write_manifest(manifest, {**two.manifest, "document": {}})
    assert "its grid is not in it" in refused(one, two)


def test_an_empty_folder_is_taken(computed, tmp_path):
    (tmp_path / "m.run").mkdir()
    sources = [computed[name].with_suffix(".run") for name in ("zero", "three")]
    assert merge_runs(sources, tmp_path / "m.run").n_done == 8


def test_killed_in_the_middle_and_repeated(computed, tmp_path):
    sources = [computed[name].with_suffix(".run") for name in ("zero", "three")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads: the child only copies files
        child = os.fork()
    if child == 0:
        merge_runs(sources, tmp_path / "m.run", progress=lambda n, _: n == 3 and os.kill(os.getpid(), signal.SIGKILL))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".m.run-")
    busy = tmp_path / ".m.run-00000000.part"
    busy.mkdir()
    with RunLock(busy).take():  # of a merge that still runs
        assert merge_runs(sources, tmp_path / "m.run").n_done == 8
    assert sorted(path.name for path in tmp_path.iterdir()) == [busy.name, "m.run"]


def test_a_full_disk_leaves_nothing(copy, refused, monkeypatch):
    one, two = copy("zero", "a"), copy("three", "b")
    real, written = merge_cells._write, []

    def full(path, data, **more):
        written.append(path)
        if len(written) == 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path, data, **more)

    monkeypatch.setattr(merge_cells, "_write", full)
    assert refused(one, two, error=StorageError).startswith("run directory m.run cannot be written: No space left")
