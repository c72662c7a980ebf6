"""A write that fails, is killed, or cannot start harms nothing."""

import os
import signal
import stat
import subprocess
import sys

import numpy as np
import pytest

from rdstats.cube import CubeWriter, build, save
from rdstats.errors import InputError

COORDS = {"seed": [0, 1], "true_class": [0, 1], "predicted_class": [0, 1]}
DIMS = {"confusion": ("seed", "true_class", "predicted_class")}
OLD = b"an older file"


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "cube.nc"
    path.write_bytes(OLD)
    return path


def unharmed(target):
    return target.read_bytes() == OLD and list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_exception_in_the_middle(target, error):
    def interrupted():
        with CubeWriter(target, COORDS, dims=DIMS) as writer:
            writer.put({"seed": 0}, confusion=np.ones((2, 2)))
            raise error

    with pytest.raises(error):
        interrupted()
    assert unharmed(target)


@pytest.mark.parametrize("place", ["append_checksum", "replace_file"])
def test_a_failure_while_closing(target, monkeypatch, place):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(f"rdstats.cube.write.{place}", fail)
    with pytest.raises(InputError, match=r"cannot write .*: disk full; what was there before is untouched"):
        save(build([[1, 2], [3, 4]], [[1, 2], [3, 4]]), target)
    assert unharmed(target)


@pytest.mark.parametrize(
    "coords",
    [{"true_class": [0, 1]}, {**COORDS, "seed": [1, 1]}, {"seed": [0]}],
    ids=["no predicted_class", "repeated label", "no classes"],
)
def test_a_cube_that_cannot_begin(target, coords):
    with pytest.raises(InputError, match=r"repeated|is missing"):
        CubeWriter(target, coords)
    assert unharmed(target)


def test_a_failure_of_the_library_at_the_start(target, monkeypatch):
    monkeypatch.setattr("netCDF4.Dataset", lambda *_, **__: (_ for _ in ()).throw(OSError("no space")))
    with pytest.raises(InputError, match=r"cannot write .*: no space; what was there before is untouched"):
        CubeWriter(target, COORDS)
    assert unharmed(target)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_killed_process(target):
    script = (
        "import sys, os, signal, numpy as np\n"
        "from rdstats.cube import CubeWriter\n"
        f"with CubeWriter(sys.argv[1], {COORDS!r}, dims={DIMS!r}) as writer:\n"
        "    writer.put({'seed': 0}, confusion=np.ones((2, 2)))\n"
        "    writer._file.sync()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(target)], capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert target.read_bytes() == OLD
    save(build([[1, 2], [3, 4]], [[1, 2], [3, 4]]), target)
    assert target.read_bytes()[:4] == b"\x89HDF"


def test_the_target_is_a_folder(tmp_path):
    with pytest.raises(InputError, match="it is a folder; give the name of a file"):
        save(build([[1, 2], [3, 4]], [[1, 2], [3, 4]]), tmp_path)


def test_no_such_folder(tmp_path):
    with pytest.raises(InputError, match=r"folder .*nowhere does not exist"):
        save(build([[1, 2], [3, 4]], [[1, 2], [3, 4]]), tmp_path / "nowhere" / "a.nc")


def test_an_unwritable_folder(tmp_path, monkeypatch):
    """Permissions do not bind every user, so the refusal of the system is imitated where they do not."""
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    if os.access(folder, os.W_OK):

        def refuse(*_, **__):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("rdstats.files.create_temporary", refuse)
    try:
        with pytest.raises(InputError, match=r"cannot write .*a\.nc: Permission denied \(folder .*locked\)"):
            save(build([[1, 2], [3, 4]], [[1, 2], [3, 4]]), folder / "a.nc")
    finally:
        folder.chmod(stat.S_IRWXU)
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="permission bits")
def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path):
    save(build([[1, 2], [3, 4]], [[1, 2], [3, 4]]), tmp_path / "a.nc")
    (tmp_path / "plain").touch()
    assert (tmp_path / "a.nc").stat().st_mode == (tmp_path / "plain").stat().st_mode
