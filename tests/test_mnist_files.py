"""Files in MNIST's form: which names they may have, and what is said of those that are not right."""

from __future__ import annotations

import gzip
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from rnnlab.data import mnist_files
from rnnlab.data.errors import DatasetError
from rnnlab.data.mnist_files import PARTS, TEST_PARTS, Contents, contents_of, examine, locate, read
from tests.mnist import NAMES, Arrays, as_idx, few_digits, write_archive, write_idx_files


@pytest.fixture
def few() -> Arrays:
    return few_digits()


@pytest.fixture
def folder(tmp_path: Path, few: Arrays) -> Path:
    return write_idx_files(tmp_path / "mnist", few)


@pytest.mark.parametrize("dotted", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_names_may_have_a_hyphen_or_a_dot_and_files_may_be_packed(
    tmp_path: Path, few: Arrays, dotted: bool, packed: bool
) -> None:
    folder = write_idx_files(tmp_path / "files", few, dotted=dotted, packed=packed)
    for part, array in read(folder).items():
        np.testing.assert_array_equal(array, few[part])


def test_a_folder_with_the_name_of_a_file_is_passed_over(tmp_path: Path, few: Arrays) -> None:
    folder = write_idx_files(tmp_path / "unpacked", few, dotted=True, packed=False)
    for name in NAMES.values():  # as a zip of MNIST that many people have unpacks
        (folder / name).mkdir()
        (folder / name / name).write_bytes((folder / name.replace("-idx", ".idx")).read_bytes())
    assert contents_of(folder, read(folder)) == contents_of(folder, few)


def test_an_archive_may_be_named_itself(tmp_path: Path, few: Arrays) -> None:
    archive = write_archive(tmp_path / "digits.npz", few)
    assert locate(archive) == archive
    assert examine(archive) == contents_of(archive, few)


def test_published_checksums_are_those_of_mnist_and_of_a_copy_without_the_faintest_grey(
    mnist_folder: Path,
) -> None:
    arrays = read(locate(mnist_folder))
    assert contents_of(mnist_folder, arrays).fingerprint == ""
    changed = {**arrays, "test_labels": arrays["test_labels"][::-1]}
    assert contents_of(mnist_folder, changed).fingerprint


def test_the_published_archive_is_known_without_being_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "mnist.npz"
    archive.write_bytes(b"as published")
    monkeypatch.setattr(mnist_files, "ARCHIVE_SHA256", hashlib.sha256(b"as published").hexdigest())
    assert examine(archive) == Contents("", 60_000)


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_file_is_named(folder: Path, part: str) -> None:
    path = folder / f"{NAMES[part]}.gz"
    path.unlink()
    with pytest.raises(DatasetError, match=f"{path.name} is missing"):
        read(folder)


def test_a_folder_that_is_none_is_said_to_miss_its_files(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    for path in (tmp_path / "nowhere", tmp_path / "file" / "below"):
        with pytest.raises(DatasetError, match=r"train-images-idx3-ubyte\.gz is missing"):
            read(locate(path))


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "swapped", "short"])
def test_a_damaged_file_is_named_and_nothing_of_it_is_used(folder: Path, part: str, damage: str) -> None:
    path = folder / f"{NAMES[part]}.gz"
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "flipped":
        path.write_bytes(content[:-20] + bytes(byte ^ 255 for byte in content[-20:]))
    elif damage == "swapped":
        other = "test_labels" if part != "test_labels" else "train_labels"
        shutil.copy(folder / f"{NAMES[other]}.gz", path)
    else:
        path.write_bytes(gzip.compress(gzip.decompress(content)[:-1]))
    with pytest.raises(DatasetError) as caught:
        read(folder)
    assert path.name in str(caught.value)
    assert "delete the file" in str(caught.value)


@pytest.mark.parametrize(
    ("part", "array", "said"),
    [
        ("test_labels", np.full(20, 10, np.uint8), "test labels up to 10, and digits go from 0 to 9"),
        ("test_images", np.zeros((20, 32, 32), np.uint8), "test images of 32 x 32 pixels instead of 28 x 28"),
        ("train_images", np.zeros((9, 28, 28), np.uint8), "9 train images, and at least 10 are needed"),
        ("train_labels", np.zeros(59, np.uint8), "59 labels for 60 images"),
    ],
)
def test_what_is_wrong_with_digits_of_another_form_is_said(
    tmp_path: Path, few: Arrays, part: str, array: np.ndarray, said: str
) -> None:
    changed = {**few, part: array}
    for source in (write_idx_files(tmp_path / "idx", changed), write_archive(tmp_path / "all.npz", changed)):
        with pytest.raises(DatasetError, match=said):
            read(source)


@pytest.mark.parametrize("content", [b"", b"PK no archive", b"\x93NUMPY", as_idx(np.zeros((10,), np.uint8))])
def test_an_archive_that_is_none_is_said_to_be_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mnist.npz").write_bytes(content)
    with pytest.raises(DatasetError, match=r"mnist\.npz is damaged"):
        read(locate(tmp_path))


def test_an_archive_that_would_have_to_be_unpickled_is_refused(tmp_path: Path, few: Arrays) -> None:
    np.savez(tmp_path / "mnist.npz", x_test=np.array([{}], dtype=object), y_test=few["test_labels"])
    with pytest.raises(DatasetError, match=r"mnist\.npz is damaged"):
        read(tmp_path / "mnist.npz", TEST_PARTS)


def test_more_digits_than_mnist_has_are_read(tmp_path: Path) -> None:
    many = few_digits(train=300, test=100)
    assert examine(write_idx_files(tmp_path / "many", many)).train_count == 300
