"""Draws 1, 4, 7 and 9 in forms that MNIST hardly has: with a flag, a foot, a bar, a curled tail.

MNIST was written in the United States. Elsewhere, a 1 often has a flag and sometimes a foot,
and a 7 has a bar across its stem; the stem of a 4 may be short, and the tail of a 9 curled. Each picture here
is a few curves through random points, drawn by a pen of random width and prepared like any drawing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from rnnlab.data.preprocessing import prepared_picture

Points = NDArray[np.float64]
"""Points of a stroke, shape (points, 2), x to the right and y downwards, within about 0 to 1."""

_CANVAS: Final = 160
"""Height and width of the canvas, in pixels."""

_MARGIN: Final = 40
"""Pixels left free around the unit square of a digit."""

_BETWEEN: Final = 8
"""Line segments from one point that a curve goes through to the next."""


def spline(*through: tuple[float, float]) -> Points:
    """Return a smooth curve through points: the spline of Catmull and Rom, 1974."""
    points = np.array([through[0], *through, through[-1]], np.float64)
    before, start, end, after = points[:-3], points[1:-2], points[2:-1], points[3:]
    fraction = np.arange(_BETWEEN)[:, None, None] / _BETWEEN
    bend = 2 * before - 5 * start + 4 * end - after
    twist = 3 * start - before - 3 * end + after
    curve = start + 0.5 * fraction * (end - before + fraction * (bend + fraction * twist))
    return np.concatenate([curve.transpose(1, 0, 2).reshape(-1, 2), points[-1:]])


def _one(generator: np.random.Generator) -> list[Points]:
    """A 1 with a flag: up along the flag, around a sharp or round corner, down the stem; some have a foot."""
    apex = np.array([0.5, 0.0])
    base = apex + np.array([generator.uniform(-0.3, 0.12), 1.0])
    angle = np.deg2rad(generator.uniform(8, 66))
    along = (base - apex) / np.linalg.norm(base - apex)
    across = np.array([-along[1], along[0]])
    length = generator.uniform(0.2, 0.75)
    tip = apex + length * (np.cos(angle) * along + np.sin(angle) * across)
    on_flag = (tip + apex) / 2 + generator.uniform(-0.12, 0.12) * length * np.array([1.0, 1.0])
    on_stem = (apex + base) / 2 + np.array([generator.uniform(-0.04, 0.04), 0.0])
    if generator.random() < 0.4:
        strokes = [spline(tuple(tip), tuple(on_flag), tuple(apex), tuple(on_stem), tuple(base))]
    else:
        strokes = [
            spline(tuple(tip), tuple(on_flag), tuple(apex)),
            spline(tuple(apex), tuple(on_stem), tuple(base)),
        ]
    if generator.random() < 0.3:
        left, right = generator.uniform(0.12, 0.38, 2)
        tilt = generator.uniform(-0.06, 0.06)
        strokes.append(spline((base[0] - left, base[1] + tilt), (base[0] + right, base[1] - tilt)))
    return strokes


def _four(generator: np.random.Generator) -> list[Points]:
    """A 4 that is open at the top, its arm low and its stem short."""
    narrow = generator.uniform(0.55, 1.0)
    top = (narrow * generator.uniform(0.4, 0.65), 0.0)
    corner = (narrow * generator.uniform(0.0, 0.25), generator.uniform(0.5, 0.8))
    bow = ((top[0] + corner[0]) / 2 + generator.uniform(-0.06, 0.06), corner[1] / 2)
    arm = (narrow * generator.uniform(0.75, 1.0), corner[1] + generator.uniform(-0.12, 0.06))
    if generator.random() < 0.5:
        strokes = [spline(top, bow, corner, arm)]
    else:
        strokes = [spline(top, bow, corner), spline(corner, arm)]
    above = narrow * generator.uniform(0.5, 0.75)
    strokes.append(
        spline((above, generator.uniform(0.2, 0.55)), (above + generator.uniform(-0.15, 0.05), 1.0))
    )
    return strokes


def _seven(generator: np.random.Generator) -> list[Points]:
    """A 7 with a bar; its top is straight or wavy, and some have a hook at the beginning."""
    left, right, sag = (
        generator.uniform(0.1, 0.3),
        generator.uniform(0.65, 0.85),
        generator.uniform(-0.08, 0.08),
    )
    corner = (right, generator.uniform(-0.04, 0.08))
    foot = (generator.uniform(0.25, 0.6), 1.0)
    middle = ((corner[0] + foot[0]) / 2 + generator.uniform(-0.08, 0.12), 0.5)
    top = [(left, 0.05), ((left + right) / 2, 0.03 + sag), corner]
    if generator.random() < 0.5:
        top.insert(0, (left - generator.uniform(-0.02, 0.06), generator.uniform(0.1, 0.25)))
    if generator.random() < 0.4:
        strokes = [spline(*top, middle, foot)]
    else:
        strokes = [spline(*top), spline(corner, middle, foot)]
    height = generator.uniform(0.42, 0.78)
    centre = np.interp(height, [0.0, 0.5, 1.0], [corner[0], middle[0], foot[0]])
    before, after = generator.uniform(0.1, 0.32, 2)
    tilt = generator.uniform(-0.12, 0.08)
    strokes.append(spline((centre - before, height - tilt), (centre + after, height + tilt)))
    return strokes


def _nine(generator: np.random.Generator) -> list[Points]:
    """A 9 with a tail that curls or sweeps far to the left, under a loop that may be small."""
    wide, tall = generator.uniform(0.1, 0.28), generator.uniform(0.1, 0.24)
    centre = np.array([0.5 + generator.uniform(-0.1, 0.05), tall])
    start = np.deg2rad(generator.uniform(-60, 20))
    turns = start - np.linspace(0.0, 2 * np.pi + generator.uniform(-0.5, 0.5), 9)
    loop = [(centre[0] + wide * np.cos(t), centre[1] + tall * np.sin(t)) for t in turns]
    right = centre[0] + wide + generator.uniform(-0.06, 0.1)
    low = generator.uniform(0.9, 1.0)
    sweep = generator.uniform(0.15, 0.6)
    tail = [
        (right, 2 * tall + generator.uniform(0.0, 0.12)),
        (right + generator.uniform(-0.06, 0.06), 0.72),
        (right - 0.35 * sweep, low),
        (right - sweep, low - generator.uniform(-0.02, 0.08)),
    ]
    if generator.random() < 0.5:
        tail.append((right - sweep - generator.uniform(0.02, 0.12), low - generator.uniform(0.08, 0.2)))
    return [spline(*loop, *tail)]


_DRAWN: Final[dict[int, tuple[Callable[[np.random.Generator], list[Points]], int]]] = {
    1: (_one, 900),
    4: (_four, 400),
    7: (_seven, 500),
    9: (_nine, 600),
}
"""How each digit is drawn, and how many pictures of it there are."""

SYNTHETIC_DIGITS: Final = sum(count for _, count in _DRAWN.values())
"""How many pictures there are."""

_SLANT: Final = (-0.15, 0.55)
"""How far strokes lean to the right for each unit upwards: least and most."""


@functools.lru_cache(maxsize=4)
def make_synthetic_digits(share: float = 1.0, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw the pictures; they are cached, and read-only because all callers share them.

    Args:
        share: How many of the pictures of each digit to draw, above 0 to 1; a smaller share draws the first
            ones of a greater one.
        seed: Of the random numbers.

    Returns:
        Pictures, `uint8` of shape (N, 28, 28), and their digits, `uint8` of shape (N,).
    """
    counts = {digit: max(1, round(share * count)) for digit, (_, count) in _DRAWN.items()}
    images = np.concatenate([_pictures(digit, count, seed) for digit, count in counts.items()])
    labels = np.repeat(np.array(list(counts), np.uint8), list(counts.values()))
    for array in (images, labels):
        array.flags.writeable = False
    return images, labels


def _pictures(digit: int, count: int, seed: int) -> NDArray[np.uint8]:
    """Draw some pictures of one digit, shape (count, 28, 28)."""
    generator = np.random.default_rng([seed, digit])
    draw, _ = _DRAWN[digit]
    return np.stack([_picture(draw(generator), generator) for _ in range(count)])


def _picture(strokes: list[Points], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Draw strokes with a pen of random width and prepare the picture as the network sees it."""
    canvas = Image.new("L", (_CANVAS, _CANVAS))
    brush, room = ImageDraw.Draw(canvas), _CANVAS - 2 * _MARGIN
    width = generator.uniform(7.0, 15.0)
    slant = generator.uniform(*_SLANT)
    for stroke in strokes:
        leaning = stroke + slant * (0.5 - stroke[:, 1:]) * [1.0, 0.0]
        draw_path(brush, _MARGIN + room * leaning, width)
    return prepared_picture(np.asarray(canvas))


def draw_path(brush: ImageDraw.ImageDraw, path: Points, width: float) -> None:
    """Draw a line through points, in pixels, with a round pen.

    A disc at every point joins the segments as Pillow's `joint="curve"` does, in a third of the time.
    """
    points = path.tolist()
    brush.line([tuple(point) for point in points], fill=255, width=round(width))
    radius = width / 2
    for x, y in points:
        brush.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
