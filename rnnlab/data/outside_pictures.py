"""Prepares a picture that somebody brings, a scan, a photograph, a drawing, as the canvas is prepared."""

from __future__ import annotations

import base64
import io
from typing import Final

import numpy as np
from PIL import Image, ImageOps

from rnnlab.data.components import only_digit
from rnnlab.data.image_files import load_picture
from rnnlab.data.ink import separate_ink
from rnnlab.data.preprocessing import DrawingError, PreparedDrawing, prepare
from rnnlab.digits import FloatArray

THUMBNAIL_SIDE: Final = 280
"""Height and width of the picture that is shown to people, in pixels."""


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


def on_square(prepared: PreparedDrawing, shape: tuple[int, ...]) -> PreparedDrawing:
    """Return where the digit is on a square that a picture of that shape, (height, width, …), is put into."""
    high, wide = (side / max(shape[:2]) for side in shape[:2])
    return PreparedDrawing(
        prepared.picture,
        top=(1 - high) / 2 + prepared.top * high,
        left=(1 - wide) / 2 + prepared.left * wide,
        row_height=prepared.row_height * high,
        column_width=prepared.column_width * wide,
    )


def thumbnail(picture: FloatArray) -> str:
    """Return a picture on a black square, `THUMBNAIL_SIDE` pixels wide, as a data URL of a JPEG file."""
    image = Image.fromarray(np.rint(picture).clip(0, 255).astype(np.uint8))
    file = io.BytesIO()
    ImageOps.pad(image, (THUMBNAIL_SIDE, THUMBNAIL_SIDE)).save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
