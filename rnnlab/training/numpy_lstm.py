"""Loss and gradients of the network on machines without a GPU, written out row by row in plain numpy.

Keras computes the same with loops and automatic gradients, in twice the time. What makes this faster:

- There is no activation between the input layer and the LSTM, so their products are folded into one kernel,
  W' = W_in W and b' = b_in W + b.
- All weights are stacked into one matrix S, and all inputs of a row into one matrix `state`, with one column
  per image. A row is then one product forward and one backward, read-out and biases included, and one more
  product for its part of all gradients.
- If the first rows of all images are blank, all images have the same state after them: it is computed once.
- The backward pass needs derivatives of the gates that are known before it begins: they are computed for
  several rows together.
- Everything is written into memory that is allocated once, and each part of it is contiguous.
- sigmoid(z) = (1 + tanh(z / 2)) / 2: with the halves put into S, one tanh computes all four gates.

With n neurons, N images and the rows t = 0 to 27 (* is element-wise; h_-1 = c_-1 = 0):

    S = [ U^T   W'^T   b'  ]      4n rows, in the order o, i, f, g
        [ V^T   0      b_V ]      10 rows                           state_t = [h_{t-1}; x_t; 1]

Forward (LSTM: Hochreiter and Schmidhuber, 1997; forget gate: Gers, Schmidhuber and Cummins, 2000):

    [z_t; logits_{t-1}] = S state_t
    i, f, o = sigmoid of their quarter of z_t                g = tanh of its quarter
    c_t = f * c_{t-1} + i * g                                h_t = o * tanh(c_t)

Backward (backpropagation through time; Werbos, 1990), from the last row to the first, with d meaning the
derivative of the loss:

    dh_t = U dz_{t+1} + V dlogits_t                          the first n columns of S, transposed
    dc_t = dc_{t+1} * f_{t+1} + dh_t * o * (1 - tanh(c_t)^2)
    dz_t = [dh_t * tanh(c_t), dc_t * g, dc_t * c_{t-1}, dc_t * i]
           * [o * (1 - o), i * (1 - i), f * (1 - f), 1 - g^2]
    dS   = sum over t of [dz_t; dlogits_{t-1}] state_t^T
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnnlab.digits import COLUMNS, DIGITS, ROWS, FloatArray
from rnnlab.training.loss import graded_rows, softmax_cross_entropy
from rnnlab.training.matmul import add_product, multiply

Pixels = NDArray[np.uint8] | FloatArray
"""Images side by side, one per column: shape (rows, 28, N), 0 = background, 255 = ink."""

_NUMBERS_AT_ONCE: Final = 131_072
"""Gate values of the rows that the backward pass handles together: few enough for the caches."""

_COLUMNS_AT_ONCE: Final = 512
"""Columns (one per image and row) of a product for weight gradients: narrower products are slow."""

_PIXEL_MAXIMUM: Final = np.float32(255)
_ONE: Final = np.float32(1)
_HALF: Final = np.float32(0.5)
_TWO: Final = np.float32(2)


def to_columns(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return images (N, rows, 28) as (rows, 28, N)."""
    return np.ascontiguousarray(images.transpose(1, 2, 0))


class _ForwardStep(NamedTuple):
    """The memory of one row in the forward pass, with n numbers per image unless another number is given.

    Attributes:
        state: `state_t`, n + 29 numbers per image.
        product: z_t, which the gates then replace, and the logits of the row above; 4n + 10.
        gates: Its first 4n: o, i, f, g.
        sigmoids: The first 3n of these.
        output_gate: o.
        input_gate: i.
        forget_gate: f.
        candidate: g.
        cell: c_{t-1}.
        next_cell: c_t.
        cell_tanh: tanh(c_t).
        next_hidden_state: h_t.
    """

    state: FloatArray
    product: FloatArray
    gates: FloatArray
    sigmoids: FloatArray
    output_gate: FloatArray
    input_gate: FloatArray
    forget_gate: FloatArray
    candidate: FloatArray
    cell: FloatArray
    next_cell: FloatArray
    cell_tanh: FloatArray
    next_hidden_state: FloatArray


class _BackwardStep(NamedTuple):
    """The memory of one row in the backward pass.

    Attributes:
        product_gradient: [dz_t; dlogits_{t-1}], 4n + 10 numbers per image.
        gates: dz_t; before that, the factors by which dh_t or dc_t will be multiplied.
        of_hidden_state: The quarter of dz_t that comes from dh_t: that of o.
        of_cell: The quarters of dz_t that come from dc_t: those of i, f and g, shape (3, n, N).
        cell_slope: o * (1 - tanh(c_t)^2), the derivative of h_t by c_t.
    """

    product_gradient: FloatArray
    gates: FloatArray
    of_hidden_state: FloatArray
    of_cell: FloatArray
    cell_slope: FloatArray


class _Unrolled:
    """The LSTM unrolled over the rows of N images, with all values that the backward pass needs.

    Args:
        images: Number of images, N.
        neurons: Length of the hidden state, n.
        rows: Number of rows of an image.

    Attributes:
        states: `state_t` of every row and one after the last, shape (rows + 1, n + 29, N).
        cells: c_{t-1} of every row and one after the last, shape (rows + 1, n, N).
        logits: After every row, shape (rows, 10, N).
        hidden_gradient: dh_t of the row that `backward` comes to next.
        cell_gradient: The part of dc_t of that row that comes from the row below it.
    """

    def __init__(self, images: int, neurons: int, rows: int) -> None:
        n = self._neurons = neurons
        self.states = np.zeros((rows + 1, n + COLUMNS + 1, images), np.float32)
        self.states[:, -1] = 1
        self.cells = np.zeros((rows + 1, n, images), np.float32)
        self.logits = np.empty((rows, DIGITS, images), np.float32)
        self.hidden_gradient = np.empty((n, images), np.float32)
        self.cell_gradient = np.empty((n, images), np.float32)
        self._products = np.empty((rows, 4 * n + DIGITS, images), np.float32)
        self._cell_tanhs = np.empty((rows, n, images), np.float32)
        self._scratch = np.empty((n, images), np.float32)
        self._rows = [self._forward_step(t) for t in range(rows)]

        self._at_once = max(
            1, min(rows, _NUMBERS_AT_ONCE // (4 * n * images), -(-_COLUMNS_AT_ONCE // images))
        )
        self._product_gradients = np.empty((self._at_once, 4 * n + DIGITS, images), np.float32)
        self._cell_slopes = np.empty((self._at_once, n, images), np.float32)
        self._backward_steps = [self._backward_step(index) for index in range(self._at_once)]
        columns = self._at_once * images
        self._wide_product_gradient = np.empty((4 * n + DIGITS, columns), np.float32)
        self._wide_state = np.empty((n + COLUMNS + 1, columns), np.float32)

    def _forward_step(self, t: int) -> _ForwardStep:
        n, product = self._neurons, self._products[t]
        return _ForwardStep(
            state=self.states[t],
            product=product,
            gates=product[: 4 * n],
            sigmoids=product[: 3 * n],
            output_gate=product[:n],
            input_gate=product[n : 2 * n],
            forget_gate=product[2 * n : 3 * n],
            candidate=product[3 * n : 4 * n],
            cell=self.cells[t],
            next_cell=self.cells[t + 1],
            cell_tanh=self._cell_tanhs[t],
            next_hidden_state=self.states[t + 1, :n],
        )

    def _backward_step(self, index: int) -> _BackwardStep:
        n, product_gradient = self._neurons, self._product_gradients[index]
        return _BackwardStep(
            product_gradient=product_gradient,
            gates=product_gradient[: 4 * n],
            of_hidden_state=product_gradient[:n],
            of_cell=product_gradient[n : 4 * n].reshape(3, n, -1),
            cell_slope=self._cell_slopes[index],
        )

    def start_from(self, others: _Unrolled, row: int) -> None:
        """Start at a later row: copy the one column of `others` before that row into all columns."""
        self.states[row, : self._neurons] = others.states[row, : self._neurons]
        self.cells[row] = others.cells[row]
        self.logits[: max(0, row - 1)] = others.logits[: max(0, row - 1)]

    def forward(self, stacked: FloatArray, pixels: Pixels, rows: range, *, every_row: bool) -> None:
        """Compute consecutive rows; with `every_row`, also the logits of all of them but the last.

        Args:
            stacked: S.
            pixels: Those of all rows of the images.
            rows: The rows to compute, without a gap.
            every_row: Whether to compute logits.
        """
        n, here = self._neurons, slice(rows.start, rows.stop)
        np.divide(pixels[here], _PIXEL_MAXIMUM, out=self.states[here, n:-1])
        of_gates = stacked[: 4 * n]
        for row in self._rows[here]:
            if every_row:
                multiply(stacked, row.state, row.product)
            else:
                multiply(of_gates, row.state, row.gates)
            np.tanh(row.gates, out=row.gates)
            np.multiply(row.sigmoids, _HALF, out=row.sigmoids)
            np.add(row.sigmoids, _HALF, out=row.sigmoids)
            np.multiply(row.forget_gate, row.cell, out=self._scratch)
            np.multiply(row.input_gate, row.candidate, out=row.next_cell)
            np.add(row.next_cell, self._scratch, out=row.next_cell)
            np.tanh(row.next_cell, out=row.cell_tanh)
            np.multiply(row.output_gate, row.cell_tanh, out=row.next_hidden_state)
        if every_row and rows:
            known = slice(max(1, rows.start), rows.stop)
            self.logits[known.start - 1 : known.stop - 1] = self._products[known, 4 * n :]

    def read_out(self, stacked: FloatArray) -> None:
        """Compute the logits after the last row of the images."""
        n = self._neurons
        np.matmul(stacked[4 * n :, :n], self.states[-1, :n], out=self.logits[-1])
        self.logits[-1] += stacked[4 * n :, -1:]

    def begin_backward(
        self, transposed: FloatArray, logits_gradient: FloatArray, gradient: FloatArray
    ) -> None:
        """Begin the backward pass, with the derivatives by the logits after the last row."""
        n = self._neurons
        np.matmul(transposed[:, 4 * n :], logits_gradient, out=self.hidden_gradient)
        gradient[4 * n :] += logits_gradient @ self.states[-1].T
        self.cell_gradient.fill(0)

    def backward(
        self, transposed: FloatArray, logits_gradient: FloatArray | None, gradient: FloatArray, rows: range
    ) -> None:
        """Go back through rows and add their gradients to dS.

        Args:
            transposed: The first n columns of S, transposed.
            logits_gradient: Derivatives by the logits after every row, shape (rows, 10, N), or `None`
                if only those after the last row count.
            gradient: dS.
            rows: Those that `forward` computed.
        """
        n = self._neurons
        used = 4 * n if logits_gradient is None else 4 * n + DIGITS
        for stop in range(rows.stop, rows.start, -self._at_once):
            some = range(max(rows.start, stop - self._at_once), stop)
            self._prepare_backward(some)
            if logits_gradient is not None:
                self._take_logits_gradient(logits_gradient, some)
            self._rows_backward(transposed[:, :used], some)
            self._add_gradient(gradient[:used], some)

    def _prepare_backward(self, rows: range) -> None:
        """Compute the factors of dz_t and dc_t that do not depend on gradients, for several rows."""
        n, here, count = self._neurons, slice(rows.start, rows.stop), len(rows)
        gates, cell_tanhs = self._products[here, : 4 * n], self._cell_tanhs[here]
        slopes, cell_slopes = self._product_gradients[:count, : 4 * n], self._cell_slopes[:count]
        np.multiply(gates, gates, out=slopes)
        np.subtract(gates[:, : 3 * n], slopes[:, : 3 * n], out=slopes[:, : 3 * n])
        np.subtract(_ONE, slopes[:, 3 * n :], out=slopes[:, 3 * n :])
        slopes[:, :n] *= cell_tanhs
        slopes[:, n : 2 * n] *= gates[:, 3 * n :]
        slopes[:, 2 * n : 3 * n] *= self.cells[here]
        slopes[:, 3 * n :] *= gates[:, n : 2 * n]
        # o * (1 - tanh(c)^2) = o - h * tanh(c)
        np.multiply(self.states[rows.start + 1 : rows.stop + 1, :n], cell_tanhs, out=cell_slopes)
        np.subtract(gates[:, :n], cell_slopes, out=cell_slopes)

    def _take_logits_gradient(self, logits_gradient: FloatArray, rows: range) -> None:
        """Write dlogits_{t-1} below the dz_t of several rows."""
        places = self._product_gradients[: len(rows), 4 * self._neurons :]
        if rows.start:
            places[...] = logits_gradient[rows.start - 1 : rows.stop - 1]
        else:
            places[0] = 0
            places[1:] = logits_gradient[: rows.stop - 1]

    def _rows_backward(self, transposed: FloatArray, rows: range) -> None:
        """Go back through several rows, from the last to the first."""
        hidden_gradient, cell_gradient, scratch = self.hidden_gradient, self.cell_gradient, self._scratch
        used = transposed.shape[1]
        for t in reversed(rows):
            back = self._backward_steps[t - rows.start]
            np.multiply(hidden_gradient, back.cell_slope, out=scratch)
            np.add(cell_gradient, scratch, out=cell_gradient)
            np.multiply(hidden_gradient, back.of_hidden_state, out=back.of_hidden_state)
            np.multiply(cell_gradient, back.of_cell, out=back.of_cell)
            if t:
                multiply(transposed, back.product_gradient[:used], hidden_gradient)
                np.multiply(cell_gradient, self._rows[t].forget_gate, out=cell_gradient)

    def _add_gradient(self, gradient: FloatArray, rows: range) -> None:
        """Add [dz_t; dlogits_{t-1}] state_t^T of several rows to dS, as one product."""
        used, count = len(gradient), len(rows)
        if count == 1:
            add_product(gradient, self._product_gradients[0, :used], self.states[rows.start])
            return
        images = self.states.shape[2]
        product_gradient = self._wide_product_gradient[:used, : count * images]
        state = self._wide_state[:, : count * images]
        _lay_side_by_side(self._product_gradients[:count, :used], product_gradient)
        _lay_side_by_side(self.states[rows.start : rows.stop], state)
        add_product(gradient, product_gradient, state)


def _lay_side_by_side(rows: FloatArray, wide: FloatArray) -> None:
    """Write arrays of shape (rows, features, N) as (features, rows * N)."""
    wide.reshape(rows.shape[1], rows.shape[0], -1)[...] = rows.transpose(1, 0, 2)


class LstmWorkspace:
    """Computes loss, gradient and answers for a part of a batch, in memory that is allocated once.

    Args:
        images: Number of images, N.
        neurons: Length of the hidden state, n.
        rows: Number of rows of an image.
    """

    def __init__(self, images: int, neurons: int, rows: int = ROWS) -> None:
        self._neurons, self._rows = neurons, rows
        self._images, self._blank = _Unrolled(images, neurons, rows), _Unrolled(1, neurons, rows)
        self._no_ink = np.zeros((rows, COLUMNS, 1), np.uint8)
        self._transposed = np.empty((neurons, 4 * neurons + DIGITS), np.float32)

    def gradient(
        self,
        stacked: FloatArray,
        pixels: Pixels,
        labels: NDArray[np.uint8],
        weights: FloatArray,
        gradient: FloatArray,
        *,
        last_row_only: NDArray[np.bool_] | None = None,
    ) -> float:
        """Return the loss of the images, in nats, and add its derivatives to `gradient`.

        Args:
            stacked: S as `Parameters.stack` writes it.
            pixels: Shape (rows, 28, N), 0 to 255.
            labels: Digits or `NO_DIGIT`, shape (N,).
            weights: Weight of each row of an image in the loss, shape (rows,).
            gradient: dS, C-contiguous.
            last_row_only: Images for which only the last row counts, as for those of no digit, shape (N,).
        """
        every_row = bool(weights[:-1].any())
        blank = self._forward(stacked, pixels, every_row=every_row)
        first = 0 if every_row else -1
        graded = graded_rows(weights[first:], labels, last_row_only)
        loss, logits_gradient = softmax_cross_entropy(self._images.logits[first:], labels, graded)
        self._backward(stacked, logits_gradient, gradient, blank)
        return loss

    def read(self, stacked: FloatArray, pixels: Pixels) -> NDArray[np.int64]:
        """Return the digits read after the last row, shape (N,); arguments as for `gradient`."""
        self._forward(stacked, pixels, every_row=False)
        read: NDArray[np.int64] = self._images.logits[-1].argmax(axis=0)
        return read

    def _forward(self, stacked: FloatArray, pixels: Pixels, *, every_row: bool) -> int:
        """Compute all rows and the logits; return how many first rows are blank in all images."""
        inked = pixels[:-1].any(axis=(1, 2))
        blank = int(inked.argmax()) if inked.any() else self._rows - 1
        self._blank.forward(stacked, self._no_ink, range(blank), every_row=every_row)
        self._images.start_from(self._blank, blank)
        self._images.forward(stacked, pixels, range(blank, self._rows), every_row=every_row)
        self._images.read_out(stacked)
        return blank

    def _backward(
        self, stacked: FloatArray, logits_gradient: FloatArray, gradient: FloatArray, blank: int
    ) -> None:
        """Add the derivatives by S, given those by the logits of all rows or of the last row alone."""
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
