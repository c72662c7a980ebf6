"""A grid that grew goes on where the smaller one was; anything else is refused with what differs."""

import pytest

from rdcompute.compute import assemble_run, compute
from rdcompute.lock import RunLock
from rdcompute.plan import make_plan
from rdcompute.runs import open_run
from rdstats.cube import digest, open_cube
from rdstats.errors import InputError


@pytest.fixture(scope="module")
def images(tiny_npz):
    return tiny_npz()


@pytest.fixture
def grid(images, make_grid):
    def make(seeds=1, ratio=(2,), method=("sham", "mp"), **more):
        experiment = {"dataset": images, "arch": "lenet", "method": list(method), "ratio": list(ratio)}
        return make_grid(seeds=seeds, experiments=[experiment], **more)

    return make


def test_more_cells_reuse_what_is_finished(grid, tmp_path):
    output = tmp_path / "a.nc"
    small = compute(grid(), output, device="cpu")
    large = grid(seeds=2, ratio=(2, 4), method=("sham", "mp", "rp"))
    with pytest.raises(InputError, match=r"belongs to a smaller grid, 9 cells are new: .*--extend computes them here"):
        compute(large, tmp_path / "b.nc", run_dir=small.run_dir, device="cpu")
    with pytest.raises(InputError, match="belongs to a different grid"):
        compute(large, output, device="cpu")  # the cube that is there is not replaced without a word
    summary = compute(large, output, device="cpu", extend=True)
    assert (summary.n_reused, summary.n_cells, summary.n_done) == (3, 12, 12)
    whole = compute(large, tmp_path / "whole.nc", device="cpu")
    with open_cube(output) as one, open_cube(whole.output) as other:
        assert digest(one) == digest(other)
    again = compute(large, output, device="cpu")
    assert again.n_reused == 12


def test_an_extension_that_was_interrupted_goes_on(grid, tmp_path, monkeypatch):
    output = tmp_path / "a.nc"
    compute(grid(), output, device="cpu")
    larger, largest = grid(ratio=(2, 4)), grid(seeds=2, ratio=(2, 4))

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    for extended in (larger, largest):  # twice, so that the cube is of the grid before the last
        with monkeypatch.context() as patched:
            patched.setattr("rdcompute.compute.run_cells", interrupt)
            with pytest.raises(KeyboardInterrupt):
                compute(extended, output, device="cpu", extend=True)
    with pytest.raises(InputError, match="belongs to a different grid"):
        compute(grid(ratio=(2, 8)), output, device="cpu", extend=True)
    run = open_run(output.with_suffix(".run"))
    assert assemble_run(run, output).n_done == 3
    assert assemble_run(run, output).n_done == 3
    summary = compute(largest, output, device="cpu")
    assert (summary.n_reused, summary.n_done) == (3, 8)


def test_another_recipe_is_no_extension(grid, tmp_path):
    small = compute(grid(), tmp_path / "a.nc", device="cpu")
    recipe = {"lenet": {"batch_size": 16, "train": [[3, 0.05]], "finetune": [[2, 0.05]]}}
    with pytest.raises(InputError, match="belongs to a different grid"):
        compute(grid(seeds=2, training=recipe), tmp_path / "b.nc", run_dir=small.run_dir, device="cpu", extend=True)


def test_fewer_cells_are_no_extension(grid, tmp_path):
    large = compute(grid(ratio=(2, 4)), tmp_path / "a.nc", device="cpu")
    with pytest.raises(InputError, match="belongs to a different grid"):
        compute(grid(), tmp_path / "b.nc", run_dir=large.run_dir, device="cpu", extend=True)


def test_other_data_are_no_extension(tiny_npz, make_grid, tmp_path):
    def of(path, seeds):
        return make_grid(seeds=seeds, experiments=[{"dataset": path, "arch": "lenet", "method": "sham"}])

    small = compute(of(tiny_npz("one"), 1), tmp_path / "a.nc", device="cpu")
    with pytest.raises(InputError, match="belongs to a different grid"):
        compute(of(tiny_npz("one", seed=1), 2), tmp_path / "b.nc", run_dir=small.run_dir, device="cpu", extend=True)


def test_extending_nothing_is_beginning(grid, tmp_path):
    summary = compute(grid(), tmp_path / "a.nc", device="cpu", extend=True)
    assert summary.n_done == len(make_plan(grid()).cells)


def test_a_directory_that_another_process_uses_keeps_its_grid(grid, tmp_path):
    small = compute(grid(), tmp_path / "a.nc", device="cpu")
    manifest = small.run_dir / "run.json"
    before = manifest.read_bytes()
    lock = RunLock(small.run_dir).take()
    try:
        with pytest.raises(InputError, match="is in use by process"):
            compute(grid(seeds=2), tmp_path / "a.nc", device="cpu", extend=True)
    finally:
        lock.release()
    assert manifest.read_bytes() == before
    compute(grid(seeds=2), tmp_path / "a.nc", device="cpu", extend=True)
    assert manifest.read_bytes() != before
