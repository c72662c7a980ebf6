"""Downloads through torchvision's own code from a server on this machine, with the checksums it is told to expect."""

import hashlib
import pickle
import tarfile
import threading
import urllib.error
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from typer.testing import CliRunner

from rdcli.app import app
from rdcompute.datasets import DATASETS, DatasetSpec, download, load, locate
from rdstats.errors import InputError

torchvision_datasets = pytest.importorskip("torchvision.datasets")


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path):
    """A folder, and the address under which a server has its files."""
    folder = tmp_path / "server"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{http.server_port}/"
        http.shutdown()
        thread.join()


@pytest.fixture
def mnist_server(server, small_idx, write_idx, monkeypatch):
    """The folder of what torchvision takes for the server of MNIST."""
    folder, url = server
    write_idx(folder, small_idx, small_idx)
    resources = [(f"{name}.gz", md5(folder / f"{name}.gz")) for name in small_idx]
    monkeypatch.setattr(torchvision_datasets.MNIST, "resources", resources)
    monkeypatch.setattr(torchvision_datasets.MNIST, "mirrors", [url])
    return folder


def test_mnist_is_downloaded_and_read(tmp_path, small_idx, mnist_server):
    data_dir = tmp_path / "new" / "data"
    assert download("mnist", data_dir) == data_dir / "MNIST" / "raw" == locate("mnist", data_dir)
    np.testing.assert_array_equal(load("mnist", data_dir).test_images[..., 0], small_idx["t10k-images-idx3-ubyte"])
    for path in mnist_server.iterdir():  # what is there is not downloaded again
        path.unlink()
    assert download("mnist", data_dir) == data_dir / "MNIST" / "raw"


def test_a_download_that_was_broken_off_is_begun_anew(tmp_path, small_idx, mnist_server):
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    name = "train-images-idx3-ubyte.gz"
    (raw / name).write_bytes((mnist_server / name).read_bytes()[:100])
    download("mnist", tmp_path / "data")
    np.testing.assert_array_equal(
        load("mnist", tmp_path / "data").train_images[..., 0], small_idx["train-images-idx3-ubyte"]
    )


def test_other_files_under_the_same_name_are_refused(tmp_path, mnist_server, small_idx, write_idx):
    (mnist_server / "t10k-labels-idx1-ubyte.gz").write_bytes(b"another file")
    with pytest.raises(InputError) as caught:
        download("mnist", tmp_path / "data")
    message = str(caught.value)
    assert message.startswith(f"dataset 'mnist': not downloaded into {tmp_path / 'data'}: File not found or corrupted")
    assert "without a network, put there: MNIST/raw/" in message
    assert "\n" not in message
    write_idx(mnist_server, small_idx, small_idx)  # the right ones: what is there of the others is no hindrance
    assert download("mnist", tmp_path / "data") == locate("mnist", tmp_path / "data")


def test_a_file_that_was_damaged_after_it_was_unpacked_is_named(tmp_path, mnist_server):
    raw = download("mnist", tmp_path / "data")
    images = raw / "train-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:-1])
    with pytest.raises(InputError, match="train-images-idx3-ubyte"):
        download("mnist", tmp_path / "data")


def test_cifar_is_unpacked(tmp_path, server, monkeypatch):
    cifar = torchvision_datasets.CIFAR10
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    names = [name for name, _ in (*cifar.train_list, *cifar.test_list)]
    for name in names:
        rows = np.zeros((10, 3072), np.uint8)
        (folder / name).write_bytes(pickle.dumps({"data": rows, "labels": list(range(10))}, protocol=2))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": [f"c{i}" for i in range(10)]}, protocol=2))
    archive = server[0] / cifar.filename
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, folder.name)
    monkeypatch.setattr(cifar, "url", server[1] + archive.name)
    monkeypatch.setattr(cifar, "tgz_md5", md5(archive))
    monkeypatch.setattr(cifar, "train_list", [[name, md5(folder / name)] for name in names[:-1]])
    monkeypatch.setattr(cifar, "test_list", [[names[-1], md5(folder / names[-1])]])
    monkeypatch.setattr(cifar, "meta", {**cifar.meta, "md5": md5(folder / "batches.meta")})
    data_dir = tmp_path / "data"
    assert download("cifar10", data_dir) == data_dir / folder.name
    assert load("cifar10", data_dir).train_images.shape == (50, 32, 32, 3)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10", "cifar100"])
def test_without_a_network_one_line_says_what_to_put_where(tmp_path, monkeypatch, name):
    def unreachable(*args, **kwargs):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    result = CliRunner().invoke(app, ["datasets", "--download", name, "--data-dir", str(tmp_path)])
    message = result.stderr.strip().splitlines()[-1]
    assert result.exit_code == 2
    assert message.startswith(f"rd: dataset '{name}': not downloaded into {tmp_path}: <urlopen error no network>")
    assert "without a network, put there: " in message
    assert result.stdout == ""


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(InputError, match=r"not downloaded into .*data: File exists"):
        download("mnist", tmp_path / "data")


def test_what_cannot_be_downloaded(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"dataset 'mine.npz' cannot be downloaded; how to get it"):
        download("mine.npz", tmp_path)
    own = DatasetSpec("own", lambda data_dir: None, 2, (1, 8, 8), "", "ask", locate=lambda data_dir: None)
    monkeypatch.setitem(DATASETS._own, "own", own)
    with pytest.raises(InputError, match="dataset 'own' cannot be downloaded; how to get it: ask"):
        download("own", tmp_path)


def test_the_command_says_where_it_is(tmp_path, mnist_server):
    wrong = CliRunner().invoke(app, ["datasets", "--download", "mnist", "--download", "mnits"])
    assert wrong.exit_code == 2
    assert "did you mean 'mnist'" in wrong.stderr
    result = CliRunner().invoke(app, ["datasets", "--download", "mnist", "--data-dir", str(tmp_path / "data")])
    assert (result.exit_code, result.stdout) == (0, f"mnist: {tmp_path / 'data' / 'MNIST' / 'raw'}\n")
    assert CliRunner().invoke(app, ["datasets", "--download", "digits"]).stdout.startswith("digits: ")
