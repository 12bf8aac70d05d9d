"""Loss and gradients of the network on processors without a GPU, written out row by row in plain numpy.

Keras computes the same with loops and an automatic gradient, in twice the time. What makes this faster:

- There is no activation between the input layer and the LSTM, so their products are folded into one kernel,
  W' = W_in W and b' = b_in W + b.
- All weights are stacked into one matrix S, and what a row works on into one matrix `state`, with one column
  per image. A row is then one product forward and one backward, read-out and biases included, and its part of
  all gradients one more.
- Where the first rows of all images are blank, all have the same state after them: it is worked out once.
- Everything is written into memory that is already there, and each part of it lies in one piece.
- sigmoid(z) = (1 + tanh(z / 2)) / 2: with the halves put into S, one tanh does for all four gates.

With n neurons, N images and the rows t = 0 to 27 (* is element-wise; h_-1 = c_-1 = 0):

    S = [ U^T   W'^T   b'  ]      4n rows, in the order i, f, o, g
        [ V^T   0      b_V ]      10 rows                           state_t = [h_{t-1}; x_t; 1]

Forward:

    [z_t; logits_{t-1}] = S state_t
    i, f, o = sigmoid of their quarter of z_t                g = tanh of its quarter
    c_t = f * c_{t-1} + i * g                                h_t = o * tanh(c_t)

Backward (backpropagation through time; Werbos, 1990), from the last row to the first, with d meaning the
derivative of the loss:

    dh_t = U dz_{t+1} + V dlogits_t                          the first n columns of S, transposed
    dc_t = dc_{t+1} * f_{t+1} + dh_t * o * (1 - tanh(c_t)^2)
    dz_t = [dc_t * g, dc_t * c_{t-1}, dh_t * tanh(c_t), dc_t * i]
           * [i * (1 - i), f * (1 - f), o * (1 - o), 1 - g^2]
    dS   = sum over t of [dz_t; dlogits_{t-1}] state_t^T
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rnnlab.products import add_product, multiply
from rnnlab.reader import COLUMNS, DIGITS, ROWS, FloatArray

Pixels = NDArray[np.uint8] | FloatArray
"""Images side by side, one per column: shape (rows, 28, N), 0 = background, 255 = ink."""

_FEW_IMAGES: Final = 32
"""Up to so many images, several rows make one product for weight gradients: narrow ones are slow."""

_COLUMNS_AT_ONCE: Final = 128
"""Columns that such a product has at most."""

_PIXEL_MAXIMUM: Final = np.float32(255)
_ONE: Final = np.float32(1)
_HALF: Final = np.float32(0.5)
_TWO: Final = np.float32(2)


def row_weights(row_loss_mix: float, rows: int = ROWS) -> FloatArray:
    """Return the weight of each row in the loss, `float32` of shape (rows,), summing to 1."""
    weights = np.full(rows, row_loss_mix / rows, np.float32)
    weights[-1] += 1.0 - row_loss_mix
    return weights


def side_by_side(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return images (N, rows, 28) as (rows, 28, N)."""
    return np.ascontiguousarray(images.transpose(1, 2, 0))


class _Columns:
    """Images side by side on their way through some of the rows, and all that is kept for the way back.

    Args:
        images: How many, N.
        neurons: Length of the hidden state, n.
        learns: Whether rows are kept for the way back; without, there is memory for one row alone.
        rows: Of an image.

    Attributes:
        states: `state_t` of every row and one after the last.
        cells: c_{t-1} of every row and one after the last.
        logits: After every row, shape (rows, 10, N).
        hidden_gradient: dh_t of the row that `backward` comes to next.
        cell_gradient: What dc_t of that row has of the row above it.
    """

    def __init__(self, images: int, neurons: int, rows: int, *, learns: bool) -> None:
        self._neurons, self._images = neurons, images
        kept = rows if learns else 1

        def per_row(features: int, arrays: int = kept) -> list[FloatArray]:
            """Return an array for every row and one after the last; the same for several if few are kept."""
            made = [np.zeros((features, images), np.float32) for _ in range(arrays)]
            return [made[t % arrays] for t in range(rows + 1)]

        n = neurons
        self._product = np.empty((4 * n + DIGITS, images), np.float32)
        self.states = per_row(n + COLUMNS + 1, kept + 1 if learns else 1)
        for state in self.states:
            state[-1] = 1
        self._gates = per_row(4 * n)
        self.cells = per_row(n, kept + 1 if learns else 1)
        self._cell_tanhs = per_row(n)
        self._row = np.empty((n, images), np.float32)
        self.logits = np.empty((rows, DIGITS, images), np.float32)
        if learns:
            self.hidden_gradient = np.empty((n, images), np.float32)
            self.cell_gradient = np.empty((n, images), np.float32)
            self._slopes = np.empty((4 * n, images), np.float32)
            self._product_gradient = np.empty((4 * n + DIGITS, images), np.float32)
            self._rows_at_once = min(rows, _COLUMNS_AT_ONCE // images) if images <= _FEW_IMAGES else 1
            columns = self._rows_at_once * images
            self._product_gradients = np.empty((4 * n + DIGITS, columns), np.float32)
            self._states_at_once = np.empty((n + COLUMNS + 1, columns), np.float32)

    def begin(self) -> None:
        """Begin with the first row."""
        self.states[0][: self._neurons] = 0
        self.cells[0].fill(0)

    def go_on_from(self, others: _Columns, row: int) -> None:
        """Begin with a later row, all columns as one other column was before it."""
        self.states[row][: self._neurons] = others.states[row][: self._neurons]
        self.cells[row][...] = others.cells[row]
        self.logits[: max(0, row - 1)] = others.logits[: max(0, row - 1)]

    def forward(self, stacked: FloatArray, pixels: Pixels, rows: range, *, every_row: bool) -> None:
        """Work through rows; with `every_row` leave the logits of all rows but the last of them."""
        n, product = self._neurons, self._product
        for t in rows:
            state, gates, cell, next_cell = self.states[t], self._gates[t], self.cells[t], self.cells[t + 1]
            np.divide(pixels[t], _PIXEL_MAXIMUM, out=state[n:-1])
            if every_row and t:
                multiply(stacked, state, product)
                self.logits[t - 1] = product[4 * n :]
            else:
                multiply(stacked[: 4 * n], state, product[: 4 * n])
            np.tanh(product[: 4 * n], out=gates)
            np.multiply(gates[: 3 * n], _HALF, out=gates[: 3 * n])
            np.add(gates[: 3 * n], _HALF, out=gates[: 3 * n])
            np.multiply(gates[n : 2 * n], cell, out=self._row)
            np.multiply(gates[:n], gates[3 * n :], out=next_cell)
            np.add(next_cell, self._row, out=next_cell)
            np.tanh(next_cell, out=self._cell_tanhs[t])
            np.multiply(gates[2 * n : 3 * n], self._cell_tanhs[t], out=self.states[t + 1][:n])

    def read_out(self, stacked: FloatArray) -> None:
        """Leave the logits after the last row of an image."""
        n = self._neurons
        np.matmul(stacked[4 * n :, :n], self.states[-1][:n], out=self.logits[-1])
        self.logits[-1] += stacked[4 * n :, -1:]

    def begin_backward(
        self, transposed: FloatArray, logits_gradient: FloatArray, gradient: FloatArray
    ) -> None:
        """Begin the way back, with the derivative by the logits after the last row."""
        n = self._neurons
        np.matmul(transposed[:, 4 * n :], logits_gradient, out=self.hidden_gradient)
        gradient[4 * n :] += logits_gradient @ self.states[-1].T
        self.cell_gradient.fill(0)

    def backward(
        self, transposed: FloatArray, logits_gradient: FloatArray | None, gradient: FloatArray, rows: range
    ) -> None:
        """Work back through rows and add to dS.

        Args:
            transposed: The first n columns of S, transposed.
            logits_gradient: Derivatives by the logits after every row, shape (rows, 10, N), or `None`
                where only those after the last row count.
            gradient: dS.
            rows: Those that `forward` worked through.
        """
        n, above = self._neurons, self._product_gradient
        used = 4 * n if logits_gradient is None else 4 * n + DIGITS
        for t in reversed(rows):
            self._gates_backward(t, above)
            if logits_gradient is not None:
                above[4 * n :] = logits_gradient[t - 1] if t else 0
            self._add_gradient(t, rows, above[:used], gradient[:used])
            if t:
                multiply(transposed[:, :used], above[:used], self.hidden_gradient)
                np.multiply(self.cell_gradient, self._gates[t][n : 2 * n], out=self.cell_gradient)

    def _gates_backward(self, t: int, product_gradient: FloatArray) -> None:
        """Write dz_t from dh_t and what dc_t has of the row above; complete dc_t."""
        n = self._neurons
        row, hidden_gradient, cell_gradient = self._row, self.hidden_gradient, self.cell_gradient
        gates, cell_tanh, slopes = self._gates[t], self._cell_tanhs[t], self._slopes
        # o * (1 - tanh(c)^2) = o - h * tanh(c)
        np.multiply(self.states[t + 1][:n], cell_tanh, out=row)
        np.subtract(gates[2 * n : 3 * n], row, out=row)
        np.multiply(row, hidden_gradient, out=row)
        np.add(cell_gradient, row, out=cell_gradient)
        np.multiply(cell_gradient, gates[3 * n :], out=product_gradient[:n])
        np.multiply(cell_gradient, self.cells[t], out=product_gradient[n : 2 * n])
        np.multiply(hidden_gradient, cell_tanh, out=product_gradient[2 * n : 3 * n])
        np.multiply(cell_gradient, gates[:n], out=product_gradient[3 * n : 4 * n])
        np.multiply(gates, gates, out=slopes)
        np.subtract(gates[: 3 * n], slopes[: 3 * n], out=slopes[: 3 * n])
        np.subtract(_ONE, slopes[3 * n :], out=slopes[3 * n :])
        np.multiply(product_gradient[: 4 * n], slopes, out=product_gradient[: 4 * n])

    def _add_gradient(self, t: int, rows: range, above: FloatArray, gradient: FloatArray) -> None:
        """Add [dz_t; dlogits_{t-1}] state_t^T to dS; for few images, some rows in one product."""
        if self._rows_at_once == 1:
            add_product(gradient, above, self.states[t])
            return
        place = (rows[-1] - t) % self._rows_at_once * self._images
        after = place + self._images
        self._product_gradients[: len(above), place:after] = above
        self._states_at_once[:, place:after] = self.states[t]
        if t == rows[0] or after == self._product_gradients.shape[1]:
            products, states = self._product_gradients[: len(above), :after], self._states_at_once[:, :after]
            add_product(gradient, products, states)


class Shard:
    """The memory in which a part of a batch is read and learned from.

    Args:
        images: How many, N.
        neurons: Length of the hidden state, n.
        learns: Whether there is memory for gradients.
        rows: Of an image.
    """

    def __init__(self, images: int, neurons: int, *, learns: bool = True, rows: int = ROWS) -> None:
        self._neurons, self._rows = neurons, rows
        self._images = _Columns(images, neurons, rows, learns=learns)
        self._blank = _Columns(1, neurons, rows, learns=learns)
        self._no_ink = np.zeros((rows, COLUMNS, 1), np.uint8)
        if learns:
            self._transposed = np.empty((neurons, 4 * neurons + DIGITS), np.float32)

    def gradient(
        self,
        stacked: FloatArray,
        pixels: Pixels,
        labels: NDArray[np.uint8],
        weights: FloatArray,
        gradient: FloatArray,
    ) -> float:
        """Return the loss of the images, in nats, and add its derivatives to `gradient`.

        Args:
            stacked: S as `Parameters.stack` writes it.
            pixels: Shape (rows, 28, N), 0 to 255.
            labels: Digits, shape (N,).
            weights: Weight of each row of an image in the loss, shape (rows,).
            gradient: dS, in one piece.
        """
        every_row = bool(weights[:-1].any())
        blank = self._forward(stacked, pixels, every_row=every_row)
        first = 0 if every_row else -1
        loss, logits_gradient = _loss(self._images.logits[first:], labels, weights[first:])
        self._backward(stacked, logits_gradient, gradient, blank)
        return loss

    def read(self, stacked: FloatArray, pixels: Pixels) -> NDArray[np.int64]:
        """Return the digits read after the last row, shape (N,); arguments as for `gradient`."""
        self._forward(stacked, pixels, every_row=False)
        read: NDArray[np.int64] = self._images.logits[-1].argmax(axis=0)
        return read

    def _forward(self, stacked: FloatArray, pixels: Pixels, *, every_row: bool) -> int:
        """Fill the rows' memory and the logits; return how many rows were blank in all images."""
        blank = int(pixels[:-1].any(axis=(1, 2)).argmax()) if pixels[:-1].any() else self._rows - 1
        self._blank.begin()
        self._blank.forward(stacked, self._no_ink, range(blank), every_row=every_row)
        self._images.go_on_from(self._blank, blank)
        self._images.forward(stacked, pixels, range(blank, self._rows), every_row=every_row)
        self._images.read_out(stacked)
        return blank

    def _backward(
        self, stacked: FloatArray, logits_gradient: FloatArray, gradient: FloatArray, blank: int
    ) -> None:
        """Add the derivatives by S, given those by the logits of all rows or of the last alone."""
        n, images, shared = self._neurons, self._images, self._blank
        np.multiply(stacked[: 3 * n, :n].T, _TWO, out=self._transposed[:, : 3 * n])
        self._transposed[:, 3 * n :] = stacked[3 * n :, :n].T
        images.begin_backward(self._transposed, logits_gradient[-1], gradient)
        of_rows = logits_gradient if len(logits_gradient) == self._rows else None
        images.backward(self._transposed, of_rows, gradient, range(blank, self._rows))
        if blank:
            np.sum(images.hidden_gradient, axis=1, keepdims=True, out=shared.hidden_gradient)
            np.sum(images.cell_gradient, axis=1, keepdims=True, out=shared.cell_gradient)
            if of_rows is not None:
                of_rows = of_rows[:blank].sum(axis=2, keepdims=True)
            shared.backward(self._transposed, of_rows, gradient, range(blank))


def _loss(logits: FloatArray, labels: NDArray[np.uint8], weights: FloatArray) -> tuple[float, FloatArray]:
    """Return the weighted softmax cross-entropy and its derivative by the logits.

    Args:
        logits: Shape (rows, 10, N); overwritten.
        labels: Digits, shape (N,).
        weights: Of the rows, shape (rows,).
    """
    logits -= logits.max(axis=1, keepdims=True)
    images = np.arange(len(labels))
    of_the_truth = logits[:, labels, images]
    beliefs = np.exp(logits)
    sums = beliefs.sum(axis=1)
    loss = float(weights @ (np.log(sums) - of_the_truth).sum(axis=1))
    beliefs *= (weights[:, None] / sums)[:, None]
    beliefs[:, labels, images] -= weights[:, None]
    return loss, beliefs
