"""Keeps the digits that the newest run learns from, unpacked and mixed, so that the next run begins at once.

To unpack MNIST and to mix in other pictures takes a worker longer than all else that it does before its first
step. The file is nothing but a copy: if it is missing, damaged or of other digits, it is made again.

It begins with the length of its head; the head is JSON, and after it come the arrays, in the order of
`_ARRAYS`. It is mapped into memory: processes that read it share it, and nothing is unpickled.
"""

from __future__ import annotations

import json
import mmap
import struct
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rnnlab.data.datasets import Dataset
from rnnlab.digits import COLUMNS, NO_DIGIT, ROWS
from rnnlab.hyperparameter import parse_json
from rnnlab.system.atomic_files import atomic_write
from rnnlab.system.regular_files import open_regular_file

_ARRAYS: Final = ("train_images", "test_images", "train_labels", "test_labels")

_LENGTH: Final = struct.Struct("<I")
"""How the length of the head is written."""

_MAX_HEAD: Final = 10_000
"""Longest head, in bytes; one has some 500."""

_MAX_BYTES: Final = 4_000_000_000
"""Largest size of the file, in bytes."""


class DigitsCache:
    """The digits of one run at a time, in a file.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, key: str) -> Dataset | None:
        """Return the digits that were kept under a key; `None` if there are none, or the file is damaged."""
        with suppress(OSError, ValueError, TypeError, KeyError, OverflowError, struct.error):
            with open_regular_file(self._path, _MAX_BYTES) as file:
                content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            (length,) = _LENGTH.unpack(content[: _LENGTH.size])
            start = _LENGTH.size + length
            head = parse_json(content[_LENGTH.size : start].decode("ascii")) if length <= _MAX_HEAD else None
            if not isinstance(head, dict) or head.get("key") != key:
                return None
            if head["checksum"] == zlib.crc32(memoryview(content)[start:]):
                return _dataset(head, content, start)
        return None

    def put(self, key: str, data: Dataset) -> None:
        """Keep digits in place of those before. If that is not possible, nothing is lost but time."""
        arrays = [getattr(data, name) for name in _ARRAYS]
        checksum = 0
        for array in arrays:
            checksum = zlib.crc32(np.ascontiguousarray(array).data, checksum)
        head = {
            "key": key,
            "checksum": checksum,
            "counts": [len(data.train_images), len(data.test_images)],
            "name": data.name,
            "description": data.description,
        }
        text = json.dumps(head).encode("ascii")
        with suppress(OSError), atomic_write(self._path) as file:
            file.write(_LENGTH.pack(len(text)) + text)
            for array in arrays:
                file.write(np.ascontiguousarray(array).data)


def _dataset(head: dict[str, object], content: mmap.mmap, start: int) -> Dataset:
    """Return the digits of a file.

    Raises:
        ValueError: Its head says something else than what there is.
    """
    counts = [int(count) for count in head["counts"]]  # type: ignore[attr-defined]
    sizes = [count * ROWS * COLUMNS for count in counts] + counts
    if len(counts) != 2 or min(counts) < 1 or start + sum(sizes) != len(content):
        raise ValueError
    values = np.frombuffer(content, np.uint8, offset=start)
    parts: list[NDArray[np.uint8]] = np.split(values, np.cumsum(sizes)[:-1])
    if max(int(parts[2].max()), int(parts[3].max())) > NO_DIGIT:
        raise ValueError
    shaped = [part.reshape(-1, ROWS, COLUMNS) for part in parts[:2]] + parts[2:]
    return Dataset(
        name=str(head["name"]),
        description=str(head["description"]),
        note="",
        **dict(zip(_ARRAYS, shaped, strict=True)),
    )
