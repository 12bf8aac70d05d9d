"""Files that matter: written aside and renamed, and set aside, never deleted, where they are damaged."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray


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


def in_spite_of_removal(write: Callable[[], None]) -> None:
    """Write a file, once more where its folder is removed while that goes on."""
    try:
        write()
    except FileNotFoundError:
        write()


@contextmanager
def arrays_of(
    path: Path, error: type[ValueError], *, called: str, missing: str, instead: str
) -> Iterator[Mapping[str, NDArray[Any]]]:
    """Offer the arrays of an `.npz` file; one that is damaged, or found unusable in the block, is set aside.

    Args:
        path: The file.
        error: Raised for whatever is wrong with it.
        called: What people call it.
        missing: What they are told where there is none.
        instead: What they can do where it is damaged.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            yield dict(arrays)
    except FileNotFoundError as problem:
        raise error(missing) from problem
    except OSError as problem:
        raise error(
            f"The {called} {path} cannot be read ({problem.strerror}); check the folder of runs."
        ) from problem
    except Exception as problem:  # what a damaged archive makes of the reader is not to be listed
        kept = set_aside(path)
        raise error(
            f"The {called} {path} is damaged ({problem})"
            f"{f' and is kept as {kept.name}' if kept else ''}; {instead}."
        ) from problem


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
