"""Safe files: written under another name, then renamed; set aside, never deleted, if they are damaged."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final, TypeVar

_REPLACE_PATIENCE: Final = 5.0
"""Seconds to wait for those who read a file that is to be replaced: on Windows, it cannot be until then."""

_READ_PATIENCE: Final = 0.5 if os.name == "nt" else 0.0
"""Seconds to wait for those who replace a file that is to be read: elsewhere, nobody needs to."""

_LEFTOVER: Final = re.compile(r"\.\w+\.npz\.\d+\.\d+")
"""Name of a file that `atomic_write` has not finished: that of the file, of the process and of the thread."""

_Result = TypeVar("_Result")


@contextmanager
def atomic_write(path: Path, *, durable: bool = False) -> Iterator[IO[bytes]]:
    """Yield a new file that takes the place of `path` once the block has succeeded.

    The folder of the file is created again if somebody has removed it.

    Args:
        path: The file to write; if the block fails, it stays as it was.
        durable: Whether the content must be on the disk before the file is renamed.

    Raises:
        OSError: The file cannot be written.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        path.parent.mkdir(exist_ok=True)
        with aside.open("wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        replace(aside, path)
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)


def replace(source: Path, target: Path) -> None:
    """Rename a file or a folder; a file of the new name is replaced, even if somebody reads it just now.

    Raises:
        OSError: It cannot be renamed, or is still in use after some seconds.
    """
    _while_in_use(lambda: os.replace(source, target), _REPLACE_PATIENCE)


def read_while_replaced(read: Callable[[], _Result]) -> _Result:
    """Read a file that others may replace just now: on Windows, it cannot be opened at that moment.

    Raises:
        OSError: It cannot be read, or is still in use after some time.
    """
    return _while_in_use(read, _READ_PATIENCE)


def _while_in_use(act: Callable[[], _Result], patience: float) -> _Result:
    """Do something with a file, again and again for some seconds if another process does not permit it."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return act()
        except PermissionError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(0.01)


def retry_if_folder_removed(write: Callable[[], None]) -> None:
    """Write a file; try once more if its folder is removed at that moment."""
    try:
        write()
    except FileNotFoundError:
        write()


def remove_leftovers(folder: Path) -> None:
    """Remove the unfinished files of processes that were killed while they wrote."""
    for leftover in folder.glob(".*.npz.*"):
        if _LEFTOVER.fullmatch(leftover.name):
            with suppress(OSError):
                leftover.unlink()


def quarantine(path: Path) -> Path | None:
    """Rename a damaged file, so that it can still be examined and a new one can take its place.

    Returns:
        Where it is now; `None` if it cannot be renamed, or is gone already.
    """
    target, count = quarantine_path(path), 1
    while target.exists():
        count += 1
        target = path.with_name(f"{quarantine_path(path).name}-{count}")
    try:
        _while_in_use(lambda: os.rename(path, target), _READ_PATIENCE)
    except OSError:
        return None
    return target


def quarantine_path(path: Path) -> Path:
    """Return the name under which the first damaged file of this name is set aside."""
    return path.with_name(f"{path.name}.damaged")
