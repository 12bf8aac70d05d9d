"""The optimizer of `fast_network`: how gradients move the weights."""

from __future__ import annotations

from typing import Final

import numpy as np

from rnnlab.checkpoint import NetworkState, taken
from rnnlab.parameters import Parameters
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
        clip_norm: Longest gradient (its Euclidean norm) that is followed as it is; 0 for any length.
    """

    def __init__(self, weights: FloatArray, clip_norm: float = 0.0) -> None:
        self._steps = 0
        self._clip_norm = clip_norm
        self._weights = weights
        # Both are the running means without their factors 1 - 0.9 and 1 - 0.999.
        self._gradients = np.zeros_like(weights)
        self._squares = np.zeros_like(weights)

    def state(self) -> NetworkState:
        """Return a copy of all but the weights."""
        return {
            "adam_steps": np.array(self._steps),
            "adam_gradients": self._gradients.copy(),
            "adam_squares": self._squares.copy(),
        }

    def restore(self, state: NetworkState) -> None:
        """Go on from what `state` returned.

        Raises:
            CheckpointError: It is that of another network.
        """
        steps = taken(state, "adam_steps", np.array(self._steps))
        gradients = taken(state, "adam_gradients", self._gradients)
        squares = taken(state, "adam_squares", self._squares)
        self._steps = int(steps)
        self._gradients[:] = gradients
        self._squares[:] = squares

    def step(self, gradient: FloatArray, learning_rate: float) -> None:
        """Make one step against the gradient, which is overwritten."""
        self._steps += 1
        if self._clip_norm:
            norm = float(np.linalg.norm(gradient))
            if norm > self._clip_norm:
                gradient *= np.float32(self._clip_norm / norm)
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


class Average:
    """A running average of the weights (Polyak and Juditsky, 1992), exponential after its first steps.

    Args:
        parameters: Those to be averaged.
        steps: Over about how many of the last steps, at least 1; at the start over all there were.

    Attributes:
        parameters: The average.
    """

    def __init__(self, parameters: Parameters, steps: int) -> None:
        self.parameters = Parameters(parameters.neurons)
        self._newest = parameters.vector
        self.parameters.vector[:] = self._newest
        self._scratch = np.empty_like(self._newest)
        self._longest, self._steps = steps, 0

    def state(self) -> NetworkState:
        """Return a copy."""
        return {"average": self.parameters.vector.copy(), "average_steps": np.array(self._steps)}

    def restore(self, state: NetworkState) -> None:
        """Go on from what `state` returned.

        Raises:
            CheckpointError: It is that of another network, or of one without an average.
        """
        average = taken(state, "average", self.parameters.vector)
        self._steps = int(taken(state, "average_steps", np.array(self._steps)))
        self.parameters.vector[:] = average

    def step(self) -> None:
        """Take the newest weights in."""
        self._steps += 1
        np.subtract(self._newest, self.parameters.vector, out=self._scratch)
        self._scratch *= np.float32(1.0 / min(self._steps, self._longest))
        self.parameters.vector += self._scratch
