"""What an older version left, which told less of its recipes, is found and taken for what it is."""

import json

import netCDF4
import pytest

from rdcompute.compute import assemble_run, compute
from rdcompute.forecast import forecast
from rdcompute.manifest import read_manifest, write_manifest
from rdcompute.merge import merge_runs
from rdcompute.plan import make_plan
from rdcompute.runs import open_run
from rdcompute.training_settings import TrainingSettings
from rdstats.cube import merge_cubes, open_cube
from rdstats.cube.join_grids import LATER, completed
from rdstats.errors import InputError


def forget(grid):
    """Return a resolved grid as it was before the later fields were there."""
    recipes = {arch: {k: v for k, v in recipe.items() if k not in LATER} for arch, recipe in grid["training"].items()}
    return {**grid, "training": recipes}


@pytest.fixture
def older(tiny_npz, make_grid, tmp_path):
    """Return a grid of one seed, and a function that makes a run of it which an older version could have left."""
    experiments = [{"dataset": tiny_npz(), "arch": "lenet", "method": ["sham", "mp"], "ratio": 2}]

    def make(seeds=1):
        grid = make_grid(seeds=seeds, experiments=experiments)
        made = compute(grid, tmp_path / f"{seeds}.nc", device="cpu")
        manifest = read_manifest(made.run_dir / "run.json")
        write_manifest(made.run_dir / "run.json", {**manifest, "grid": forget(manifest["grid"])})
        with netCDF4.Dataset(made.output, "a") as cube:
            cube.grid = json.dumps(forget(json.loads(cube.grid)), sort_keys=True)
        return grid, made

    return make


def test_what_held_before_a_field_is_its_default():
    settings = TrainingSettings().model_dump()
    assert {name: settings[name] for name in LATER} == LATER


def test_only_recipes_of_architectures_are_completed():
    grid = {"seeds": [0], "scale": {}, "training": {"lenet": {"momentum": 0.5}, "lth": {"levels": 3}}, "experiments": [
        {"dataset": ["a"], "arch": ["lenet"], "method": ["lth"], "ratio": [1]}]}  # fmt: skip
    assert completed(grid)["training"] == {"lenet": {**LATER, "momentum": 0.5}, "lth": {"levels": 3}}
    told = {**grid, "training": {"lenet": {**LATER, "keep": "last"}}}
    assert completed(told) == told
    assert completed({"a": 1}) == {"a": 1}


def test_a_run_and_its_cube_are_gone_on_with(older):
    grid, made = older()
    assert forget(grid.resolved()) != grid.resolved()
    assert open_run(made.run_dir).grid == grid
    found = forecast(make_plan(grid), ["cpu"], run_dir=made.run_dir, timed=False)
    assert (found.n_finished, found.notes) == (3, ())
    assert assemble_run(open_run(made.run_dir), made.output).n_done == 3
    again = compute(grid, made.output, device="cpu")
    assert (again.n_reused, again.n_done) == (3, 3)
    with open_cube(made.output) as cube:
        assert json.loads(cube.attrs["grid"]) == grid.resolved()


def test_another_recipe_is_refused_with_nothing_but_what_differs(older, make_grid):
    grid, made = older()
    recipe = {"lenet": {**grid.training["lenet"], "keep": "last"}}
    other = make_grid(seeds=1, experiments=[e.model_dump(exclude_none=True) for e in grid.experiments], training=recipe)
    for name in (made.output, made.output.with_name("new.nc")):
        with pytest.raises(InputError, match=r'training.lenet.keep: there "best", here "last"; give another'):
            compute(other, name, run_dir=made.run_dir, device="cpu")


def test_it_is_merged_with_what_is_told_in_full(older, make_grid, tmp_path):
    grid, made = older()
    experiments = [e.model_dump(exclude_none=True) for e in grid.experiments]
    new = compute(make_grid(seeds=[1], experiments=experiments), tmp_path / "new.nc", device="cpu")
    merge_cubes([made.output, new.output], tmp_path / "both.nc")
    with open_cube(tmp_path / "both.nc") as cube:
        assert json.loads(cube.attrs["grid"])["training"] == grid.resolved()["training"]
    assert merge_runs([made.run_dir, new.run_dir], tmp_path / "both.run").n_done == 6
