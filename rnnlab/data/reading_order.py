"""In which order the parts of an image are read: 28 steps of one row or one column each."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rnnlab.digits import ROWS

_SHUFFLED: Final = (
    17,
    14,
    9,
    27,
    7,
    4,
    8,
    25,
    13,
    12,
    0,
    20,
    6,
    26,
    2,
    21,
    5,
    19,
    3,
    15,
    11,
    22,
    1,
    23,
    10,
    18,
    16,
    24,
)
"""The one order in which `shuffled` reads the rows, the same for all runs and ever after."""


def row_order(reading_order: str) -> NDArray[np.int64]:
    """Return which row or column is read at each step, counted from 0 at the top or left, shape (28,)."""
    match reading_order:
        case "up" | "left":
            return np.arange(ROWS)[::-1]
        case "shuffled":
            return np.array(_SHUFFLED)
        case _:
            return np.arange(ROWS)


def reads_columns(reading_order: str) -> bool:
    """Return whether it reads columns, rather than rows."""
    return reading_order in {"right", "left"}


def as_read(images: NDArray[Any], reading_order: str, axis: int = -2) -> NDArray[Any]:
    """Return images with what is read at each step in the place of a row; it may be a view.

    Args:
        images: Any number of images.
        reading_order: One of the choices of the hyperparameter.
        axis: The axis of their rows; that of their columns is the next one.
    """
    if reads_columns(reading_order):
        images = images.swapaxes(axis, axis + 1)
    match reading_order:
        case "up" | "left":
            return np.flip(images, axis)
        case "shuffled":
            return np.take(images, _SHUFFLED, axis)
        case _:
            return images
