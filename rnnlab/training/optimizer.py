"""The optimizer of `numpy_backend`: how gradients move the weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

import numpy as np

from rnnlab.digits import FloatArray
from rnnlab.training.checkpoint import NetworkState, restored_array
from rnnlab.training.parameters import Parameters

ADAM_EPSILON: Final = 1e-8
"""That of the notebook (TensorFlow 1); Keras' own is 1e-7. It matters only if gradients are tiny."""

RMSPROP_EPSILON: Final = 1e-7
"""That of Keras, within the root."""

MOMENTUM: Final = 0.9
"""Share of a step that the next one goes on with."""

RMSPROP_SQUARE: Final = 0.9
"""Decay rate of the running mean of squared gradients of RMSprop, as Keras has it."""

_ADAM_MEAN: Final = 0.9
"""Decay rate of the running mean of gradients, beta_1 of the paper."""

_ADAM_SQUARE: Final = 0.999
"""Decay rate of the running mean of squared gradients, beta_2 of the paper."""

_AT_ONCE: Final = 65_536
"""Weights that are changed together: all numbers that belong to them fit into a core's cache."""


class Optimizer(ABC):
    """Moves a vector of weights, as the optimizer of the same name in Keras does.

    Gradients may be clipped to a longest norm (Pascanu, Mikolov and Bengio, 2013).

    Args:
        weights: The vector; every step changes it in place.
        clip_norm: Largest Euclidean norm of a gradient; a longer one is shortened to it. 0 = off.

    Attributes:
        kept: Names of the arrays, one number for each weight, that it keeps from step to step.
    """

    kept: tuple[str, ...] = ()

    def __init__(self, weights: FloatArray, clip_norm: float = 0.0) -> None:
        self._clip_norm = clip_norm
        self._weights = weights
        self._kept = {name: np.zeros_like(weights) for name in self.kept}

    def state(self) -> NetworkState:
        """Return a copy of all but the weights."""
        return {name: array.copy() for name, array in self._kept.items()}

    def restore(self, state: NetworkState) -> None:
        """Continue from a state that `state` returned.

        Raises:
            CheckpointError: It is the state of another network.
        """
        found = {name: restored_array(state, name, array) for name, array in self._kept.items()}
        for name, array in found.items():
            self._kept[name][:] = array

    def step(self, gradient: FloatArray, learning_rate: float) -> None:
        """Make one step against the gradient, which is overwritten."""
        if self._clip_norm:
            norm = float(np.linalg.norm(gradient))
            if norm > self._clip_norm:
                gradient *= np.float32(self._clip_norm / norm)
        self._begin_step(learning_rate)
        for start in range(0, len(gradient), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            kept = [array[part] for array in self._kept.values()]
            self._move(self._weights[part], gradient[part], *kept)

    def _begin_step(self, learning_rate: float) -> None:
        """Compute what is the same for all weights in a step."""
        self._rate = np.float32(learning_rate)

    @abstractmethod
    def _move(self, weights: FloatArray, gradient: FloatArray, /, *kept: FloatArray) -> None:
        """Make the step for a part of the weights; their gradient is overwritten."""


class Sgd(Optimizer):
    """Stochastic gradient descent (Robbins and Monro, 1951)."""

    def _move(self, weights: FloatArray, gradient: FloatArray, /, *_: FloatArray) -> None:
        gradient *= self._rate
        weights -= gradient


class Momentum(Optimizer):
    """Gradient descent with momentum (Polyak, 1964)."""

    kept = ("momentum",)

    def _move(self, weights: FloatArray, gradient: FloatArray, /, *kept: FloatArray) -> None:
        (momentum,) = kept
        momentum *= np.float32(MOMENTUM)
        gradient *= self._rate
        momentum -= gradient
        weights += momentum


class RmsProp(Optimizer):
    """RMSprop (Hinton, Srivastava and Swersky, "Neural Networks for Machine Learning", lecture 6e, 2012)."""

    kept = ("rmsprop_squares",)

    def _move(self, weights: FloatArray, gradient: FloatArray, /, *kept: FloatArray) -> None:
        (squares,) = kept
        squares *= np.float32(RMSPROP_SQUARE)
        squares += np.float32(1 - RMSPROP_SQUARE) * gradient * gradient
        gradient *= self._rate
        gradient /= np.sqrt(squares + np.float32(RMSPROP_EPSILON))
        weights -= gradient


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015), in the form that Keras and TensorFlow use."""

    # Both running means are kept without their factors 1 - 0.9 and 1 - 0.999.
    kept = ("adam_gradients", "adam_squares")

    def __init__(self, weights: FloatArray, clip_norm: float = 0.0) -> None:
        super().__init__(weights, clip_norm)
        self._steps = 0

    def state(self) -> NetworkState:
        """Return a copy of all but the weights."""
        return {"adam_steps": np.array(self._steps), **super().state()}

    def restore(self, state: NetworkState) -> None:
        """Continue from a state that `state` returned; see `Optimizer`."""
        steps = restored_array(state, "adam_steps", np.array(self._steps))
        super().restore(state)
        self._steps = int(steps)

    def _begin_step(self, learning_rate: float) -> None:
        self._steps += 1
        correction = (1 - _ADAM_SQUARE**self._steps) ** 0.5 / (1 - _ADAM_MEAN**self._steps)
        scale = (1 - _ADAM_SQUARE) ** 0.5
        self._rate = np.float32(learning_rate * correction * (1 - _ADAM_MEAN) / scale)
        self._epsilon = np.float32(ADAM_EPSILON / scale)

    def _move(self, weights: FloatArray, gradient: FloatArray, /, *kept: FloatArray) -> None:
        gradients, squares = kept
        gradients *= np.float32(_ADAM_MEAN)
        gradients += gradient
        squares *= np.float32(_ADAM_SQUARE)
        gradient *= gradient
        squares += gradient
        np.sqrt(squares, out=gradient)
        gradient += self._epsilon
        np.divide(gradients, gradient, out=gradient)
        gradient *= self._rate
        weights -= gradient


OPTIMIZERS: Final[dict[str, type[Optimizer]]] = {
    "adam": Adam,
    "sgd": Sgd,
    "momentum": Momentum,
    "rmsprop": RmsProp,
}
"""By the names that the hyperparameter `optimizer` has for them."""


class WeightAverage:
    """A running average of the weights (Polyak and Juditsky, 1992), exponential after its first steps.

    Args:
        parameters: The weights to average.
        steps: About how many of the last steps to average over, at least 1; at the start, all steps so far.

    Attributes:
        parameters: The average.
    """

    def __init__(self, parameters: Parameters, steps: int) -> None:
        self.parameters = Parameters(parameters.architecture)
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
