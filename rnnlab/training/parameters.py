"""All weights of a network as one vector, and how they are stacked into the matrices S of `numpy_layer`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from rnnlab.digits import COLUMNS, DIGITS, FloatArray
from rnnlab.model.architecture import GATES, Architecture
from rnnlab.model.weights import LayerWeights, Weights

_HALF: Final = np.float32(0.5)


class StackLayout(NamedTuple):
    """Which rows of S hold what, for one kind of cell; all in lengths of the hidden state, n.

    Attributes:
        gates: How many the cell has.
        rows: How many rows there are above the read-out.
        kernel: The rows that read the input.
        recurrent: The rows that read the hidden state; always the last above the read-out.
        sigmoids: The rows of gates with a sigmoid, which are halved.
        kernel_shift: By how many places the gates of the kernel are rolled from Keras' order.
        recurrent_shift: The same for the recurrent kernel.
    """

    gates: int
    rows: int
    kernel: range
    recurrent: range
    sigmoids: range
    kernel_shift: int = 0
    recurrent_shift: int = 0


LAYOUTS: Final = {
    "lstm": StackLayout(GATES["lstm"], 4, range(4), range(4), range(3), 1, 1),  # o, i, f, g
    "gru": StackLayout(GATES["gru"], 4, range(3), range(1, 4), range(1, 3), 1, 0),  # x, z, r, u
    "simple_rnn": StackLayout(GATES["simple_rnn"], 1, range(1), range(1), range(0)),
}


def stack_shapes(architecture: Architecture) -> list[tuple[int, int]]:
    """Return the shape of each layer's S, from the lowest to the uppermost."""
    n, layers = architecture.neurons, architecture.layers
    rows = LAYOUTS[architecture.cell].rows * n
    return [
        (rows + (DIGITS if layer == layers - 1 else 0), (n if layer else COLUMNS) + n + 1)
        for layer in range(layers)
    ]


def stack_size(architecture: Architecture) -> int:
    """Return how many numbers all S have together."""
    return sum(rows * columns for rows, columns in stack_shapes(architecture))


def stacks_in(vector: FloatArray, architecture: Architecture) -> list[FloatArray]:
    """Return each layer's S, as views of a vector that holds one after the other."""
    return list(_views(vector, stack_shapes(architecture)))


def _views(vector: FloatArray, shapes: Sequence[tuple[int, ...]]) -> Iterator[FloatArray]:
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    for part, shape in zip(np.split(vector, ends[:-1]), shapes, strict=True):
        yield part.reshape(shape)


class LayerParameters(NamedTuple):
    """The weights of one recurrent layer, laid out as in S.

    Attributes:
        kernel: W^T, shape (g n, inputs).
        recurrent_kernel: U^T, shape (g n, n).
        biases: b, of the kernel, and for a GRU also of the recurrent kernel, shape (1 or 2, g n).
    """

    kernel: FloatArray
    recurrent_kernel: FloatArray
    biases: FloatArray


class Parameters:
    """All weights of a network in one vector, in parts that are laid out as in S; or all their gradients.

    Args:
        architecture: Which network.

    Attributes:
        vector: All of them; the others are views of its parts.
        input: W_in and, as its last row, b_in, shape (29, n).
        layers: The recurrent layers, from the one that reads the image on.
        read_out: V^T, shape (10, n).
        read_out_bias: b_V, shape (10,).
    """

    def __init__(self, architecture: Architecture) -> None:
        self.architecture, n = architecture, architecture.neurons
        self._layout = LAYOUTS[architecture.cell]
        width = self._layout.gates * n
        biases = 2 if architecture.cell == "gru" else 1
        of_a_layer = [(width, n), (width, n), (biases, width)]
        shapes = [(COLUMNS + 1, n), *of_a_layer * architecture.layers, (DIGITS, n), (DIGITS,)]
        self.vector: FloatArray = np.zeros(architecture.parameters, np.float32)
        self.input, *of_layers, self.read_out, self.read_out_bias = _views(self.vector, shapes)
        self.layers = [LayerParameters(*of_layers[i : i + 3]) for i in range(0, len(of_layers), 3)]

    def set(self, weights: Weights) -> None:
        """Take the values of a network's weights."""
        layout = self._layout
        self.input[:-1] = weights.input_kernel
        self.input[-1] = weights.input_bias
        for layer, theirs in zip(self.layers, weights.recurrent_layers(), strict=True):
            layer.kernel[...] = self._rolled(theirs.kernel, layout.kernel_shift).T
            layer.recurrent_kernel[...] = self._rolled(theirs.recurrent_kernel, layout.recurrent_shift).T
            biases = np.atleast_2d(theirs.bias)
            layer.biases[0] = self._rolled(biases[0], layout.kernel_shift)
            layer.biases[1:] = self._rolled(biases[1:], layout.recurrent_shift)
        self.read_out[...] = weights.output_kernel.T
        self.read_out_bias[...] = weights.output_bias

    def weights(self) -> Weights:
        """Return a copy in the form of Keras' layers."""
        arrays = [self.input[:-1].copy(), self.input[-1].copy()]
        for layer in self.layers:
            arrays += self._as_keras(layer)
        arrays += [self.read_out.T.copy(), self.read_out_bias.copy()]
        return Weights.of(self.architecture, arrays)

    def _as_keras(self, layer: LayerParameters) -> LayerWeights:
        layout = self._layout
        biases = [
            self._rolled(layer.biases[0], -layout.kernel_shift),
            *self._rolled(layer.biases[1:], -layout.recurrent_shift),
        ]
        return LayerWeights(
            self._rolled(layer.kernel.T, -layout.kernel_shift),
            self._rolled(layer.recurrent_kernel.T, -layout.recurrent_shift),
            np.stack(biases) if len(biases) > 1 else biases[0],
        )

    def _rolled(self, gates: FloatArray, places: int) -> FloatArray:
        """Return a copy with the gates, along the last axis, so many places further."""
        return np.roll(gates, places * self.architecture.neurons, axis=-1)

    def stack(self, stacks: Sequence[FloatArray]) -> None:
        """Write each layer's S, with the rows of sigmoids halved, into `stacks`, of `stack_shapes`.

        Weights may be so large that S is not finite: who trains looks for that.
        """
        n, layout = self.architecture.neurons, self._layout
        for index, (layer, stacked) in enumerate(zip(self.layers, stacks, strict=True)):
            of_input, of_state = _rows(stacked, layout.kernel, n), _rows(stacked, layout.recurrent, n)
            if layout.rows > layout.gates:  # parts of it belong to neither
                stacked[: layout.rows * n] = 0
            of_state[:, :n] = layer.recurrent_kernel
            with np.errstate(over="ignore", invalid="ignore"):
                if index:
                    of_input[:, n:-1] = layer.kernel
                    of_input[:, -1] = layer.biases[0]
                else:
                    np.matmul(layer.kernel, self.input.T, out=of_input[:, n:])
                    of_input[:, -1] += layer.biases[0]
                if len(layer.biases) > 1:
                    of_state[:, -1] += layer.biases[1]
            _rows(stacked, layout.sigmoids, n)[...] *= _HALF
        read_out = stacks[-1][layout.rows * n :]
        read_out[:, :n] = self.read_out
        read_out[:, n:-1] = 0
        read_out[:, -1] = self.read_out_bias

    def take_gradient(self, stacks: Sequence[FloatArray], parameters: Parameters) -> None:
        """Compute the derivatives by `parameters` from those by S, and store them here.

        Args:
            stacks: dS of each layer.
            parameters: Those that S was made from.
        """
        n, layout = self.architecture.neurons, self._layout
        for index, (layer, stacked) in enumerate(zip(self.layers, stacks, strict=True)):
            of_input, of_state = _rows(stacked, layout.kernel, n), _rows(stacked, layout.recurrent, n)
            layer.recurrent_kernel[...] = of_state[:, :n]
            layer.biases[0] = of_input[:, -1]
            layer.biases[1:] = of_state[:, -1]
            if index:
                layer.kernel[...] = of_input[:, n:-1]
            else:
                np.matmul(of_input[:, n:], parameters.input, out=layer.kernel)
                np.matmul(of_input[:, n:].T, parameters.layers[0].kernel, out=self.input)
        read_out = stacks[-1][layout.rows * n :]
        self.read_out[...] = read_out[:, :n]
        self.read_out_bias[...] = read_out[:, -1]


def _rows(stacked: FloatArray, rows: range, neurons: int) -> FloatArray:
    """Return some rows of S, given in lengths of the hidden state."""
    return stacked[rows.start * neurons : rows.stop * neurons]
