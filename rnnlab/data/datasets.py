"""The digits: MNIST (own folder, Keras' cache, download) and those bundled with scikit-learn.

Images stay `uint8` in memory (47 MB for MNIST's 60,000 training images instead of 188 MB as `float32`).
MNIST: LeCun, Cortes and Burges, 1998. Bundled digits: Alpaydin and Kaynak, "Optical Recognition of
Handwritten Digits", 1998, 1,797 images of 8 x 8 pixels.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import importlib.util
import io
import itertools
import os
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rnnlab.data.preprocessing import prepare
from rnnlab.digits import SIDE

MNIST_FILES: Final = {
    "train_images": ("train-images-idx3-ubyte", (60_000, SIDE, SIDE)),
    "train_labels": ("train-labels-idx1-ubyte", (60_000,)),
    "test_images": ("t10k-images-idx3-ubyte", (10_000, SIDE, SIDE)),
    "test_labels": ("t10k-labels-idx1-ubyte", (10_000,)),
}

_ATTEMPTS: Final = 3
"""How many times to try to download MNIST."""

_TIMEOUT: Final = 20.0
"""Seconds without an answer after which an attempt has failed."""

_ARCHIVE_FOLDER: Final = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"

_ARCHIVE_SHA256: Final = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
"""Checksum of `mnist.npz`, as published with Keras."""

_ARCHIVE_KEYS: Final = {
    "train_images": "x_train",
    "train_labels": "y_train",
    "test_images": "x_test",
    "test_labels": "y_test",
}

_BUNDLED_TRAINING: Final = 1_437
"""The first 1,437 bundled digits are for training, the last 360 for the test."""

_VALIDATION: Final = 10_000
"""How many of MNIST's training digits, the last ones, serve to choose hyperparameters.

The test set must not be used for that.
"""


class DatasetError(RuntimeError):
    """A data set that cannot be used; its text is one sentence meant for people."""


class DownloadError(DatasetError):
    """MNIST is not on this machine and cannot be fetched."""


@dataclass(frozen=True)
class Dataset:
    """Handwritten digits to learn from and to test with.

    Attributes:
        name: `mnist`, `validation` (a part of MNIST's training digits) or `digits`.
        description: Its name and size, for people.
        note: What people should know about the choice of data; empty if it is the data asked for.
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
        progress: Called with a few words about what is being done.

    Raises:
        DatasetError: A file is damaged or cut off, or it is missing from the folder of `RNNLAB_MNIST_DIR`.
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
    """Return MNIST's training digits without the last 10,000, which become the test part."""
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
        DatasetError: They are not on this machine, or a file is damaged.
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
    """Read the IDX files of a folder, compressed with gzip or not."""
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
    """Download MNIST into Keras' cache; the file appears there only once it is complete.

    Raises:
        DownloadError: It cannot be saved, or three attempts have failed.
    """
    import pooch  # takes a tenth of a second, with requests: only a download is worth it
    from requests.exceptions import RequestException

    pooch.get_logger().setLevel("WARNING")
    archive = pooch.create(
        path.parent,
        _ARCHIVE_FOLDER,
        registry={path.name: f"sha256:{_ARCHIVE_SHA256}"},
        retry_if_failed=_ATTEMPTS - 1,
    )
    try:
        archive.fetch(path.name, downloader=_attempts(progress))
    except RequestException as error:
        raise DownloadError(
            "MNIST could not be downloaded; check the internet connection and start the run again."
        ) from error
    except ValueError as error:
        raise DownloadError("MNIST arrived damaged; start the run again to fetch it once more.") from error
    except OSError as error:
        reason = error.strerror or "it may not be written to"
        raise DownloadError(f"MNIST could not be saved in {path.parent} ({reason}).") from error
    except Exception as error:  # whatever else keeps it from being fetched, the bundled digits are there
        raise DownloadError(f"MNIST could not be downloaded ({error}).") from error
    with contextlib.suppress(OSError):
        path.chmod(0o644)  # others on this machine read the same cache


def _attempts(progress: Callable[[str], None]) -> Callable[[str, str, object], None]:
    """Return a downloader for pooch that reports which attempt it makes."""
    import pooch
    from requests.exceptions import RequestException

    fetch = pooch.HTTPDownloader(timeout=_TIMEOUT)
    attempts = itertools.count(1)

    def fetch_once(url: str, output: str, source: object) -> None:
        attempt = next(attempts)
        which = f" (attempt {attempt} of {_ATTEMPTS})" if attempt > 1 else ""
        progress(f"Downloading MNIST, 11 MB, once{which}")
        try:
            fetch(url, output, source)
        except OSError as error:
            if error.errno or isinstance(error, RequestException):
                raise
            raise RequestException(str(error)) from error  # such as certificates that cannot be found

    return fetch_once


def bundled_digits(note: str = "") -> Dataset:
    """Return scikit-learn's digits in MNIST's form: fitted into 20 x 20, centred by mass in 28 x 28."""
    images, labels = _enlarged_bundle()
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


@functools.cache
def _enlarged_bundle() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return all bundled digits in MNIST's form and their labels: read-only, as all callers share them."""
    table = _read_bundle()
    images = np.stack([_enlarge(image) for image in table[:, :-1].reshape(-1, 8, 8)])
    labels = table[:, -1].astype(np.uint8)
    for array in (images, labels):
        array.flags.writeable = False
    return images, labels


def _read_bundle() -> NDArray[np.float64]:
    """Read scikit-learn's file of digits: 64 grey levels of 0 to 16 and the label per line, shape (1797, 65).

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
    """Return in words which digits the next run on MNIST would use, without loading anything."""
    if os.environ.get("RNNLAB_MNIST_DIR") or keras_cache().exists():
        return "MNIST, 60,000 digits"
    return "MNIST, 60,000 digits (downloaded once, 11 MB, at the first start)"
