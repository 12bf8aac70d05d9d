"""Digits as a pen would draw them: paths on a square from 0 to 1, y downwards."""

from __future__ import annotations

import io
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Path = list[tuple[float, float]]

STROKES: Final[dict[str, list[Path]]] = {
    "0": [
        [
            (0.5, 0.1),
            (0.3, 0.2),
            (0.22, 0.5),
            (0.3, 0.8),
            (0.5, 0.9),
            (0.7, 0.8),
            (0.78, 0.5),
            (0.7, 0.2),
            (0.5, 0.1),
        ]
    ],
    "1": [[(0.5, 0.1), (0.5, 0.9)]],
    "2": [
        [(0.25, 0.28), (0.36, 0.13), (0.56, 0.09), (0.72, 0.2), (0.7, 0.4), (0.5, 0.64), (0.24, 0.88)],
        [(0.24, 0.88), (0.78, 0.88)],
    ],
    "3": [
        [(0.25, 0.15), (0.5, 0.08), (0.72, 0.22), (0.66, 0.4), (0.45, 0.48)],
        [(0.45, 0.48), (0.72, 0.6), (0.75, 0.78), (0.5, 0.92), (0.24, 0.84)],
    ],
    "4": [[(0.56, 0.1), (0.38, 0.38), (0.2, 0.62), (0.8, 0.62)], [(0.62, 0.34), (0.6, 0.92)]],
    "5": [
        [
            (0.72, 0.1),
            (0.34, 0.1),
            (0.3, 0.44),
            (0.52, 0.4),
            (0.72, 0.52),
            (0.74, 0.74),
            (0.54, 0.9),
            (0.26, 0.86),
        ]
    ],
    "6": [
        [
            (0.62, 0.08),
            (0.4, 0.3),
            (0.28, 0.58),
            (0.32, 0.82),
            (0.52, 0.92),
            (0.7, 0.8),
            (0.68, 0.62),
            (0.5, 0.54),
            (0.32, 0.66),
        ]
    ],
    "7": [[(0.2, 0.12), (0.8, 0.12)], [(0.8, 0.12), (0.55, 0.5), (0.42, 0.92)]],
    "8": [
        [
            (0.68, 0.2),
            (0.5, 0.09),
            (0.32, 0.2),
            (0.38, 0.38),
            (0.62, 0.56),
            (0.7, 0.76),
            (0.5, 0.91),
            (0.3, 0.76),
            (0.38, 0.56),
            (0.62, 0.38),
            (0.68, 0.2),
        ]
    ],
    "9": [
        [(0.7, 0.28), (0.56, 0.44), (0.36, 0.42), (0.3, 0.24), (0.44, 0.09), (0.64, 0.12), (0.7, 0.28)],
        [(0.7, 0.28), (0.66, 0.6), (0.58, 0.92)],
    ],
}


def draw_digit(
    digit: str,
    *,
    pen: int = 20,
    side: int = 280,
    scale: float = 1.0,
    shift: tuple[float, float] = (0.0, 0.0),
    slant: float = 0.0,
) -> NDArray[np.uint8]:
    """Return a canvas, RGBA, with a digit in white on black.

    Args:
        digit: A key of `STROKES`.
        pen: Width of the pen in pixels.
        side: Height and width of the canvas in pixels.
        scale: Size of the digit, 1 fills the canvas.
        shift: Where its upper left corner goes, as a share of the canvas.
        slant: How far it leans to the right for each unit upwards.
    """
    leaning = [[(x + slant * (0.5 - y), y) for x, y in stroke] for stroke in STROKES[digit]]
    return draw_strokes(
        [[(x * scale + shift[0], y * scale + shift[1]) for x, y in stroke] for stroke in leaning], pen, side
    )


def draw_strokes(strokes: list[Path], pen: int = 20, side: int = 280) -> NDArray[np.uint8]:
    """Return a canvas, RGBA, with strokes in white on black; their points are shares of its sides."""
    image = Image.new("RGBA", (side, side), "black")
    brush = ImageDraw.Draw(image)
    for stroke in strokes:
        points = [(x * side, y * side) for x, y in stroke]
        brush.line(points, fill="white", width=pen, joint="curve")
        for x, y in points:
            brush.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill="white")
    return np.asarray(image)


def png(digit: str) -> bytes:
    """Return a drawn digit as the canvas sends it."""
    picture = io.BytesIO()
    Image.fromarray(draw_digit(digit)).save(picture, "PNG")
    return picture.getvalue()
