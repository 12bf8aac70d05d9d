"""The trained network in plain numpy: belief after every row, gates, cell and hidden state.

With x_t the t-th pixel row (values 0 to 1), sigma the logistic function and * the element-wise product:

    z_t = x_t W_in + b_in                           the linear input layer
    i, f, g, o = z_t W + h_{t-1} U + b              in four equal parts; then
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

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from rnnlab.files import arrays_of, damaged_name, written_aside

ROWS: Final = 28
COLUMNS: Final = 28
DIGITS: Final = 10
NO_DIGIT: Final = DIGITS
"""Label of a training picture that shows no digit; the right belief about it is one tenth for each."""
SURE_FROM: Final = 0.5
"""Sureness, as `doubt` measures it, below which an answer is called unsure."""

READ_BATCH: Final = 500
"""Images read at once: large enough for fast products, small enough for the caches."""

FloatArray = NDArray[np.float32]


class WeightsError(ValueError):
    """A weights file that cannot be used; its text is one sentence meant for people."""


@dataclass(frozen=True)
class Weights:
    """The weights of one network with n neurons, all `float32`, as Keras' layers hold them.

    Attributes:
        input_kernel: Input layer, shape (28, n).
        input_bias: Input layer, shape (n,).
        lstm_kernel: What the LSTM does with its input, shape (n, 4n), gates in the order i, f, g, o.
        lstm_recurrent_kernel: What the LSTM does with its hidden state, shape (n, 4n).
        lstm_bias: Shape (4n,).
        output_kernel: Read-out, shape (n, 10).
        output_bias: Read-out, shape (10,).
    """

    input_kernel: FloatArray
    input_bias: FloatArray
    lstm_kernel: FloatArray
    lstm_recurrent_kernel: FloatArray
    lstm_bias: FloatArray
    output_kernel: FloatArray
    output_bias: FloatArray

    @property
    def neurons(self) -> int:
        """Length of the hidden state."""
        return int(self.output_kernel.shape[0])

    def are_finite(self) -> bool:
        """Return whether no weight is infinite or NaN."""
        return all(bool(np.isfinite(getattr(self, f.name)).all()) for f in fields(self))

    def check(self) -> None:
        """Raise `WeightsError` unless every array has its shape and holds finite numbers only."""
        n = self.neurons
        shapes = {
            "input_kernel": (COLUMNS, n),
            "input_bias": (n,),
            "lstm_kernel": (n, 4 * n),
            "lstm_recurrent_kernel": (n, 4 * n),
            "lstm_bias": (4 * n,),
            "output_kernel": (n, DIGITS),
            "output_bias": (DIGITS,),
        }
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != np.float32:
                raise WeightsError(f"{name} must be float32 of shape {shape}")
        if not self.are_finite():
            raise WeightsError("some weights are infinite or NaN")

    def save(self, path: Path, step: int) -> None:
        """Write the weights aside and rename them into place.

        Args:
            path: The `.npz` file; its folder is made where it is missing.
            step: The training step that they belong to; kept in the file.

        Raises:
            OSError: The file cannot be written.
        """
        arrays = {f.name: getattr(self, f.name) for f in fields(self)}
        with written_aside(path) as file:
            np.savez(file, allow_pickle=False, step=np.int64(step), **arrays)

    @classmethod
    def load(cls, path: Path) -> tuple[Self, int]:
        """Read a file that `save` wrote; a damaged one is set aside.

        Returns:
            The weights and the training step that they belong to.

        Raises:
            WeightsError: The file is missing, damaged or not of this form.
        """
        with arrays_of(
            path,
            WeightsError,
            called="weights file",
            missing=_missing(path),
            instead="resume the run or train a new one",
        ) as arrays:
            weights, step = cls(**{f.name: arrays[f.name] for f in fields(cls)}), int(arrays["step"])
            if weights.output_kernel.ndim != 2:
                raise WeightsError("output_kernel must have two axes")
            weights.check()
        return weights, step


def _missing(path: Path) -> str:
    """Return why there is no weights file, where there is none."""
    if damaged_name(path).exists():
        return (
            f"The weights file {path} was damaged and has been set aside; resume the run or train a new one."
        )
    return f"There are no weights at {path} yet; wait for the run's first report."


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
    """Return the logistic function, by way of tanh, which never overflows."""
    return np.asarray(np.float32(0.5) * np.tanh(np.float32(0.5) * x) + np.float32(0.5))


def _softmax(logits: FloatArray) -> FloatArray:
    """Return the softmax over the last axis."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))


class Reader:
    """Reads images row by row with fixed weights."""

    def __init__(self, weights: Weights) -> None:
        w = weights
        self.neurons = w.neurons
        # Folded in float64 and rounded once: the sum of products is then no less exact than Keras' own order.
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
            states: Whether to keep gates, cell and hidden state, too.

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
        kept = np.empty((5, ROWS, count, n), np.float32) if states else None
        for t in range(ROWS):
            gates = rows[t] @ self._kernel + hidden @ self._recurrent_kernel + self._bias
            input_gate, forget_gate = _sigmoid(gates[:, :n]), _sigmoid(gates[:, n : 2 * n])
            candidate, output_gate = np.tanh(gates[:, 2 * n : 3 * n]), _sigmoid(gates[:, 3 * n :])
            cell = forget_gate * cell + input_gate * candidate
            hidden = output_gate * np.tanh(cell)
            hidden_states[t] = hidden
            if kept is not None:
                kept[:, t] = cell, input_gate, forget_gate, candidate, output_gate
        beliefs = _softmax(hidden_states @ self._output_kernel + self._output_bias).swapaxes(0, 1)
        if kept is None:
            return (beliefs,)
        return (beliefs, hidden_states.swapaxes(0, 1), *(state.swapaxes(0, 1) for state in kept))


def decided_at(beliefs: NDArray[Any]) -> int:
    """Return the first row, 1 to 28, from which the top digit never changes again.

    Args:
        beliefs: Probabilities after every row of one image, shape (28, 10).
    """
    top = beliefs.argmax(axis=1)
    other = np.flatnonzero(top != top[-1])
    return int(other[-1]) + 2 if other.size else 1
