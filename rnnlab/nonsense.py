"""Pictures of no digit: dots, scribbles, two digits at once. A network that learns them learns to doubt.

Their label is `NO_DIGIT`, for which the right belief is flat: one tenth for every digit. Training on what
belongs to no class is from Hendrycks, Mazeika and Dietterich, "Deep anomaly detection with outlier exposure",
2019.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from rnnlab.drawing import SIDE, prepare
from rnnlab.forms import curve

_CANVAS: Final = 120


def draw_nonsense(images: NDArray[np.uint8], count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Draw pictures of no digit, prepared like any drawing.

    Args:
        images: Digits that two at once are made of, `uint8` of shape (N, 28, 28).
        count: How many to draw.
        seed: Of all chance.

    Returns:
        `uint8` of shape (count, 28, 28).
    """
    chance = np.random.default_rng(seed)
    pictures: list[NDArray[np.uint8]] = []
    while len(pictures) < count:
        kind = chance.random()
        canvas = _dot(chance) if kind < 0.1 else _scribble(chance) if kind < 0.5 else _two(images, chance)
        prepared = prepare(canvas)
        if prepared is not None:
            pictures.append(prepared.picture)
    return np.stack(pictures)


def _dot(chance: np.random.Generator) -> NDArray[np.uint8]:
    """A filled spot, rounder or longer, but not as long as a stroke."""
    canvas = Image.new("L", (_CANVAS, _CANVAS))
    width, height = chance.uniform(15, 45, 2)
    ImageDraw.Draw(canvas).ellipse((60 - width, 60 - height, 60 + width, 60 + height), fill=255)
    return np.asarray(canvas.rotate(chance.uniform(0, 180)))


def _scribble(chance: np.random.Generator) -> NDArray[np.uint8]:
    """A long line to and fro, or some lines that end anywhere."""
    canvas = Image.new("L", (_CANVAS, _CANVAS))
    brush, width = ImageDraw.Draw(canvas), round(chance.uniform(4, 12))
    for _ in range(chance.integers(1, 4)):
        points = chance.uniform(10, 110, (chance.integers(7, 25), 2))
        path = curve(*map(tuple, points)) if chance.random() < 0.6 else points
        brush.line([(x, y) for x, y in path], fill=255, width=width, joint="curve")
    return np.asarray(canvas)


def _two(images: NDArray[np.uint8], chance: np.random.Generator) -> NDArray[np.uint8]:
    """Two digits side by side, each at its own height."""
    left, right = (_columns_with_ink(images[index]) for index in chance.integers(0, len(images), 2))
    gap = chance.integers(0, 6)
    canvas = np.zeros((SIDE + 6, left.shape[1] + gap + right.shape[1]), np.uint8)
    for digit, start in ((left, 0), (right, left.shape[1] + gap)):
        top = chance.integers(0, 7)
        canvas[top : top + SIDE, start : start + digit.shape[1]] = digit
    return canvas


def _columns_with_ink(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    columns = np.flatnonzero(image.any(axis=0))
    return image[:, columns[0] : columns[-1] + 1]
