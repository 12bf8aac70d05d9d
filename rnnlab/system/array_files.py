"""Reads arrays from `.npz` files: only those asked for, only of the shapes expected, and nothing unpickled.

An `.npz` file is a ZIP archive with one `.npy` file per array. A `.npy` file begins with a header that tells
type and shape; headers are checked before any array is unpacked, so that a small file cannot become large.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rnnlab.system import atomic_files
from rnnlab.system.regular_files import read_regular_file

_MAX_DIRECTORY: Final = 100_000
"""Largest directory of an archive, in bytes: that of a thousand arrays; a checkpoint has some thirty."""

_END: Final = b"PK\x05\x06"
"""How the record begins that says how large the directory is; it is the last of an archive."""

_END_OF_LARGE: Final = b"PK\x06\x07"
"""How the record begins that stands 20 bytes before that if the directory is larger than it can say."""

_MAX_HEADER: Final = 1_000
"""Longest header of an array, in bytes; numpy writes 128."""

_MAGIC: Final = b"\x93NUMPY"

_LENGTH_BYTES: Final = {b"\x01\x00": 2, b"\x02\x00": 4, b"\x03\x00": 4}
"""How many bytes hold the length of the header, by version."""

_HEADER: Final = re.compile(
    r"\{ ?'descr': ?'(?P<type>[<>|=]?[biuf][1248])', ?'fortran_order': ?(?P<fortran>True|False), ?"
    r"'shape': ?\((?P<shape>[0-9L, ]{0,80})\),? ?\} *\n?"
)
"""A header of plain numbers as numpy writes it; it is no expression that would have to be evaluated."""

_FLAG_ENCRYPTED: Final = 1

_PIECE: Final = 1_048_576
"""Bytes unpacked together."""

Form = tuple[np.dtype[Any], tuple[int, ...]]
"""Type and shape of an array."""


@dataclass(frozen=True)
class NpyHeader:
    """What an array's header tells.

    Attributes:
        dtype: Type of its numbers.
        shape: Lengths of its axes.
        is_fortran: Whether its numbers are stored column by column.
        length: Bytes before the first number.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_fortran: bool
    length: int

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return int(np.prod(self.shape, dtype=object))

    @property
    def bytes(self) -> int:
        """How many bytes the numbers take."""
        return self.size * self.dtype.itemsize


class NpzArchive:
    """The arrays of an `.npz` file, of which none is unpacked until it is asked for.

    Whatever is wrong with the file raises an exception of some kind.

    Args:
        content: The file.
    """

    def __init__(self, content: bytes) -> None:
        _check_directory(content)
        self._zip = zipfile.ZipFile(io.BytesIO(content))

    @property
    def names(self) -> list[str]:
        """The names of the arrays; other files in the archive are passed over."""
        return [name[:-4] for name in self._zip.namelist() if name.endswith(".npy")]

    def header(self, name: str) -> NpyHeader:
        """Return type and shape of an array, checked against the size that it will have unpacked.

        Raises:
            ValueError: There is no such array, or its header is none.
        """
        entry = self._entry(name)
        with self._zip.open(entry) as file:
            start = file.read(8)
            width = _LENGTH_BYTES.get(start[6:])
            if not start.startswith(_MAGIC) or width is None:
                raise ValueError(f"{name} is no array")
            length = int.from_bytes(file.read(width), "little")
            text = file.read(length).decode("latin-1") if length <= _MAX_HEADER else ""
        found = _HEADER.fullmatch(text)
        if found is None or len(text) != length:
            raise ValueError(f"{name} is no array of plain numbers")
        shape = tuple(int(number) for number in re.findall(r"\d+", found["shape"]))
        header = NpyHeader(np.dtype(found["type"]), shape, found["fortran"] == "True", 8 + width + length)
        if header.length + header.bytes != entry.file_size:
            raise ValueError(f"{name} has another size than its header says")
        return header

    def read(self, forms: Mapping[str, Form]) -> dict[str, NDArray[Any]]:
        """Return arrays of which type and shape are known; nothing is unpacked unless all headers fit.

        Raises:
            ValueError: An array is missing, has another type or shape, or is damaged.
        """
        headers = {name: self.header(name) for name in forms}
        for name, (dtype, shape) in forms.items():
            found = headers[name]
            if found.shape != shape or found.dtype != dtype:
                raise ValueError(
                    f"{name} must be {dtype} of shape {shape}, not {found.dtype} of {found.shape}"
                )
        return {name: self._unpack(name, header) for name, header in headers.items()}

    def number(self, name: str, kinds: str) -> int | float:
        """Return a single number.

        Args:
            name: That of the array that holds it.
            kinds: `i` if it must be a whole number, `if` if it need not.

        Raises:
            ValueError: There is none of that kind.
        """
        header = self.header(name)
        if header.shape or header.dtype.kind not in kinds:
            raise ValueError(f"{name} must be a single number, not {header.dtype} of shape {header.shape}")
        value: int | float = self._unpack(name, header).item()
        return value

    def _entry(self, name: str) -> zipfile.ZipInfo:
        try:
            entry = self._zip.getinfo(f"{name}.npy")
        except KeyError as error:
            raise ValueError(f"{name} is missing") from error
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{name} is packed in an unknown way")
        if entry.flag_bits & _FLAG_ENCRYPTED:
            raise ValueError(f"{name} is encrypted")
        return entry

    def _unpack(self, name: str, header: NpyHeader) -> NDArray[Any]:
        """Return an array, which can be written to; its checksum is checked on the way."""
        numbers = np.empty(header.size, header.dtype)
        target = numbers.view(np.uint8).data
        with self._zip.open(self._entry(name)) as file:
            file.read(header.length)
            filled = 0
            while filled < len(target) and (piece := file.read(min(len(target) - filled, _PIECE))):
                target[filled : filled + len(piece)] = piece
                filled += len(piece)
        if filled != header.bytes:
            raise ValueError(f"{name} is cut off")
        return numbers.reshape(header.shape, order="F" if header.is_fortran else "C")


def _check_directory(content: bytes) -> None:
    """Raise `ValueError` if the directory of an archive is too large: all of it is kept in memory."""
    end = content.rfind(_END, max(0, len(content) - 65_557))  # a comment may follow
    if end < 0:
        raise ValueError("it is no archive, or cut off")
    (size,) = struct.unpack_from("<I", content, end + 12)
    if size > _MAX_DIRECTORY or content[max(0, end - 20) : end].startswith(_END_OF_LARGE):
        raise ValueError("it has too many entries")


@contextmanager
def load_npz(
    path: Path, error: type[ValueError], *, called: str, missing: str, instead: str, max_bytes: int
) -> Iterator[NpzArchive]:
    """Yield the arrays of an `.npz` file; set it aside if it is damaged or the block finds it unusable.

    A file is never set aside for want of memory: it may be as good as ever.

    Args:
        path: The `.npz` file.
        error: Type of the exception raised for anything that is wrong with the file.
        called: Its name for people.
        missing: Error sentence if there is no such file.
        instead: What people can do if it is damaged, in words.
        max_bytes: The largest size that such a file can have.

    Raises:
        ValueError: Of the type `error`: the file is missing, damaged, or cannot be read.
    """
    try:
        yield NpzArchive(atomic_files.read_while_replaced(lambda: read_regular_file(path, max_bytes)))
    except FileNotFoundError as problem:
        raise error(missing) from problem
    except OSError as problem:
        raise error(
            f"The {called} {path} cannot be read ({problem.strerror or in_words(problem)}); "
            "check the folder of runs."
        ) from problem
    except MemoryError as problem:
        raise error(
            f"There is not enough memory to read the {called} {path}; close other programs and try again."
        ) from problem
    except Exception as problem:  # a damaged archive can raise almost anything
        aside = atomic_files.quarantine(path)
        raise error(
            f"The {called} {path} is damaged ({in_words(problem)})"
            f"{f' and is kept as {aside.name}' if aside else ''}; {instead}."
        ) from problem


def in_words(problem: Exception) -> str:
    """Return what an exception says about a damaged file, on one line and not too long.

    It may quote the file: whatever is in there does not become markup, lines or pages of text.
    """
    text = "".join(sign if sign.isprintable() else "?" for sign in str(problem)) or type(problem).__name__
    return text if len(text) <= 150 else text[:150] + "…"
