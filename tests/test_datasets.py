"""Which digits a run gets: MNIST, somebody's own in its place, or the bundled ones."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from rnnlab.data import mnist_files
from rnnlab.data.datasets import availability, load, load_test, mismatch
from rnnlab.data.errors import DatasetError
from rnnlab.data.training_set import with_extra_digits
from tests.mnist import Arrays, count_as_mnist, few_digits, write_archive, write_idx_files
from tests.pages import lab


@pytest.fixture
def few() -> Arrays:
    return few_digits()


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: Arrays) -> Path:
    """Name a folder with digits that are not MNIST's."""
    folder = write_idx_files(tmp_path / "mnist", few)
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
    assert (data.name, data.description) == ("mnist", "MNIST, 60,000 digits")
    assert data.train_images.shape == (60_000, 28, 28)
    assert data.train_images.dtype == data.train_labels.dtype == np.uint8
    assert np.bincount(data.test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert data.note == ""
    assert availability() == "MNIST, 60,000 digits"
    assert load_test("mnist").title == "MNIST"
    validation = load("validation")
    assert (validation.name, len(validation.train_images), len(validation.test_images)) == (
        "validation",
        50_000,
        10_000,
    )
    np.testing.assert_array_equal(load_test("validation").images, validation.test_images)


@pytest.mark.usefixtures("own_folder")
def test_digits_that_are_not_mnists_are_called_your_own(few: Arrays) -> None:
    data, validation = load("mnist"), load("validation")
    assert data.name.startswith("own-")
    assert data.description == availability() == "your own digits, 60"
    np.testing.assert_array_equal(data.train_images, few["train_images"])
    assert validation.name == data.name.replace("own-", "own-validation-")
    assert validation.description == "50 of your own training digits, tested on the other 10"
    assert (load_test(data.name).title, load_test(validation.name).title) == (
        "your own digits",
        "your own digits' validation part",
    )
    np.testing.assert_array_equal(load_test(data.name).labels, few["test_labels"])
    np.testing.assert_array_equal(load_test(validation.name).labels, validation.test_labels)


def test_the_digits_of_a_run_are_never_replaced_by_others(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, few: Arrays
) -> None:
    own = load("mnist")
    assert mismatch(own, own.name, own.description) == ""
    with pytest.raises(DatasetError, match="holds your own digits, and this run has learned from MNIST"):
        load_test("mnist")
    assert (
        "trained on MNIST, 60,000 digits, which is not available now: in its place are your own"
        in mismatch(own, "mnist", "MNIST, 60,000 digits")
    )
    others = write_idx_files(tmp_path / "others", few_digits(seed=1))
    monkeypatch.setenv("RNNLAB_MNIST_DIR", str(others))
    with pytest.raises(DatasetError, match="holds other digits than this run has learned from"):
        load_test(own.name)
    assert load(own.name).name != own.name
    assert mismatch(load(own.name), own.name, own.description)
    monkeypatch.setenv("RNNLAB_MNIST_DIR", str(own_folder))
    count_as_mnist(monkeypatch, few)
    with pytest.raises(DatasetError, match="holds other digits than this run has learned from"):
        load_test(own.name)
    assert load_test("mnist").title == "MNIST"


def test_one_changed_pixel_makes_them_your_own(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch, few: Arrays
) -> None:
    count_as_mnist(monkeypatch, few)
    assert (load("mnist").name, availability()) == ("mnist", "MNIST, 60 digits")
    few["train_images"][5, 3, 3] ^= 1
    write_idx_files(own_folder, few)
    assert load("mnist").name.startswith("own-")
    assert availability() == "your own digits, 60"


def test_own_digits_without_their_folder_are_said_to_be_missing(keras_home: Path) -> None:
    with pytest.raises(DatasetError, match="name their folder in RNNLAB_MNIST_DIR"):
        load_test("own-12345678")


def test_the_page_reads_the_files_once_and_again_only_when_they_have_changed(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Path] = []
    read = mnist_files.read

    def counted(source: Path) -> Arrays:
        reads.append(source)
        return read(source)

    monkeypatch.setattr(mnist_files, "read", counted)
    assert [availability() for _ in range(3)] == ["your own digits, 60"] * 3
    assert len(reads) == 1
    write_idx_files(own_folder, few_digits(seed=2, train=50))
    assert availability() == "your own digits, 50"
    assert len(reads) == 2
    (own_folder / "t10k-labels-idx1-ubyte.gz").write_bytes(b"damaged")
    assert all("t10k-labels-idx1-ubyte.gz is damaged" in availability() for _ in range(3))
    assert len(reads) == 3


def test_an_archive_in_the_folder_is_read_if_there_are_no_idx_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: Arrays
) -> None:
    folder = tmp_path / "archive"
    write_archive(folder / "mnist.npz", few)
    monkeypatch.setenv("RNNLAB_MNIST_DIR", str(folder))
    from_archive = load("mnist")
    assert from_archive.description == availability() == "your own digits, 60"
    np.testing.assert_array_equal(from_archive.test_images, few["test_images"])
    write_idx_files(folder, few)
    assert load("mnist").name == from_archive.name  # told by the digits, not by the files that hold them
    count_as_mnist(monkeypatch, few)
    assert load("mnist").name == "mnist"


def test_keras_cache_is_used_where_there_is_one(
    keras_home: Path, monkeypatch: pytest.MonkeyPatch, few: Arrays
) -> None:
    count_as_mnist(monkeypatch, few)
    with pytest.raises(DatasetError, match="MNIST is not on this machine yet"):
        load_test("mnist")
    assert "downloaded once, 11 MB, at the first start" in availability()
    archive = write_archive(keras_home / "datasets" / "mnist.npz", few)
    assert availability() == "MNIST, 60 digits"
    np.testing.assert_array_equal(load("mnist").test_images, few["test_images"])
    np.testing.assert_array_equal(load_test("mnist").images, few["test_images"])
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(DatasetError, match=r"mnist\.npz is damaged"):
        load("mnist")


@pytest.mark.usefixtures("keras_home")
def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "keras").write_text("a file where the folder should be")
    data = load("mnist")
    assert data.name == "digits"
    assert f"{tmp_path / 'keras'} is not a folder" in data.note
    assert "bundled with scikit-learn" in data.note
    assert availability().startswith("bundled digits, 1,797 digits. MNIST cannot be kept in ")


def no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process belong to a user whom the system does not know, without HOME."""
    import pwd

    def unknown(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


def refuse_looks_into(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the system refuse to look into a folder, as it does for users other than its owner (and root)."""
    stat = os.stat

    def refusing(path: object, *arguments: object, **options: object) -> os.stat_result:
        if isinstance(path, (str, os.PathLike)) and folder in Path(path).parents:
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", refusing)


@pytest.mark.usefixtures("keras_home")
def test_without_a_home_folder_the_bundled_digits_are_used_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    no_home(monkeypatch)
    assert availability() == (
        "bundled digits, 1,797 digits. There is no home folder to keep MNIST in; "
        "set KERAS_HOME to a folder that can be written, or RNNLAB_MNIST_DIR to one with MNIST."
    )
    data = load("mnist")
    assert data.name == "digits"
    assert data.note.startswith("There is no home folder to keep MNIST in")
    with pytest.raises(DatasetError, match="There is no home folder"):
        load_test("mnist")


def test_a_home_that_cannot_be_looked_into_means_the_bundled_digits(
    keras_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keras_home.mkdir()
    refuse_looks_into(keras_home, monkeypatch)
    said = f"MNIST cannot be kept in {keras_home / 'datasets'}"
    assert availability().startswith(f"bundled digits, 1,797 digits. {said}")
    data = load("mnist")
    assert (data.name, data.note.startswith(said), "Permission denied" in data.note) == ("digits", True, True)


def test_bundled_digits_have_mnists_form() -> None:
    data = load("digits")
    assert data.train_images.shape == (1437, 28, 28)
    assert data.test_images.shape == (360, 28, 28)
    assert data.train_images.dtype == np.uint8
    assert set(data.test_labels) == set(range(10))
    rows = [np.ptp(np.flatnonzero(image.any(axis=1))) + 1 for image in data.test_images]
    columns = [np.ptp(np.flatnonzero(image.any(axis=0))) + 1 for image in data.test_images]
    assert set(np.maximum(rows, columns).tolist()) <= {19, 20, 21, 22}


def test_the_validation_part_of_the_bundled_digits_is_none_of_their_test_digits_and_never_learned_from() -> (
    None
):
    whole, part = load("digits"), load("digits_validation")
    for field in ("images", "labels"):
        learned, tested = getattr(part, f"train_{field}"), getattr(part, f"test_{field}")
        np.testing.assert_array_equal(np.concatenate([learned, tested]), getattr(whole, f"train_{field}"))
        np.testing.assert_array_equal(getattr(load_test("digits_validation"), field), tested)
    assert part.description == "1,198 of the bundled training digits, tested on the other 239"
    assert (len(part.train_images), len(part.test_images)) == (1198, 239)
    assert len(with_extra_digits(part, "bundled").train_images) == len(part.train_images)


@pytest.mark.parametrize("name", ["digits", "digits_validation"])
@pytest.mark.usefixtures("own_home", "no_workers")
def test_the_page_says_which_bundled_digits_the_next_run_learns_from(name: str) -> None:
    assert f"Data: {load(name).description}" in [caption.value for caption in lab(dataset=name).caption]


def test_the_test_part_of_mnist_needs_its_two_files_only(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch, few: Arrays
) -> None:
    count_as_mnist(monkeypatch, few)
    for path in own_folder.glob("train-*"):
        path.unlink()
    part = load_test("mnist")
    np.testing.assert_array_equal(part.images, few["test_images"])
    np.testing.assert_array_equal(part.labels, few["test_labels"])
    (own_folder / "t10k-images-idx3-ubyte.gz").unlink()
    with pytest.raises(DatasetError, match=r"t10k-images-idx3-ubyte\.gz is missing"):
        load_test("mnist")


def test_the_test_part_of_the_bundled_digits_is_the_one_that_training_tests_with() -> None:
    np.testing.assert_array_equal(load_test("digits").images, load("digits").test_images)
