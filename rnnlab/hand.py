"""The "your hand" set: drawings that a person has named the right digit of, kept to train on.

A folder of small PNG files, the digit first in the name of each. Whatever is found there is read as a picture
and as nothing else.
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

from rnnlab.drawing import SIDE, DrawingError, pixels_of_png, prepare
from rnnlab.files import written_aside

MOST_DRAWINGS: Final = 500
"""Drawings that a set can hold."""

LARGEST_FILE: Final = 1_000_000
"""Bytes that a drawing may have."""

_NAME: Final = re.compile(r"(?P<label>[0-9])-(?P<time>[0-9a-f]{16})-[0-9a-f]{8}\.png")


class HandError(RuntimeError):
    """A drawing that cannot be taken into the set; its text is one sentence meant for people."""


@dataclass(frozen=True)
class HandDrawing:
    """One drawing of the set.

    Attributes:
        id: Its name within the set.
        label: The digit that it shows.
        picture: As the network sees it, `uint8` of shape (28, 28).
    """

    id: str
    label: int
    picture: NDArray[np.uint8]


class Hand:
    """The set in one folder.

    Args:
        folder: Where the drawings are; it is made with the first one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, picture: bytes, label: int) -> HandDrawing:
        """Keep a drawing; it is prepared anew whenever it is read.

        Args:
            picture: The canvas as a PNG file.
            label: The digit that it shows.

        Raises:
            HandError: The picture cannot be read or kept, or the set is full.
        """
        try:
            prepared = prepare(pixels_of_png(picture)) if len(picture) <= LARGEST_FILE else None
        except DrawingError as error:
            raise HandError(str(error)) from error
        if prepared is None or not 0 <= label <= 9:
            raise HandError("Only a drawing and a digit from 0 to 9 can be kept; draw a digit first.")
        if len(self._names()) >= MOST_DRAWINGS:
            raise HandError(f"Your hand has {MOST_DRAWINGS} drawings, the most it can; remove some first.")
        name = f"{label}-{time.time_ns():016x}-{secrets.token_hex(4)}.png"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with written_aside(self._folder / name) as file:
                file.write(picture)
        except OSError as error:
            raise HandError(f"The drawing cannot be kept in {self._folder} ({error.strerror}).") from error
        return HandDrawing(name, label, prepared.picture)

    def remove(self, drawing_id: str) -> None:
        """Remove a drawing; one that is gone already, or never was, is no error."""
        if _NAME.fullmatch(drawing_id):
            with suppress(OSError):
                (self._folder / drawing_id).unlink(missing_ok=True)

    def drawings(self) -> list[HandDrawing]:
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

    def _names(self) -> list[str]:
        """Return the names of the drawings, newest first."""
        try:
            names = [name for name in os.listdir(self._folder) if _NAME.fullmatch(name)]
        except OSError:
            return []
        return sorted(names, key=lambda name: name.partition("-")[2], reverse=True)

    def _read(self, name: str) -> HandDrawing | None:
        """Return a drawing, or `None` where its file is gone or damaged."""
        path = self._folder / name
        try:
            picture = path.read_bytes() if path.stat().st_size <= LARGEST_FILE else b""
            prepared = prepare(pixels_of_png(picture))
        except (OSError, DrawingError):
            return None
        return None if prepared is None else HandDrawing(name, int(name[0]), prepared.picture)
