"""Files in MNIST's form, four IDX files or `mnist.npz`, and whether they hold MNIST or somebody's own digits.

Other data sets have the same names and sizes (Fashion-MNIST, for one), so only checksums tell.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import math
import os
import threading
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rnnlab.data.errors import DatasetError, DatasetMemoryError
from rnnlab.digits import DIGITS, SIDE
from rnnlab.system.array_files import NpzArchive, in_words
from rnnlab.system.regular_files import open_regular_file, read_regular_file

TRAIN_PARTS: Final = ("train_images", "train_labels")
TEST_PARTS: Final = ("test_images", "test_labels")
PARTS: Final = (*TRAIN_PARTS, *TEST_PARTS)

MNIST_TRAIN_COUNT: Final = 60_000
"""How many digits MNIST has to learn from."""

ARCHIVE_SHA256: Final = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
"""Checksum of `mnist.npz`, as published with Keras."""

MIN_DIGITS: Final = 10
"""Fewest digits to learn from, and fewest to test with."""

MAX_DIGITS: Final = 1_000_000
"""Most digits to learn from, and most to test with, some 800 MB; EMNIST, the largest set, has 280,000."""

_MAX_FILE_BYTES: Final = 2_000_000_000
"""Largest size of a file, in bytes: that of an archive with as many digits."""

_MAX_PUBLISHED_BYTES: Final = 20_000_000
"""Size that the archive published with Keras does not reach, in bytes; larger ones need no checksum."""

_PIECE: Final = 1_048_576
"""Bytes read together."""

_IDX_STEMS: Final = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}

_ARCHIVE: Final = "mnist.npz"

_ARCHIVE_KEYS: Final = {
    "train_images": "x_train",
    "train_labels": "y_train",
    "test_images": "x_test",
    "test_labels": "y_test",
}

MNIST_CHECKSUMS: Final[Mapping[str, frozenset[str]]] = {
    "train_images": frozenset({"6bbc9ace898e44ae57da46a324031adb", "2120c626b3f721358a650005d9261aaf"}),
    "train_labels": frozenset({"a25bea736e30d166cdddb491f175f624"}),
    "test_images": frozenset({"2646ac647ad5339dbf082846283269ea"}),
    "test_labels": frozenset({"27ae3e4e09519cfbb04c329615203637"}),
}
"""MD5 of MNIST's unpacked IDX files, as published.

The second one of the training images is that of a copy in which the grey level 1 has become 0, in about one
pixel of 2,000: it makes no difference to training.
"""

_IDX_UINT8: Final = 8
"""How an IDX file says that its values are `uint8`."""


@dataclass(frozen=True)
class Contents:
    """What files in MNIST's form hold.

    Attributes:
        fingerprint: Eight hexadecimal digits that tell these digits from others; empty if they are MNIST.
        train_count: How many digits there are to learn from.
    """

    fingerprint: str
    train_count: int


def locate(path: Path) -> Path:
    """Return the archive in a folder that has no IDX files; else the path itself, a folder or an archive."""
    archive = path / _ARCHIVE
    has_idx_files = any(os.path.isfile(_idx_path(path, part)) for part in PARTS)
    return archive if os.path.isfile(archive) and not has_idx_files else path


def read(source: Path, parts: Iterable[str] = PARTS) -> dict[str, NDArray[np.uint8]]:
    """Read parts of a data set: images `uint8` of shape (N, 28, 28), labels `uint8` of shape (N,), 0 to 9.

    Args:
        source: A folder of IDX files, packed with gzip or not, or an archive `.npz`.
        parts: Some of `PARTS`.

    Raises:
        DatasetError: A file is missing, damaged, cut off or not of this form.
        DatasetMemoryError: There is not enough memory to read it.
    """
    is_archive = os.path.isfile(source)
    arrays = _read_archive(source, parts) if is_archive else {p: _read_idx(source, p) for p in parts}
    for images, labels in (TRAIN_PARTS, TEST_PARTS):
        if images in arrays and labels in arrays and len(arrays[images]) != len(arrays[labels]):
            path = source if is_archive else _idx_path(source, labels)
            raise DatasetError(
                f"{path} holds {len(arrays[labels]):,} labels for {len(arrays[images]):,} images; "
                "delete the file and fetch it again."
            )
    return arrays


def is_mnist(source: Path, arrays: Mapping[str, NDArray[np.uint8]]) -> bool:
    """Return whether arrays that were read from a source, by the name of their part, are those of MNIST."""
    return _is_published_archive(source) or all(
        checksum(array) in MNIST_CHECKSUMS[part] for part, array in arrays.items()
    )


def contents_of(source: Path, arrays: Mapping[str, NDArray[np.uint8]]) -> Contents:
    """Return what a whole data set holds, all `PARTS` by name, as they were read from a source."""
    fingerprint = ""
    if not is_mnist(source, arrays):
        checksums = "".join(checksum(arrays[part]) for part in PARTS)
        fingerprint = _md5(checksums.encode("ascii"))[:8]
    return Contents(fingerprint, len(arrays["train_images"]))


def examine(source: Path) -> Contents:
    """Return what a folder or an archive holds; it is read once, and again only if its files have changed.

    Raises:
        DatasetError: As for `read`.
    """
    with _examining:  # visitors who come at the same time wait for one look
        found = _examine(source, stamps(source))
    if isinstance(found, str):
        raise DatasetError(found)
    return found


_examining: Final = threading.Lock()


@functools.lru_cache(maxsize=4)
def _examine(source: Path, _: tuple[object, ...]) -> Contents | str:
    """Return what a source holds, or why it cannot be used: that is remembered, too."""
    try:
        if _is_published_archive(source):
            return Contents("", MNIST_TRAIN_COUNT)
        return contents_of(source, read(source))
    except DatasetMemoryError:  # there may be enough the next time
        raise
    except DatasetError as error:
        return str(error)


def _is_published_archive(source: Path) -> bool:
    """Return whether a file is the archive that Keras downloads: it need not be unpacked to be known."""
    try:
        with open_regular_file(source, _MAX_PUBLISHED_BYTES) as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == ARCHIVE_SHA256
    except OSError:  # a folder, a larger file, or one that cannot be read
        return False


def stamps(source: Path) -> tuple[object, ...]:
    """Return name, size and time of the files of a source; they change with its content."""
    paths = [source] if os.path.isfile(source) else [_idx_path(source, part) for part in PARTS]
    return tuple(_stamp(path) for path in paths)


def _stamp(path: Path) -> tuple[str, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return str(path), status.st_size, status.st_mtime_ns


def checksum(array: NDArray[np.uint8]) -> str:
    """Return the MD5 of an array as an unpacked IDX file."""
    return _md5(_idx_header(array.shape), np.ascontiguousarray(array).data)


def _md5(*pieces: bytes | memoryview) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def _idx_header(shape: tuple[int, ...]) -> bytes:
    """Return the first bytes of an IDX file: two zeros, the type, the number of axes, their lengths."""
    return bytes([0, 0, _IDX_UINT8, len(shape)]) + b"".join(length.to_bytes(4, "big") for length in shape)


def _idx_path(folder: Path, part: str) -> Path:
    """Return the file of a part, with a hyphen or a dot before `idx`, packed or not; else the usual name."""
    stem = _IDX_STEMS[part]
    names = [name + ending for name in (stem, stem.replace("-idx", ".idx")) for ending in (".gz", "")]
    return next((folder / name for name in names if os.path.isfile(folder / name)), folder / names[0])


def _read_idx(folder: Path, part: str) -> NDArray[np.uint8]:
    """Read one IDX file."""
    path = _idx_path(folder, part)
    try:
        with open_regular_file(path, _MAX_FILE_BYTES) as file:
            if path.suffix == ".gz":
                with gzip.GzipFile(fileobj=file) as unpacked:
                    return _unpack_idx(unpacked, part, path)
            return _unpack_idx(file, part, path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DatasetError(
            f"{path} is missing; put MNIST's four IDX files or {_ARCHIVE} there, or unset RNNLAB_MNIST_DIR."
        ) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DatasetError(
            f"{path} is damaged or cut off ({in_words(error)}); delete the file and fetch it again."
        ) from error
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be read ({error.strerror or in_words(error)}); "
            "check the folder, or unset RNNLAB_MNIST_DIR."
        ) from error
    except MemoryError as error:
        raise _short_memory(path) from error


def _unpack_idx(file: BufferedIOBase, part: str, path: Path) -> NDArray[np.uint8]:
    """Read the header of an IDX file, and the rest only if that is the header of such a part."""
    start = file.read(4)
    lengths = file.read(4 * start[3]) if len(start) == 4 else b""
    shape = tuple(int.from_bytes(lengths[place : place + 4], "big") for place in range(0, len(lengths), 4))
    if start + lengths == _idx_header(shape):
        _check_form(np.dtype(np.uint8), shape, part, path)
        content, count = bytearray(), math.prod(shape)
        # Piece by piece: to ask for more than there is takes memory. Checksums are checked at the end.
        while len(content) < count and (piece := file.read(min(count - len(content), _PIECE))):
            content += piece
        if len(content) == count and not file.read(1):
            return _with_known_labels(np.frombuffer(content, np.uint8).reshape(shape), part, path)
    raise DatasetError(
        f"{path} is damaged or cut off: it is not a whole IDX file; delete the file and fetch it again."
    )


def _read_archive(path: Path, parts: Iterable[str]) -> dict[str, NDArray[np.uint8]]:
    """Read arrays of an archive in the form of Keras' `mnist.npz`, all that are asked for or none."""
    try:
        archive = NpzArchive(read_regular_file(path, _MAX_FILE_BYTES))
        headers = {part: archive.header(_ARCHIVE_KEYS[part]) for part in parts}
        for part, header in headers.items():
            _check_form(header.dtype, header.shape, part, path)
        arrays = archive.read(
            {_ARCHIVE_KEYS[part]: (each.dtype, each.shape) for part, each in headers.items()}
        )
        return {part: _with_known_labels(arrays[_ARCHIVE_KEYS[part]], part, path) for part in headers}
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be read ({error.strerror or in_words(error)}); check the file."
        ) from error
    except DatasetError:
        raise
    except MemoryError as error:
        raise _short_memory(path) from error
    except Exception as error:  # a damaged archive can raise almost anything
        raise DatasetError(
            f"{path} is damaged or cut off ({in_words(error)}); delete the file to fetch it again."
        ) from error


def _short_memory(path: Path) -> DatasetMemoryError:
    return DatasetMemoryError(
        f"There is not enough memory to read {path}; close other programs and try again."
    )


def _check_form(dtype: np.dtype[Any], shape: tuple[int, ...], part: str, path: Path) -> None:
    """Refuse an array of which type or shape is not that of a part of digits in MNIST's form."""
    what = part.replace("_", " ")
    if dtype != np.uint8 or len(shape) != (1 if part.endswith("labels") else 3):
        raise DatasetError(
            f"{path} is damaged: it does not hold {what} in MNIST's form; delete the file and fetch it again."
        )
    if shape[1:] not in ((), (SIDE, SIDE)):
        raise _of_another_form(path, f"{what} of {shape[1]} x {shape[2]} pixels instead of {SIDE} x {SIDE}")
    if shape[0] < MIN_DIGITS:
        raise _of_another_form(path, f"{shape[0]} {what}, and at least {MIN_DIGITS} are needed")
    if shape[0] > MAX_DIGITS:
        raise _of_another_form(path, f"{shape[0]:,} {what}, and at most {MAX_DIGITS:,} can be used")


def _with_known_labels(array: NDArray[np.uint8], part: str, path: Path) -> NDArray[np.uint8]:
    """Return an array; refuse labels that are no digits."""
    if part.endswith("labels") and int(array.max()) >= DIGITS:
        what = part.replace("_", " ")
        raise _of_another_form(path, f"{what} up to {int(array.max())}, and digits go from 0 to {DIGITS - 1}")
    return array


def _of_another_form(path: Path, problem: str) -> DatasetError:
    return DatasetError(f"{path} holds {problem}; put digits in MNIST's form in its place.")
