"""Pictures of no digit: dots, scribbles, two digits side by side. They teach a network to doubt.

Their label is `NO_DIGIT`, for which the right belief is flat: one tenth for every digit. Training on pictures
that belong to no class follows Hendrycks, Mazeika and Dietterich, "Deep anomaly detection with outlier
exposure", 2019.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from rnnlab.data.preprocessing import prepared_picture
from rnnlab.data.synthetic_digits import draw_path, spline
from rnnlab.digits import SIDE

_CANVAS: Final = 120
"""Height and width of the canvas, in pixels."""

_DOTS: Final = 0.2
"""Share of spots among spots and scribbles."""


def make_dots_and_scribbles(count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Draw spots, one in five, and scribbles, prepared like any drawing.

    Args:
        count: How many pictures to draw, at least 1; fewer are the first ones of more.
        seed: Of the random numbers.

    Returns:
        `uint8` of shape (count, 28, 28).
    """
    generator = np.random.default_rng(seed)
    return np.stack(
        [
            _prepared(_dot(generator) if generator.random() < _DOTS else _scribble(generator))
            for _ in range(count)
        ]
    )


def make_two_digits(images: NDArray[np.uint8], count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Put two digits side by side, each at its own height, and prepare them like a drawing.

    Args:
        images: The digits, `uint8` of shape (N, 28, 28).
        count: How many pictures to make, at least 1; fewer are the first ones of more.
        seed: Of the random numbers.

    Returns:
        `uint8` of shape (count, 28, 28).
    """
    generator = np.random.default_rng(seed)
    return np.stack([_prepared(_two(images, generator)) for _ in range(count)])


def _prepared(canvas: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return prepared_picture(canvas, specks=False)


def _dot(generator: np.random.Generator) -> NDArray[np.uint8]:
    """A filled spot, round or oval, but not as long as a stroke."""
    canvas = Image.new("L", (_CANVAS, _CANVAS))
    width, height = generator.uniform(15, 45, 2)
    ImageDraw.Draw(canvas).ellipse((60 - width, 60 - height, 60 + width, 60 + height), fill=255)
    return np.asarray(canvas.rotate(generator.uniform(0, 180)))


def _scribble(generator: np.random.Generator) -> NDArray[np.uint8]:
    """One to three long lines to and fro, curved or jagged."""
    canvas = Image.new("L", (_CANVAS, _CANVAS))
    brush, width = ImageDraw.Draw(canvas), round(generator.uniform(4, 12))
    for _ in range(generator.integers(1, 4)):
        points = generator.uniform(10, 110, (generator.integers(7, 25), 2))
        path = spline(*map(tuple, points)) if generator.random() < 0.6 else points
        draw_path(brush, path, width)
    return np.asarray(canvas)


def _two(images: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Two digits side by side, each at its own height."""
    left, right = (_columns_with_ink(images[index]) for index in generator.integers(0, len(images), 2))
    gap = generator.integers(0, 6)
    canvas = np.zeros((SIDE + 6, left.shape[1] + gap + right.shape[1]), np.uint8)
    for digit, start in ((left, 0), (right, left.shape[1] + gap)):
        top = generator.integers(0, 7)
        canvas[top : top + SIDE, start : start + digit.shape[1]] = digit
    return canvas


def _columns_with_ink(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    columns = np.flatnonzero(image.any(axis=0))
    return image[:, columns[0] : columns[-1] + 1]
