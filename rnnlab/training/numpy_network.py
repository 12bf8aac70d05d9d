"""Loss, gradients and answers of a whole network for a part of a batch, in plain numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rnnlab.digits import COLUMNS, DIGITS, ROWS, FloatArray
from rnnlab.model.architecture import Architecture
from rnnlab.training.loss import graded_rows, softmax_cross_entropy
from rnnlab.training.numpy_gru import UnrolledGru
from rnnlab.training.numpy_layer import TransposedStack, UnrolledLayer
from rnnlab.training.numpy_lstm import UnrolledLstm
from rnnlab.training.numpy_simple_rnn import UnrolledSimpleRnn
from rnnlab.training.parameters import LAYOUTS

Pixels = NDArray[np.uint8] | FloatArray
"""Images side by side, one per column: shape (rows as they are read, 28, N), 0 = background, 255 = ink."""

_LAYERS: Final[dict[str, type[UnrolledLayer]]] = {
    layer.cell: layer for layer in (UnrolledLstm, UnrolledGru, UnrolledSimpleRnn)
}

_PIXEL_MAXIMUM: Final = np.float32(255)


def to_columns(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return images (N, rows, 28) as (rows, 28, N)."""
    return np.ascontiguousarray(images.transpose(1, 2, 0))


class Workspace:
    """Computes loss, gradient and answers for a part of a batch, in memory that is allocated once.

    Args:
        architecture: Which network.
        images: Number of images, N.
        rows: Number of rows of an image.
    """

    def __init__(self, architecture: Architecture, images: int, rows: int = ROWS) -> None:
        self._rows = rows
        self._images = _unrolled(architecture, images, rows)
        self._blank = _unrolled(architecture, 1, rows)
        self._no_ink = np.zeros((rows, COLUMNS, 1), np.uint8)
        layout, n, top = LAYOUTS[architecture.cell], architecture.neurons, architecture.layers - 1
        self._transposed = [
            TransposedStack(layout, n, n if layer else COLUMNS, DIGITS if layer == top else 0)
            for layer in range(architecture.layers)
        ]

    def gradient(
        self,
        stacks: Sequence[FloatArray],
        pixels: Pixels,
        labels: NDArray[np.uint8],
        weights: FloatArray,
        gradients: Sequence[FloatArray],
        *,
        last_row_only: NDArray[np.bool_] | None = None,
    ) -> float:
        """Return the loss of the images, in nats, and add its derivatives to `gradients`.

        Args:
            stacks: S of each layer as `Parameters.stack` writes it.
            pixels: Shape (rows, 28, N), 0 to 255.
            labels: Digits or `NO_DIGIT`, shape (N,).
            weights: Weight of each row of an image in the loss, shape (rows,).
            gradients: dS of each layer, C-contiguous.
            last_row_only: Images for which only the last row counts, as for those of no digit, shape (N,).
        """
        every_row = bool(weights[:-1].any())
        blank = self._forward(stacks, pixels, every_row=every_row)
        first = 0 if every_row else -1
        graded = graded_rows(weights[first:], labels, last_row_only)
        loss, logits_gradient = softmax_cross_entropy(self._images[-1].logits[first:], labels, graded)
        self._backward(stacks, logits_gradient, gradients, blank)
        return loss

    def read(self, stacks: Sequence[FloatArray], pixels: Pixels) -> NDArray[np.int64]:
        """Return the digits read after the last row, shape (N,); arguments as for `gradient`."""
        self._forward(stacks, pixels, every_row=False)
        read: NDArray[np.int64] = self._images[-1].logits[-1].argmax(axis=0)
        return read

    def state_gradient_norms(
        self, stacks: Sequence[FloatArray], pixels: Pixels, labels: NDArray[np.uint8]
    ) -> FloatArray:
        """Return how much the loss after the last row depends on the hidden state after each row.

        It is the norm of the derivative by the hidden states of all layers, the mean over the images, shape
        (rows,). Arguments: as for `gradient`.
        """
        _forward(self._images, stacks, pixels, range(self._rows), every_row=False)
        top, images = len(self._images) - 1, pixels.shape[-1]
        self._images[top].read_out(stacks[top])
        weights = np.ones((1, images), np.float32)
        _, logits_gradient = softmax_cross_entropy(self._images[top].logits[-1:], labels, weights)
        squares = np.zeros((self._rows, images), np.float32)
        for layer in range(top, -1, -1):
            unrolled, transposed = self._images[layer], self._transposed[layer]
            transposed.take(stacks[layer], with_inputs=layer > 0)
            if layer == top:
                unrolled.begin_backward(transposed, logits_gradient[-1], None)
            else:
                unrolled.begin_below()
            below = self._images[layer - 1].from_above if layer else None
            unrolled.backward(transposed, None, None, range(self._rows), below, squares)
        return np.asarray(np.sqrt(squares).mean(axis=1))

    def _forward(self, stacks: Sequence[FloatArray], pixels: Pixels, *, every_row: bool) -> int:
        """Compute all rows and the logits; return how many first rows are blank in all images."""
        inked = pixels[:-1].any(axis=(1, 2))
        blank = int(inked.argmax()) if inked.any() else self._rows - 1
        _forward(self._blank, stacks, self._no_ink, range(blank), every_row=every_row)
        for images, shared in zip(self._images, self._blank, strict=True):
            images.start_from(shared, blank)
        _forward(self._images, stacks, pixels, range(blank, self._rows), every_row=every_row)
        self._images[-1].read_out(stacks[-1])
        return blank

    def _backward(
        self,
        stacks: Sequence[FloatArray],
        logits_gradient: FloatArray,
        gradients: Sequence[FloatArray],
        blank: int,
    ) -> None:
        """Add the derivatives by S, given those by the logits of all rows or of the last row alone."""
        of_rows = logits_gradient if len(logits_gradient) == self._rows else None
        of_blank = of_rows[:blank].sum(axis=2, keepdims=True) if of_rows is not None else None
        top = len(self._images) - 1
        for layer in range(top, -1, -1):
            images, shared, transposed = self._images[layer], self._blank[layer], self._transposed[layer]
            transposed.take(stacks[layer], with_inputs=layer > 0)
            if layer == top:
                images.begin_backward(transposed, logits_gradient[-1], gradients[layer])
            else:
                images.begin_below()
                of_rows = of_blank = None
            below = self._images[layer - 1].from_above if layer else None
            images.backward(transposed, of_rows, gradients[layer], range(blank, self._rows), below)
            if blank:
                below = self._blank[layer - 1].from_above if layer else None
                shared.continue_from(images)
                shared.backward(transposed, of_blank, gradients[layer], range(blank), below)


def _unrolled(architecture: Architecture, images: int, rows: int) -> list[UnrolledLayer]:
    """Return all layers, from the lowest to the uppermost, for a number of images."""
    n, top = architecture.neurons, architecture.layers - 1
    kind = _LAYERS[architecture.cell]
    return [
        kind(images, n, n if layer else COLUMNS, rows, uppermost=layer == top)
        for layer in range(architecture.layers)
    ]


def _forward(
    layers: Sequence[UnrolledLayer],
    stacks: Sequence[FloatArray],
    pixels: Pixels,
    rows: range,
    *,
    every_row: bool,
) -> None:
    """Compute consecutive rows of all layers."""
    here = slice(rows.start, rows.stop)
    np.divide(pixels[here], _PIXEL_MAXIMUM, out=layers[0].inputs[here])
    for index, (layer, stacked) in enumerate(zip(layers, stacks, strict=True)):
        if index:
            layer.inputs[here] = layers[index - 1].hidden_states[here]
        layer.forward(stacked, rows, every_row=every_row and index == len(layers) - 1)
