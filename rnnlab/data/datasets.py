"""The digits to learn from: MNIST, somebody's own digits in its form, and those bundled with scikit-learn.

MNIST comes from a folder of one's own, from Keras' cache, or by download. Images stay `uint8` in memory
(47 MB for MNIST's 60,000 training images instead of 188 MB as `float32`).
MNIST: LeCun, Cortes and Burges, 1998. Bundled digits: Alpaydin and Kaynak, "Optical Recognition of
Handwritten Digits", 1998, 1,797 images of 8 x 8 pixels.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rnnlab.data import mnist_files
from rnnlab.data.errors import DatasetError, DownloadError
from rnnlab.data.mnist_download import download
from rnnlab.data.prepared_pictures import prepared_pictures

_BUNDLED_TRAINING: Final = 1_437
"""The first 1,437 bundled digits are for training, the last 360 for the test."""

_VALIDATION_FRACTION: Final = 6
"""One in so many training digits, the last ones, serves to choose hyperparameters: 10,000 of MNIST's.

The test set must not be used for that.
"""

_OWN: Final = "own-"
_OWN_VALIDATION: Final = "own-validation-"
_BUNDLED_INSTEAD: Final = "These are the digits bundled with scikit-learn instead."
_ELSEWHERE: Final = "set KERAS_HOME to a folder that can be written, or RNNLAB_MNIST_DIR to one with MNIST"
VALIDATION: Final = {"mnist": "validation", "digits": "digits_validation"}
"""For each data set, the one that is tested on a part of its training digits, and has never seen the test."""

BUNDLED: Final = {
    "digits": "bundled digits, 1,797 digits",
    VALIDATION["digits"]: "1,198 of the bundled training digits, tested on the other 239",
}
"""The data sets that are always there, in words."""


@dataclass(frozen=True)
class Dataset:
    """Handwritten digits to learn from and to test with.

    Attributes:
        name: `mnist`, `validation` (a part of MNIST's training digits), `digits` (bundled with scikit-learn),
            `digits_validation` (a part of its training digits), or `own-…` or `own-validation-…`, with the
            fingerprint of somebody's own digits.
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
        name: That of the data set, as `Dataset` has it.
        title: What people call it.
        images: `uint8` of shape (N, 28, 28), 0 = background, 255 = ink.
        labels: `uint8` of shape (N,), 0 to 9.
    """

    __test__ = False  # not a test class, whatever its name says to pytest

    name: str
    title: str
    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def load(
    name: str,
    progress: Callable[[str], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Dataset:
    """Load a data set; if MNIST cannot be had, the bundled digits replace it and the note says why.

    Args:
        name: `mnist`, `validation` (a part of MNIST's training digits) or `digits`. The first two mean one's
            own digits if those are in the place of MNIST. The name of a loaded data set will do, too; the
            result may be another one then (`mismatch`).
        progress: Called with a few words about what is being done.
        stopped: Returns whether to stop; asked several times a second during a download.

    Raises:
        DatasetError: A file is damaged or cut off, or it is missing from the folder of `RNNLAB_MNIST_DIR`.
        LoadingStoppedError: It was to stop.
    """
    if name in BUNDLED:
        return bundled_digits(validation=_is_validation(name))
    progress("Loading MNIST")
    try:
        source = _source()
        if source is None:
            source = keras_cache()
            download(source, progress, stopped)
    except DownloadError as error:
        return bundled_digits(note=f"{error} {_BUNDLED_INSTEAD}", validation=_is_validation(name))
    arrays = mnist_files.read(source)
    contents = mnist_files.contents_of(source, arrays)
    if _is_validation(name):
        arrays = _without_test(arrays)
    return Dataset(
        name=_name_of(contents, validation=_is_validation(name)),
        description=_in_words(contents, validation=_is_validation(name)),
        note="",
        **arrays,
    )


def source_stamps(name: str) -> str:
    """Return a text that changes if `load` would read other files, or files of another time or size.

    It is empty if `load` would read none, or would have to download them first.
    """
    if name in BUNDLED:
        return ""
    try:
        source = _source()
    except DownloadError:
        return ""
    return repr(mnist_files.stamps(source)) if source is not None else ""


def _without_test(arrays: dict[str, NDArray[np.uint8]]) -> dict[str, NDArray[np.uint8]]:
    """Return the training digits alone; their last sixth becomes the test part."""
    images, labels = arrays["train_images"], arrays["train_labels"]
    count = len(images) // _VALIDATION_FRACTION
    return {
        "train_images": images[:-count],
        "train_labels": labels[:-count],
        "test_images": images[-count:],
        "test_labels": labels[-count:],
    }


def _is_validation(name: str) -> bool:
    return name in VALIDATION.values() or name.startswith(_OWN_VALIDATION)


def _name_of(contents: mnist_files.Contents, *, validation: bool) -> str:
    """Return the name of a data set in MNIST's form."""
    if contents.fingerprint:
        return (_OWN_VALIDATION if validation else _OWN) + contents.fingerprint
    return "validation" if validation else "mnist"


def _in_words(contents: mnist_files.Contents, *, validation: bool) -> str:
    """Return name and size of a data set in MNIST's form."""
    count = contents.train_count
    if not validation:
        return f"your own digits, {count:,}" if contents.fingerprint else f"MNIST, {count:,} digits"
    whose, tested = "your own" if contents.fingerprint else "MNIST's", count // _VALIDATION_FRACTION
    return f"{count - tested:,} of {whose} training digits, tested on the other {tested:,}"


def mismatch(data: Dataset, name: str, description: str) -> str:
    """Return why data is not that which a run has learned from, as the end of a sentence; empty if it is.

    Args:
        data: What `load` has returned for that name.
        name: The name of the data set that the run has learned from.
        description: The same in words.
    """
    if data.name == name:
        return ""
    instead = data.note or f"in its place are {data.description}."
    return f"was trained on {description}, which is not available now: {instead}"


def load_test(name: str) -> TestSet:
    """Load the test part of a data set that is on this machine; nothing is downloaded or replaced.

    Args:
        name: That of a `Dataset`.

    Raises:
        DatasetError: The data set is not on this machine, other digits are in its place, or a file of it is
            damaged.
    """
    if name in BUNDLED:
        bundle = bundled_digits(validation=_is_validation(name))
        title = "the bundled digits' validation part" if _is_validation(name) else "the bundled digits"
        return TestSet(name, title, bundle.test_images, bundle.test_labels)
    source, is_own, validation = _source(), name.startswith(_OWN), _is_validation(name)
    if source is None:
        raise DatasetError(
            "The digits that this run has learned from are not here; name their folder in RNNLAB_MNIST_DIR."
            if is_own
            else "MNIST is not on this machine yet; the first run on it downloads it, 11 MB, once."
        )
    arrays = mnist_files.read(source, mnist_files.TRAIN_PARTS if validation else mnist_files.TEST_PARTS)
    if is_own and _name_of(mnist_files.examine(source), validation=validation) != name:
        raise DatasetError(
            f"{source} holds other digits than this run has learned from; "
            "name the folder of those in RNNLAB_MNIST_DIR."
        )
    if not is_own and not mnist_files.is_mnist(source, arrays):
        raise DatasetError(
            f"{source} holds your own digits, and this run has learned from MNIST; "
            "name a folder with MNIST in RNNLAB_MNIST_DIR, or unset it."
        )
    whose, title = ("your own digits'", "your own digits") if is_own else ("MNIST's", "MNIST")
    if validation:
        count = len(arrays["train_images"]) // _VALIDATION_FRACTION
        images, labels = arrays["train_images"][-count:], arrays["train_labels"][-count:]
        return TestSet(name, f"{whose} validation part", images.copy(), labels.copy())
    return TestSet(name, title, arrays["test_images"], arrays["test_labels"])


def _source() -> Path | None:
    """Return where digits in MNIST's form are: a folder or an archive; `None` if they must be downloaded.

    Raises:
        DownloadError: They must be, and there is no place to keep them.
    """
    if folder := os.environ.get("RNNLAB_MNIST_DIR"):
        return mnist_files.locate(Path(folder))
    cache = keras_cache()
    if problem := _problem_with(cache):
        raise DownloadError(f"MNIST cannot be kept in {cache.parent} ({problem}); {_ELSEWHERE}.")
    return cache if cache.exists() else None


def keras_cache() -> Path:
    """Return where Keras keeps MNIST once it is downloaded.

    Raises:
        DownloadError: There is no home folder.
    """
    home = os.environ.get("KERAS_HOME")
    try:
        return (Path(home) if home else Path.home() / ".keras") / "datasets" / "mnist.npz"
    except RuntimeError as error:  # a user without an entry in the system's list, as in many containers
        raise DownloadError(f"There is no home folder to keep MNIST in; {_ELSEWHERE}.") from error


def _problem_with(cache: Path) -> str:
    """Return in a few words why MNIST can neither be read from a place nor be put there; empty if it can."""
    nearest = cache
    try:
        while not nearest.exists():
            nearest = nearest.parent
        if nearest != cache and not nearest.is_dir():
            return f"{nearest} is not a folder"
        needed = os.R_OK if nearest == cache else os.W_OK | os.X_OK
        return "" if os.access(nearest, needed) else f"no permission to use {nearest}"
    except OSError as error:  # such as a folder that only another user may look into
        return str(error.strerror or error)


def bundled_digits(note: str = "", *, validation: bool = False) -> Dataset:
    """Return scikit-learn's digits in MNIST's form: fitted into 20 x 20, centred by mass in 28 x 28.

    Args:
        note: What people should know about the choice of data.
        validation: Whether to leave the test part out, and to test on a part of the training digits.
    """
    pictures, cut = prepared_pictures(), _BUNDLED_TRAINING
    images, labels = pictures["bundled"], pictures["bundled_labels"]
    arrays = {
        "train_images": images[:cut],
        "train_labels": labels[:cut],
        "test_images": images[cut:],
        "test_labels": labels[cut:],
    }
    if not validation:
        return Dataset(name="digits", description=BUNDLED["digits"], note=note, **arrays)
    name = VALIDATION["digits"]
    return Dataset(name=name, description=BUNDLED[name], note=note, **_without_test(arrays))


def availability() -> str:
    """Return in words which digits the next run on MNIST would use; nothing is downloaded."""
    try:
        source = _source()
        if source is None:
            return "MNIST, 60,000 digits (downloaded once, 11 MB, at the first start)"
        return _in_words(mnist_files.examine(source), validation=False)
    except DownloadError as error:
        return f"{BUNDLED['digits']}. {error}"
    except DatasetError as error:
        return str(error)
