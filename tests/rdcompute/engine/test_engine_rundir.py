"""The run directory: written whole or not at all, checked when read, never mixed with another grid's."""

import hashlib
import io
import json
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from rdcompute import cellfile, rundir
from rdcompute.rundir import CellResult, RunDirectory
from rdstats.differences import describe_differences
from rdstats.errors import InputError
from rdstats.files import write_atomically

GRID = {"name": "a", "seeds": [0, 1], "training": {"lenet": {"momentum": 0.9}}}
DATA = {"digits": "abc"}
DATA_FOLDER = Path(__file__).parents[2] / "data"
KEY, OTHER = "ab" * 16, "cd" * 16
RESULT = CellResult(
    {"val_loss": 0.1, "kept_epoch": 2, "kept_weights": {"fc1": 3}},
    {
        "confusion": np.arange(4, dtype=np.int32).reshape(2, 2),
        "state/bn.n": np.array(3),
        "w": np.ones((2, 3), np.float32),
    },
)


@pytest.fixture
def run(tmp_path):
    run = RunDirectory.open(tmp_path / "r", GRID, DATA)
    run.save(KEY, RESULT, {"seed": 0})
    return run


def assert_same(found, expected):
    assert found.meta == expected.meta
    assert found.arrays.keys() == expected.arrays.keys()
    for name, array in expected.arrays.items():
        assert found.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(found.arrays[name], array)


def test_a_saved_cell_comes_back(run):
    assert run.has(KEY)
    assert_same(run.load(KEY), RESULT)
    again = RunDirectory.open(run.path, GRID, DATA)
    assert again.has(KEY)
    assert_same(again.load(KEY), RESULT)
    readable = json.loads((run.path / "cells" / "ab" / f"{KEY}.json").read_text())
    assert readable == {"cell": {"seed": 0}, "result": RESULT.meta}


def test_a_cell_that_is_not_there(run):
    assert not run.has(OTHER)
    assert run.load(OTHER) is None


def truncate(path):
    path.write_bytes(path.read_bytes()[:-7])


def empty(path):
    path.write_bytes(b"")


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def flip_in_the_header(path):
    data = bytearray(path.read_bytes())
    data[12] ^= 1
    path.write_bytes(bytes(data))


def append(path):
    path.write_bytes(path.read_bytes() + b"x")


@pytest.mark.parametrize("damage", [truncate, empty, flip_a_bit, flip_in_the_header, append])
@pytest.mark.parametrize("asked_by", ["has", "load"])
def test_a_damaged_cell_is_set_aside_and_missing(run, damage, asked_by):
    damage(run.cell_path(KEY))
    fresh = RunDirectory.open(run.path, GRID, DATA)
    with pytest.warns(UserWarning, match=rf"{KEY}\.cell was damaged; set aside as {KEY}\.damaged"):
        found = getattr(fresh, asked_by)(KEY)
    assert not found
    assert not fresh.cell_path(KEY).exists()
    assert fresh.cell_path(KEY).with_suffix(".damaged").exists()
    assert not fresh.has(KEY)
    assert fresh.load(KEY) is None
    fresh.save(KEY, RESULT, {})
    assert fresh.has(KEY)
    assert_same(fresh.load(KEY), RESULT)


def test_files_that_changed_places_are_damaged(run):
    run.save(OTHER, CellResult({"val_loss": 9.0}, {}), {})
    shutil.copyfile(run.cell_path(OTHER), run.cell_path(KEY))
    with pytest.warns(UserWarning, match="was damaged"):
        assert run.load(KEY) is None
    assert run.load(OTHER).meta == {"val_loss": 9.0}


@pytest.fixture
def checked(monkeypatch):
    """The keys whose checksums were taken."""
    keys, real = [], cellfile.is_whole
    monkeypatch.setattr(cellfile, "is_whole", lambda file, key: keys.append(key) or real(file, key))
    return keys


def test_a_checksum_is_taken_once_and_again_when_the_file_is_another_one(run, checked):
    for _ in range(3):
        assert run.has(KEY)
        assert_same(run.load(KEY), RESULT)
    assert checked == [KEY]
    run.save(KEY, CellResult({"val_loss": 3.0}, {}), {})
    assert run.load(KEY).meta == {"val_loss": 3.0}
    assert checked == [KEY] * 2
    damaged = bytearray(run.cell_path(KEY).read_bytes())
    damaged[-30] ^= 1
    run.cell_path(KEY).write_bytes(damaged)
    os.utime(run.cell_path(KEY), (1, 1))  # clocks of file systems are coarse
    with pytest.warns(UserWarning, match="was damaged"):
        assert not run.has(KEY)


def test_damage_after_the_checksum_was_taken_is_found_in_what_is_read(run):
    """A disk that gives back other bytes than before changes neither length nor time of the file."""
    path = run.cell_path(KEY)
    assert run.has(KEY)
    before = path.stat()
    data = bytearray(path.read_bytes())
    at = data.index(np.ones((2, 3), np.float32).tobytes())
    data[at] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert run.load(KEY, ("confusion",)).arrays.keys() == {"confusion"}
    with pytest.warns(UserWarning, match="was damaged; set aside"):
        assert run.load(KEY) is None
    assert not run.has(KEY)


def test_only_what_is_wanted_is_decoded(run, monkeypatch):
    found = run.load(KEY, ("confusion", "prediction"))
    assert found.meta == RESULT.meta
    assert found.arrays.keys() == {"confusion"}
    read = []
    real = zipfile.ZipFile.read
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda file, name: read.append(name) or real(file, name))
    run.load(KEY, ("confusion",))
    assert sorted(read) == ["_meta.npy", "confusion.npy"]
    assert run.load(KEY, ()).arrays == {}


def test_weights_are_stored_as_they_are_and_the_rest_deflated(run):
    header, payload = run.cell_path(KEY).read_bytes().split(b"\n", 1)
    assert header.startswith(b"rd cell 1 ")
    assert np.ones((2, 3), np.float32).tobytes() in payload
    with np.load(io.BytesIO(payload), allow_pickle=False) as file:
        assert {*file.files} == {"_meta", *RESULT.arrays}
        for name, array in RESULT.arrays.items():
            np.testing.assert_array_equal(file[name], array)
    kinds = {member.filename: member.compress_type for member in zipfile.ZipFile(io.BytesIO(payload)).infolist()}
    assert kinds == {
        "_meta.npy": zipfile.ZIP_DEFLATED, "confusion.npy": zipfile.ZIP_DEFLATED,
        "state/bn.n.npy": zipfile.ZIP_DEFLATED, "w.npy": zipfile.ZIP_STORED,
    }  # fmt: skip


def test_arrays_in_any_order_of_memory_come_back(run):
    whole = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
    arrays = {"c": whole, "last": whole.transpose(0, 3, 1, 2), "f": np.asfortranarray(whole[0, 0]), "none": whole[:0]}
    run.save(OTHER, CellResult({}, arrays), {})
    found = run.load(OTHER)
    assert_same(found, CellResult({}, arrays))
    assert all(array.flags.writeable and array.flags.c_contiguous for array in found.arrays.values())


def test_a_cell_written_by_the_first_version_is_read(run):
    """Everything deflated, arrays in the order that they had in memory (np.savez_compressed, numpy 2.4)."""
    key = "ef" * 16
    run.cell_path(key).parent.mkdir()
    shutil.copyfile(DATA_FOLDER / "cell_2026.cell", run.cell_path(key))
    last = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4).transpose(0, 3, 1, 2)
    expected = {
        "confusion": np.arange(4, dtype=np.int32).reshape(2, 2), "prediction": np.array([0, 1, 1], np.uint32),
        "state/n": np.array(3), "state/w": np.arange(6, dtype=np.float32).reshape(2, 3), "state/c": last,
    }  # fmt: skip
    assert run.has(key)
    assert_same(run.load(key), CellResult({"val_loss": 0.25, "kept_epoch": 2, "dense_id": "d"}, expected))


def test_python_objects_are_not_read(run):
    buffer = io.BytesIO()
    np.savez(buffer, _meta=np.frombuffer(b"{}", np.uint8), x=np.array([{}], object))
    payload = buffer.getvalue()
    digest = hashlib.sha256(OTHER.encode() + payload).hexdigest().encode()
    run.cell_path(OTHER).parent.mkdir()
    run.cell_path(OTHER).write_bytes(b"rd cell 1 " + digest + b"\n" + payload)
    with pytest.warns(UserWarning, match="was damaged"):
        assert run.load(OTHER) is None


def test_a_file_removed_behind_our_back_is_missing(run):
    assert run.has(KEY)
    run.cell_path(KEY).unlink()
    assert not run.has(KEY)


def test_writing_is_whole_or_not_at_all(tmp_path, monkeypatch):
    target = tmp_path / "file"
    write_atomically(target, b"first")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(target, b"second")
    assert target.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [target]


def test_nothing_has_the_final_name_before_it_is_flushed(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: seen.append([p.name for p in tmp_path.iterdir()]))
    write_atomically(tmp_path / "file", b"x")
    (temporary,) = seen[0]
    assert temporary.startswith(".file-")
    assert temporary.endswith(".part")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_leftovers_of_an_interruption_are_harmless(run):
    (run.cell_path(KEY).parent / f".{KEY}.cell-12345678.part").write_bytes(b"half")
    (run.path / ".run.json-12345678.part").write_bytes(b"half")
    again = RunDirectory.open(run.path, GRID, DATA)
    assert_same(again.load(KEY), RESULT)


def test_an_interruption_of_the_very_first_write_is_harmless(tmp_path, monkeypatch):
    folder = tmp_path / "r"

    def killed(source, target):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(rundir.os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            RunDirectory.open(folder, GRID, DATA)
    (folder / ".run.json-12345678.part").write_bytes(b"half")
    assert RunDirectory.open(folder, GRID, DATA).manifest["grid"] == GRID


def test_a_checkpoint_left_beside_its_finished_cell_is_swept(run):
    for key in (KEY, OTHER):
        run.save_checkpoint(key, RESULT)
    with run.writing():
        assert not run.checkpoint_path(KEY).exists()
        assert run.checkpoint_path(OTHER).exists()


def test_an_empty_folder_is_taken(tmp_path):
    assert RunDirectory.open(tmp_path, GRID, DATA)
    assert RunDirectory.open(tmp_path / "a" / "b", GRID, DATA)


def test_another_grid_is_refused_with_what_differs(run):
    other = {**GRID, "seeds": [0, 1, 2], "training": {"lenet": {"momentum": 0.5}}}
    before = (run.path / "run.json").read_bytes()
    with pytest.raises(InputError) as caught:
        RunDirectory.open(run.path, other, DATA)
    message = str(caught.value)
    assert "belongs to a different grid" in message
    assert "grid.seeds: there [0, 1], here [0, 1, 2]" in message
    assert "grid.training.lenet.momentum: there 0.9, here 0.5" in message
    assert "\n" not in message
    assert (run.path / "run.json").read_bytes() == before


def test_other_data_under_the_same_name_are_refused(run):
    with pytest.raises(InputError, match=r'datasets\.digits: there "abc", here "xyz"'):
        RunDirectory.open(run.path, GRID, {"digits": "xyz"})


def test_a_folder_with_other_content_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match=r"holds other files and no run\.json"):
        RunDirectory.open(tmp_path, GRID, DATA)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_what_is_no_folder_or_cannot_be_written_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(InputError, match="is a file; give the name of a folder"):
        RunDirectory.open(file, GRID, DATA)
    with pytest.raises(InputError, match="cannot be written: Not a directory"):
        RunDirectory.open(file / "run", GRID, DATA)

    def denied(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(rundir, "write_manifest", denied)
    with pytest.raises(InputError, match="cannot be written: Permission denied"):
        RunDirectory.open(tmp_path / "run", GRID, DATA)


@pytest.mark.parametrize(
    "damage",
    [lambda _: "[]", lambda _: "{", lambda _: "\0", lambda _: "", lambda _: json.dumps({"grid": GRID}),
     lambda text: text.replace("digits", "fashion"), lambda text: text[:-2]],
)  # fmt: skip
def test_a_damaged_description_is_written_anew_and_costs_no_cell(run, damage):
    path = run.path / "run.json"
    text = path.read_text()
    path.write_text(damage(text))
    with pytest.raises(InputError, match="damaged; rd compute with its grid file mends it"):
        RunDirectory.existing(run.path)
    with pytest.warns(UserWarning, match=r"run\.json was damaged; set aside as run\.json\.damaged and written anew"):
        again = RunDirectory.open(run.path, GRID, DATA)
    assert path.read_text() == text
    assert again.has(KEY)
    with again.writing():
        pass


def test_the_story_of_a_cell_alone(run):
    assert run.load(KEY, only=()) == CellResult(run.load(KEY).meta, {})


def test_the_story_of_a_cell_alone_is_read_without_the_table_of_the_archive(run, monkeypatch):
    whole = run.load(KEY).meta
    monkeypatch.setattr(cellfile, "unpack", None)
    assert run.load(KEY, only=()).meta == whole


@pytest.mark.parametrize("damage", ["checksum", "content", "cut"])
def test_a_damaged_story_is_told_apart(damage):
    content = bytearray(cellfile.pack(KEY, CellResult({"a": [1.5, "text"]}, {"x": np.arange(3.0)})))
    at = content.index(b"PK\x03\x04") + {"checksum": 14, "content": 50, "cut": 0}[damage]
    content[at] ^= 1
    with pytest.raises(cellfile.UNREADABLE):
        cellfile.unpack_meta(io.BytesIO(content[:60] if damage == "cut" else content))


def test_the_story_in_a_file_whose_archive_begins_with_something_else():
    buffer = io.BytesIO()
    buffer.write(cellfile._header("0" * 64))
    meta = np.frombuffer(b'{"a": 1}', np.uint8)
    with zipfile.ZipFile(buffer, "a") as archive:
        for name, array in {"x": np.arange(3.0), "_meta": meta}.items():
            member = io.BytesIO()
            np.save(member, array)
            archive.writestr(f"{name}.npy", member.getvalue())
    assert cellfile.unpack_meta(buffer) == {"a": 1}


def test_another_schema_is_refused(run):
    (run.path / "run.json").write_text(json.dumps({"run_schema": 2, "grid": GRID, "datasets": DATA}))
    with pytest.raises(InputError, match="run schema 2, this one writes 1"):
        RunDirectory.open(run.path, GRID, DATA)


def test_a_failure_is_recorded_until_the_cell_is_done(run):
    run.save_failure(OTHER, {"seed": 1}, "ValueError: no", "Traceback\n  line\n")
    record = json.loads(run.failure_path(OTHER).read_text())
    assert record == {"cell": {"seed": 1}, "error": "ValueError: no", "traceback": ["Traceback", "  line"]}
    assert not run.has(OTHER)
    run.save(OTHER, RESULT, {})
    assert not run.failure_path(OTHER).exists()


def test_differences_in_words():
    found = {"a": 1, "b": {"c": [1, 2]}, "e": [{"x": 1}, {"x": 2}]}
    wanted = {"a": 1, "b": {"c": [1, 3]}, "d": "new", "e": [{"x": 1}, {"x": 3}]}
    assert describe_differences(found, wanted) == [
        "b.c: there [1, 2], here [1, 3]",
        "e.1.x: there 2, here 3",
        'd: there null, here "new"',
    ]
    assert describe_differences(found, found) == []
    many = describe_differences({}, {str(i): i for i in range(9)}, limit=6)
    assert len(many) == 7
    assert many[-1] == "and 3 more"
    assert describe_differences({"a": "x" * 200}, {"a": 1}) == [f'a: there "{"x" * 156}..., here 1']
    long = list(range(100))
    assert describe_differences({"s": long}, {"s": [*long[1:], 200]}) == ["s: only here [200], only there [0]"]
    block, other = {"method": ["mp"]}, {"method": ["up"]}
    assert describe_differences([block], [block, other], "e") == ['e: {"method": ["up"]} is new here']
    assert describe_differences([block, other], [block], "e") == ['e: {"method": ["up"]} is only there']
