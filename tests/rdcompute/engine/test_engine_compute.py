"""The whole job: the cube says what the run directory holds; nothing is repeated, nothing is lost."""

import json
import shutil
import subprocess
import time
from datetime import UTC, datetime

import numpy as np
import pytest

from rdcompute import assemble, datasets
from rdcompute import provenance as provenance_module
from rdcompute.compute import compute
from rdcompute.masks import kept_count
from rdcompute.plan import make_plan
from rdcompute.rundir import RunDirectory
from rdstats._version import __version__
from rdstats.cube import DONE, FAILED, MISSING, digest, open_cube
from rdstats.errors import InputError


@pytest.fixture
def cube(finished):
    with open_cube(finished[1].output) as cube:
        yield cube


@pytest.fixture
def cells(finished):
    """Every cell with its stored result and the data it was measured on."""
    grid, summary = finished
    plan = make_plan(grid)
    images = {name: datasets.load(name) for name in plan.datasets}
    run = RunDirectory.open(
        summary.run_dir, grid.resolved(), {data.name: data.checksum() for data in images.values()}
    )
    return [(cell, run.load(cell.key), images[cell.dataset]) for cell in plan.cells]


def small(grid_maker, path, **document):
    experiment = {"dataset": path, "arch": "lenet", "method": ["sham", "mp"], "ratio": 2}
    return grid_maker(**{"seeds": 1, "experiments": [experiment], **document})


def test_summary(finished):
    _, summary = finished
    assert (summary.n_cells, summary.n_done, summary.n_reused, summary.failed) == (24, 24, 0, {})
    assert summary.run_dir == summary.output.with_suffix(".run")


def test_labels_are_the_grids(cube):
    assert cube["seed"].values.tolist() == [0, 3]
    assert cube["dataset"].values.tolist() == ["three", "two"]
    assert cube["arch"].values.tolist() == ["lenet"]
    assert cube["method"].values.tolist() == ["sham", "mp", "gp", "up", "rp"]
    assert cube["ratio"].values.tolist() == [1, 2.5, 4]
    assert cube["true_class"].values.tolist() == cube["predicted_class"].values.tolist() == [0, 1, 2]
    assert cube["layer"].values.tolist() == ["conv1", "conv2", "fc1", "fc2"]
    assert cube.sizes["sample"] == 31


def test_every_cell_is_where_its_labels_say(cube, cells):
    for cell, result, data in cells:
        suffix = "_dense" if cell.is_dense else ""
        c, n = data.n_classes, len(data.test_labels)
        confusion = cube["confusion" + suffix].sel(cell.where).values
        np.testing.assert_array_equal(confusion[:c, :c], result.arrays["confusion"])
        assert np.isnan(confusion[c:]).all()
        assert np.isnan(confusion[:, c:]).all()
        prediction = cube["prediction" + suffix].sel(cell.where).values
        np.testing.assert_array_equal(prediction[:n], result.arrays["prediction"])
        assert np.isnan(prediction[n:]).all()
        for name in ("kept_epoch", "val_loss", "seconds"):
            assert float(cube[name + suffix].sel(cell.where)) == result.meta[name]


def test_counts_follow_from_the_predictions(cube, cells):
    for cell, _, data in cells:
        suffix = "_dense" if cell.is_dense else ""
        n, c = len(data.test_labels), data.n_classes
        predicted = cube["prediction" + suffix].sel(cell.where).values[:n].astype(int)
        expected = np.zeros((c, c))
        for label, prediction in zip(data.test_labels, predicted, strict=True):
            expected[label, prediction] += 1
        np.testing.assert_array_equal(cube["confusion" + suffix].sel(cell.where).values[:c, :c], expected)
        if cell.is_dense:
            continue
        before = cube["prediction_dense"].sel(cell.parent.where).values[:n].astype(int)
        both = [sum((before == k) & (predicted == k) & (data.test_labels == k)) for k in range(c)]
        found = cube["both_correct"].sel(cell.where).values
        np.testing.assert_array_equal(found[:c], both)
        assert np.isnan(found[c:]).all()


def test_labels_and_names_are_padded(cube, cells):
    for name, n_classes, n_test in (("three", 3, 31), ("two", 2, 20)):
        data = next(data for cell, _, data in cells if cell.dataset_label == name)
        part = cube.sel(dataset=name)
        assert int(part["n_classes"]) == n_classes
        np.testing.assert_array_equal(part["label"].values[:n_test], data.test_labels)
        assert np.isnan(part["label"].values[n_test:]).all()
        assert part["class_name"].values.tolist() == [*map(str, range(n_classes)), *[""] * (3 - n_classes)]


def test_status_and_fill_outside_the_grid(cube, cells):
    expected = np.full([cube.sizes[dim] for dim in ("seed", "dataset", "arch", "method", "ratio")], np.nan)
    methods = ["sham", "mp", "gp", "up", "rp"]
    for cell, _, _ in cells:
        if not cell.is_dense:
            where = ([0, 3].index(cell.seed), ["three", "two"].index(cell.dataset_label), 0, methods.index(cell.method))
            expected[(*where, [1, 2.5, 4].index(cell.ratio))] = DONE
    np.testing.assert_array_equal(cube["status"].values, expected)
    outside = np.isnan(expected)
    for name in ("confusion", "prediction", "both_correct", "achieved_ratio", "kept_weights", "val_loss", "kept_epoch"):
        assert np.isnan(cube[name].values[outside]).all(), name
        assert not np.isnan(cube[name].values[~outside]).all()


def test_ratios_and_kept_weights(cube, cells, finished):
    plan = make_plan(finished[0])
    for cell, result, _ in cells:
        if cell.is_dense:
            continue
        counts = plan.parameters[cell.dataset, cell.arch]
        n_kept = counts.prunable_weights if cell.method == "sham" else kept_count(counts, cell.ratio)
        kept = cube["kept_weights"].sel(cell.where).values
        assert kept.sum() == n_kept
        assert dict(zip(cube["layer"].values.tolist(), kept, strict=True)) == result.meta["kept_weights"]
        achieved = counts.total / (counts.total - counts.prunable_weights + n_kept)
        assert float(cube["achieved_ratio"].sel(cell.where)) == achieved


def test_when_every_cell_was_computed(cube, cells):
    for cell, result, _ in cells:
        suffix = "_dense" if cell.is_dense else ""
        began, ended = (cube[name + suffix].sel(cell.where).item() for name in ("started", "ended"))
        for seconds, text in ((began, result.meta["started"]), (ended, result.meta["ended"])):
            assert datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") == text
        assert began <= ended <= time.time()
        # both ends are cut to whole seconds
        assert abs(ended - began - cube["seconds" + suffix].sel(cell.where).item()) <= 1


def test_one_dense_network_for_all_methods(cube, cells):
    assert cube["dense_id"].dims == ("seed", "dataset", "arch")
    ids = cube["dense_id"].values.ravel().tolist()
    assert len(set(ids)) == 4
    assert all(len(text) == 32 for text in ids)
    for cell, result, _ in cells:
        if cell.is_dense:
            assert cube["dense_id"].sel(cell.where).item() == result.meta["dense_id"]


def test_attributes_carry_the_evidence(cube, finished):
    grid = finished[0]
    assert json.loads(cube.attrs["grid"]) == grid.resolved()
    assert cube.attrs["grid_name"] == "test"
    assert cube.attrs["root_seed"] == 0
    assert cube.attrs["scaled"] == ""
    assert cube.attrs["device"] == "cpu"
    versions = json.loads(cube.attrs["versions"])
    assert versions["rd"] == __version__
    assert versions["numpy"] == np.__version__
    assert {"torch", "python"} <= versions.keys()
    assert cube.attrs["git_commit"] == "c0ffee"
    provenance = json.loads(cube.attrs["provenance"])
    assert provenance["n_workers"] == 1
    assert provenance["datasets"].keys() == {"three", "two"}
    assert provenance["started"] <= provenance["written"]
    assert provenance["device_names"] == provenance_module.device_name("cpu")
    settings = provenance["determinism"]
    assert settings["threads"] == "1"
    assert settings["cudnn_deterministic"] == "True"
    assert settings["cudnn_benchmark"] == "False"
    assert not [key for key, value in cube.attrs.items() if "/" in str(value)]


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_commit_is_that_of_the_checkout(monkeypatch, tmp_path, real_git_commit):
    def git(*arguments):
        command = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    monkeypatch.setattr(provenance_module, "__file__", str(tmp_path / "rdcompute" / "provenance.py"))
    assert real_git_commit() == ""
    git("init")
    assert real_git_commit() == ""
    (tmp_path / "file").write_text("a")
    git("add", "file")
    git("commit", "-m", "a")
    git("tag", "-m", "a", "v1")
    assert real_git_commit() == git("rev-parse", "HEAD")
    (tmp_path / "file").write_text("b")
    assert real_git_commit() == git("rev-parse", "HEAD") + "-dirty"


def test_a_scaled_grid_is_marked(make_grid, tiny_npz, tmp_path):
    grid = small(make_grid, tiny_npz(), seeds=3)
    compute(grid.scaled({"seeds": 1, "epochs": 0.5, "train": 0.5}), tmp_path / "cube.nc", device="cpu")
    with open_cube(tmp_path / "cube.nc") as cube:
        assert json.loads(cube.attrs["scaled"]) == {"seeds": 1, "epochs": 0.5, "train": 0.5}
        assert cube.sizes["seed"] == 1
        assert json.loads(cube.attrs["grid"])["training"]["lenet"]["train"] == [[1, 0.05]]
        assert cube["kept_epoch"].max() == 1
    with pytest.raises(InputError, match="belongs to a different grid"):
        compute(grid, tmp_path / "cube.nc", device="cpu")


def times(run_dir):
    return {path: path.stat().st_mtime_ns for path in run_dir.glob("cells/*/*")}


def test_finished_cells_are_not_repeated(make_grid, tiny_npz, tmp_path, recorder):
    grid = small(make_grid, tiny_npz())
    first = compute(grid, tmp_path / "cube.nc", device="cpu")
    before, fingerprint = times(first.run_dir), digest_of(first.output)
    told = recorder()
    again = compute(grid, tmp_path / "cube.nc", device="cpu", listener=lambda plan, n_reused: told)
    assert times(again.run_dir) == before
    assert (again.n_reused, again.n_done, again.n_cells) == (3, 3, 3)
    assert told.events == []
    assert digest_of(again.output) == fingerprint
    elsewhere = compute(grid, tmp_path / "other.nc", run_dir=first.run_dir, device="cpu")
    assert elsewhere.n_reused == 3
    assert digest_of(elsewhere.output) == fingerprint


def digest_of(path):
    with open_cube(path) as cube:
        return digest(cube)


@pytest.mark.parametrize("which", [0, 1])
def test_a_damaged_cell_is_computed_again_at_once(make_grid, tiny_npz, tmp_path, which):
    grid = small(make_grid, tiny_npz())
    first = compute(grid, tmp_path / "cube.nc", device="cpu")
    fingerprint, before = digest_of(first.output), times(first.run_dir)
    key = make_plan(grid).cells[which].key
    path = first.run_dir / "cells" / key[:2] / f"{key}.cell"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.warns(UserWarning, match="was damaged"):
        again = compute(grid, tmp_path / "cube.nc", device="cpu")
    assert (again.n_reused, again.n_done) == (2, 3)
    assert digest_of(again.output) == fingerprint
    changed = {p for p, time in times(first.run_dir).items() if time != before.get(p)}
    assert {p.stem for p in changed} == {key}


def test_the_npz_may_move_between_runs(make_grid, tiny_npz, tmp_path):
    path = tiny_npz("moving")
    first = compute(small(make_grid, path), tmp_path / "cube.nc", device="cpu")
    shutil.copyfile(path, tmp_path / "moving.npz")
    fingerprint = digest_of(first.output)
    relative = small(make_grid, "moving.npz")
    again = compute(relative, tmp_path / "cube.nc", data_dir=tmp_path, device="cpu")
    assert again.n_reused == 3
    assert digest_of(again.output) == fingerprint


def test_other_images_under_the_same_name_are_refused(make_grid, tiny_npz, tmp_path):
    compute(small(make_grid, tiny_npz("images")), tmp_path / "cube.nc", device="cpu")
    other = small(make_grid, tiny_npz("images", seed=5))
    with pytest.raises(InputError, match="other data called images"):
        compute(other, tmp_path / "cube.nc", device="cpu")
    (tmp_path / "cube.nc").unlink()
    with pytest.raises(InputError, match=r"datasets\.images"):
        compute(other, tmp_path / "cube.nc", device="cpu")


def refused(grid, output, match, **options):
    with pytest.raises(InputError, match=match) as caught:
        compute(grid, output, device="cpu", **options)
    assert "\n" not in str(caught.value)


def test_an_output_that_is_something_else_is_left_alone(make_grid, tiny_npz, tmp_path):
    grid = small(make_grid, tiny_npz())
    output = tmp_path / "results.nc"
    output.write_text("my notes")
    refused(grid, output, "would be lost")
    assert output.read_text() == "my notes"
    assert [p.name for p in tmp_path.iterdir()] == ["results.nc"]


def test_an_output_of_another_grid_is_left_alone(make_grid, tiny_npz, tmp_path):
    grid = small(make_grid, tiny_npz())
    output = tmp_path / "results.nc"
    compute(grid, output, device="cpu")
    content = output.read_bytes()
    other = small(make_grid, tiny_npz(), seeds=2)
    refused(other, output, r"belongs to a different grid: seeds: there \[0\], here \[0, 1\]", run_dir=tmp_path / "new")
    assert output.read_bytes() == content
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("attrs", [{}, {"grid": "5 by 5"}, {"grid": 5}, {"grid": "[]"}])
def test_a_cube_from_elsewhere_is_left_alone(make_grid, tiny_npz, tmp_path, attrs):
    from rdstats.cube import build, save

    output = tmp_path / "results.nc"
    save(build([[9, 1], [3, 7]], [[7, 3], [5, 5]], attrs=attrs), output)
    content = output.read_bytes()
    refused(small(make_grid, tiny_npz()), output, "would be lost: no cube of a grid")
    assert output.read_bytes() == content


def test_outputs_that_cannot_be_written(make_grid, tiny_npz, tmp_path):
    grid = small(make_grid, tiny_npz())
    refused(grid, tmp_path, "is a folder")
    refused(grid, tmp_path / "none" / "cube.nc", "does not exist")
    refused(grid, tmp_path / "cube.run", "is the run directory too")
    refused(grid, tmp_path / "cube.nc", "from 1, or auto, is accepted", n_workers=0)
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_too_small_for_a_holdout_is_refused_before_training(make_grid, tiny_npz, tmp_path):
    refused(small(make_grid, tiny_npz("few", n_train=4)), tmp_path / "cube.nc", "dataset 'few': a hold-out of 0 of 4")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def diverging(make_grid, tiny_npz):
    """A grid whose resnet20 diverges when the dense network is trained, while its lenet is well."""
    path = tiny_npz()
    return make_grid(
        seeds=1,
        experiments=[
            {"dataset": path, "arch": "resnet20", "method": ["sham", "mp"], "ratio": 2},
            {"dataset": path, "arch": "lenet", "method": ["sham", "mp"], "ratio": 2},
        ],
        training={
            "resnet": {"train": [2, 1e30], "finetune": [1, 0.1]},
            "lenet": {"train": [1, 0.1], "finetune": [1, 0.1]},
        },
    )


def test_a_cell_that_diverges_is_recorded_and_the_rest_goes_on(diverging, tmp_path, recorder):
    told = recorder()
    summary = compute(diverging, tmp_path / "cube.nc", device="cpu", listener=lambda plan, n_reused: told)
    plan = make_plan(diverging)
    lost = [cell for cell in plan.cells if cell.arch == "resnet20"]
    assert set(summary.failed) == {cell.key for cell in lost}
    assert summary.failed[lost[0].key].startswith("DivergedError: loss ")
    for cell in lost[1:]:
        assert summary.failed[cell.key].startswith("its dense network failed: DivergedError")
    assert (summary.n_done, summary.n_cells) == (3, 6)
    ended = {kind: {event[1] for event in told.events if event[0] == kind} for kind in ("failed", "finished")}
    assert ended == {"failed": set(summary.failed), "finished": {c.key for c in plan.cells} - set(summary.failed)}
    record = json.loads((summary.run_dir / "failed" / f"{lost[0].key}.json").read_text())
    assert record["cell"]["arch"] == "resnet20"
    assert "DivergedError" in record["traceback"][-1]
    with open_cube(summary.output) as cube:
        status = cube["status"].sel({"seed": 0, "dataset": "tiny"})
        assert status.sel({"arch": "resnet20", "method": "sham", "ratio": 1}) == FAILED
        assert status.sel({"arch": "resnet20", "method": "mp", "ratio": 2}) == FAILED
        assert status.sel({"arch": "lenet", "method": "mp", "ratio": 2}) == DONE
        assert np.isnan(status.sel({"arch": "lenet", "method": "mp", "ratio": 1}))
        assert cube["dense_id"].sel({"arch": "resnet20"}).values.ravel().tolist() == [""]
        assert np.isnan(cube["confusion_dense"].sel({"arch": "resnet20"})).all()


def test_failed_cells_are_tried_again(diverging, tmp_path, monkeypatch):
    from rdcompute import execute

    real = execute.fit

    def no_luck(*args, **kwargs):
        if kwargs["stream_name"].endswith("finetune"):
            raise MemoryError("no luck")
        return real(*args, **kwargs)

    grid = diverging.model_copy(update={"experiments": diverging.experiments[1:]})
    with monkeypatch.context() as patched:
        patched.setattr(execute, "fit", no_luck)
        first = compute(grid, tmp_path / "cube.nc", device="cpu")
    assert (first.n_done, sorted(first.failed.values())) == (1, ["MemoryError: no luck"] * 2)
    again = compute(grid, tmp_path / "cube.nc", device="cpu")
    assert (again.n_done, again.n_reused, again.failed) == (3, 1, {})
    assert not list((again.run_dir / "failed").iterdir())


def test_a_run_in_which_everything_failed_can_be_repeated(diverging, tmp_path):
    grid = diverging.model_copy(update={"experiments": diverging.experiments[:1]})
    for _ in range(2):
        summary = compute(grid, tmp_path / "cube.nc", device="cpu")
        assert (summary.n_done, len(summary.failed)) == (0, 3)
        with open_cube(summary.output) as cube:
            assert np.isnan(cube["confusion"]).all()
            assert np.isnan(cube["confusion_dense"]).all()
            assert sorted(cube["status"].values[~np.isnan(cube["status"].values)]) == [FAILED, FAILED]


def test_cells_not_finished_are_missing(finished, tmp_path):
    grid, summary = finished
    plan = make_plan(grid)
    images = {name: datasets.load(name) for name in plan.datasets}
    run = RunDirectory.open(tmp_path / "part", grid.resolved(), {})
    whole = RunDirectory(summary.run_dir, {})
    dense, sham = plan.cells[:2]
    orphan = next(cell for cell in plan.cells if not cell.is_dense and cell.seed == 3)
    for cell in (dense, sham, orphan):
        run.save(cell.key, whole.load(cell.key), {})
    n_done = assemble.assemble(plan, run, images, tmp_path / "cube.nc", device="cpu")
    assert n_done == 2
    with open_cube(tmp_path / "cube.nc") as cube:
        status = cube["status"]
        assert status.sel(sham.where) == DONE
        assert status.sel(orphan.where) == MISSING  # without its dense network there is no pair
        assert np.isnan(cube["confusion"].sel(orphan.where)).all()
        assert int((status == MISSING).sum()) == 19
        assert int((status == FAILED).sum()) == 0
