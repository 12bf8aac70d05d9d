"""Facts about the digits that every part of the package needs: size of a picture, number of classes."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

SIDE: Final = 28
"""Height and width of a picture, in pixels."""

ROWS: Final = SIDE
"""Rows of a picture: the time steps of the network."""

COLUMNS: Final = SIDE
"""Pixels of a row: the input of the network at each time step."""

DIGITS: Final = 10
"""Classes: the digits from 0 to 9."""

NO_DIGIT: Final = DIGITS
"""Label of a training picture that shows no digit; the right belief about it is one tenth for each digit."""

FloatArray = NDArray[np.float32]
"""Weights, states, beliefs: all numbers that a network computes with."""


def with_article(digit: int) -> str:
    """Return a digit with its article: "a 7", "an 8"."""
    return f"{'an' if digit == 8 else 'a'} {digit}"
