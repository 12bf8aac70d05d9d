"""Ways to write 1, 4, 7 and 9 that MNIST hardly has, drawn by rule: a flag, a foot, a bar, a curled tail.

MNIST was written in the United States. Elsewhere a 1 is often given a flag, sometimes a foot, a 7 a bar
across its stem; the stem of a 4 may be short, and the tail of a 9 curled. Each picture here is a few curves
through random points, drawn by a pen of random width and prepared like any drawing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from rnnlab.drawing import SIDE, prepare

Points = NDArray[np.float64]
"""Points of a stroke, shape (points, 2), x to the right and y downwards, within about 0 to 1."""

_CANVAS: Final = 160
_MARGIN: Final = 40
_BETWEEN: Final = 8
"""Points drawn between two that a curve is drawn through."""


def curve(*through: tuple[float, float]) -> Points:
    """Return a smooth curve through points (Catmull and Rom's spline)."""
    points = np.array([through[0], *through, through[-1]], np.float64)
    before, start, end, after = points[:-3], points[1:-2], points[2:-1], points[3:]
    share = np.arange(_BETWEEN)[:, None, None] / _BETWEEN
    bend = 2 * before - 5 * start + 4 * end - after
    twist = 3 * start - before - 3 * end + after
    curve = start + 0.5 * share * (end - before + share * (bend + share * twist))
    return np.concatenate([curve.transpose(1, 0, 2).reshape(-1, 2), points[-1:]])


def _one(chance: np.random.Generator) -> list[Points]:
    """A 1 with a flag: up along the flag, sharply or softly round, down the stem; some with a foot."""
    apex = np.array([0.5, 0.0])
    base = apex + np.array([chance.uniform(-0.3, 0.12), 1.0])
    angle = np.deg2rad(chance.uniform(8, 66))
    along = (base - apex) / np.linalg.norm(base - apex)
    across = np.array([-along[1], along[0]])
    length = chance.uniform(0.2, 0.75)
    tip = apex + length * (np.cos(angle) * along + np.sin(angle) * across)
    on_flag = (tip + apex) / 2 + chance.uniform(-0.12, 0.12) * length * np.array([1.0, 1.0])
    on_stem = (apex + base) / 2 + np.array([chance.uniform(-0.04, 0.04), 0.0])
    if chance.random() < 0.4:
        strokes = [curve(tuple(tip), tuple(on_flag), tuple(apex), tuple(on_stem), tuple(base))]
    else:
        strokes = [
            curve(tuple(tip), tuple(on_flag), tuple(apex)),
            curve(tuple(apex), tuple(on_stem), tuple(base)),
        ]
    if chance.random() < 0.3:
        left, right = chance.uniform(0.12, 0.38, 2)
        tilt = chance.uniform(-0.06, 0.06)
        strokes.append(curve((base[0] - left, base[1] + tilt), (base[0] + right, base[1] - tilt)))
    return strokes


def _four(chance: np.random.Generator) -> list[Points]:
    """A 4 that is open at the top, its arm low and its stem short."""
    narrow = chance.uniform(0.55, 1.0)
    top = (narrow * chance.uniform(0.4, 0.65), 0.0)
    corner = (narrow * chance.uniform(0.0, 0.25), chance.uniform(0.5, 0.8))
    bow = ((top[0] + corner[0]) / 2 + chance.uniform(-0.06, 0.06), corner[1] / 2)
    arm = (narrow * chance.uniform(0.75, 1.0), corner[1] + chance.uniform(-0.12, 0.06))
    if chance.random() < 0.5:
        strokes = [curve(top, bow, corner, arm)]
    else:
        strokes = [curve(top, bow, corner), curve(corner, arm)]
    above = narrow * chance.uniform(0.5, 0.75)
    strokes.append(curve((above, chance.uniform(0.2, 0.55)), (above + chance.uniform(-0.15, 0.05), 1.0)))
    return strokes


def _seven(chance: np.random.Generator) -> list[Points]:
    """A 7 with a bar; its top straight or a wave, some with a hook at the beginning."""
    left, right, sag = chance.uniform(0.1, 0.3), chance.uniform(0.65, 0.85), chance.uniform(-0.08, 0.08)
    corner = (right, chance.uniform(-0.04, 0.08))
    foot = (chance.uniform(0.25, 0.6), 1.0)
    middle = ((corner[0] + foot[0]) / 2 + chance.uniform(-0.08, 0.12), 0.5)
    top = [(left, 0.05), ((left + right) / 2, 0.03 + sag), corner]
    if chance.random() < 0.5:
        top.insert(0, (left - chance.uniform(-0.02, 0.06), chance.uniform(0.1, 0.25)))
    if chance.random() < 0.4:
        strokes = [curve(*top, middle, foot)]
    else:
        strokes = [curve(*top), curve(corner, middle, foot)]
    height = chance.uniform(0.42, 0.78)
    centre = np.interp(height, [0.0, 0.5, 1.0], [corner[0], middle[0], foot[0]])
    before, after = chance.uniform(0.1, 0.32, 2)
    tilt = chance.uniform(-0.12, 0.08)
    strokes.append(curve((centre - before, height - tilt), (centre + after, height + tilt)))
    return strokes


def _nine(chance: np.random.Generator) -> list[Points]:
    """A 9 whose tail is curled to the left, or sweeps far to the left, under a loop that may be small."""
    wide, tall = chance.uniform(0.1, 0.28), chance.uniform(0.1, 0.24)
    centre = np.array([0.5 + chance.uniform(-0.1, 0.05), tall])
    start = np.deg2rad(chance.uniform(-60, 20))
    turns = start - np.linspace(0.0, 2 * np.pi + chance.uniform(-0.5, 0.5), 9)
    loop = [(centre[0] + wide * np.cos(t), centre[1] + tall * np.sin(t)) for t in turns]
    right = centre[0] + wide + chance.uniform(-0.06, 0.1)
    low = chance.uniform(0.9, 1.0)
    sweep = chance.uniform(0.15, 0.6)
    tail = [
        (right, 2 * tall + chance.uniform(0.0, 0.12)),
        (right + chance.uniform(-0.06, 0.06), 0.72),
        (right - 0.35 * sweep, low),
        (right - sweep, low - chance.uniform(-0.02, 0.08)),
    ]
    if chance.random() < 0.5:
        tail.append((right - sweep - chance.uniform(0.02, 0.12), low - chance.uniform(0.08, 0.2)))
    return [curve(*loop, *tail)]


_DRAWN: Final[dict[int, tuple[Callable[[np.random.Generator], list[Points]], int]]] = {
    1: (_one, 900),
    4: (_four, 400),
    7: (_seven, 500),
    9: (_nine, 600),
}
"""How each digit is drawn, and how many of it there are."""

_SLANT: Final = (-0.15, 0.55)
"""How far strokes lean to the right for each unit upwards, at least and at most."""


def draw_forms(seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw all of them.

    Returns:
        Pictures, `uint8` of shape (N, 28, 28), and their digits, `uint8` of shape (N,).
    """
    chance = np.random.default_rng(seed)
    pictures = [_picture(draw(chance), chance) for draw, count in _DRAWN.values() for _ in range(count)]
    labels = np.repeat(np.array(list(_DRAWN), np.uint8), [count for _, count in _DRAWN.values()])
    return np.stack(pictures), labels


def _picture(strokes: list[Points], chance: np.random.Generator) -> NDArray[np.uint8]:
    """Draw strokes with a pen of random width, as the network would see them."""
    canvas = Image.new("L", (_CANVAS, _CANVAS))
    brush, room = ImageDraw.Draw(canvas), _CANVAS - 2 * _MARGIN
    width = chance.uniform(7.0, 15.0)
    slant = chance.uniform(*_SLANT)
    for stroke in strokes:
        leaning = stroke + slant * (0.5 - stroke[:, 1:]) * [1.0, 0.0]
        path = [(x, y) for x, y in _MARGIN + room * leaning]
        brush.line(path, fill=255, width=round(width), joint="curve")
        for x, y in (path[0], path[-1]):
            brush.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=255)
    prepared = prepare(np.asarray(canvas))
    return np.zeros((SIDE, SIDE), np.uint8) if prepared is None else prepared.picture
