"""The optimizer of `fast_network`: how gradients move the weights."""

from __future__ import annotations

from typing import Final

import numpy as np

from rnnlab.reader import FloatArray

ADAM_EPSILON: Final = 1e-8
"""The notebook's (TensorFlow 1); Keras' own is 1e-7. It matters only where gradients are tiny."""

_ADAM_MEAN: Final = 0.9
_ADAM_SQUARE: Final = 0.999

_AT_ONCE: Final = 65_536
"""Weights that are changed at once: what belongs to them fits into a core's cache."""


class Adam:
    """Adam (Kingma and Ba, 2015) on a vector of weights, in the form that Keras and TensorFlow have.

    Args:
        weights: The vector; changed in place by every step.
    """

    def __init__(self, weights: FloatArray) -> None:
        self._steps = 0
        self._weights = weights
        # Both are the running means without their factors 1 - 0.9 and 1 - 0.999.
        self._gradients = np.zeros_like(weights)
        self._squares = np.zeros_like(weights)

    def step(self, gradient: FloatArray, learning_rate: float) -> None:
        """Make one step against the gradient, which is overwritten."""
        self._steps += 1
        correction = (1 - _ADAM_SQUARE**self._steps) ** 0.5 / (1 - _ADAM_MEAN**self._steps)
        scale = (1 - _ADAM_SQUARE) ** 0.5
        rate = np.float32(learning_rate * correction * (1 - _ADAM_MEAN) / scale)
        epsilon = np.float32(ADAM_EPSILON / scale)
        for start in range(0, len(gradient), _AT_ONCE):
            self._step(slice(start, start + _AT_ONCE), gradient[start : start + _AT_ONCE], rate, epsilon)

    def _step(self, part: slice, gradient: FloatArray, rate: np.float32, epsilon: np.float32) -> None:
        """Make the step of a part of the weights."""
        gradients, squares, weights = self._gradients[part], self._squares[part], self._weights[part]
        gradients *= np.float32(_ADAM_MEAN)
        gradients += gradient
        squares *= np.float32(_ADAM_SQUARE)
        gradient *= gradient
        squares += gradient
        np.sqrt(squares, out=gradient)
        gradient += epsilon
        np.divide(gradients, gradient, out=gradient)
        gradient *= rate
        weights -= gradient
