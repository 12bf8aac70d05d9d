"""The "your hand" set: drawings whose right digit a person has named, saved to train on.

It is a folder of small PNG files. The name of each begins with its digit. A file in it is only ever read as a
picture.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rnnlab.data.image_files import MAX_DRAWING_BYTES, ShortMemoryError, load_drawing
from rnnlab.data.preprocessing import DrawingError, prepare
from rnnlab.digits import SIDE
from rnnlab.system.atomic_files import atomic_write
from rnnlab.system.regular_files import read_regular_file

MAX_DRAWINGS: Final = 500
"""How many drawings a set can hold."""

_NAME: Final = re.compile(r"(?P<label>[0-9])-(?P<time>[0-9a-f]{16})-[0-9a-f]{8}\.png")


def label_of(drawing_id: str) -> int:
    """Return the digit with which the name of a drawing begins."""
    return int(drawing_id[0])


class LabelledDrawingError(RuntimeError):
    """A drawing that cannot be taken into the set, or a set that cannot be read.

    Its text is one sentence meant for people.
    """


@dataclass(frozen=True)
class LabelledDrawing:
    """One drawing of the set.

    Attributes:
        id: Its name within the set.
        label: The digit that it shows.
        picture: As the network sees it, `uint8` of shape (28, 28).
    """

    id: str
    label: int
    picture: NDArray[np.uint8]


class LabelledDrawings:
    """The set in one folder.

    Args:
        folder: Where the drawings are; created together with the first one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, picture: bytes, label: int) -> LabelledDrawing:
        """Save a drawing; it is prepared anew whenever it is read.

        Args:
            picture: The canvas as a PNG file.
            label: The digit that it shows.

        Raises:
            LabelledDrawingError: The picture cannot be read or saved, or the set is full.
        """
        try:
            prepared = prepare(load_drawing(picture))
        except DrawingError as error:
            raise LabelledDrawingError(str(error)) from error
        if prepared is None or not 0 <= label <= 9:
            raise LabelledDrawingError(
                "Only a drawing with a digit from 0 to 9 can be saved; draw a digit first."
            )
        if self.count() >= MAX_DRAWINGS:
            raise LabelledDrawingError(
                f"Your hand has {MAX_DRAWINGS} drawings, the most that it can hold; remove some first."
            )
        name = f"{label}-{time.time_ns():016x}-{secrets.token_hex(4)}.png"
        self._save(name, picture)
        return LabelledDrawing(name, label, prepared.picture)

    def _save(self, name: str, picture: bytes) -> None:
        """Write a drawing into the folder.

        Raises:
            LabelledDrawingError: It cannot be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with atomic_write(self._folder / name) as file:
                file.write(picture)
        except OSError as error:
            raise LabelledDrawingError(
                f"The drawing cannot be saved in {self._folder} ({error.strerror}); check that folder."
            ) from error

    def remove(self, drawing_id: str) -> bytes | None:
        """Remove a drawing; one that is gone already, or never was, is no error.

        Returns:
            The drawing as a PNG file, with which `restore` brings it back; `None` if there was none.
        """
        if not _NAME.fullmatch(drawing_id):
            return None
        picture = None
        with suppress(OSError):
            picture = read_regular_file(self._folder / drawing_id, MAX_DRAWING_BYTES)
        with suppress(OSError):
            (self._folder / drawing_id).unlink(missing_ok=True)
        return picture

    def restore(self, drawing_id: str, picture: bytes) -> None:
        """Bring back a drawing that was removed.

        Args:
            drawing_id: Its name within the set.
            picture: What `remove` returned.

        Raises:
            LabelledDrawingError: It cannot be saved.
        """
        if _NAME.fullmatch(drawing_id):
            self._save(drawing_id, picture)

    def count(self) -> int:
        """Return how many drawings there are, without reading them."""
        return len(self._names())

    def drawings(self, newest: int | None = None) -> list[LabelledDrawing]:
        """Return the drawings that can be read, newest first: all, or so many of the newest.

        Raises:
            LabelledDrawingError: There is not enough memory to read them.
        """
        try:
            found = [self._read(name) for name in self._names()[:newest]]
        except (MemoryError, ShortMemoryError) as error:
            raise LabelledDrawingError(
                "There is not enough memory to read your drawings; close other programs and try again."
            ) from error
        return [drawing for drawing in found if drawing is not None]

    def examples(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the drawings to learn from: pictures, shape (N, 28, 28), and digits, shape (N,).

        Raises:
            LabelledDrawingError: There is not enough memory to read them.
        """
        drawings = self.drawings()
        pictures = np.zeros((len(drawings), SIDE, SIDE), np.uint8)
        for place, drawing in enumerate(drawings):
            pictures[place] = drawing.picture
        return pictures, np.array([drawing.label for drawing in drawings], np.uint8)

    def copy_to(self, folder: Path) -> None:
        """Copy the drawings into a folder, and nothing else that may lie beside them.

        Raises:
            OSError: They cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for name in self._names():
            try:
                picture = read_regular_file(self._folder / name, MAX_DRAWING_BYTES)
            except OSError:  # gone, or no drawing
                continue
            (folder / name).write_bytes(picture)

    def _names(self) -> list[str]:
        """Return the names of the drawings, newest first."""
        try:
            names = [name for name in os.listdir(self._folder) if _NAME.fullmatch(name)]
        except OSError:
            return []
        return sorted(names, key=lambda name: name.partition("-")[2], reverse=True)

    def _read(self, name: str) -> LabelledDrawing | None:
        """Return a drawing, or `None` if its file is gone, damaged or no file at all."""
        path = self._folder / name
        try:
            prepared = prepare(load_drawing(read_regular_file(path, MAX_DRAWING_BYTES)))
        except ShortMemoryError:  # a network must not learn from fewer drawings than there are
            raise
        except (OSError, DrawingError):
            return None
        return None if prepared is None else LabelledDrawing(name, label_of(name), prepared.picture)
