"""What a plan costs: durations on given timings, room on the disk, masks that empty a layer."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from rdcompute import datasets, disk
from rdcompute.compute import compute
from rdcompute.emptied import empty_layers, empty_probability
from rdcompute.estimate import Timing, mean_timing, play
from rdcompute.forecast import forecast
from rdcompute.grid import Grid
from rdcompute.grid_file import load_grid
from rdcompute.image_parts import ARRAYS, ImageParts
from rdcompute.models import parameter_counts
from rdcompute.plan import make_plan

# an epoch of 0.5 + 100/10 + 20/40 = 11 seconds, a test of 2 seconds
TIMING = Timing(100, 20, 80, 0.5, 0.1, 0.025, 0.2, dense=3.0, compressed=1.0)
DENSE, TUNED, GRADIENT = 3 + 2 * 11 + 2, 1 + 1 * 11 + 2, 20  # of two epochs and of one


def plan_of(**document):
    training = {"lenet": {"train": [2, 0.1], "finetune": [1, 0.1], "weight_decay": 1e-4}}
    return make_plan(Grid.model_validate({"name": "a", "seeds": 1, "ratio": 2, "training": training, **document}))


def digits(*methods, seeds=1):
    return plan_of(seeds=seeds, experiments=[{"dataset": "digits", "arch": "lenet", "method": list(methods)}])


def durations(plan, n_workers=1, done=()):
    left = [cell for cell in plan.cells if cell.key not in done]
    return play(left, done, {("digits", "lenet"): TIMING}, n_workers)


def test_seconds_of_an_epoch_and_of_a_cell():
    plan = digits("sham")
    assert TIMING.epoch == pytest.approx(11)
    assert [TIMING.cell(cell) for cell in plan.cells] == pytest.approx([DENSE, TUNED])


def test_the_mean_of_timings():
    double = Timing(100, 20, 80, 1.5, 0.3, 0.075, 0.4, 5.0, 3.0)
    assert mean_timing([TIMING, double]) == Timing(100, 20, 80, 1.0, 0.2, 0.05, pytest.approx(0.3), 4.0, 2.0)


def test_one_worker_does_everything_in_turn():
    found = durations(digits("sham", "mp", seeds=3))
    assert found.wall == pytest.approx(3 * (DENSE + 2 * TUNED))
    assert found.busy == {("digits", "lenet"): pytest.approx(found.wall)}


def test_two_workers_wait_for_parents_only():
    one_seed = durations(digits("sham", "mp", "rp"), 2)
    assert one_seed.wall == pytest.approx(DENSE + 2 * TUNED)  # the second worker idles meanwhile
    two_seeds = durations(digits("sham", "mp", seeds=2), 2)
    assert two_seeds.wall == pytest.approx(DENSE + 2 * TUNED)
    assert two_seeds.busy["digits", "lenet"] == pytest.approx(2 * (DENSE + 2 * TUNED))
    assert durations(digits("sham", "mp", seeds=2), 9).wall == pytest.approx(DENSE + TUNED)


def test_the_gradient_is_computed_once_a_network_and_worker():
    assert durations(digits("mp", "gp", "up")).wall == pytest.approx(DENSE + 3 * TUNED + GRADIENT)
    assert durations(digits("gp", "up"), 2).wall == pytest.approx(DENSE + TUNED + GRADIENT)
    assert durations(digits("gp", "up"), 2).busy["digits", "lenet"] == pytest.approx(DENSE + 2 * (TUNED + GRADIENT))
    assert durations(digits("gp", seeds=2)).wall == pytest.approx(2 * (DENSE + TUNED + GRADIENT))


def test_finished_cells_cost_nothing():
    plan = digits("sham", "mp")
    assert durations(plan, done={plan.cells[0].key}).wall == pytest.approx(2 * TUNED)
    assert durations(plan, done={cell.key for cell in plan.cells}).wall == 0


@pytest.mark.parametrize("layers", [{"a": 1, "b": 5}, {"a": 2, "b": 3, "c": 4}, {"a": 1, "b": 1, "c": 1, "d": 6}])
def test_empty_layers_against_all_masks(layers):
    owner = [name for name, size in layers.items() for _ in range(size)]
    for kept in range(1, len(owner) + 1):
        masks = [{owner[i] for i in mask} for mask in itertools.combinations(range(len(owner)), kept)]
        share = sum(len(mask) < len(layers) for mask in masks) / len(masks)
        assert empty_probability(layers, kept) == pytest.approx(share, abs=1e-12)
        alone = sum("a" not in mask for mask in masks) / len(masks)
        assert empty_layers(layers, kept, alone - 1e-9)[:1] == ["a"]
        assert "a" not in empty_layers(layers, kept, alone + 1e-9)


def test_empty_layers_of_networks():
    lenet = parameter_counts("lenet", 10, (1, 28, 28)).layers
    # 54 weights in the first layer: (1 - 1928/58998)^54 with replacement, the other layers hardly matter
    assert empty_probability(lenet, 1928) == pytest.approx((1 - 1928 / 58998) ** 54, rel=0.02)
    deep = parameter_counts("resnet110", 10, (3, 32, 32)).layers
    assert len(deep) == 109
    assert empty_probability(deep, 30_000) == pytest.approx((1 - 30_000 / sum(deep.values())) ** 432, rel=0.02)
    assert empty_probability(deep, 5) == pytest.approx(1, abs=1e-3)
    assert math.isclose(empty_probability(deep, sum(deep.values())), 0)


@pytest.mark.parametrize(("arch", "ratio"), [("resnet56", 150), ("resnet110", 300), ("lenet", 50)])
def test_empty_layers_against_draws(arch, ratio):
    shape = (1, 28, 28) if arch == "lenet" else (3, 32, 32)
    sizes = list(parameter_counts(arch, 10, shape).layers.values())
    kept, n = round(sum(sizes) / ratio), 2000
    draws = np.random.default_rng(0).multivariate_hypergeometric(sizes, kept, size=n, method="marginals")
    share = (draws == 0).any(axis=1).mean()
    found = empty_probability(dict(enumerate(sizes)), kept)
    assert abs(found - share) < 4 * math.sqrt(found * (1 - found) / n)


def files(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_room_of_a_tiny_run(finished):
    grid, summary = finished
    plan = make_plan(grid)
    found = forecast(plan, ("cpu",), run_dir=Path("none.run"), timed=False).disk
    assert found.cells_left == found.cells
    assert found.cells == pytest.approx(files(summary.run_dir), rel=0.15)
    assert found.cube == pytest.approx(summary.output.stat().st_size, rel=0.25)


def test_room_of_a_run_on_digits(tmp_path):
    training = {"lenet": {"train": [1, 0.02], "finetune": [1, 0.02], "batch_size": 128}}
    grid = Grid.model_validate({
        "name": "a", "seeds": 1, "ratio": [2, 10], "training": training,
        "experiments": [{"dataset": "digits", "arch": "lenet", "method": ["sham", "mp"]}],
    })  # fmt: skip
    before = forecast(make_plan(grid), ("cpu",), run_dir=tmp_path / "a.run", timed=False)
    summary = compute(grid, tmp_path / "a.nc", device="cpu")
    assert before.disk.cells == pytest.approx(files(summary.run_dir), rel=0.15)
    assert before.disk.cube == pytest.approx(summary.output.stat().st_size, rel=0.25)
    after = forecast(make_plan(grid), ("cpu",), run_dir=summary.run_dir, timed=False)
    assert (after.n_finished, after.disk.cells_left, after.disk.images, after.disk.checkpoints) == (4, 0, 0, 0)
    assert after.networks == ()
    (next((summary.run_dir / "cells").rglob("*.cell"))).unlink()
    assert forecast(make_plan(grid), ("cpu",), run_dir=summary.run_dir, timed=False).n_finished == 3


@pytest.mark.parametrize("augment", ["none", "crop-flip"])
def test_room_of_decoded_images_and_checkpoints(tiny_npz, make_grid, tmp_path, augment):
    training = {"lenet": {"train": [1, 0.1], "augment": augment, "train_fraction": 0.5}}
    name = tiny_npz()
    grid = make_grid(seeds=2, experiments=[{"dataset": name, "arch": "lenet", "method": "sham"}], training=training)
    parts = ImageParts.split(datasets.load(name), root_seed=0, augment=augment, train_fraction=0.5)
    plan = make_plan(grid)
    found = [forecast(plan, ("cpu",) * n, run_dir=tmp_path, timed=False).disk for n in (1, 2, 99)]
    assert {disk.images for disk in found} == {sum(getattr(parts, array).nbytes for array in ARRAYS)}
    n = next(iter(plan.parameters.values())).total
    assert [disk.checkpoints for disk in found] == [3 * 4 * n * workers for workers in (1, 2, 4)]  # four cells


def test_what_is_not_here_is_told_and_the_rest_counted(tmp_path):
    both = plan_of(experiments=[{"dataset": ["digits", "cifar100"], "arch": "resnet20", "method": "sham"}])
    found = forecast(both, ("cpu",), run_dir=tmp_path, data_dir=tmp_path, timed=False)
    assert found.unread == ("cifar100",)
    alone = plan_of(experiments=[{"dataset": "digits", "arch": "resnet20", "method": "sham"}])
    known = forecast(alone, ("cpu",), run_dir=tmp_path, data_dir=tmp_path, timed=False)
    assert found.disk.images == known.disk.images > 0
    assert found.disk.cells > known.disk.cells + 4 * 270_000  # the weights of the other network


def test_a_run_of_another_grid_finishes_nothing(finished, tmp_path):
    _, summary = finished
    other = digits("sham")
    found = forecast(other, ("cpu",), run_dir=summary.run_dir, timed=False)
    assert found.n_finished == 0
    assert f"{summary.run_dir} belongs to a different grid: " in found.notes[-1]
    assert "\n" not in found.notes[-1]


def test_a_smaller_grid_of_the_same_run_counts(finished):
    grid, summary = finished
    smaller = make_plan(grid.scaled({"seeds": 1}))
    grown = load_grid_with_seed(grid, 7)
    found = forecast(grown, ("cpu",), run_dir=summary.run_dir, timed=False)
    assert found.n_finished == 2 * len(smaller.cells)
    assert len(found.plan.cells) - found.n_finished == len(smaller.cells)
    assert found.notes == make_plan(grid).notes


def load_grid_with_seed(grid, seed):
    document = grid.document()
    return make_plan(Grid.model_validate({**document, "seeds": [*document["seeds"], seed]}))


def test_too_little_room_is_noted(tmp_path, monkeypatch):
    plan = digits("sham")
    needed = forecast(plan, ("cpu",), run_dir=tmp_path, timed=False).disk.needed
    assert not forecast(plan, ("cpu",), run_dir=tmp_path / "a" / "b", timed=False).notes
    for free, n_notes in ((needed, 0), (needed - 1, 1)):
        monkeypatch.setattr(disk.shutil, "disk_usage", lambda path, free=free: type("Usage", (), {"free": free}))
        notes = forecast(plan, ("cpu",), run_dir=tmp_path / "a" / "b", timed=False).notes
        assert sum("less free than the rest needs" in note for note in notes) == n_notes


def test_without_timing_there_is_no_time():
    found = forecast(make_plan(load_grid("demo")), ("cpu",), run_dir=Path("none.run"), timed=False)
    assert (found.seconds, found.hours) == (None, None)
    assert [(c.cells, c.epochs, c.seconds_per_epoch, c.hours) for c in found.networks] == [(200, 3150, None, None)]
    assert found.networks[0].reason
