"""Loss and gradients of the network on processors without a GPU, written out row by row in plain numpy.

Keras computes the same with loops and an automatic gradient, in twice the time. What makes this faster:

- There is no activation between the input layer and the LSTM, so their products are folded into one kernel,
  W' = W_in W and b' = b_in W + b.
- All weights are stacked into one matrix S, and what a row works on into one matrix `state`, with one column
  per image. A row is then one product forward and one backward, read-out and biases included, and its part of
  all gradients one more.
- Where the first rows of all images are blank, all have the same state after them: it is worked out once.
- What the way back needs of the gates is known before it begins: it is worked out for several rows at once.
- Everything is written into memory that is already there, and each part of it lies in one piece.
- sigmoid(z) = (1 + tanh(z / 2)) / 2: with the halves put into S, one tanh does for all four gates.

With n neurons, N images and the rows t = 0 to 27 (* is element-wise; h_-1 = c_-1 = 0):

    S = [ U^T   W'^T   b'  ]      4n rows, in the order o, i, f, g
        [ V^T   0      b_V ]      10 rows                           state_t = [h_{t-1}; x_t; 1]

Forward:

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

from rnnlab.products import add_product, multiply
from rnnlab.reader import COLUMNS, DIGITS, NO_DIGIT, ROWS, FloatArray

Pixels = NDArray[np.uint8] | FloatArray
"""Images side by side, one per column: shape (rows, 28, N), 0 = background, 255 = ink."""

_NUMBERS_AT_ONCE: Final = 131_072
"""Numbers that belong to the gates of rows worked on at once: few enough for the caches."""

_COLUMNS_AT_ONCE: Final = 512
"""Columns, one for each image and row, that a product for weight gradients has: narrower ones are slow."""

_PIXEL_MAXIMUM: Final = np.float32(255)
_ONE: Final = np.float32(1)
_HALF: Final = np.float32(0.5)
_TWO: Final = np.float32(2)


_TARGETS: Final = np.eye(DIGITS, NO_DIGIT + 1, dtype=np.float32)
"""The right belief for each label, one a column."""
_TARGETS[:, NO_DIGIT] = 1 / DIGITS


def row_weights(row_loss_mix: float, rows: int = ROWS) -> FloatArray:
    """Return the weight of each row in the loss, `float32` of shape (rows,), summing to 1."""
    weights = np.full(rows, row_loss_mix / rows, np.float32)
    weights[-1] += 1.0 - row_loss_mix
    return weights


def side_by_side(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return images (N, rows, 28) as (rows, 28, N)."""
    return np.ascontiguousarray(images.transpose(1, 2, 0))


class _Row(NamedTuple):
    """The memory of one row on the way forward, with n numbers an image where nothing else is said.

    Attributes:
        state: `state_t`, n + 29 numbers an image.
        product: z_t, which the gates take the place of, and the logits of the row above; 4n + 10.
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


class _RowBack(NamedTuple):
    """The memory of one row on the way back.

    Attributes:
        product_gradient: [dz_t; dlogits_{t-1}], 4n + 10 numbers an image.
        gates: dz_t, whose place is taken at first by what is to be multiplied by dh_t or dc_t.
        of_hidden_state: Its quarter that comes from dh_t, that of o.
        of_cell: Its quarters that come from dc_t, those of i, f and g: shape (3, n, N).
        cell_slope: o * (1 - tanh(c_t)^2), by which dh_t goes into dc_t.
    """

    product_gradient: FloatArray
    gates: FloatArray
    of_hidden_state: FloatArray
    of_cell: FloatArray
    cell_slope: FloatArray


class _Columns:
    """Images side by side on their way through some of the rows, and all that is kept for the way back.

    Args:
        images: How many, N.
        neurons: Length of the hidden state, n.
        rows: Of an image.

    Attributes:
        states: `state_t` of every row and one after the last, shape (rows + 1, n + 29, N).
        cells: c_{t-1} of every row and one after the last, shape (rows + 1, n, N).
        logits: After every row, shape (rows, 10, N).
        hidden_gradient: dh_t of the row that `backward` comes to next.
        cell_gradient: What dc_t of that row has of the row above it.
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
        self._rows = [self._row(t) for t in range(rows)]

        self._at_once = max(
            1, min(rows, _NUMBERS_AT_ONCE // (4 * n * images), -(-_COLUMNS_AT_ONCE // images))
        )
        self._product_gradients = np.empty((self._at_once, 4 * n + DIGITS, images), np.float32)
        self._cell_slopes = np.empty((self._at_once, n, images), np.float32)
        self._rows_back = [self._row_back(index) for index in range(self._at_once)]
        columns = self._at_once * images
        self._wide_product_gradient = np.empty((4 * n + DIGITS, columns), np.float32)
        self._wide_state = np.empty((n + COLUMNS + 1, columns), np.float32)

    def _row(self, t: int) -> _Row:
        n, product = self._neurons, self._products[t]
        return _Row(
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

    def _row_back(self, index: int) -> _RowBack:
        n, product_gradient = self._neurons, self._product_gradients[index]
        return _RowBack(
            product_gradient=product_gradient,
            gates=product_gradient[: 4 * n],
            of_hidden_state=product_gradient[:n],
            of_cell=product_gradient[n : 4 * n].reshape(3, n, -1),
            cell_slope=self._cell_slopes[index],
        )

    def go_on_from(self, others: _Columns, row: int) -> None:
        """Begin with a later row, all columns as one other column was before it."""
        self.states[row, : self._neurons] = others.states[row, : self._neurons]
        self.cells[row] = others.cells[row]
        self.logits[: max(0, row - 1)] = others.logits[: max(0, row - 1)]

    def forward(self, stacked: FloatArray, pixels: Pixels, rows: range, *, every_row: bool) -> None:
        """Work through rows; with `every_row` leave the logits of all rows but the last of them.

        Args:
            stacked: S.
            pixels: Of all rows.
            rows: Without a gap.
            every_row: Whether logits are wanted.
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
        """Leave the logits after the last row of an image."""
        n = self._neurons
        np.matmul(stacked[4 * n :, :n], self.states[-1, :n], out=self.logits[-1])
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
        """Work out all of dz_t and dc_t that does not depend on the rows above, for several rows."""
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
        """Put dlogits_{t-1} under the dz_t of several rows."""
        places = self._product_gradients[: len(rows), 4 * self._neurons :]
        if rows.start:
            places[...] = logits_gradient[rows.start - 1 : rows.stop - 1]
        else:
            places[0] = 0
            places[1:] = logits_gradient[: rows.stop - 1]

    def _rows_backward(self, transposed: FloatArray, rows: range) -> None:
        """Work back through several rows, from the last to the first."""
        hidden_gradient, cell_gradient, scratch = self.hidden_gradient, self.cell_gradient, self._scratch
        used = transposed.shape[1]
        for t in reversed(rows):
            back = self._rows_back[t - rows.start]
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


class Shard:
    """The memory in which a part of a batch is read and learned from.

    Args:
        images: How many, N.
        neurons: Length of the hidden state, n.
        rows: Of an image.
    """

    def __init__(self, images: int, neurons: int, rows: int = ROWS) -> None:
        self._neurons, self._rows = neurons, rows
        self._images, self._blank = _Columns(images, neurons, rows), _Columns(1, neurons, rows)
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
            gradient: dS, in one piece.
            last_row_only: Images of which no other row counts, besides those of no digit, shape (N,).
        """
        every_row = bool(weights[:-1].any())
        blank = self._forward(stacked, pixels, every_row=every_row)
        first = 0 if every_row else -1
        graded = graded_rows(weights[first:], labels, last_row_only)
        loss, logits_gradient = _loss(self._images.logits[first:], labels, graded)
        self._backward(stacked, logits_gradient, gradient, blank)
        return loss

    def read(self, stacked: FloatArray, pixels: Pixels) -> NDArray[np.int64]:
        """Return the digits read after the last row, shape (N,); arguments as for `gradient`."""
        self._forward(stacked, pixels, every_row=False)
        read: NDArray[np.int64] = self._images.logits[-1].argmax(axis=0)
        return read

    def _forward(self, stacked: FloatArray, pixels: Pixels, *, every_row: bool) -> int:
        """Fill the rows' memory and the logits; return how many rows were blank in all images."""
        inked = pixels[:-1].any(axis=(1, 2))
        blank = int(inked.argmax()) if inked.any() else self._rows - 1
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


def graded_rows(
    weights: FloatArray, labels: NDArray[np.uint8], last_row_only: NDArray[np.bool_] | None
) -> FloatArray:
    """Return the weight of every row of every image in the loss, shape (rows, N).

    Of a picture of no digit only the last row counts: doubt is for the end, and would else be taught to the
    first rows of digits, too, which look no different. The same goes for distorted digits; see `distortion`.

    Args:
        weights: Of the rows, shape (rows,).
        labels: Digits or `NO_DIGIT`, shape (N,).
        last_row_only: As for `Shard.gradient`.
    """
    of_images = np.repeat(weights[:, None], len(labels), axis=1)
    alone = labels == NO_DIGIT if last_row_only is None else (labels == NO_DIGIT) | last_row_only
    of_images[:-1, alone] = 0
    return of_images


def _loss(logits: FloatArray, labels: NDArray[np.uint8], weights: FloatArray) -> tuple[float, FloatArray]:
    """Return the weighted softmax cross-entropy and its derivative by the logits.

    Args:
        logits: Shape (rows, 10, N); overwritten.
        labels: Digits or `NO_DIGIT`, shape (N,).
        weights: As `graded_rows` returns them, shape (rows, N).
    """
    logits -= logits.max(axis=1, keepdims=True)
    targets = _TARGETS[:, labels]
    of_the_truth = np.einsum("rdn,dn->rn", logits, targets)
    beliefs = np.exp(logits)
    sums = beliefs.sum(axis=1)
    loss = float((weights * (np.log(sums) - of_the_truth)).sum())
    beliefs *= (weights / sums)[:, None]
    beliefs -= weights[:, None] * targets
    return loss, beliefs
