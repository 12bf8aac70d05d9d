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

from rnnlab.data.preprocessing import DrawingError, decode_image, prepare
from rnnlab.digits import SIDE
from rnnlab.system.atomic_files import atomic_write

MAX_DRAWINGS: Final = 500
"""How many drawings a set can hold."""

MAX_FILE_BYTES: Final = 1_000_000
"""Largest size of a drawing's file, in bytes."""

_NAME: Final = re.compile(r"(?P<label>[0-9])-(?P<time>[0-9a-f]{16})-[0-9a-f]{8}\.png")


class LabelledDrawingError(RuntimeError):
    """A drawing that cannot be taken into the set; its text is one sentence meant for people."""


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
            prepared = prepare(decode_image(picture)) if len(picture) <= MAX_FILE_BYTES else None
        except DrawingError as error:
            raise LabelledDrawingError(str(error)) from error
        if prepared is None or not 0 <= label <= 9:
            raise LabelledDrawingError(
                "Only a drawing with a digit from 0 to 9 can be saved; draw a digit first."
            )
        if len(self._names()) >= MAX_DRAWINGS:
            raise LabelledDrawingError(
                f"Your hand has {MAX_DRAWINGS} drawings, the most that it can hold; remove some first."
            )
        name = f"{label}-{time.time_ns():016x}-{secrets.token_hex(4)}.png"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with atomic_write(self._folder / name) as file:
                file.write(picture)
        except OSError as error:
            raise LabelledDrawingError(
                f"The drawing cannot be saved in {self._folder} ({error.strerror}); check that folder."
            ) from error
        return LabelledDrawing(name, label, prepared.picture)

    def remove(self, drawing_id: str) -> None:
        """Remove a drawing; one that is gone already, or never was, is no error."""
        if _NAME.fullmatch(drawing_id):
            with suppress(OSError):
                (self._folder / drawing_id).unlink(missing_ok=True)

    def drawings(self) -> list[LabelledDrawing]:
        """Return all drawings that can be read, newest first."""
        found = (self._read(name) for name in self._names())
        return [drawing for drawing in found if drawing is not None]

    def examples(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the drawings to learn from: pictures, shape (N, 28, 28), and digits, shape (N,)."""
        drawings = self.drawings()
        pictures = np.zeros((len(drawings), SIDE, SIDE), np.uint8)
        for place, drawing in enumerate(drawings):
            pictures[place] = drawing.picture
        return pictures, np.array([drawing.label for drawing in drawings], np.uint8)

    def paths(self) -> list[Path]:
        """Return the files of the drawings, newest first; what does not look like one is passed over."""
        paths = (self._folder / name for name in self._names())
        return [path for path in paths if path.is_file()]

    def _names(self) -> list[str]:
        """Return the names of the drawings, newest first."""
        try:
            names = [name for name in os.listdir(self._folder) if _NAME.fullmatch(name)]
        except OSError:
            return []
        return sorted(names, key=lambda name: name.partition("-")[2], reverse=True)

    def _read(self, name: str) -> LabelledDrawing | None:
        """Return a drawing, or `None` if its file is gone or damaged."""
        path = self._folder / name
        try:
            picture = path.read_bytes() if path.stat().st_size <= MAX_FILE_BYTES else b""
            prepared = prepare(decode_image(picture))
        except (OSError, DrawingError):
            return None
        return None if prepared is None else LabelledDrawing(name, int(name[0]), prepared.picture)
