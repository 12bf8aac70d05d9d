"""The optimizer of `numpy_backend`: how gradients move the weights."""

from __future__ import annotations

from typing import Final

import numpy as np

from rnnlab.digits import FloatArray
from rnnlab.training.checkpoint import NetworkState, restored_array
from rnnlab.training.parameters import Parameters

ADAM_EPSILON: Final = 1e-8
"""That of the notebook (TensorFlow 1); Keras' own is 1e-7. It matters only if gradients are tiny."""

_ADAM_MEAN: Final = 0.9
"""Decay rate of the running mean of gradients, beta_1 of the paper."""

_ADAM_SQUARE: Final = 0.999
"""Decay rate of the running mean of squared gradients, beta_2 of the paper."""

_AT_ONCE: Final = 65_536
"""Weights that are changed together: all numbers that belong to them fit into a core's cache."""


class Adam:
    """Adam (Kingma and Ba, 2015) on a vector of weights, in the form that Keras and TensorFlow use.

    Gradients may be clipped to a longest norm (Pascanu, Mikolov and Bengio, 2013).

    Args:
        weights: The vector; every step changes it in place.
        clip_norm: Largest Euclidean norm of a gradient; a longer one is shortened to it. 0 = off.
    """

    def __init__(self, weights: FloatArray, clip_norm: float = 0.0) -> None:
        self._steps = 0
        self._clip_norm = clip_norm
        self._weights = weights
        # Both running means are stored without their factors 1 - 0.9 and 1 - 0.999.
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
        """Continue from a state that `state` returned.

        Raises:
            CheckpointError: It is the state of another network.
        """
        steps = restored_array(state, "adam_steps", np.array(self._steps))
        gradients = restored_array(state, "adam_gradients", self._gradients)
        squares = restored_array(state, "adam_squares", self._squares)
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
        """Make the step for a part of the weights."""
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


class WeightAverage:
    """A running average of the weights (Polyak and Juditsky, 1992), exponential after its first steps.

    Args:
        parameters: The weights to average.
        steps: About how many of the last steps to average over, at least 1; at the start, all steps so far.

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
        """Return a copy of the average and of the number of steps."""
        return {"average": self.parameters.vector.copy(), "average_steps": np.array(self._steps)}

    def restore(self, state: NetworkState) -> None:
        """Continue from a state that `state` returned.

        Raises:
            CheckpointError: It is the state of another network, or of one without an average.
        """
        average = restored_array(state, "average", self.parameters.vector)
        self._steps = int(restored_array(state, "average_steps", np.array(self._steps)))
        self.parameters.vector[:] = average

    def step(self) -> None:
        """Take the newest weights into the average."""
        self._steps += 1
        np.subtract(self._newest, self.parameters.vector, out=self._scratch)
        self._scratch *= np.float32(1.0 / min(self._steps, self._longest))
        self.parameters.vector += self._scratch
