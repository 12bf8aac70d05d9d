from __future__ import annotations

import gzip
import hashlib
import shutil
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from rnnlab.data import datasets
from rnnlab.data.datasets import MNIST_FILES, DatasetError, load, load_test

SHORT = {
    "train_images": ("train-images-idx3-ubyte", (30, 28, 28)),
    "train_labels": ("train-labels-idx1-ubyte", (30,)),
    "test_images": ("t10k-images-idx3-ubyte", (20, 28, 28)),
    "test_labels": ("t10k-labels-idx1-ubyte", (20,)),
}


@pytest.fixture
def small_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with files in MNIST's format, but with few digits."""
    monkeypatch.setattr(datasets, "MNIST_FILES", SHORT)
    folder = tmp_path / "mnist"
    folder.mkdir()
    for name, (stem, shape) in SHORT.items():
        values = np.arange(np.prod(shape)) % (10 if "labels" in name else 256)
        header = bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape)
        (folder / f"{stem}.gz").write_bytes(gzip.compress(header + values.astype(np.uint8).tobytes()))
    monkeypatch.setenv("RNNLAB_MNIST_DIR", str(folder))
    return folder


@pytest.fixture
def keras_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give Keras an empty cache, and name no folder with MNIST."""
    monkeypatch.delenv("RNNLAB_MNIST_DIR", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras"


@pytest.mark.usefixtures("mnist_folder")
def test_mnist_is_whole_and_small_in_memory() -> None:
    data = load("mnist")
    assert data.train_images.shape == (60_000, 28, 28)
    assert data.train_images.dtype == data.train_labels.dtype == np.uint8
    assert np.bincount(data.test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert data.note == ""


def test_files_that_are_not_packed_are_read_too(small_mnist: Path) -> None:
    packed = load("mnist")
    for path in small_mnist.glob("*.gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    np.testing.assert_array_equal(load("mnist").train_images, packed.train_images)


@pytest.mark.parametrize("name", list(MNIST_FILES))
def test_a_missing_file_is_named(small_mnist: Path, name: str) -> None:
    path = small_mnist / f"{MNIST_FILES[name][0]}.gz"
    path.unlink()
    with pytest.raises(DatasetError, match=f"{path.name} is missing"):
        load("mnist")


@pytest.mark.parametrize("name", list(MNIST_FILES))
@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "swapped", "short"])
def test_a_damaged_file_is_named_and_nothing_of_it_is_used(small_mnist: Path, name: str, damage: str) -> None:
    path = small_mnist / f"{MNIST_FILES[name][0]}.gz"
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "flipped":
        path.write_bytes(content[:-20] + bytes(byte ^ 255 for byte in content[-20:]))
    elif damage == "swapped":
        other = "test_labels" if name != "test_labels" else "train_labels"
        shutil.copy(small_mnist / f"{MNIST_FILES[other][0]}.gz", path)
    else:
        path.write_bytes(gzip.compress(gzip.decompress(content)[:-1]))
    with pytest.raises(DatasetError) as caught:
        load("mnist")
    assert path.name in str(caught.value)
    assert "delete the file" in str(caught.value)


def test_labels_beyond_nine_are_refused(small_mnist: Path) -> None:
    path = small_mnist / "t10k-labels-idx1-ubyte.gz"
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[-1] = 10
    path.write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(DatasetError, match="test labels"):
        load("mnist")


def test_keras_cache_is_used_where_there_is_one(small_mnist: Path, keras_home: Path) -> None:
    from_folder = datasets._read_folder(small_mnist)
    archive = keras_home / "datasets" / "mnist.npz"
    archive.parent.mkdir(parents=True)
    np.savez(
        archive,
        x_train=from_folder["train_images"],
        y_train=from_folder["train_labels"],
        x_test=from_folder["test_images"],
        y_test=from_folder["test_labels"],
    )
    np.testing.assert_array_equal(load("mnist").test_images, from_folder["test_images"])
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(DatasetError, match=r"mnist\.npz is damaged"):
        load("mnist")


def test_without_internet_the_bundled_digits_are_used_and_it_is_said(
    keras_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    said: list[str] = []
    data = load("mnist", said.append)
    assert said[-1].startswith("Downloading MNIST")
    assert "attempt 3 of 3" in said[-1]
    assert data.description == "bundled digits, 1,797 digits"
    assert "MNIST could not be downloaded" in data.note
    assert "bundled with scikit-learn" in data.note
    assert not list(keras_home.glob("datasets/*"))


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes | None]]:
    """Serve MNIST from here: each request gets the next of these answers; `None` breaks the connection."""
    answers: list[bytes | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = answers.pop(0) if answers else None
            if content is None:
                self.close_connection = True
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        monkeypatch.setattr(datasets, "_ARCHIVE_FOLDER", f"http://127.0.0.1:{server.server_port}/")
        yield answers
        server.shutdown()


def test_a_download_that_breaks_off_is_tried_again_and_then_kept(
    keras_home: Path, monkeypatch: pytest.MonkeyPatch, served: list[bytes | None]
) -> None:
    whole = b"all of MNIST"
    monkeypatch.setattr(datasets, "_ARCHIVE_SHA256", hashlib.sha256(whole).hexdigest())
    served.extend([None, whole[:5], whole])
    said: list[str] = []
    cache = datasets.keras_cache()
    datasets._download(cache, said.append)
    assert cache.read_bytes() == whole
    assert [path.name for path in cache.parent.iterdir()] == [cache.name]
    assert said[-1].endswith("(attempt 3 of 3)")
    assert cache.stat().st_mode & 0o777 == 0o644  # for all who use this machine


def test_a_download_that_is_not_mnist_is_thrown_away_and_prints_nothing(
    keras_home: Path, served: list[bytes | None], capsys: pytest.CaptureFixture[str]
) -> None:
    served.extend([b"half a file"] * 3)
    assert "arrived damaged" in load("mnist").note
    assert not list(keras_home.glob("datasets/*"))
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("keras_home")
def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "keras").write_text("a file where the folder should be")
    data = load("mnist")
    assert data.name == "digits"
    assert str(tmp_path / "keras" / "datasets") in data.note


def test_bundled_digits_have_mnists_form() -> None:
    data = load("digits")
    assert data.train_images.shape == (1437, 28, 28)
    assert data.test_images.shape == (360, 28, 28)
    assert data.train_images.dtype == np.uint8
    assert set(data.test_labels) == set(range(10))
    rows = [np.ptp(np.flatnonzero(image.any(axis=1))) + 1 for image in data.test_images]
    columns = [np.ptp(np.flatnonzero(image.any(axis=0))) + 1 for image in data.test_images]
    assert set(np.maximum(rows, columns).tolist()) <= {19, 20, 21, 22}


def test_bundled_digits_are_those_of_scikit_learns_own_reader() -> None:
    from sklearn.datasets import load_digits

    table = datasets._read_bundle()
    np.testing.assert_array_equal(table[:, :-1], load_digits().data)
    np.testing.assert_array_equal(table[:, -1], load_digits().target)


def test_the_test_part_of_mnist_needs_its_two_files_only(small_mnist: Path) -> None:
    whole = load("mnist")
    for path in small_mnist.glob("train-*"):
        path.unlink()
    part = load_test("mnist")
    np.testing.assert_array_equal(part.images, whole.test_images)
    np.testing.assert_array_equal(part.labels, whole.test_labels)
    (small_mnist / "t10k-images-idx3-ubyte.gz").unlink()
    with pytest.raises(DatasetError, match=r"t10k-images-idx3-ubyte\.gz is missing"):
        load_test("mnist")


def test_the_test_part_of_mnist_is_read_from_keras_cache_but_never_downloaded(
    small_mnist: Path, keras_home: Path
) -> None:
    with pytest.raises(DatasetError, match="MNIST is not on this machine yet"):
        load_test("mnist")
    arrays = datasets._read_folder(small_mnist, ["test_images", "test_labels"])
    archive = keras_home / "datasets" / "mnist.npz"
    archive.parent.mkdir(parents=True)
    np.savez(archive, x_test=arrays["test_images"], y_test=arrays["test_labels"])
    np.testing.assert_array_equal(load_test("mnist").images, arrays["test_images"])


def test_the_test_part_of_the_bundled_digits_is_the_one_that_training_tests_with() -> None:
    np.testing.assert_array_equal(load_test("digits").images, load("digits").test_images)
