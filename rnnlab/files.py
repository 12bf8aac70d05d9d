"""Files that matter: written aside and renamed, and set aside, never deleted, where they are damaged."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def written_aside(path: Path, *, durable: bool = False) -> Iterator[IO[bytes]]:
    """Offer a new file that takes the place of `path` once the block has ended well.

    The folder that it is in is made where somebody has removed it.

    Args:
        path: What is to be written; what lies there is as it was where the block fails.
        durable: Whether the content must be on the disk before it takes that place.

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
        os.replace(aside, path)
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what a process that was killed has left of files that it was writing aside."""
    for leftover in folder.glob(".*.npz.*"):
        with suppress(OSError):
            leftover.unlink()


def set_aside(path: Path) -> Path | None:
    """Rename a damaged file, so that a new one can take its place and it can still be looked at.

    Returns:
        Where it is now; `None` where it cannot be renamed, or is gone already.
    """
    target, count = damaged_name(path), 1
    while target.exists():
        count += 1
        target = path.with_name(f"{damaged_name(path).name}-{count}")
    try:
        os.rename(path, target)
    except OSError:
        return None
    return target


def damaged_name(path: Path) -> Path:
    """Return under which name a damaged file is set aside first."""
    return path.with_name(f"{path.name}.damaged")
