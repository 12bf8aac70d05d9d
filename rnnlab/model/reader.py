"""Reads with a trained network in plain numpy: belief after every row, gates, cell and hidden state.

With x_t the t-th pixel row (values 0 to 1), sigma the logistic function and * the element-wise product:

    z_t = x_t W_in + b_in                           the linear input layer
    i, f, g, o = z_t W + h_{t-1} U + b              split into four equal parts; then
    i, f, o = sigma(i), sigma(f), sigma(o)          input gate, forget gate, output gate
    g = tanh(g)                                     candidate
    c_t = f * c_{t-1} + i * g                       cell state
    h_t = o * tanh(c_t)                             hidden state
    belief_t = softmax(h_t W_out + b_out)           one probability for each digit

The order of the gates (i, f, g, o) and the shapes are those of Keras' `LSTM` and `Dense` (Hochreiter and
Schmidhuber, "Long Short-Term Memory", 1997; forget gate: Gers, Schmidhuber and Cummins, 2000). There is no
activation between the input layer and the LSTM, so the two products are folded into one: x_t (W_in W).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rnnlab.data.preprocessing import INK_THRESHOLD
from rnnlab.digits import COLUMNS, ROWS, FloatArray
from rnnlab.model.weights import Weights

READ_BATCH: Final = 500
"""Images read together: enough for fast products, few enough for the caches."""


@dataclass(frozen=True)
class Reading:
    """What the network believed and remembered after each of the 28 rows of N images.

    Attributes:
        beliefs: Probabilities of the ten digits, shape (N, 28, 10); each row sums to 1.
        hidden_state: h_t, shape (N, 28, n), -1 to 1; `None` unless asked for, like all below.
        cell_state: c_t, shape (N, 28, n).
        input_gate: i_t, shape (N, 28, n), 0 to 1.
        forget_gate: f_t, shape (N, 28, n), 0 to 1.
        candidate: g_t, shape (N, 28, n), -1 to 1.
        output_gate: o_t, shape (N, 28, n), 0 to 1.
    """

    beliefs: FloatArray
    hidden_state: FloatArray | None = None
    cell_state: FloatArray | None = None
    input_gate: FloatArray | None = None
    forget_gate: FloatArray | None = None
    candidate: FloatArray | None = None
    output_gate: FloatArray | None = None


def _sigmoid(x: FloatArray) -> FloatArray:
    """Return the logistic function, computed by tanh, which never overflows."""
    return np.asarray(np.float32(0.5) * np.tanh(np.float32(0.5) * x) + np.float32(0.5))


def _softmax(logits: FloatArray) -> FloatArray:
    """Return the softmax over the last axis."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))


class Reader:
    """Reads images row by row with fixed weights.

    Raises:
        WeightsError: The weights are so large that sums of them overflow.
    """

    def __init__(self, weights: Weights) -> None:
        w = weights
        w.check_sums()
        self.neurons = w.neurons
        # Folded in float64 and rounded once, so that the result is no less exact than Keras' two products.
        kernel = w.lstm_kernel.astype(np.float64)
        self._kernel = (w.input_kernel.astype(np.float64) @ kernel).astype(np.float32)
        self._bias = (w.input_bias.astype(np.float64) @ kernel + w.lstm_bias).astype(np.float32)
        self._recurrent_kernel = w.lstm_recurrent_kernel
        self._output_kernel = w.output_kernel
        self._output_bias = w.output_bias

    def read(self, images: NDArray[Any], *, states: bool = False) -> Reading:
        """Read images from top to bottom.

        Args:
            images: `uint8` of shape (N, 28, 28), 0 = background, 255 = ink.
            states: Whether to return gates, cell state and hidden state, too.

        Raises:
            ValueError: The images have another shape or type.
        """
        if images.ndim != 3 or images.shape[1:] != (ROWS, COLUMNS) or images.dtype != np.uint8:
            raise ValueError(
                f"images must be uint8 of shape (N, 28, 28), not {images.dtype} of {images.shape}"
            )
        batches = [
            self._read_batch(images[start : start + READ_BATCH], states)
            for start in range(0, max(len(images), 1), READ_BATCH)
        ]
        return Reading(*(np.concatenate(parts) for parts in zip(*batches, strict=True)))

    def _read_batch(self, images: NDArray[np.uint8], states: bool) -> tuple[FloatArray, ...]:
        """Return beliefs, and with `states` hidden state, cell state, i, f, g and o, each (N, 28, …)."""
        count, n = len(images), self.neurons
        rows = images.transpose(1, 0, 2).astype(np.float32) / np.float32(255.0)
        hidden = np.zeros((count, n), np.float32)
        cell = np.zeros((count, n), np.float32)
        hidden_states = np.empty((ROWS, count, n), np.float32)
        recorded = np.empty((5, ROWS, count, n), np.float32) if states else None
        for t in range(ROWS):
            gates = rows[t] @ self._kernel + hidden @ self._recurrent_kernel + self._bias
            input_gate, forget_gate = _sigmoid(gates[:, :n]), _sigmoid(gates[:, n : 2 * n])
            candidate, output_gate = np.tanh(gates[:, 2 * n : 3 * n]), _sigmoid(gates[:, 3 * n :])
            cell = forget_gate * cell + input_gate * candidate
            hidden = output_gate * np.tanh(cell)
            hidden_states[t] = hidden
            if recorded is not None:
                recorded[:, t] = cell, input_gate, forget_gate, candidate, output_gate
        beliefs = _softmax(hidden_states @ self._output_kernel + self._output_bias).swapaxes(0, 1)
        if recorded is None:
            return (beliefs,)
        return (beliefs, hidden_states.swapaxes(0, 1), *(state.swapaxes(0, 1) for state in recorded))


def first_ink_rows(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the first row, 1 to 28, of each image in which there is ink; 1 for an image without any.

    Args:
        images: Shape (N, 28, 28), 0 = background, 255 = ink.
    """
    first: NDArray[np.int64] = (images > INK_THRESHOLD).any(axis=2).argmax(axis=1) + 1
    return first


def decided_at(beliefs: NDArray[Any]) -> int:
    """Return the first row, 1 to 28, from which the top digit never changes again.

    Args:
        beliefs: Probabilities after every row of one image, shape (28, 10).
    """
    top = beliefs.argmax(axis=1)
    other = np.flatnonzero(top != top[-1])
    return int(other[-1]) + 2 if other.size else 1
