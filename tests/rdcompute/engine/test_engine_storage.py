"""Full, read-only and broken disks: one line, nothing finished is lost, nothing half-written stays."""

import contextlib
import errno
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rdcompute
from rdcompute import rundir
from rdcompute.compute import assemble_run, compute
from rdcompute.grid_file import load_grid
from rdcompute.plan import make_plan
from rdcompute.rundir import CellResult, RunDirectory, StorageError
from rdcompute.runs import open_run
from rdcompute.storage import cannot_begin, cannot_write
from rdstats import files
from rdstats.cube import CubeWriter, digest, open_cube
from rdstats.errors import InputError

KEY, OTHER = "ab" * 16, "cd" * 16
RESULT = CellResult({"seconds": 1.0}, {"confusion": np.eye(2, dtype=np.int32), "state/w": np.ones(5000, np.float32)})


@pytest.fixture
def run(tmp_path):
    run = RunDirectory.open(tmp_path / "a.run", {"name": "x"}, {})
    run.save(KEY, RESULT, {})
    run.save_checkpoint(OTHER, RESULT)
    return run


def everything(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def failing(code):
    def fail(*_):
        raise OSError(code, os.strerror(code))

    return fail


WRITES = {
    "a cell": lambda run: run.save(OTHER, RESULT, {}),
    "a cell again": lambda run: run.save(KEY, RESULT, {"seed": 1}),
    "a checkpoint": lambda run: run.save_checkpoint(OTHER, CellResult({}, {})),
    "a failure": lambda run: run.save_failure(OTHER, {}, "ValueError: x", "trace"),
}


@pytest.mark.parametrize("what", WRITES)
@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (errno.ENOSPC, "make room"), (errno.EDQUOT, "make room"), (errno.EROFS, "make it writable"),
        (errno.EACCES, "make it writable"), (errno.EIO, "mend that"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_one_line_and_nothing_is_lost(run, monkeypatch, what, code, advice):
    before = everything(run.path)
    with monkeypatch.context() as patched:
        patched.setattr(files.os, "fsync", failing(code))
        with pytest.raises(StorageError) as caught:
            WRITES[what](run)
    assert str(caught.value) == (
        f"run directory {run.path} cannot be written: {os.strerror(code)}; what is finished is kept: {advice} and "
        "repeat the command"
    )
    assert everything(run.path) == before
    WRITES[what](run)
    assert everything(run.path) != before


def test_a_folder_that_cannot_be_made_is_the_same(run, monkeypatch):
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: failing(errno.ENOSPC)())
    for write in WRITES.values():
        with pytest.raises(StorageError, match="No space left on device"):
            write(run)


def test_a_half_written_file_on_a_disk_that_became_read_only_is_the_first_error(run, monkeypatch):
    """Removing it fails, too; what is told is why it could not be written."""
    monkeypatch.setattr(files.os, "fsync", failing(errno.EIO))
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: failing(errno.EROFS)())
    with pytest.raises(StorageError, match="Input/output error"):
        run.save(OTHER, RESULT, {})


def test_the_error_reaches_another_process():
    error = cannot_write(Path("a"), OSError(errno.ENOSPC, "No space left on device"))
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert str(cannot_write(Path("a"), OSError("odd"))).startswith("run directory a cannot be written: odd; ")


@pytest.mark.parametrize(
    ("code", "kind"),
    [(errno.ENOSPC, StorageError), (errno.EDQUOT, StorageError), (errno.EIO, StorageError),
     (errno.EROFS, InputError), (errno.EACCES, InputError), (errno.ENOTDIR, InputError)],
)  # fmt: skip
def test_before_anything_is_begun_a_folder_that_is_no_good_is_wrong_input(code, kind, tmp_path, monkeypatch):
    assert type(cannot_begin(tmp_path, OSError(code, "x"))) is kind
    with monkeypatch.context() as patched:
        patched.setattr(files.os, "fsync", failing(code))
        with pytest.raises(kind, match="cannot be written"):
            RunDirectory.open(tmp_path / "a.run", {"name": "x"}, {})
    run = RunDirectory.open(tmp_path / "a.run", {"name": "x"}, {})
    with monkeypatch.context() as patched:
        patched.setattr(files.os, "fsync", failing(code))
        with pytest.raises(kind, match="cannot be written"), run.writing():
            pytest.fail("a lock that could not be written is no lock")
    assert [path.name for path in run.path.iterdir() if path.name not in ("cells", "lock")] == ["run.json"]
    with run.writing():  # the lock was given back
        pass


def test_a_run_directory_that_is_as_wanted_is_not_written_again(run, monkeypatch):
    monkeypatch.setattr(rundir, "write_manifest", failing(errno.ENOSPC))
    same = RunDirectory.open(run.path, {"name": "x"}, {})
    assert same.has(KEY)
    with same.writing():
        pass
    more = RunDirectory.open(run.path, {"name": "x"}, {}, cells=[KEY])
    with pytest.raises(StorageError), more.writing():  # more cells than before are to be written down
        pytest.fail("they were not")


def test_a_damaged_cell_where_nothing_can_be_renamed(run, monkeypatch):
    run.cell_path(KEY).write_bytes(b"x")
    monkeypatch.setattr(rundir.os, "replace", failing(errno.EROFS))
    with pytest.warns(UserWarning, match="was damaged; left where it is"):
        assert not run.has(KEY)


def test_sectors_that_cannot_be_read_are_damage(run, monkeypatch):
    monkeypatch.setattr(rundir.cellfile, "is_whole", failing(errno.EIO))
    with pytest.warns(UserWarning, match="was damaged; set aside"):
        assert run.load(KEY) is None
    with pytest.warns(UserWarning, match="was damaged; set aside, the training begins anew"):
        assert run.load_checkpoint(OTHER) is None
    assert not run.checkpoint_path(OTHER).exists()


def test_a_file_that_must_not_be_read_is_not_taken_for_damaged(run, monkeypatch):
    monkeypatch.setattr(rundir.cellfile, "is_whole", failing(errno.EACCES))
    with pytest.raises(PermissionError):
        run.has(KEY)
    assert run.cell_path(KEY).exists()


COORDS = {"seed": [0, 1], "dataset": ["a"], "arch": ["b"], "true_class": range(4), "predicted_class": range(4)}


def write_cube(path, value=1):
    with CubeWriter(path, {**COORDS, "sample": 200}) as writer:
        for seed in (0, 1):
            where = {"seed": seed, "dataset": "a", "arch": "b"}
            writer.put(where, confusion_dense=np.full((4, 4), value), prediction_dense=np.arange(200) % 4, dense_id="x")


@pytest.mark.parametrize(("code", "kind"), [(errno.ENOSPC, OSError), (errno.EIO, OSError), (errno.EROFS, InputError)])
def test_a_cube_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch, code, kind):
    write_cube(tmp_path / "cube.nc")
    before = everything(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(files.os, "fsync", failing(code))
        with pytest.raises(kind, match=os.strerror(code)) as caught:
            write_cube(tmp_path / "cube.nc", 2)
    assert getattr(caught.value, "errno", None) == (code if kind is OSError else None)
    assert everything(tmp_path) == before


def test_what_netcdf_says_stands_where_the_system_sees_no_reason(tmp_path):
    where = {"seed": 0, "dataset": "a", "arch": "b"}
    writer = CubeWriter(tmp_path / "cube.nc", {**COORDS, "sample": 9})
    writer.put(where, confusion_dense=np.eye(4))
    writer._file.close()  # behind its back
    with pytest.raises(InputError, match=r"cube\.nc: NetCDF: Not a valid ID; what was there before is untouched"):
        writer.put(where, prediction_dense=np.zeros(9))
    writer.__exit__(InputError, None, None)
    assert list(tmp_path.iterdir()) == []


# a small disk of its own ---------------------------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path):
    """Yield a function that makes an empty disk of so many KiB, a folder; all are taken away again."""
    mounted = []

    def make(kib):
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", folder], check=False).returncode:
            pytest.skip("mounting needs root")
        mounted.append(folder)
        return folder

    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("mounting needs root")
    yield make
    for folder in mounted:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder, leave=0):
    """Fill a disk but for `leave` KiB."""
    with contextlib.suppress(OSError), open(folder / "ballast", "ab", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    size = (folder / "ballast").stat().st_size
    os.truncate(folder / "ballast", max(0, size - leave * 1024))


@pytest.fixture(scope="module")
def grid(tiny_npz, make_grid):
    experiment = {"dataset": tiny_npz("t"), "arch": "lenet", "method": ["sham", "mp"], "ratio": 2}
    return make_grid(seeds=1, experiments=[experiment])


@pytest.fixture(scope="module")
def whole(grid, tmp_path_factory):
    """The digest of an undisturbed run."""
    return digest_of(compute(grid, tmp_path_factory.mktemp("whole") / "cube.nc", device="cpu"))


def digest_of(summary):
    assert summary.failed == {}
    with open_cube(summary.output) as cube:
        return digest(cube)


def ending(grid, output, **how):
    """Return with what error a run ends, if any."""
    try:
        compute(grid, output, device="cpu", **how)
    except (InputError, StorageError, OSError) as error:
        return error
    return None


MOMENTS = {
    # (what the listener hears, of which cell) when the disk becomes full; seconds between checkpoints
    "a dense cell": ("started", 0, 3600),
    "a checkpoint of a dense network": ("started", 0, 0),
    "a compressed cell": ("started", 1, 3600),
    "a checkpoint of a compressed network": ("started", 2, 0),
    "the cube": ("finished", 2, 3600),
}


@pytest.mark.parametrize("leave", [0, 24])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_disk_that_becomes_full(moment, leave, grid, whole, disk, recorder):
    kind, i, every = MOMENTS[moment]
    victim = make_plan(grid).cells[i]
    folder = disk(4000)

    def act(heard, cell):
        if heard == kind and cell.key == victim.key:
            fill(folder, leave)

    told = recorder(act)
    error = ending(grid, folder / "cube.nc", checkpoint_every=every, listener=lambda *_: told)
    assert error is None or "No space left on device" in str(error)
    if leave == 0:  # with a little room it may be the next write that fails, or none
        assert type(error) is StorageError
    assert "failed" not in [event[0] for event in told.events]
    assert [path for path in folder.rglob("*") if path.name.endswith(".part")] == []
    assert (folder / "cube.nc").exists() == (error is None)
    (folder / "ballast").unlink()
    n_done = sum(event[0] == "finished" for event in told.events)
    again = compute(grid, folder / "cube.nc", device="cpu")
    assert again.n_reused == n_done >= i
    assert digest_of(again) == whole


def test_a_disk_that_is_too_small_from_the_beginning(grid, whole, disk):
    """Whatever is first without room ends the command with one line; with more room it ends well."""
    folder, ends = disk(4), []
    for kib in (4, 12, 60, 120, 200, 300, 500, 4000):
        subprocess.run(["mount", "-o", f"remount,size={kib}k", folder], check=True)
        ends.append(ending(grid, folder / "cube.nc"))
        assert [path for path in folder.rglob("*") if path.name.endswith(".part")] == []
    assert ends[-1] is None
    assert all("No space left on device" in str(error) and "\n" not in str(error) for error in ends if error)
    assert StorageError in {type(error) for error in ends}
    with open_cube(folder / "cube.nc") as cube:
        assert digest(cube) == whole


def test_a_read_only_run_directory(grid, whole, disk, tmp_path):
    folder = disk(4000)
    summary = compute(grid, folder / "cube.nc", device="cpu")
    run = RunDirectory.existing(summary.run_dir)
    before = everything(folder)
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    with pytest.raises(InputError, match=r"cannot be written: Read-only file system"):
        compute(grid, tmp_path / "cube.nc", run_dir=summary.run_dir, device="cpu")
    for write in WRITES.values():
        with pytest.raises(StorageError, match="Read-only file system; what is finished is kept: make it writable and"):
            write(run)
    assert digest_of(assemble_run(open_run(summary.run_dir), tmp_path / "partial.nc")) == whole
    assert everything(folder) == before


def test_the_command_says_it_in_one_line(disk, tiny_npz, tmp_path):
    folder, grid_file = disk(140), tmp_path / "grid.yaml"
    grid_file.write_text(
        f"name: a\nseeds: 2\nratio: 2\nexperiments: [{{dataset: {tiny_npz()}, arch: lenet, method: [sham, mp]}}]\n"
        "training: {lenet: {train: [2, 0.05], finetune: [1, 0.05], batch_size: 16}}\n"
    )
    root = Path(rdcompute.__file__).parents[1]
    full = subprocess.run(
        [sys.executable, "-m", "rdcli", "compute", "--grid", grid_file, "--output", folder / "cube.nc", "--quiet"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "cli")])},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    (line,) = full.stderr.splitlines()
    assert (full.returncode, full.stdout) == (1, "")
    assert line.startswith(f"rd: run directory {folder}/cube.run cannot be written: No space left on device; ")
    n_done = len(list(folder.glob("cube.run/cells/*/*.cell")))
    subprocess.run(["mount", "-o", "remount,size=4000k", folder], check=True)
    again = compute(load_grid(str(grid_file)), folder / "cube.nc", device="cpu")
    assert (again.n_reused, again.n_done, again.failed) == (n_done, 6, {})
    assert n_done >= 1
