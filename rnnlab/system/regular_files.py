"""Reads files that may be anything: only regular files of a sensible size, and never one to wait for."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path


class UnfitFileError(OSError):
    """A path that is no regular file, or too large a one; `strerror` says which, in a few words."""


def read_regular_file(path: Path, max_bytes: int) -> bytes:
    """Return the content of a file; see `open_regular_file`.

    Raises:
        UnfitFileError: It is no regular file, larger, or longer than it was a moment ago.
        OSError: It cannot be opened or read.
    """
    with open_regular_file(path, max_bytes) as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(size + 1) or b""  # None: a file of the system that has nothing to say
    if len(content) > size:
        raise UnfitFileError(errno.EAGAIN, "it is still being written")
    return content


def read_end(path: Path, max_bytes: int) -> bytes:
    """Return the end of a file, however large it is; see `open_regular_file`.

    Args:
        path: The file.
        max_bytes: How much to read at most.

    Raises:
        UnfitFileError: It is no regular file.
        OSError: It cannot be opened or read.
    """
    with open_regular_file(path) as file:
        file.seek(-min(os.fstat(file.fileno()).st_size, max_bytes), os.SEEK_END)
        return file.read(max_bytes)


@contextmanager
def open_regular_file(path: Path, max_bytes: float = float("inf")) -> Iterator[BufferedReader]:
    """Yield a file that is open for reading, unless it is a folder, a device, a pipe, a socket, or too large.

    None of these is waited for, and no device is opened: to open some of them has effects.

    Args:
        path: The file.
        max_bytes: The largest size, in bytes; any by default.

    Raises:
        UnfitFileError: It is no regular file, or larger.
        OSError: It cannot be opened.
    """
    _check(path.stat(), max_bytes)
    with open(path, "rb", opener=_open_without_waiting) as file:
        _check(os.fstat(file.fileno()), max_bytes)  # another may have taken its place
        yield file


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _check(status: os.stat_result, max_bytes: float) -> None:
    """Raise `UnfitFileError` if a file of this status is not to be read."""
    if stat.S_ISDIR(status.st_mode):
        raise UnfitFileError(errno.EISDIR, "it is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise UnfitFileError(errno.EINVAL, "it is a device, a pipe or a socket")
    if status.st_size > max_bytes:
        most = f"{max_bytes / 1e6:,.0f} MB" if max_bytes >= 1_000_000 else f"{max_bytes:,} bytes"
        raise UnfitFileError(errno.EFBIG, f"it has more than {most}")
