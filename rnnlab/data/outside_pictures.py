"""Prepares a picture that somebody brings, a scan, a photograph, a drawing, as the canvas is prepared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rnnlab.data.components import only_digit
from rnnlab.data.image_files import load_picture
from rnnlab.data.ink import separate_ink
from rnnlab.data.preprocessing import DrawingError, PreparedDrawing, prepare
from rnnlab.digits import FloatArray


class SeveralDigitsError(DrawingError):
    """A picture that seems to show several digits."""


def prepare_file(data: bytes) -> PreparedDrawing | None:
    """Find the digit in an image file and prepare it as `prepare` does with a drawing.

    Returns:
        The picture that the network sees, or `None` if nothing stands out from the paper.

    Raises:
        DrawingError: The bytes are no readable image, or too many.
        SeveralDigitsError: It seems to show several digits.
    """
    return prepare_picture(load_picture(data))


def prepare_picture(picture: FloatArray) -> PreparedDrawing | None:
    """Find the digit in a picture as `load_picture` returns it; see `prepare_file`.

    Raises:
        SeveralDigitsError: It seems to show several digits.
    """
    ink = separate_ink(picture)
    if ink is None:
        return None
    digit, count = only_digit(ink)
    if count > 1:
        raise SeveralDigitsError(
            f"The picture seems to show {count} digits; show one at a time, or cut the others off."
        )
    return prepare(digit)


def as_shown(picture: FloatArray) -> NDArray[np.uint8]:
    """Return a picture as people see it, `uint8`, of the same shape."""
    return np.asarray(np.rint(picture).clip(0, 255), np.uint8)
