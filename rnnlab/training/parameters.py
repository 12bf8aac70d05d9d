"""The weights of a network as one vector, and as the matrix S that `numpy_lstm` works with."""

from __future__ import annotations

from typing import Final

import numpy as np

from rnnlab.digits import COLUMNS, DIGITS, FloatArray
from rnnlab.model.weights import Weights

_HALF: Final = np.float32(0.5)


def stack_shape(neurons: int) -> tuple[int, int]:
    """Return the shape of S; `numpy_lstm` describes its parts."""
    return 4 * neurons + DIGITS, neurons + COLUMNS + 1


class Parameters:
    """All weights of a network in one vector, in parts that are laid out as in S; or all their gradients.

    Args:
        neurons: Length of the hidden state, n.

    Attributes:
        vector: All of them; the others are views of its parts. The gates are in the order o, i, f, g.
        input: W_in and, as its last row, b_in, shape (29, n).
        kernel: W^T, shape (4n, n).
        recurrent_kernel: U^T, shape (4n, n).
        bias: b, shape (4n,).
        read_out: V^T, shape (10, n).
        read_out_bias: b_V, shape (10,).
    """

    def __init__(self, neurons: int) -> None:
        n = self.neurons = neurons
        shapes = [(COLUMNS + 1, n), (4 * n, n), (4 * n, n), (4 * n,), (DIGITS, n), (DIGITS,)]
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
        self.vector: FloatArray = np.zeros(ends[-1], np.float32)
        parts = np.split(self.vector, ends[:-1])
        views = [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
        self.input, self.kernel, self.recurrent_kernel, self.bias, self.read_out, self.read_out_bias = views

    def set(self, weights: Weights) -> None:
        """Take the values of a network's weights."""
        self.input[:-1] = weights.input_kernel
        self.input[-1] = weights.input_bias
        self.kernel[...] = _output_gate_first(weights.lstm_kernel).T
        self.recurrent_kernel[...] = _output_gate_first(weights.lstm_recurrent_kernel).T
        self.bias[...] = _output_gate_first(weights.lstm_bias)
        self.read_out[...] = weights.output_kernel.T
        self.read_out_bias[...] = weights.output_bias

    def weights(self) -> Weights:
        """Return a copy in the form of Keras' layers."""
        return Weights(
            input_kernel=self.input[:-1].copy(),
            input_bias=self.input[-1].copy(),
            lstm_kernel=_output_gate_last(self.kernel.T),
            lstm_recurrent_kernel=_output_gate_last(self.recurrent_kernel.T),
            lstm_bias=_output_gate_last(self.bias),
            output_kernel=self.read_out.T.copy(),
            output_bias=self.read_out_bias.copy(),
        )

    def stack(self, stacked: FloatArray) -> None:
        """Write S, with the rows of o, i and f halved, into `stacked`, shape `stack_shape(n)`.

        Weights may be so large that S is not finite: who trains looks for that.
        """
        n = self.neurons
        gates, read_out = stacked[: 4 * n], stacked[4 * n :]
        np.multiply(self.recurrent_kernel[: 3 * n], _HALF, out=gates[: 3 * n, :n])
        gates[3 * n :, :n] = self.recurrent_kernel[3 * n :]
        with np.errstate(over="ignore", invalid="ignore"):
            np.matmul(self.kernel, self.input.T, out=gates[:, n:])
            gates[:, -1] += self.bias
        gates[: 3 * n, n:] *= _HALF
        read_out[:, :n] = self.read_out
        read_out[:, n:-1] = 0
        read_out[:, -1] = self.read_out_bias

    def take_gradient(self, stacked: FloatArray, parameters: Parameters) -> None:
        """Compute the derivatives by `parameters` from those by S, and store them here.

        Args:
            stacked: dS.
            parameters: Those that S was made from.
        """
        n = self.neurons
        gates, read_out = stacked[: 4 * n], stacked[4 * n :]
        self.recurrent_kernel[...] = gates[:, :n]
        self.bias[...] = gates[:, -1]
        np.matmul(gates[:, n:], parameters.input, out=self.kernel)
        np.matmul(gates[:, n:].T, parameters.kernel, out=self.input)
        self.read_out[...] = read_out[:, :n]
        self.read_out_bias[...] = read_out[:, -1]


def _output_gate_first(gates: FloatArray) -> FloatArray:
    """Return a copy with the gates, along the last axis, in the order o, i, f, g, given Keras' i, f, g, o."""
    return np.roll(gates, gates.shape[-1] // 4, axis=-1)


def _output_gate_last(gates: FloatArray) -> FloatArray:
    """Return a copy with the gates, along the last axis, in Keras' order, given o, i, f, g."""
    return np.roll(gates, -(gates.shape[-1] // 4), axis=-1)
