"""Turns canvas pixels into the 28 x 28 picture that the network sees, prepared the way MNIST was.

MNIST's digits were scaled to fit into 20 x 20 pixels with their proportions unchanged, which gave them grey
levels by anti-aliasing, and then moved by whole pixels until their centre of mass lay in the middle of
28 x 28 (LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition", 1998,
section III.A).

A pen on a canvas may be far thinner or thicker for the size of the digit than any of MNIST's, so strokes are
brought to the width that MNIST's usually have.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rnnlab.digits import SIDE

BOX: Final = 20
"""The digit's longer side within the picture, in pixels."""

MASS_CENTRE: Final = 14
"""Row and column index around which MNIST's centres of mass lie (means 13.99 and 14.01, all within 0.5)."""

STROKE_WIDTH: Final = 2.4
"""Median width of MNIST's strokes, in pixels, as `stroke_width` measures it; most have 1.8 to 3.3."""

_MEASURED: Final = 80
"""About how many pixels the longer side of a digit has when its strokes are measured."""

INK_THRESHOLD: Final = 20
"""Grey levels up to this one (of 255) count as background when the digit is cropped."""

MAX_CANVAS_SIDE: Final = 4096
"""Longest side of a picture, in pixels; larger ones are refused, to save memory."""


class DrawingError(ValueError):
    """A picture that cannot be read as a drawing; its text is one sentence meant for people."""


@dataclass(frozen=True)
class PreparedDrawing:
    """A drawing as the network sees it, and where it was on the canvas.

    Attributes:
        picture: `uint8` of shape (28, 28), 0 = background, 255 = ink.
        top: Where the upper edge of row 1 lies on the canvas, as a share of its height; may be negative.
        left: Where the left edge of column 1 lies on it, as a share of its width; may be negative.
        row_height: How much of the canvas one row covers, as a share of its height.
        column_width: How much of the canvas one column covers, as a share of its width.
    """

    picture: NDArray[np.uint8]
    top: float
    left: float
    row_height: float
    column_width: float


def to_ink(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Return how much ink each pixel of a canvas has, 0 to 255; white is ink, black and transparent are not.

    Args:
        pixels: Numbers from 0 to 255, shape (height, width), (height, width, 3) or (height, width, 4).

    Raises:
        DrawingError: The array has another shape or type, or is too large.
    """
    values = np.asarray(pixels)
    if values.dtype.kind not in "uif" or values.ndim not in (2, 3) or 0 in values.shape:
        raise DrawingError("The drawing must be an array of grey or colour pixels; draw it again.")
    if max(values.shape[:2]) > MAX_CANVAS_SIDE:
        raise DrawingError(
            f"The drawing must have at most {MAX_CANVAS_SIDE} x {MAX_CANVAS_SIDE} pixels; make it smaller."
        )
    if values.ndim == 3 and values.shape[2] not in (3, 4):
        raise DrawingError("The drawing must have 1, 3 or 4 values per pixel; draw it again.")
    if values.dtype != np.uint8:
        values = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=255.0, neginf=0.0).clip(0.0, 255.0)
    if values.ndim == 2:
        return values.astype(np.float32)
    red, green, blue = (values[..., channel].astype(np.float32) for channel in range(3))
    grey = np.float32(0.299) * red + np.float32(0.587) * green + np.float32(0.114) * blue
    if values.shape[2] == 4:
        grey *= values[..., 3] / np.float32(255.0)
    return np.asarray(grey, np.float32)


def prepare(pixels: NDArray[Any], *, specks: bool = True) -> PreparedDrawing | None:
    """Crop, fit and centre a drawing as MNIST's digits were, and give its strokes the width of theirs.

    Args:
        pixels: The canvas, white on black, as for `to_ink`.
        specks: Whether it may have specks, which are removed first.

    Returns:
        The picture, or `None` for a blank canvas.

    Raises:
        DrawingError: The array is no picture.
    """
    ink = to_ink(pixels)
    if specks:
        from rnnlab.data.components import without_specks  # with SciPy, which is loaded for a drawing only

        ink = without_specks(ink)
    rows = np.flatnonzero((ink > INK_THRESHOLD).any(axis=1))
    columns = np.flatnonzero((ink > INK_THRESHOLD).any(axis=0))
    if rows.size == 0:
        return None
    first_row, first_column = int(rows[0]), int(columns[0])
    digit = ink[first_row : int(rows[-1]) + 1, first_column : int(columns[-1]) + 1]
    thickness = _missing_thickness(digit)
    fitted = _fit(digit, BOX - 2 * thickness)
    framed = _framed(fitted)
    picture, top, left = centre_by_mass(_darkened(thicken(framed, np.float32(thickness))))
    row_height, column_width = (digit.shape[axis] / fitted.shape[axis] / ink.shape[axis] for axis in (0, 1))
    return PreparedDrawing(
        picture,
        top=first_row / ink.shape[0] - (top + 1) * row_height,
        left=first_column / ink.shape[1] - (left + 1) * column_width,
        row_height=row_height,
        column_width=column_width,
    )


def prepared_picture(pixels: NDArray[Any], *, specks: bool = True) -> NDArray[np.uint8]:
    """Return the picture that `prepare` makes, `uint8` of shape (28, 28); of a blank canvas a blank one."""
    prepared = prepare(pixels, specks=specks)
    return np.zeros((SIDE, SIDE), np.uint8) if prepared is None else prepared.picture


def _framed(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a picture with a frame of one pixel without ink; `np.pad` takes ten times as long."""
    framed = np.zeros((ink.shape[0] + 2, ink.shape[1] + 2), np.float32)
    framed[1:-1, 1:-1] = ink
    return framed


def stroke_width(ink: NDArray[np.float32]) -> float:
    """Return the mean stroke width of a digit, in pixels: twice its area divided by the length of its edge.

    Args:
        ink: Shape (height, width), any grey levels, not all zero.
    """
    framed = _framed(ink)
    across, down = np.diff(framed, axis=1)[:-1], np.diff(framed, axis=0)[:, :-1]
    edge = float(np.sqrt(across * across + down * down).sum(dtype=np.float64))
    return 2 * float(ink.sum(dtype=np.float64)) / edge


def _missing_thickness(digit: NDArray[np.float32]) -> float:
    """Return how much each side of a stroke must grow to get MNIST's width, -1 to 1 pixels of the picture."""
    apart = max(1, max(digit.shape) // _MEASURED)  # of a large drawing, a grid of its pixels is enough
    sampled = digit[::apart, ::apart]
    width = stroke_width(sampled) * BOX / max(sampled.shape) if sampled.any() else STROKE_WIDTH
    return min(max((STROKE_WIDTH - width) / 2, -1.0), 1.0)


def thicken(pictures: NDArray[np.float32], pixels: NDArray[np.float32] | np.float32) -> NDArray[np.float32]:
    """Make strokes thicker or thinner: each pixel moves towards its darkest or its lightest neighbour.

    Args:
        pictures: Shape (height, width, …); there is no ink beyond their edges.
        pixels: How much to add on each side of a stroke, -1 to 1; one number, or one for each picture.
    """
    height, width, *others = pictures.shape
    framed = np.zeros((height + 2, width + 2, *others), np.float32)
    framed[1:-1, 1:-1] = pictures
    neighbours = framed[:-2, 1:-1], framed[2:, 1:-1], framed[1:-1, :-2], framed[1:-1, 2:]
    result = pictures.copy()
    for extreme, share in ((np.maximum, np.maximum(0, pixels)), (np.minimum, np.maximum(0, -pixels))):
        if np.any(share):
            goal = pictures.copy()
            for neighbour in neighbours:
                extreme(goal, neighbour, out=goal)
            goal -= pictures
            goal *= share
            result += goal
    return result


def _fit(digit: NDArray[np.float32], box: float) -> NDArray[np.float32]:
    """Scale a cropped digit so that its longer side has `box` pixels and its darkest ink is 255."""
    height, width = digit.shape
    scale = box / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = Image.fromarray(digit.astype(np.float32))
    return _darkened(np.asarray(image.resize(size, Image.Resampling.BILINEAR), dtype=np.float32))


def _darkened(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a picture whose darkest ink is 255."""
    return ink * np.float32(255.0 / max(float(ink.max()), 1.0))


def centre_by_mass(ink: NDArray[np.floating[Any]]) -> tuple[NDArray[np.uint8], int, int]:
    """Put a small picture into 28 x 28 with its centre of mass in the middle, without cutting anything off.

    Args:
        ink: Shape (height, width), both at most 28, values 0 to 255, not all zero.

    Returns:
        The picture, `uint8` of shape (28, 28), and the row and the column in it where `ink` begins.
    """
    height, width = ink.shape
    mass = ink.sum()
    top = round(MASS_CENTRE - float(ink.sum(axis=1) @ np.arange(height) / mass))
    left = round(MASS_CENTRE - float(ink.sum(axis=0) @ np.arange(width) / mass))
    top = min(max(top, 0), SIDE - height)
    left = min(max(left, 0), SIDE - width)
    picture = np.zeros((SIDE, SIDE), np.uint8)
    picture[top : top + height, left : left + width] = np.rint(ink).clip(0, 255).astype(np.uint8)
    return picture, top, left


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """Return grey pixels, shape (height, width), as a PNG file."""
    png = io.BytesIO()
    Image.fromarray(pixels).save(png, "PNG")
    return png.getvalue()
