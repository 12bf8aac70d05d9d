"""One recurrent layer unrolled over the rows of a batch, with backpropagation through time, in plain numpy.

Keras computes the same with loops and automatic gradients, in twice the time. What makes this faster:

- There is no activation between the input layer and the first recurrent layer, so their products are folded
  into one kernel, W' = W_in W and b' = b_in W + b.
- All weights of a layer are stacked into one matrix S, and all inputs of a row into one matrix `state`, with
  one column per image. A row is then one product forward and one backward, read-out and biases included, and
  one more product for its part of all gradients.
- If the first rows of all images are blank, all images have the same state after them: it is computed once.
- The backward pass needs derivatives of the gates that are known before it begins: they are computed for
  several rows together.
- Everything is written into memory that is allocated once, and each part of it is contiguous.
- sigmoid(z) = (1 + tanh(z / 2)) / 2: with the halves put into S, tanh computes all gates.

With n neurons, N images, inputs x_t (the pixels of a row, or the hidden state of the layer below) and the
rows t = 0 to 27 (h_-1 = 0):

    S = [ U^T   W'^T   b'  ]      as many times n rows as `LAYOUTS` says for the cell
        [ V^T   0      b_V ]      10 rows, in the uppermost layer
    state_t = [h_{t-1}; x_t; 1]

The modules of the cells have their formulas. Backpropagation through time (Werbos, 1990) computes in each,
with d meaning the derivative of the loss:

    dh_{t-1} = U dz_t + V dlogits_{t-1}     and what a cell has beside
    dx_t = W' dz_t                          added to dh_t of the layer below
    dS = sum over t of [dz_t; dlogits_{t-1}] state_t^T
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Final, Self

import numpy as np

from rnnlab.digits import DIGITS, FloatArray
from rnnlab.training.matmul import add_product, multiply
from rnnlab.training.parameters import LAYOUTS, StackLayout

_NUMBERS_AT_ONCE: Final = 131_072
"""Gate values of the rows that the backward pass handles together: few enough for the caches."""

_COLUMNS_AT_ONCE: Final = 512
"""Columns (one per image and row) of a product for weight gradients: narrower products are slow."""

HALF: Final = np.float32(0.5)
ONE: Final = np.float32(1)
_TWO: Final = np.float32(2)


class TransposedStack:
    """The parts of S that the backward pass multiplies by, transposed.

    Args:
        layout: That of S.
        neurons: Length of the hidden state, n.
        inputs: Length of x_t.
        read_out: Rows of the read-out: 10 in the uppermost layer, otherwise 0.

    Attributes:
        hidden_state: [U V], shape (n, recurrent rows + read-out rows).
        inputs: W', shape (inputs, kernel rows); not filled in for the lowest layer.
    """

    def __init__(self, layout: StackLayout, neurons: int, inputs: int, read_out: int) -> None:
        n = self._neurons = neurons
        self._layout = layout
        self.hidden_state: FloatArray = np.empty((n, layout.gates * n + read_out), np.float32)
        self.inputs: FloatArray = np.empty((inputs, layout.gates * n), np.float32)

    def take(self, stacked: FloatArray, *, with_inputs: bool) -> None:
        """Fill them in."""
        n, layout = self._neurons, self._layout
        first = layout.recurrent.start * n
        self.hidden_state[...] = stacked[first:, :n].T
        self._double_sigmoids(self.hidden_state, first)
        if with_inputs:
            rows = slice(layout.kernel.start * n, layout.kernel.stop * n)
            self.inputs[...] = stacked[rows, n:-1].T
            self._double_sigmoids(self.inputs, rows.start)

    def _double_sigmoids(self, columns: FloatArray, first: int) -> None:
        """Undo that the rows of sigmoids are halved in S, in columns that are its rows from `first` on."""
        sigmoids = self._layout.sigmoids
        columns[:, sigmoids.start * self._neurons - first : sigmoids.stop * self._neurons - first] *= _TWO


class UnrolledLayer(ABC):
    """A layer unrolled over the rows of N images, with all values that the backward pass needs.

    Args:
        images: Number of images, N.
        neurons: Length of the hidden state, n.
        inputs: Length of x_t.
        rows: Number of rows of an image.
        uppermost: Whether the read-out is stacked below its weights.

    Attributes:
        states: `state_t` of every row and one after the last, shape (rows + 1, n + inputs + 1, N).
        logits: After every row, shape (rows, 10, N); only in the uppermost layer.
        hidden_gradient: dh_t of the row that `backward` comes to next.
        from_above: The part of dh_t that comes from the layer above, shape (rows, n, N); only in layers that
            have one above.
    """

    cell: ClassVar[str]

    def __init__(self, images: int, neurons: int, inputs: int, rows: int, *, uppermost: bool) -> None:
        n = self._neurons = neurons
        self._layout, read_out = LAYOUTS[self.cell], DIGITS if uppermost else 0
        self._stack_rows = self._layout.rows * n
        self.states = np.zeros((rows + 1, n + inputs + 1, images), np.float32)
        self.states[:, -1] = 1
        self.logits = np.empty((rows if uppermost else 0, DIGITS, images), np.float32)
        self.hidden_gradient = np.empty((n, images), np.float32)
        self.from_above = np.empty((0 if uppermost else rows, n, images), np.float32)
        self._products = np.empty((rows, self._stack_rows + read_out, images), np.float32)
        self._scratch = np.empty((n, images), np.float32)
        self._at_once = max(
            1, min(rows, _NUMBERS_AT_ONCE // (self._stack_rows * images), -(-_COLUMNS_AT_ONCE // images))
        )
        self._product_gradients = np.empty(
            (self._at_once, self._stack_rows + read_out, images), np.float32
        )  # fmt: skip
        columns = self._at_once * images
        self._wide_product_gradient = np.empty((self._stack_rows + read_out, columns), np.float32)
        self._wide_state = np.empty((n + inputs + 1, columns), np.float32)
        self._wide_input_gradient = np.empty((inputs, columns), np.float32)

    @property
    def hidden_states(self) -> FloatArray:
        """h_t after every row, shape (rows, n, N)."""
        return self.states[1:, : self._neurons]

    @property
    def inputs(self) -> FloatArray:
        """x_t of every row, shape (rows, inputs, N)."""
        return self.states[:-1, self._neurons : -1]

    def start_from(self, others: Self, row: int) -> None:
        """Start at a later row: copy the one column of `others` before that row into all columns."""
        self.states[row, : self._neurons] = others.states[row, : self._neurons]
        self.logits[: max(0, row - 1)] = others.logits[: max(0, row - 1)]

    def forward(self, stacked: FloatArray, rows: range, *, every_row: bool) -> None:
        """Compute consecutive rows from their inputs.

        Args:
            stacked: S.
            rows: The rows to compute, without a gap.
            every_row: Whether to compute the logits of all of them but the last, too.
        """
        for t in rows:
            self._forward_row(stacked, t, every_row=every_row)
        if every_row and rows:
            known = slice(max(1, rows.start), rows.stop)
            self.logits[known.start - 1 : known.stop - 1] = self._products[known, self._stack_rows :]

    @abstractmethod
    def _forward_row(self, stacked: FloatArray, t: int, *, every_row: bool) -> None:
        """Compute h_t and, with `every_row`, the logits of the row above, below the other products."""

    def read_out(self, stacked: FloatArray) -> None:
        """Compute the logits after the last row of the images."""
        n = self._neurons
        np.matmul(stacked[self._stack_rows :, :n], self.states[-1, :n], out=self.logits[-1])
        self.logits[-1] += stacked[self._stack_rows :, -1:]

    def begin_backward(
        self, transposed: TransposedStack, logits_gradient: FloatArray, gradient: FloatArray | None
    ) -> None:
        """Begin the backward pass, with the derivatives by the logits after the last row."""
        of_the_read_out = transposed.hidden_state[:, self._layout.gates * self._neurons :]
        np.matmul(of_the_read_out, logits_gradient, out=self.hidden_gradient)
        if gradient is not None:
            gradient[self._stack_rows :] += logits_gradient @ self.states[-1].T

    def begin_below(self) -> None:
        """Begin the backward pass of a layer that has one above."""
        self.hidden_gradient.fill(0)

    def continue_from(self, others: Self) -> None:
        """Go on with the sum over the images of `others`, which all started from this one's last state."""
        np.sum(others.hidden_gradient, axis=1, keepdims=True, out=self.hidden_gradient)

    def backward(  # noqa: PLR0917
        self,
        transposed: TransposedStack,
        logits_gradient: FloatArray | None,
        gradient: FloatArray | None,
        rows: range,
        below: FloatArray | None,
        squares: FloatArray | None = None,
    ) -> None:
        """Go back through rows and add their gradients to dS.

        Args:
            transposed: Parts of S.
            logits_gradient: Derivatives by the logits after every row, shape (rows, 10, N), or `None`
                if only those after the last row count, or if this is not the uppermost layer.
            gradient: dS, or `None` if it is not wanted.
            rows: Those that `forward` computed.
            below: Where to write the derivatives by the inputs: `from_above` of the layer below, if there is
                one.
            squares: To which the squared norm of dh_t is added, if given, shape (rows, N).
        """
        used = self._stack_rows if logits_gradient is None else self._stack_rows + DIGITS
        for stop in range(rows.stop, rows.start, -self._at_once):
            some = range(max(rows.start, stop - self._at_once), stop)
            self._prepare_backward(some)
            if logits_gradient is not None:
                self._take_logits_gradient(logits_gradient, some)
            for t in reversed(some):
                if len(self.from_above):
                    self.hidden_gradient += self.from_above[t]
                if squares is not None:
                    squares[t] += np.einsum("in,in->n", self.hidden_gradient, self.hidden_gradient)
                self._backward_row(transposed.hidden_state, t, t - some.start, used)
            if gradient is None and below is None:
                continue
            product_gradient, state = self._side_by_side(used, some)
            if gradient is not None:
                self._add_gradient(gradient[:used], product_gradient, state)
            if below is not None:
                self._hand_down(transposed.inputs, product_gradient, below[some.start : some.stop])

    @abstractmethod
    def _prepare_backward(self, rows: range) -> None:
        """Compute the factors of dz_t that do not depend on gradients, for several rows."""

    @abstractmethod
    def _backward_row(self, transposed: FloatArray, t: int, index: int, used: int) -> None:
        """Go back through one row.

        Args:
            transposed: [U V].
            t: The row.
            index: Its place among the rows that are handled together.
            used: Rows of the gradient of the products that count: all, or all but those of the read-out.
        """

    def _take_logits_gradient(self, logits_gradient: FloatArray, rows: range) -> None:
        """Write dlogits_{t-1} below the dz_t of several rows."""
        places = self._product_gradients[: len(rows), self._stack_rows :]
        if rows.start:
            places[...] = logits_gradient[rows.start - 1 : rows.stop - 1]
        else:
            places[0] = 0
            places[1:] = logits_gradient[: rows.stop - 1]

    def _add_gradient(self, gradient: FloatArray, product_gradient: FloatArray, state: FloatArray) -> None:
        """Add [dz_t; dlogits_{t-1}] state_t^T of several rows, which lie side by side, to dS."""
        add_product(gradient, product_gradient, state)

    def _side_by_side(self, used: int, rows: range) -> tuple[FloatArray, FloatArray]:
        """Return [dz_t; dlogits_{t-1}] and state_t of several rows, one column per row and image."""
        count = len(rows)
        if count == 1:
            return self._product_gradients[0, :used], self.states[rows.start]
        product_gradient = self._wide_product_gradient[:used, : count * self.states.shape[2]]
        state = self._wide_state[:, : count * self.states.shape[2]]
        _lay_side_by_side(self._product_gradients[:count, :used], product_gradient)
        _lay_side_by_side(self.states[rows.start : rows.stop], state)
        return product_gradient, state

    def _hand_down(self, transposed: FloatArray, product_gradient: FloatArray, below: FloatArray) -> None:
        """Write dx_t of several rows, whose dz_t lie side by side, into `below`, shape (rows, inputs, N)."""
        n, count = self._neurons, len(below)
        of_kernel = product_gradient[self._layout.kernel.start * n : self._layout.kernel.stop * n]
        if count == 1:
            multiply(transposed, of_kernel, below[0])
            return
        found = self._wide_input_gradient[:, : of_kernel.shape[1]]
        multiply(transposed, of_kernel, found)
        below[...] = found.reshape(len(found), count, -1).transpose(1, 0, 2)


def _lay_side_by_side(rows: FloatArray, wide: FloatArray) -> None:
    """Write arrays of shape (rows, features, N) as (features, rows * N)."""
    wide.reshape(rows.shape[1], rows.shape[0], -1)[...] = rows.transpose(1, 0, 2)
