"""Pen drawings by 30 writers who are not in MNIST, drawn on a canvas as the page's own would show them.

The drawings are the training part of "Pen-Based Recognition of Handwritten Digits" (Alpaydin and Alimoglu,
1998), in UNIPEN text; they are read from the folder `RNNLAB_PEN_DIR`, by default `../shared/pen-digits`. They
measure; nothing is trained on them.
"""

from __future__ import annotations

import gzip
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

FILE = "pendigits-train.unipen.gz"
CANVAS = 280
_FINER = 2
"""Lines are drawn so many times larger and reduced: Pillow's own have no soft edges."""


@dataclass(frozen=True)
class PenDigit:
    """One digit as a pen wrote it.

    Attributes:
        label: The digit.
        writer: Number of the person.
        strokes: Points of each stroke, shape (points, 2), x to the right and y downwards.
    """

    label: int
    writer: int
    strokes: list[NDArray[np.float64]]


def folder() -> Path:
    """Return where the pen drawings lie."""
    return Path(os.environ.get("RNNLAB_PEN_DIR", "../shared/pen-digits"))


def pen_digits(path: Path | None = None) -> list[PenDigit]:
    """Read all drawings."""
    digits: list[PenDigit] = []
    with gzip.open(path or folder() / FILE, "rt") as lines:
        for line in lines:
            words = line.split()
            if not words:
                continue
            if words[0] == ".COMMENT" and len(words) == 4 and all(word.isdigit() for word in words[1:]):
                digits.append(PenDigit(int(words[1]), int(words[2]), []))
            elif words[0] == ".PEN_DOWN":
                points: list[tuple[float, float]] = []
            elif words[0] == ".PEN_UP":
                digits[-1].strokes.append(np.array(points))
            elif words[0].lstrip("-").isdigit():
                points.append((float(words[0]), -float(words[1])))
    return digits


@dataclass(frozen=True)
class Hand:
    """How a digit is put on the canvas.

    Attributes:
        pen: Width of the pen in pixels.
        height: Of the drawn digit in pixels, the pen's width included.
        turn: Degrees.
        place: Where it lies in what room the canvas leaves, 0 to 1 across and down.
    """

    pen: float
    height: float
    turn: float
    place: tuple[float, float]


def random_hand(generator: np.random.Generator) -> Hand:
    """Return one of the hands that the measurement is about."""
    return Hand(
        pen=generator.uniform(12, 24),
        height=generator.uniform(100, 260),
        turn=generator.uniform(-10, 10),
        place=(generator.uniform(), generator.uniform()),
    )


def render(digit: PenDigit, hand: Hand) -> NDArray[np.uint8]:
    """Draw a digit: grey levels, shape (280, 280), white on black."""
    turn = np.deg2rad(hand.turn)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    strokes = [stroke @ matrix.T for stroke in digit.strokes]
    points = np.concatenate(strokes)
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    room = CANVAS - 4 - hand.pen
    scale = min(
        (hand.height - hand.pen) / max(extent[1], 1), room / max(extent[0], 1), room / max(extent[1], 1)
    )
    offset = hand.pen / 2 + 2 + np.array(hand.place) * (room - extent * scale)
    image = Image.new("L", (CANVAS * _FINER, CANVAS * _FINER))
    brush, radius = ImageDraw.Draw(image), hand.pen * _FINER / 2
    for stroke in strokes:
        path = [tuple(point) for point in ((stroke - low) * scale + offset) * _FINER]
        if len(path) > 1:
            brush.line(path, fill=255, width=round(2 * radius))
        for x, y in path:
            brush.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(image.reduce(_FINER))


def canvases(digits: list[PenDigit], seed: int = 0) -> NDArray[np.uint8]:
    """Draw every digit by a random hand: shape (N, 280, 280)."""
    generator = np.random.default_rng(seed)
    return np.stack([render(digit, random_hand(generator)) for digit in digits])
