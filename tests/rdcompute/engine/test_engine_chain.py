"""Lottery tickets are chains of cells: waiting, failing, resuming, growing, merging, losing a level."""

import json
import shutil

import numpy as np
import pytest
import torch

import rdstats
from rdcompute import cellfile, execute
from rdcompute.calibrate import samples_of
from rdcompute.compress import lottery
from rdcompute.compute import assemble_run, compute, retry
from rdcompute.describe import describe_plan, forecast_record
from rdcompute.estimate import Timing, play
from rdcompute.forecast import forecast
from rdcompute.lineage import identities, orphans
from rdcompute.manifest import known_networks
from rdcompute.merge import merge_runs
from rdcompute.method_settings import LotterySettings
from rdcompute.models import parameter_counts
from rdcompute.plan import make_plan
from rdcompute.rundir import CellResult, RunDirectory
from rdcompute.runs import column_states, open_run
from rdstats.cube import digest, open_cube, validate
from rdstats.errors import InputError
from rdstats.records import control_records

TICKET = {"train": [[5, 0.05], [4, 0.01]], "batch_size": 16}
TINY = {"batch_size": 16, "train": [[1, 0.05]], "finetune": [[1, 0.05]], "weight_decay": 5e-4}


@pytest.fixture(scope="module")
def images(tiny_npz):
    return tiny_npz()


@pytest.fixture(scope="module")
def grid(images, make_grid):
    def make(levels=3, seeds=(0,), methods=("sham-lth", "lth"), others=(), **ticket):
        experiments = [{"dataset": images, "arch": "lenet", "method": list(methods), "levels": levels}]
        experiments += [{"dataset": images, "arch": "lenet", "method": list(others), "ratio": 2}] if others else []
        training = {"lenet": TINY, "lth": {**TICKET, **ticket}}
        return make_grid(seeds=list(seeds), experiments=experiments, training=training)

    return make


@pytest.fixture(scope="module")
def whole(grid, tmp_path_factory):
    """Three levels of seed 0, computed at once; not to be changed."""
    return compute(grid(), tmp_path_factory.mktemp("whole") / "whole.nc", device="cpu").output


@pytest.fixture
def copy(whole, tmp_path):
    """Return the copy of a finished run, its plan, and its levels."""

    def copy(name="copy"):
        shutil.copytree(whole.with_suffix(".run"), tmp_path / f"{name}.run")
        run = open_run(tmp_path / f"{name}.run")
        return run, [cell for cell in run.plan.cells if cell.level]

    return copy


def digest_of(path):
    with open_cube(path) as cube:
        return digest(cube)


def statuses(path):
    with open_cube(path) as cube:
        found = cube["status"].sel({"method": "lth"}).values.ravel()
        return found[np.isfinite(found)].tolist()


class Killed(BaseException):
    """Ends a run as a kill does."""


def test_the_plan_is_a_chain(grid):
    cells = make_plan(grid(levels=2, others=["mp"])).cells
    dense, sham, first, second, plain, _ = cells
    assert [cell.parent for cell in cells] == [None, dense, dense, first, None, plain]
    assert [cell.level for cell in cells] == [0, 0, 1, 2, 0, 0]
    assert {cell.dense.key for cell in cells} == {dense.key, plain.key}
    assert second.dense is dense
    assert sham.needs == (dense,)
    assert second.needs == (first,)


def test_networks_of_one_recipe_are_one(make_grid, images):
    same = {"train": [[3, 0.1]], "batch_size": 16, "momentum": 0.8, "nesterov": False, "weight_decay": 0.001}
    same |= {"unit": "steps", "validation": "none", "keep": "last", "finetune": [[2, 0.1]]}
    experiments = [
        {"dataset": images, "arch": "lenet", "method": "mp", "ratio": 2},
        {"dataset": images, "arch": "lenet", "method": "lth", "levels": 1},
    ]
    lth = {k: v for k, v in same.items() if k != "finetune"}
    for blocks, n in (({"lenet": same, "lth": lth}, 1), ({"lenet": same, "lth": {**lth, "rewind_steps": 1}}, 2)):
        cells = make_plan(make_grid(seeds=1, experiments=experiments, training=blocks)).cells
        assert sum(cell.is_dense for cell in cells) == n
        assert len({cell.key for cell in cells}) == len(cells) == 2 + n


def test_what_enters_the_key_of_a_level(grid):
    """A longer chain and another fraction leave the control as it is; a rewind point changes everything."""
    usual, more, share, later, head = (
        [cell.key for cell in make_plan(grid(levels, **fields)).cells]
        for levels, fields in ((2, {}), (3, {}), (2, {"prune_fraction": 0.3}), (2, {"rewind_steps": 1}),
                               (2, {"prune_head": False}))
    )  # fmt: skip
    assert more[:4] == usual
    assert share[:2] == usual[:2]
    assert head[:1] == usual[:1]
    for other in (share[2:], later, head[1:]):
        assert not set(other) & set(usual)


def test_levels_wait_and_fail_with_the_one_before(grid, tmp_path, monkeypatch, recorder):
    real = lottery._pruned

    def fails(cell, *rest):
        if cell.level == 2:
            raise MemoryError("no room")
        return real(cell, *rest)

    monkeypatch.setattr(lottery, "_pruned", fails)
    told = recorder()
    summary = compute(grid(), tmp_path / "a.nc", device="cpu", listener=lambda *_: told)
    ends = [(kind, *rest) for kind, _, *rest in told.events if kind in ("finished", "failed")]
    assert ends == [("finished",)] * 3 + [
        ("failed", "MemoryError: no room"),
        ("failed", "lth 1.5625, which it needs, failed: MemoryError: no room"),
    ]
    assert summary.n_done == 3
    assert statuses(summary.output) == [1, 2, 2]
    run = open_run(summary.run_dir)
    assert {s.method: (s.done, s.failed) for s in column_states(run)} == {
        "dense": (1, 0), "sham-lth": (1, 0), "lth": (1, 2)
    }  # fmt: skip
    monkeypatch.undo()
    again = retry(run, [run.plan.cells[-1]], device="cpu")  # with all that it needs
    assert (again.n_reused, again.n_done, again.failed) == (2, 5, {})


@pytest.mark.parametrize("rewind", [0, 5])
def test_interrupted_everywhere_and_the_same_bits(grid, whole, tmp_path, monkeypatch, rewind):
    """Killed once in every epoch of every cell, the way to the rewind point included."""
    ticket = grid(rewind_steps=rewind)
    if rewind:
        whole = compute(ticket, tmp_path / "whole.nc", device="cpu").output
    real = cellfile.pack
    saved = set()

    def pack(key, result):
        data = real(key, result)
        if "history" in result.meta and (key, result.meta["parent_id"], len(result.meta["history"])) not in saved:
            saved.add((key, result.meta["parent_id"], len(result.meta["history"])))
            deaths.append(key)
        return data

    deaths = []
    monkeypatch.setattr(cellfile, "pack", pack)
    dies = RunDirectory.save_checkpoint

    def save_checkpoint(self, key, progress):
        n = len(deaths)
        dies(self, key, progress)
        if len(deaths) > n:
            raise Killed

    monkeypatch.setattr(RunDirectory, "save_checkpoint", save_checkpoint)
    for _ in range(99):
        try:
            summary = compute(ticket, tmp_path / "killed.nc", device="cpu", checkpoint_every=0.0)
            break
        except Killed:
            continue
    epochs = 3 if not rewind else 1
    assert len(deaths) == 5 * epochs + (2 if rewind else 0)
    assert summary.failed == {}
    assert digest_of(summary.output) == digest_of(whole)


def test_the_way_to_the_rewind_point_is_not_gone_twice(grid, tmp_path, monkeypatch):
    stages = []
    real = execute.fit

    def dies_at_the_end(*arguments, **options):
        stages.append(options["stream_name"].rpartition("/")[2])
        real(*arguments, **options)
        raise Killed

    before = lottery.fit
    monkeypatch.setattr(lottery, "fit", lambda *a, **k: (stages.append("rewind"), before(*a, **k))[1])
    monkeypatch.setattr(execute, "fit", dies_at_the_end)
    ticket = grid(rewind_steps=5)
    for _ in range(2):
        with pytest.raises(Killed):
            compute(ticket, tmp_path / "a.nc", device="cpu", checkpoint_every=0.0)
    assert stages == ["rewind", "dense", "dense"]


def test_more_levels_go_on_where_fewer_ended(grid, whole, tmp_path):
    output = tmp_path / "a.nc"
    small = compute(grid(2), output, device="cpu")
    assert (small.n_cells, small.n_done) == (4, 4)
    with pytest.raises(InputError, match=r"belongs to a smaller grid, 1 cells are new: .*levels.*--extend"):
        compute(grid(3), tmp_path / "b.nc", run_dir=small.run_dir, device="cpu")
    summary = compute(grid(3), output, device="cpu", extend=True)
    assert (summary.n_reused, summary.n_cells) == (4, 5)
    assert digest_of(output) == digest_of(whole)


def of_another(run, cell):
    """Rewrite the hash of a finished level, as if it had been computed again elsewhere."""
    result = run.load(cell.key)
    run.save(cell.key, CellResult({**result.meta, "own_id": "another"}, result.arrays), cell.content())


def test_levels_made_of_another_one_are_found_along_the_chain(copy, grid):
    run, levels = copy()
    known = identities(run.plan.cells, run.directory)
    assert orphans(run.plan.cells, known) == []
    of_another(run.directory, levels[0])
    found = orphans(run.plan.cells, identities(run.plan.cells, run.directory))
    assert found == levels[1:]
    with pytest.warns(UserWarning, match=r"made from another lth 1.[0-9]+ than is there now; left out"):
        assemble_run(run, run.directory.path.with_suffix(".part.nc"))
    assert statuses(run.directory.path.with_suffix(".part.nc")) == [1, 0, 0]
    with pytest.warns(UserWarning, match="was made from another lth 1.[0-9]+ than the one that is there now"):
        again = compute(grid(), run.directory.path.with_suffix(".nc"), device="cpu")
    assert (again.n_reused, again.n_done) == (3, 5)
    known = identities(run.plan.cells, run.directory)
    assert known[levels[1].key]["parent_id"] == "another"
    assert orphans(run.plan.cells, known) == []


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_level_that_is_lost_is_computed_again(copy, grid, whole, monkeypatch, recorder, elsewhere):
    """To the same bits, the others are kept; to other ones, as on another machine, all that follow go with it."""
    run, levels = copy()
    run.directory.cell_path(levels[0].key).unlink()
    real = execute.make_start

    def other_machine(cell, tools):
        start = real(cell, tools)
        if cell.level == 1 and elsewhere:
            with torch.no_grad():
                next(start.model.parameters()).add_(0.01)
        return start

    monkeypatch.setattr(execute, "make_start", other_machine)
    told = recorder()
    output = run.directory.path.with_suffix(".nc")
    if elsewhere:
        with pytest.warns(UserWarning, match="was made from another lth"):
            again = compute(grid(), output, device="cpu", listener=lambda *_: told)
    else:
        again = compute(grid(), output, device="cpu", listener=lambda *_: told)
        assert digest_of(output) == digest_of(whole)
    assert again.n_done == 5
    finished = [key for kind, key, *_ in told.events if kind == "finished"]
    assert finished == [cell.key for cell in (levels if elsewhere else levels[:1])]
    assert orphans(run.plan.cells, identities(run.plan.cells, run.directory)) == []


def test_runs_of_other_seeds_and_levels_are_merged(grid, whole, tmp_path):
    """The longest chain wins; recipes of methods go along."""
    other = compute(grid(2, seeds=(4,), others=["sham"]), tmp_path / "b.nc", device="cpu")
    for i, paths in enumerate([(whole.with_suffix(".run"), other.run_dir), (other.run_dir, whole.with_suffix(".run"))]):
        merged = merge_runs(paths, tmp_path / f"{i}.run")
        run = open_run(merged.path)
        assert run.grid.training["lth"]["train"] == [[5, 0.05], [4, 0.01]]
        assert (merged.n_done, merged.n_cells) == (11, 14)
        assert {(c.seed, c.level) for c in run.plan.cells if c.level} == {(s, k) for s in (0, 4) for k in (1, 2, 3)}
        if i:
            continue
        full = compute(run.grid, tmp_path / "full.nc", run_dir=merged.path, device="cpu")
        assert (full.n_reused, full.n_done) == (11, 14)


def test_a_level_comes_with_the_one_it_was_made_of(copy, tmp_path):
    (one, levels), (two, _) = copy("a"), copy("b")
    for cell in one.plan.cells:
        if cell.level > 1:
            one.directory.cell_path(cell.key).unlink()
        elif cell.level == 1:
            two.directory.cell_path(cell.key).unlink()
    assert merge_runs([one.directory.path, two.directory.path], tmp_path / "m.run").n_done == 5
    of_another(one.directory, levels[0])
    with pytest.raises(InputError, match=r"method lth, ratio 1.5625 of .*b.run was made of another lth 1.25 than the"):
        merge_runs([one.directory.path, two.directory.path], tmp_path / "n.run")


def test_shorter_grids_have_fewer_steps(grid):
    short = grid(rewind_steps=6).scaled({"epochs": 0.5}).settings("lenet", "lth")
    assert isinstance(short, LotterySettings)
    assert (short.train, short.rewind_steps) == (((3, 0.05), (2, 0.01)), 3)
    assert grid(rewind_steps=8).scaled({"epochs": 0.01}).settings("lenet", "lth").rewind_steps == 1
    assert grid(train=[9, 0.1], rewind_steps=8).scaled({"epochs": 0.01}).settings("lenet", "lth").rewind_steps == 0
    assert grid().scaled({"epochs": 0.5}).settings("lenet", "lth").rewind_steps == 0
    dense, sham, level, *_ = make_plan(grid().scaled({"epochs": 0.5})).cells
    assert {cell.phases for cell in (dense, sham, level)} == {((3, 0.05), (2, 0.01))}


def test_a_rewind_point_is_before_the_end(refused):
    text = (
        "name: a\nseeds: 1\nexperiments: [{dataset: digits, arch: lenet, method: lth, levels: 1}]\n"
        "training:\n  lth: {train: [9, 0.1], rewind_steps: 9}\n"
    )
    assert refused(text) == "5:3: training.lth: rewind_steps 9 leaves nothing of train, which has 9 steps"



def test_too_many_levels_are_refused_with_the_most(make_grid, images):
    counts = parameter_counts("lenet", 3, (1, 10, 10))
    n = counts.prunable_weights + counts.head["fc3"]

    def plan(levels, **ticket):
        experiment = {"dataset": images, "arch": "lenet", "method": "lth", "levels": levels}
        return make_plan(make_grid(seeds=1, experiments=[experiment], training={"lth": ticket}))

    with pytest.raises(InputError) as caught:
        plan(60)
    message = str(caught.value)
    assert "\n" not in message
    assert f"60 levels of lth leave none of {n:,} prunable weights (prune_fraction 0.2); largest possible" in message
    most = int(message.rpartition(" ")[2])
    assert plan(most).cells[-1].level == most
    with pytest.raises(InputError, match=f"number of levels: {most}"):
        plan(most + 1)
    with pytest.raises(InputError, match=f"none of {n - 252:,} prunable weights"):
        plan(60, prune_head=False)
    assert plan(5).notes == ()
    (note,) = plan(22).notes
    assert note.startswith(f"lenet on {images}: from level 21 on, lth keeps below 1% of {n} prunable weights")


def test_the_plan_in_words_and_numbers(grid, tmp_path):
    plan = make_plan(grid(others=["mp"]))
    text = "\n".join(describe_plan(plan))
    n = parameter_counts("lenet", 3, (1, 10, 10)).prunable_weights + 252
    kept = [n - -(-n // 5) - 1]
    kept.append(kept[0] - -(-kept[0] // 5) - 1)
    assert f"kept weights of lth after each level: {kept[0]}, {kept[1]}, " in text
    assert "kept weights at ratio 2: " in text
    assert "kept weights at ratio 1.25" not in text
    found = forecast(plan, ("cpu",), run_dir=tmp_path / "none.run", timed=False)
    (network,) = forecast_record(found)["networks"]
    assert [entry["ratio"] for entry in network["kept_weights"]] == [2]
    assert [(e["level"], e["ratio"], e["weights"]) for e in network["lottery_levels"][:2]] == [
        (1, 1.25, kept[0]), (2, 1.5625, kept[1])
    ]  # fmt: skip
    json.dumps(network)


def test_seconds_of_cells_that_are_trained_by_steps(grid):
    # without a hold-out 100 + 20 images an epoch; 9 steps of 16 are 1.2 epochs
    timing = Timing(100, 20, 80, 0.5, 0.1, 0.025, 0.2, dense=3.0, compressed=1.0)
    plan = make_plan(grid(levels=2))
    dense, sham, first, second = plan.cells
    training = 1.2 * (0.5 + 120 * 0.1)
    assert timing.cell(dense) == pytest.approx(3 + training + 2)
    assert timing.cell(first) == timing.cell(sham) == pytest.approx(1 + training + 2)
    network = (dense.dataset, "lenet")
    two = play(plan.cells, (), {network: timing}, 2)
    assert two.wall == pytest.approx(timing.cell(dense) + 2 * timing.cell(first))  # a chain keeps one worker busy
    (sample,) = samples_of([second])
    assert (sample.dense, sample.compressed, sample.gradient) == (dense, second, False)


@pytest.mark.parametrize("rewind", [0, 2])
def test_room_on_the_disk(grid, tmp_path, rewind):
    """Weights and masks of every level, the rewind point of the dense network."""
    ticket = grid(levels=8, rewind_steps=rewind)
    found = forecast(make_plan(ticket), ("cpu",), run_dir=tmp_path / "none.run", timed=False).disk
    summary = compute(ticket, tmp_path / "a.nc", device="cpu")
    size = sum(path.stat().st_size for path in summary.run_dir.rglob("*") if path.is_file())
    assert found.cells == pytest.approx(size, rel=0.15)
    state = 4 * parameter_counts("lenet", 3, (1, 10, 10)).total
    assert found.checkpoints == (4 if rewind else 3) * state
    cells = make_plan(ticket).cells
    dense, last = (RunDirectory.existing(summary.run_dir).cell_path(cell.key) for cell in (cells[0], cells[-1]))
    assert (dense.stat().st_size > 2 * state) == bool(rewind)
    assert last.stat().st_size < 0.6 * state  # of a sixth of the weights


@pytest.fixture(scope="module")
def mixed(grid, tmp_path_factory):
    """Two recipes in one grid, each with its control and its own dense networks."""
    ticket = grid(2, seeds=range(5), others=["sham", "mp"])
    return compute(ticket, tmp_path_factory.mktemp("mixed") / "mixed.nc", device="cpu")


def test_dense_networks_of_two_recipes_in_one_cube(mixed):
    run = open_run(mixed.run_dir)
    with open_cube(mixed.output) as cube:
        validate(cube)
        slopes = rdstats.slopes(cube)["slope"]
        assert cube["confusion_dense"].dims[:4] == ("seed", "dataset", "arch", "method")
        assert cube["layer"].values.tolist() == ["conv1", "conv2", "fc1", "fc2", "fc3"]
        for cell in run.plan.cells:
            if cell.is_dense:
                continue
            at = {name: cell.where[name] for name in ("seed", "dataset", "arch", "method")}
            result, dense = (run.directory.load(key) for key in (cell.key, cell.dense.key))
            assert cube["dense_id"].sel(at).item() == dense.meta["dense_id"]
            np.testing.assert_array_equal(cube["confusion_dense"].sel(at), dense.arrays["confusion"])
            found = cube.sel({**at, "ratio": cell.ratio})
            kept = dict(zip(cube["layer"].values.tolist(), found["kept_weights"].values.tolist(), strict=True))
            assert {name: k for name, k in kept.items() if not np.isnan(k)} == result.meta["kept_weights"]
            assert np.isnan(kept["fc3"]) == (cell.recipe != "lth")
            assert found["achieved_ratio"].item() == result.meta["achieved_ratio"]
            before, after = (normalized(r.arrays["confusion"]) for r in (dense, result))
            slope = slopes.sel({**at, "ratio": cell.ratio}).item()
            assert slope == pytest.approx((before @ after) / (before @ before), rel=1e-9, abs=1e-12)


def normalized(confusion):
    recall, accuracy = np.diag(confusion) / confusion.sum(1), np.trace(confusion) / confusion.sum()
    return recall / accuracy - 1


def test_levels_are_compared_with_their_own_control(mixed):
    with open_cube(mixed.output) as cube:
        analysis = rdstats.analyze(cube, family="ratio")
    records = {(r["method"], r["ratio"]): r for r in control_records(analysis)}
    assert {key for key in records if key[0] == "lth"} == {("lth", 1.25), ("lth", 1.5625)}
    slopes = analysis.slopes["slope"].squeeze(drop=True)
    own = slopes.sel({"method": "sham-lth", "ratio": 1.0})
    for ratio in (1.25, 1.5625):
        difference = (slopes.sel({"method": "lth", "ratio": ratio}) - own).mean().item()
        assert records["lth", ratio]["mean"] == pytest.approx(difference, rel=1e-9)


def test_a_run_that_does_not_tell_of_heads_is_counted_again(grid, images, tmp_path):
    summary = compute(grid(1, methods=["lth"]), tmp_path / "a.nc", device="cpu")
    run = RunDirectory.existing(summary.run_dir)
    sizes = run.manifest["networks"]["tiny"]["lenet"]
    assert sizes.pop("head") == {"fc3": 252}
    known = known_networks(run.manifest)
    assert known["tiny", "lenet"].head == {}
    found = make_plan(grid(1), known=known)
    assert found.parameters == make_plan(grid(1)).parameters
    assert next(iter(found.parameters.values())).head == {"fc3": 252}


def test_a_rewind_point_beyond_the_training_is_refused_before_anything_is_written(grid, tmp_path):
    output = tmp_path / "a.nc"
    recipe = {"unit": "epochs", "train": [[2, 0.05]], "validation": "holdout", "keep": "last"}
    with pytest.raises(InputError, match=r":1:\d+: training.lth: rewind_steps 8 leaves nothing of train, which has "):
        compute(grid(1, rewind_steps=8, **recipe), output, device="cpu")
    assert not list(tmp_path.iterdir())
    steps = 2 * -(-54 // 16)  # 6 of 60 images are held out
    with pytest.raises(InputError, match=f"which has {steps} steps for tiny lenet"):
        compute(grid(1, rewind_steps=steps, **recipe), output, device="cpu")
    assert compute(grid(1, rewind_steps=steps - 1, **recipe), output, device="cpu").n_done == 3
