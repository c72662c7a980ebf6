"""CHIP in grids, plans and runs: lists, hashes, cells and their control."""

import json

import numpy as np
import pytest
import torch

from rdcompute import execute
from rdcompute.channels.feature_maps import channel_scores
from rdcompute.compress import chip as way
from rdcompute.compute import compute
from rdcompute.describe import describe_forecast, describe_plan, forecast_record
from rdcompute.estimate import Timing, network_of, play
from rdcompute.execute import Worker, use_one_thread
from rdcompute.forecast import forecast
from rdcompute.grid_file import load_grid
from rdcompute.models import parameter_counts
from rdcompute.plan import make_plan
from rdcompute.rundir import RunDirectory
from rdstats.cube import open_cube, save

BOTH = ["sham-chip", "chip"]
ZEROS = [0] * 6
SHORT = {"finetune": [[2, 0.05]], "warmup_epochs": 1, "batch_size": 16}


@pytest.fixture(scope="module")
def rgb(tiny_npz):
    return tiny_npz("rgb", channels=3)


@pytest.fixture
def chip_grid(make_grid, rgb):
    """A grid of ResNet-20 with a short recipe; `chip` is the block of the method."""

    def make(*, methods=BOTH, ratio=None, chip=None, seeds=1, training=None, of_grid=None):
        experiment = {"dataset": rgb, "arch": "resnet20", "method": methods} | ({"ratio": ratio} if ratio else {})
        tiny = {"batch_size": 16, "train": [[1, 0.05]], "finetune": [[1, 0.05]]}
        blocks = {"resnet": tiny, "chip": {**SHORT, **(chip or {})}, **(training or {})}
        ratios = {"ratio": of_grid} if of_grid else {}
        return make_grid(seeds=seeds, experiments=[experiment], training=blocks, **ratios)

    return make


def cells_of(grid):
    return {cell.title.split("seed 0 ")[-1]: cell for cell in make_plan(grid).cells if cell.seed == 0}


def keys_of(grid):
    return {name: cell.key for name, cell in cells_of(grid).items()}


def test_without_ratios_of_its_own_an_experiment_has_all_lists(chip_grid):
    assert list(keys_of(chip_grid())) == ["dense", "sham-chip 1", "chip 1.75", "chip 3.33", "chip 8.27", "chip 19.11"]
    grid = chip_grid(methods=["mp", "chip"], chip={"lists": {"2.5": ZEROS, "7": ZEROS}}, of_grid=[2, 40])
    assert list(keys_of(grid)) == ["dense", "mp 2", "mp 40", "chip 2.5", "chip 7"]
    assert [r for r in keys_of(chip_grid(ratio=[8.27])) if r.startswith("chip")] == ["chip 8.27"]


GRID = """name: a
seeds: 1
experiments:
  - {dataset: cifar10, arch: %(arch)s, method: %(method)s, ratio: %(ratio)s}
training:
  chip:
    lists:
      %(lists)s
"""
FINE = {"arch": "resnet20", "method": "chip", "ratio": "2", "lists": "2: [0, 0, 0, 0, 0, 0]"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ratio": "[2, 3.33]"}, "4:65: experiments.0: chip has no list for ratio 3.33; accepted: 2"),
        ({"arch": "[resnet20, lenet]"}, "4:41: experiments.0: chip is for residual networks of two-convolution blocks, "
         "not for lenet; accepted: resnet20, resnet32, resnet44, resnet56, resnet110"),
        ({"arch": "lenet", "method": "sham-chip"}, "4:24: experiments.0: sham-chip is for residual networks of "),
        ({"lists": "2: [0, 0, 0, 0, 0, 0, 0]"}, "8:7: training.chip.lists.2: resnet20: 7 rates; 6 (by stage) or 12 (by "
         "block) are accepted for a network of 3 stages of 3 blocks"),
        ({"lists": "2: [0, 0, 0, 0, 0]"}, "8:7: training.chip.lists.2: got [0, 0, 0, 0, 0]; "),
        ({"lists": "2: [0, 0, 0, 0, 0, 1]"}, "8:26: training.chip.lists.2.5: got 1; input should be less than 1"),
        ({"lists": "2: [0, 0, -0.1, 0, 0, 0]"}, "8:17: training.chip.lists.2.2: got -0.1; input should be greater"),
        ({"lists": "2: [0, 0, '0.1', 0, 0, 0]"}, "8:17: training.chip.lists.2.2: got '0.1'; a number is accepted"),
        ({"lists": "2: [0.1, 0, 0, 0, 0, 0]"}, "8:7: training.chip.lists.2: the first rate, the stem's, is 0.1; 0 is "
         "accepted"),
        ({"lists": "2: [0, 0.95, 0, 0, 0, 0]"}, "8:7: training.chip.lists.2: resnet20: stage 1 would have no channel"),
        ({"lists": "{2.5: [0, 0.5]}"}, "8:8: training.chip.lists.2.5: got [0, 0.5]; a list of at least 6 is accepted"),
        ({"lists": "{}"}, "7:5: training.chip.lists: got {}; a list of at least one is accepted"),
        ({"lists": "[1, 2]"}, "7:5: training.chip.lists: got [1, 2]; a block of fields is accepted"),
        ({"lists": "half: [0, 0, 0, 0, 0, 0]"}, "8:7: training.chip.lists.half: label 'half'; a ratio, a number from 1 "
         "up, is accepted"),
        ({"lists": "0.5: [0, 0, 0, 0, 0, 0]"}, "8:7: training.chip.lists.0.5: label '0.5'; a ratio"),
        ({"lists": "2: [0, 0, 0, 0, 0, 0]\n      2.0: [0, 0, 0, 0, 0, 0]"}, "7:5: training.chip.lists: label 2 is "
         "there twice; keep one"),
        ({"lists": "2: [0, 0, 0, 0, 0, 0]\n    align: true"}, "9:5: training.chip.align: unknown key 'align' (did you"),
    ],
)  # fmt: skip
def test_every_wrong_list_gets_one_line_with_its_place(refused, changes, message):
    found = refused(GRID % {**FINE, **changes})
    assert found.startswith(message), found


def test_lists_of_a_grid_replace_the_others_and_go_by_number(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(GRID % {**FINE, "lists": "2.50: [0, 0.5, 0.5, 0.5, 0.5, 0.5]", "ratio": "2.5"})
    grid = load_grid(str(path))
    assert grid.channel_labels == (2.5,)
    (cell,) = [cell for cell in make_plan(grid).cells if cell.method == "chip"]
    assert cell.widths.out == (8, 16, 64)
    assert grid.resolved()["training"]["chip"]["lists"] == {"2.5": [0, 0.5, 0.5, 0.5, 0.5, 0.5]}


def test_what_enters_the_hashes(chip_grid):
    lists = {"2": [0, 0.5, 0.5, 0.5, 0.5, 0.5], "3": ZEROS}
    base = keys_of(chip_grid(chip={"lists": lists}))
    again = {"2": [0, 0.5, 0.5, *[0.5] * 9], "3": ZEROS, "4": ZEROS}
    assert base.items() < keys_of(chip_grid(chip={"lists": again})).items()
    assert base == keys_of(chip_grid(chip={"lists": lists}, training={"resnet20": {"ratio_accounting": "shrinkbench"}}))
    other = keys_of(chip_grid(chip={"lists": {**lists, "3": [0, 0, 0, 0, 0, 0.1]}}))
    assert [name for name in base if base[name] != other[name]] == ["chip 3"]
    aligned = keys_of(chip_grid(chip={"lists": lists, "aligned": True}))
    assert [name for name in base if base[name] != aligned[name]] == ["chip 2", "chip 3"]
    copied = keys_of(chip_grid(chip={"lists": lists, "copy_batchnorm": True}))
    assert [name for name in base if base[name] != copied[name]] == ["sham-chip 1", "chip 2", "chip 3"]
    cells = cells_of(chip_grid(methods=["mp", *BOTH], ratio=[2], chip={"lists": lists}))
    assert cells["mp 2"].parent.key == cells["chip 2"].parent.key == base["dense"]


@pytest.fixture
def worker(tmp_path, monkeypatch):
    """Computes the cells of a grid; keeps with what the last training began, by cell."""

    def make(grid, folder="run"):
        use_one_thread()
        run = RunDirectory.open(tmp_path / folder, grid.resolved(), {})
        worker = Worker(run, None, torch.device("cpu"), checkpoint_every=0.0)
        begun = {}
        real = execute.fit

        def watched(model, *args, **kwargs):
            begun[len(begun)] = {name: t.clone() for name, t in model.state_dict().items()}
            return real(model, *args, **kwargs)

        monkeypatch.setattr(execute, "fit", watched)
        return worker, run, begun

    return make


def equal_states(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_list_that_removes_nothing_is_the_control_bit_by_bit(chip_grid, worker):
    grid = chip_grid(chip={"lists": {"1": ZEROS, "2": [0, 0.5, 0.5, 0.5, 0.5, 0.5]}})
    worker, run, begun = worker(grid)
    cells = make_plan(grid).cells
    for cell in cells:
        worker.execute(cell)
    dense, control, nothing, half = (run.load(cell.key) for cell in cells)
    assert control.meta["loss"] == nothing.meta["loss"]
    np.testing.assert_array_equal(control.arrays["prediction"], nothing.arrays["prediction"])
    counts = parameter_counts("resnet20", 3, (3, 10, 10))
    for result in (control, nothing):
        assert (result.meta["achieved_ratio"], result.meta["kept_weights"]) == (1, counts.layers)
        assert result.meta["parent_id"] == dense.meta["dense_id"]
    assert equal_states(begun[1], begun[2])
    stored = {n[6:]: torch.from_numpy(a) for n, a in dense.arrays.items() if n.startswith("state/")}
    for name, tensor in begun[1].items():
        assert torch.equal(tensor, stored[name]) == ("bn" not in name), name
    state = begun[3]
    assert half.meta["achieved_ratio"] == counts.total / sum(
        t.numel() for name, t in state.items() if not name.endswith(("running_mean", "running_var", "batches_tracked"))
    )
    assert half.meta["kept_weights"] == {n: state[f"{n}.weight"].numel() for n in counts.layers}
    assert half.meta["kept_weights"]["layer1.1.conv2"] == 9 * 8 * 8


def test_with_normalisation_copied_the_control_begins_as_the_dense_network(chip_grid, worker):
    grid = chip_grid(methods="sham-chip", chip={"copy_batchnorm": True})
    worker, run, begun = worker(grid)
    dense, control = make_plan(grid).cells
    worker.execute(dense)
    worker.execute(control)
    stored = {n[6:]: torch.from_numpy(a) for n, a in run.load(dense.key).arrays.items() if n.startswith("state/")}
    assert equal_states(begun[1], stored)


def test_channels_are_measured_once_a_dense_network(chip_grid, worker, monkeypatch):
    asked = []

    def watched(model, data, name):
        asked.append(name)
        return channel_scores(model, data, name, 5)

    monkeypatch.setattr(way, "channel_scores", watched)
    grid = chip_grid(seeds=2, methods=["chip", "mp"], ratio=[1.75, 19.11])
    worker, _, _ = worker(grid)
    for cell in make_plan(grid).cells:
        worker.execute(cell)
        assert len(worker._independence) <= 1
    assert asked == ["batch/0/rgb/resnet20/chip", "batch/1/rgb/resnet20/chip"]


class Killed(BaseException):
    """Ends a training as a kill does."""


@pytest.mark.parametrize("aligned", [False, True])
def test_a_smaller_network_goes_on_from_its_checkpoint_to_the_same_bits(chip_grid, worker, aligned):
    grid = chip_grid(methods="chip", ratio=3.33, chip={"aligned": aligned, "copy_batchnorm": aligned})
    dense, small = make_plan(grid).cells
    results = []
    for kill in (False, True):
        doing, run, _ = worker(grid, str(kill))
        doing.execute(dense)

        def stop(report, kill=kill):
            if kill:
                raise Killed

        try:
            doing.execute(small, stop)
        except Killed:
            assert run.load_checkpoint(small.key) is not None
            doing, run, _ = worker(grid, str(kill))
            seen = []
            doing.execute(small, lambda report, seen=seen: seen.append(report.epoch))
            assert seen == [2]
        results.append(run.load(small.key))
    whole, mended = results
    assert whole.meta["loss"] == mended.meta["loss"]
    np.testing.assert_array_equal(whole.arrays["prediction"], mended.arrays["prediction"])
    assert whole.meta["achieved_ratio"] == mended.meta["achieved_ratio"] > 3


def test_a_whole_run_and_what_its_cube_says(chip_grid, tmp_path):
    released = {"validation": "test", "keep": "accuracy", "report_last": True}
    grid = chip_grid(methods=["sham", *BOTH], chip={**released, "lists": {"4": [0, 0.4, 0.4, 0.5, 0.6, 0.7]}}, seeds=2)
    summary = compute(grid, tmp_path / "chip.nc", device="cpu")
    assert summary.n_done == len(make_plan(grid).cells) == 8
    with open_cube(summary.output) as cube:
        cube.load()
    assert cube["ratio"].values.tolist() == [1, 4]
    chip = cube.sel({"method": "chip", "ratio": 4})
    narrow = make_plan(grid).cells[3]
    assert narrow.method == "chip"
    ratio = float(chip["achieved_ratio"].values.ravel()[0])
    assert 3.4 < ratio < 3.7
    kept = chip["kept_weights"].isel({"seed": 0}).squeeze()
    assert int(kept.sel({"layer": "layer3.0.conv1"})) == 9 * 19 * 19
    # matrices of the kept epoch and of the last one, for the methods whose recipe says so
    for method, there in (("sham", False), ("sham-chip", True), ("chip", True)):
        one = cube.sel({"method": method}).isel({"ratio": 1 if method == "chip" else 0})
        assert int(one["confusion"].sum()) == 2 * 31
        assert int(one["confusion_last"].sum()) == (2 * 31 if there else 0)
    correct = cube.sel({"method": "chip", "ratio": 4})
    right = [np.trace(correct[name].isel({"seed": 0}).squeeze().values) for name in ("confusion", "confusion_last")]
    assert right[0] >= right[1]
    last = cube.drop_vars(["confusion", "prediction", "both_correct"]).rename(confusion_last="confusion")
    save(last, tmp_path / "last.nc")
    with open_cube(tmp_path / "last.nc") as again:
        np.testing.assert_array_equal(again["confusion"].values, cube["confusion_last"].values)


# epochs of 10 seconds at full width and of 4 and 3 once narrowed, measuring 7
FULL = Timing(100, 0, 0, 0, 0.1, 0, 0, dense=0, compressed=0)
NARROW = [Timing(100, 0, 0, 0, seconds, 0, 0, dense=0, compressed=1, channels=7) for seconds in (0.04, 0.03)]


def test_a_narrow_network_has_a_time_of_its_own_and_channels_are_measured_once(chip_grid):
    cells = make_plan(chip_grid(ratio=[1.75, 3.33], seeds=2)).cells
    names = [network_of(cell)[1] for cell in cells[:4]]
    assert names == ["resnet20", "resnet20", "resnet20 chip 1.75", "resnet20 chip 3.33"]
    name = cells[0].dataset
    timings = {(name, one): t for one, t in zip(names[1:], (FULL, *NARROW), strict=True)}
    found = play(cells, (), timings, 1)
    seed = 10 + 2 * 10 + (1 + 2 * 4) + (1 + 2 * 3) + 7
    assert found.wall == pytest.approx(2 * seed)
    assert found.busy[name, names[3]] == pytest.approx(2 * 7)


def test_plans_say_what_is_left_and_what_it_costs(chip_grid, tmp_path):
    grid = chip_grid(methods=["sham-chip", "chip"], ratio=[19.11])
    plan = make_plan(grid)
    text = "\n".join(describe_plan(plan))
    assert "chip at ratio 19.11: " in text
    assert "kept weights" not in text
    words = " ".join(" ".join(describe_forecast(forecast(plan, ("cpu",), run_dir=tmp_path, timed=False))).split())
    assert "chip removes channels of a copy and trains the smaller network; sham-chip does so with all" in words
    assert "rewinds" not in words
    found = forecast(plan, ("cpu",), run_dir=tmp_path / "none.run")
    (record,) = forecast_record(found)["networks"]
    (narrow,) = record["narrow"]
    assert (record["cells"], narrow["cells"], narrow["epochs_left"]) == (2, 1, 2)
    assert (narrow["method"], narrow["ratio"]) == ("chip", 19.11)
    assert f"chip at ratio 19.11: {narrow['parameters']} parameters" in text
    assert narrow["seconds_per_epoch"] > 0
    assert narrow["hours"] > 0
    assert json.dumps(record)


def test_the_shipped_grid_is_the_papers_table():
    grid = load_grid("chip")
    cells = make_plan(grid).cells
    assert len(cells) == 15 * (1 + 1 + 4)
    recipe = grid.settings("resnet56", "chip")
    assert recipe == grid.model_copy(update={"training": {}}).settings("resnet56", "chip")  # nothing but defaults
    assert (recipe.keep, recipe.finetune, recipe.weight_decay) == ("last", ((400, 0.01),), 5e-3)
