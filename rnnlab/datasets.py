"""The digits: MNIST (own folder, Keras' cache, download) and those bundled with scikit-learn.

Images stay `uint8` in memory (47 MB for MNIST's 60,000 training images instead of 188 MB as `float32`).
MNIST: LeCun, Cortes and Burges, 1998. Bundled digits: Alpaydin and Kaynak, "Optical Recognition of
Handwritten Digits", 1998, 1,797 images of 8 x 8 pixels.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import importlib.util
import io
import os
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rnnlab.drawing import SIDE, prepare

MNIST_FILES: Final = {
    "train_images": ("train-images-idx3-ubyte", (60_000, SIDE, SIDE)),
    "train_labels": ("train-labels-idx1-ubyte", (60_000,)),
    "test_images": ("t10k-images-idx3-ubyte", (10_000, SIDE, SIDE)),
    "test_labels": ("t10k-labels-idx1-ubyte", (10_000,)),
}

_RETRY_SECONDS: Final = 1.0
"""Before a second attempt to fetch MNIST; before the third, twice as long."""

_ARCHIVE_ADDRESS: Final = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"

_ARCHIVE_SHA256: Final = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
"""Of `mnist.npz`, as published with Keras."""

_ARCHIVE_KEYS: Final = {
    "train_images": "x_train",
    "train_labels": "y_train",
    "test_images": "x_test",
    "test_labels": "y_test",
}

_BUNDLED_TRAINING: Final = 1_437
"""The first 1,437 bundled digits are learned from, the last 360 are kept for the test."""

_VALIDATION: Final = 10_000
"""MNIST's last training digits, to choose hyperparameters with: the test set must not be used for that."""


class DatasetError(RuntimeError):
    """A data set that cannot be used; its text is one sentence meant for people."""


class DownloadError(DatasetError):
    """MNIST is not on this machine and cannot be fetched."""


@dataclass(frozen=True)
class Dataset:
    """Handwritten digits to learn from and to test with.

    Attributes:
        name: `mnist`, `validation` (a part of MNIST's training digits) or `digits`.
        description: What it is and how much of it, for people.
        note: What people should know about the choice of it; empty where it is what was asked for.
        train_images: `uint8` of shape (N, 28, 28), 0 = background, 255 = ink.
        train_labels: `uint8` of shape (N,), 0 to 9.
        test_images: `uint8` of shape (M, 28, 28).
        test_labels: `uint8` of shape (M,).
    """

    name: str
    description: str
    note: str
    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]


@dataclass(frozen=True)
class TestSet:
    """The part of a data set that networks never learn from.

    Attributes:
        name: `mnist`, `validation` (a part of MNIST's training digits) or `digits`.
        title: What people call it.
        images: `uint8` of shape (N, 28, 28), 0 = background, 255 = ink.
        labels: `uint8` of shape (N,), 0 to 9.
    """

    __test__ = False  # not a test class, whatever its name says to pytest

    name: str
    title: str
    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def load(name: str, progress: Callable[[str], None] = lambda _: None) -> Dataset:
    """Load a data set; without internet, MNIST is replaced by the bundled digits and the note says so.

    Args:
        name: `mnist`, `validation` (a part of MNIST's training digits) or `digits`.
        progress: Told in a few words what is going on.

    Raises:
        DatasetError: A file is damaged, truncated or missing where it was promised.
    """
    if name == "digits":
        return bundled_digits()
    progress("Loading MNIST")
    try:
        if not os.environ.get("RNNLAB_MNIST_DIR") and not keras_cache().exists():
            _download(keras_cache(), progress)
    except DownloadError as error:
        return bundled_digits(note=f"{error} These are the digits bundled with scikit-learn instead.")
    arrays = _local_mnist()
    if name == "validation":
        return _validation(arrays["train_images"], arrays["train_labels"])
    return Dataset(name="mnist", description="MNIST, 60,000 digits", note="", **arrays)


def _validation(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Dataset:
    """Return MNIST's training digits without its last 10,000, which are the test part."""
    return Dataset(
        name="validation",
        description="50,000 of MNIST's training digits, tested on the other 10,000",
        note="",
        train_images=images[:-_VALIDATION],
        train_labels=labels[:-_VALIDATION],
        test_images=images[-_VALIDATION:],
        test_labels=labels[-_VALIDATION:],
    )


def load_test(name: str) -> TestSet:
    """Load the test part of a data set that is on this machine; nothing is downloaded or replaced.

    Args:
        name: `mnist`, `validation` (a part of MNIST's training digits) or `digits`.

    Raises:
        DatasetError: The data set is not on this machine, or a file of it is damaged.
    """
    if name == "digits":
        bundle = bundled_digits()
        return TestSet(name, "the bundled digits", bundle.test_images, bundle.test_labels)
    if name == "validation":
        arrays = _local_mnist(("train_images", "train_labels"))
        images, labels = arrays["train_images"][-_VALIDATION:], arrays["train_labels"][-_VALIDATION:]
        return TestSet(name, "MNIST's validation part", images.copy(), labels.copy())
    arrays = _local_mnist(("test_images", "test_labels"))
    return TestSet(name, "MNIST", arrays["test_images"], arrays["test_labels"])


def _local_mnist(names: Iterable[str] = tuple(MNIST_FILES)) -> dict[str, NDArray[np.uint8]]:
    """Read arrays of MNIST from this machine.

    Args:
        names: Keys of `MNIST_FILES`.

    Raises:
        DatasetError: They are not here or damaged.
    """
    folder = os.environ.get("RNNLAB_MNIST_DIR")
    if folder:
        return _read_folder(Path(folder), names)
    if not keras_cache().exists():
        raise DatasetError("MNIST is not on this machine yet; the first run on it downloads it, 11 MB, once.")
    return _read_archive(keras_cache(), names)


def keras_cache() -> Path:
    """Return where Keras keeps MNIST once it is downloaded."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "datasets" / "mnist.npz"


def _check(array: NDArray[np.uint8], name: str, shape: tuple[int, ...], path: Path) -> None:
    """Refuse an array of MNIST that has another shape or type, or labels beyond 9."""
    is_label = len(shape) == 1
    if array.shape != shape or array.dtype != np.uint8 or (is_label and int(array.max()) > 9):
        raise DatasetError(
            f"{path} is damaged: its {name.replace('_', ' ')} are not those of MNIST; "
            "delete the file and fetch it again."
        )


def _read_folder(folder: Path, names: Iterable[str] = tuple(MNIST_FILES)) -> dict[str, NDArray[np.uint8]]:
    """Read the IDX files of a folder, packed with gzip or not."""
    arrays = {}
    for name in names:
        stem, shape = MNIST_FILES[name]
        packed, plain = folder / f"{stem}.gz", folder / stem
        path = plain if plain.exists() and not packed.exists() else packed
        arrays[name] = _read_idx(path, name, shape)
    return arrays


def _read_idx(path: Path, name: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Read one IDX file: two zero bytes, type (8 = `uint8`), number of axes, their lengths, the values."""
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except FileNotFoundError as error:
        raise DatasetError(
            f"{path} is missing; put MNIST's four IDX files there or unset RNNLAB_MNIST_DIR."
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(
            f"{path} is damaged or cut off ({error}); delete the file and fetch it again."
        ) from error
    header = bytes([0, 0, 8, len(shape)]) + b"".join(length.to_bytes(4, "big") for length in shape)
    if not content.startswith(header) or len(content) != len(header) + int(np.prod(shape)):
        raise DatasetError(
            f"{path} is damaged or cut off: it does not hold MNIST's {name.replace('_', ' ')}; "
            "delete the file and fetch it again."
        )
    array = np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape)
    _check(array, name, shape, path)
    return array


def _read_archive(path: Path, names: Iterable[str] = tuple(MNIST_FILES)) -> dict[str, NDArray[np.uint8]]:
    """Read arrays of Keras' `mnist.npz`, all that are asked for or none."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as archive:
            arrays = {name: archive[_ARCHIVE_KEYS[name]] for name in names}
    except (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise DatasetError(
            f"{path} is damaged or cut off ({error}); delete the file and it will be downloaded again."
        ) from error
    for name, array in arrays.items():
        _check(array, name, MNIST_FILES[name][1], path)
    return arrays


def _download(path: Path, progress: Callable[[str], None]) -> None:
    """Fetch MNIST, into Keras' cache; the file appears there only when it is whole.

    Raises:
        DownloadError: It cannot be saved, or three attempts have failed.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(f"MNIST could not be saved in {path.parent} ({error.strerror}).") from error
    if not os.access(path.parent, os.W_OK):
        raise DownloadError(f"MNIST could not be saved in {path.parent} (it may not be written to).")
    for again in (1, 2, 3):
        progress("Downloading MNIST, 11 MB, once" + (f" (attempt {again} of 3)" if again > 1 else ""))
        try:
            _fetch(path)
            return
        except DownloadError:
            if again == 3:
                raise
            time.sleep(again * _RETRY_SECONDS)


def _fetch(path: Path) -> None:
    """Try once to fetch MNIST."""
    import keras

    aside = path.with_name(f"mnist-{os.getpid()}.npz")
    try:
        # Keras prints its own progress, which has no place in the output of a command.
        with contextlib.redirect_stdout(io.StringIO()):
            keras.utils.get_file(aside.name, origin=_ARCHIVE_ADDRESS, cache_dir=str(path.parent.parent))
        if hashlib.sha256(aside.read_bytes()).hexdigest() != _ARCHIVE_SHA256:
            raise DownloadError("MNIST arrived damaged; start the run again to fetch it once more.")
        os.replace(aside, path)
    except DownloadError:
        raise
    except Exception as error:  # Keras raises a bare Exception for a failed download
        raise DownloadError(
            "MNIST could not be downloaded; check the internet connection and start the run again."
        ) from error
    finally:
        aside.unlink(missing_ok=True)


def bundled_digits(note: str = "") -> Dataset:
    """Return scikit-learn's digits in MNIST's form: fitted into 20 x 20, centred by mass in 28 x 28."""
    table = _read_bundle()
    images = np.stack([_enlarge(image) for image in table[:, :-1].reshape(-1, 8, 8)])
    labels = table[:, -1].astype(np.uint8)
    cut = _BUNDLED_TRAINING
    return Dataset(
        name="digits",
        description="bundled digits, 1,797 digits",
        note=note,
        train_images=images[:cut],
        train_labels=labels[:cut],
        test_images=images[cut:],
        test_labels=labels[cut:],
    )


def _read_bundle() -> NDArray[np.float64]:
    """Read scikit-learn's file of digits: 64 grey levels from 0 to 16 and the label a line, shape (1797, 65).

    Its own `load_digits` does the same, but importing it takes 2 s and 160 MB.
    """
    package = importlib.util.find_spec("sklearn")
    origin = package.origin if package else None
    path = Path(origin or "sklearn").parent / "datasets" / "data" / "digits.csv.gz"
    try:
        with gzip.open(path, "rt") as file:
            return np.loadtxt(file, delimiter=",")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DatasetError(
            f"scikit-learn's bundled digits cannot be read ({error}); reinstall scikit-learn."
        ) from error


def _enlarge(image: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Turn 8 x 8 pixels of 0 to 16 into 28 x 28 of 0 to 255, with soft edges all around."""
    framed = Image.fromarray(np.pad(image * (255.0 / 16.0), 1).astype(np.float32))
    prepared = prepare(np.asarray(framed.resize((80, 80), Image.Resampling.BICUBIC)))
    if prepared is None:
        raise DatasetError("scikit-learn's bundled digits hold a blank image; reinstall scikit-learn.")
    return prepared.picture


def availability() -> str:
    """Return in words which data the next run on MNIST would use, without loading anything."""
    if os.environ.get("RNNLAB_MNIST_DIR") or keras_cache().exists():
        return "MNIST, 60,000 digits"
    return "MNIST, 60,000 digits (downloaded once, 11 MB, at the first start)"
