"""Files in MNIST's form with few digits, as several test files need them."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rnnlab.data import mnist_files
from rnnlab.data.mnist_files import PARTS, checksum

Arrays = Mapping[str, NDArray[np.uint8]]

NAMES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}


def few_digits(seed: int = 0, train: int = 60, test: int = 20) -> dict[str, NDArray[np.uint8]]:
    """Return random pictures and labels by part, in MNIST's form."""
    random = np.random.default_rng(seed)
    counts = {"train": train, "test": test}
    return {
        part: random.integers(
            10 if part.endswith("labels") else 256,
            size=(counts[part.partition("_")[0]], *(() if part.endswith("labels") else (28, 28))),
            dtype=np.uint8,
        )
        for part in PARTS
    }


def as_idx(array: NDArray[np.uint8]) -> bytes:
    """Return an array as an IDX file."""
    lengths = b"".join(length.to_bytes(4, "big") for length in array.shape)
    return bytes([0, 0, 8, array.ndim]) + lengths + array.tobytes()


def write_idx_files(folder: Path, arrays: Arrays, *, dotted: bool = False, packed: bool = True) -> Path:
    """Write the four IDX files into a folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, array in arrays.items():
        name = NAMES[part].replace("-idx", ".idx") if dotted else NAMES[part]
        content = as_idx(array)
        path = folder / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(content) if packed else content)
    return folder


def write_archive(path: Path, arrays: Arrays) -> Path:
    """Write an archive as Keras keeps MNIST and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    keys = {
        "train_images": "x_train",
        "train_labels": "y_train",
        "test_images": "x_test",
        "test_labels": "y_test",
    }
    np.savez(path, allow_pickle=False, **{keys[part]: array for part, array in arrays.items()})
    return path


def count_as_mnist(monkeypatch: pytest.MonkeyPatch, arrays: Arrays) -> None:
    """Let these digits count as MNIST in this process."""
    checksums = {part: frozenset({checksum(array)}) for part, array in arrays.items()}
    monkeypatch.setattr(mnist_files, "MNIST_CHECKSUMS", checksums)
    mnist_files._examine.cache_clear()
