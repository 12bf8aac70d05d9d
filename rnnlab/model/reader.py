"""Reads with a trained network in plain numpy: belief after every row, gates and states of every layer.

With x_t the t-th pixel row (values 0 to 1), or column, in the network's reading order:

    y_t = x_t W_in + b_in                           the linear input layer
    h_t = cell(y_t, h_{t-1})                        each recurrent layer reads the h_t of the one below
    belief_t = softmax(h_t W_out + b_out)           one probability for each digit

`cells` has the formulas of the cells. There is no activation between the input layer and the first recurrent
layer, so the two products are folded into one: x_t (W_in W).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rnnlab.data.preprocessing import INK_THRESHOLD
from rnnlab.data.reading_order import as_read
from rnnlab.digits import COLUMNS, ROWS, FloatArray
from rnnlab.model.cells import STEPS, States, first_states
from rnnlab.model.weights import LayerWeights, Weights

READ_BATCH: Final = 500
"""Images read together: enough for fast products, few enough for the caches."""


@dataclass(frozen=True)
class Reading:
    """What the network believed and remembered after each of the 28 rows of N images.

    Attributes:
        beliefs: Probabilities of the ten digits, shape (N, 28, 10); each row sums to 1.
        layers: For each recurrent layer what its cell had after every row, each of shape (N, 28, n), by the
            names that `cells` has for it; empty unless asked for.
    """

    beliefs: FloatArray
    layers: tuple[States, ...] = ()


def _softmax(logits: FloatArray) -> FloatArray:
    """Return the softmax over the last axis."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))


class Reader:
    """Reads images row by row, or column by column, with fixed weights.

    Attributes:
        architecture: Which network it reads with.

    Raises:
        WeightsError: The weights are so large that sums of them overflow.
    """

    def __init__(self, weights: Weights) -> None:
        weights.check_sums()
        self.architecture = weights.architecture
        first, *others = weights.recurrent_layers()
        self._layers = [_folded(weights, first), *others]
        self._output_kernel = weights.output_kernel
        self._output_bias = weights.output_bias

    def read(self, images: NDArray[Any], *, states: bool = False) -> Reading:
        """Read images in the reading order of the network.

        Args:
            images: `uint8` of shape (N, 28, 28), 0 = background, 255 = ink.
            states: Whether to return gates and states of every layer, too.

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
        return Reading(
            np.concatenate([batch.beliefs for batch in batches]),
            tuple(
                {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
                for parts in zip(*(batch.layers for batch in batches), strict=True)
            ),
        )

    def _read_batch(self, images: NDArray[np.uint8], states: bool) -> Reading:
        ordered = as_read(images, self.architecture.reading_order)
        inputs = ordered.transpose(1, 0, 2).astype(np.float32) / np.float32(255.0)
        layers = []
        for layer in self._layers:
            of_rows = self._read_layer(layer, inputs, every_state=states)
            inputs = np.stack([of_row["hidden_state"] for of_row in of_rows])
            if states:
                layers.append(
                    {name: np.stack([of_row[name] for of_row in of_rows], axis=1) for name in of_rows[0]}
                )
        beliefs = _softmax(np.asarray(inputs @ self._output_kernel + self._output_bias, np.float32))
        return Reading(beliefs.swapaxes(0, 1), tuple(layers))

    def _read_layer(self, weights: LayerWeights, inputs: FloatArray, *, every_state: bool) -> list[States]:
        """Return what a layer has after every row, or its hidden state alone, given inputs (28, N, …)."""
        cell = self.architecture.cell
        step, states = STEPS[cell], first_states(cell, inputs.shape[1], self.architecture.neurons)
        of_rows = []
        for x in inputs:
            states = step(weights, x, states)
            of_rows.append(states if every_state else {"hidden_state": states["hidden_state"]})
        return of_rows


def _folded(weights: Weights, layer: LayerWeights) -> LayerWeights:
    """Return the weights of the first recurrent layer with the input layer folded into them.

    They are folded in float64 and rounded once, so that the result is no less exact than Keras' two products.
    """
    kernel = layer.kernel.astype(np.float64)
    bias = layer.bias.astype(np.float64)
    of_input = weights.input_bias.astype(np.float64) @ kernel
    if bias.ndim == 2:
        bias[0] += of_input
    else:
        bias += of_input
    return LayerWeights(
        (weights.input_kernel.astype(np.float64) @ kernel).astype(np.float32),
        layer.recurrent_kernel,
        bias.astype(np.float32),
    )


def first_ink_rows(images: NDArray[np.uint8], reading_order: str = "down") -> NDArray[np.int64]:
    """Return the first step, 1 to 28, at which each image shows ink; 1 for an image without any.

    Args:
        images: Shape (N, 28, 28), 0 = background, 255 = ink.
        reading_order: In which order their rows or columns are read.
    """
    ordered = as_read(images > INK_THRESHOLD, reading_order)
    first: NDArray[np.int64] = ordered.any(axis=2).argmax(axis=1) + 1
    return first


def decided_at(beliefs: NDArray[Any]) -> int:
    """Return the first step, 1 to 28, from which the top digit never changes again.

    Args:
        beliefs: Probabilities after every step of one image, shape (28, 10).
    """
    top = beliefs.argmax(axis=1)
    other = np.flatnonzero(top != top[-1])
    return int(other[-1]) + 2 if other.size else 1
