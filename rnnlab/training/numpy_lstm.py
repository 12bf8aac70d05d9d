"""A layer of LSTM cells in plain numpy; `numpy_layer` has what all cells share, and the notation.

LSTM: Hochreiter and Schmidhuber, 1997; forget gate: Gers, Schmidhuber and Cummins, 2000. S has 4n rows, in
the order o, i, f, g, above those of the read-out. With c_-1 = 0 and * the element-wise product:

    [z_t; logits_{t-1}] = S state_t
    i, f, o = sigmoid of their quarter of z_t                g = tanh of its quarter
    c_t = f * c_{t-1} + i * g                                h_t = o * tanh(c_t)

Backward, from the last row to the first:

    dc_t = dc_{t+1} * f_{t+1} + dh_t * o * (1 - tanh(c_t)^2)
    dz_t = [dh_t * tanh(c_t), dc_t * g, dc_t * c_{t-1}, dc_t * i]
           * [o * (1 - o), i * (1 - i), f * (1 - f), 1 - g^2]
"""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np

from rnnlab.digits import FloatArray
from rnnlab.training.matmul import multiply
from rnnlab.training.numpy_layer import HALF, ONE, TransposedStack, UnrolledLayer


class _ForwardStep(NamedTuple):
    """The memory of one row in the forward pass, with n numbers per image unless another number is given.

    Attributes:
        state: `state_t`.
        product: z_t, which the gates then replace, and the logits of the row above; 4n, or 4n + 10.
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
        product_gradient: [dz_t; dlogits_{t-1}].
        of_hidden_state: The quarter of dz_t that comes from dh_t, that of o; before that, its factor.
        of_cell: The quarters of dz_t that come from dc_t: those of i, f and g, shape (3, n, N).
        cell_slope: o * (1 - tanh(c_t)^2), the derivative of h_t by c_t.
    """

    product_gradient: FloatArray
    of_hidden_state: FloatArray
    of_cell: FloatArray
    cell_slope: FloatArray


class UnrolledLstm(UnrolledLayer):
    """An `UnrolledLayer` of LSTM cells.

    Attributes:
        cells: c_{t-1} of every row and one after the last, shape (rows + 1, n, N).
        cell_gradient: The part of dc_t of the next row that comes from the row below it.
    """

    cell = "lstm"

    def __init__(self, images: int, neurons: int, inputs: int, rows: int, *, uppermost: bool) -> None:
        super().__init__(images, neurons, inputs, rows, uppermost=uppermost)
        self.cells = np.zeros((rows + 1, neurons, images), np.float32)
        self.cell_gradient = np.empty((neurons, images), np.float32)
        self._cell_tanhs = np.empty((rows, neurons, images), np.float32)
        self._cell_slopes = np.empty((self._at_once, neurons, images), np.float32)
        self._rows = [self._forward_step(t) for t in range(rows)]
        self._backward_steps = [self._backward_step(index) for index in range(self._at_once)]

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
            of_hidden_state=product_gradient[:n],
            of_cell=product_gradient[n : 4 * n].reshape(3, n, -1),
            cell_slope=self._cell_slopes[index],
        )

    def start_from(self, others: Self, row: int) -> None:
        """See `UnrolledLayer`."""
        super().start_from(others, row)
        self.cells[row] = others.cells[row]

    def _forward_row(self, stacked: FloatArray, t: int, *, every_row: bool) -> None:
        row = self._rows[t]
        if every_row:
            multiply(stacked, row.state, row.product)
        else:
            multiply(stacked[: self._stack_rows], row.state, row.gates)
        np.tanh(row.gates, out=row.gates)
        np.multiply(row.sigmoids, HALF, out=row.sigmoids)
        np.add(row.sigmoids, HALF, out=row.sigmoids)
        np.multiply(row.forget_gate, row.cell, out=self._scratch)
        np.multiply(row.input_gate, row.candidate, out=row.next_cell)
        np.add(row.next_cell, self._scratch, out=row.next_cell)
        np.tanh(row.next_cell, out=row.cell_tanh)
        np.multiply(row.output_gate, row.cell_tanh, out=row.next_hidden_state)

    def begin_backward(
        self, transposed: TransposedStack, logits_gradient: FloatArray, gradient: FloatArray | None
    ) -> None:
        """See `UnrolledLayer`."""
        super().begin_backward(transposed, logits_gradient, gradient)
        self.cell_gradient.fill(0)

    def begin_below(self) -> None:
        """See `UnrolledLayer`."""
        super().begin_below()
        self.cell_gradient.fill(0)

    def continue_from(self, others: Self) -> None:
        """See `UnrolledLayer`."""
        super().continue_from(others)
        np.sum(others.cell_gradient, axis=1, keepdims=True, out=self.cell_gradient)

    def _prepare_backward(self, rows: range) -> None:
        n, here, count = self._neurons, slice(rows.start, rows.stop), len(rows)
        gates, cell_tanhs = self._products[here, : 4 * n], self._cell_tanhs[here]
        slopes, cell_slopes = self._product_gradients[:count, : 4 * n], self._cell_slopes[:count]
        np.multiply(gates, gates, out=slopes)
        np.subtract(gates[:, : 3 * n], slopes[:, : 3 * n], out=slopes[:, : 3 * n])
        np.subtract(ONE, slopes[:, 3 * n :], out=slopes[:, 3 * n :])
        slopes[:, :n] *= cell_tanhs
        slopes[:, n : 2 * n] *= gates[:, 3 * n :]
        slopes[:, 2 * n : 3 * n] *= self.cells[here]
        slopes[:, 3 * n :] *= gates[:, n : 2 * n]
        # o * (1 - tanh(c)^2) = o - h * tanh(c)
        np.multiply(self.states[rows.start + 1 : rows.stop + 1, :n], cell_tanhs, out=cell_slopes)
        np.subtract(gates[:, :n], cell_slopes, out=cell_slopes)

    def _backward_row(self, transposed: FloatArray, t: int, index: int, used: int) -> None:
        hidden_gradient, cell_gradient, scratch = self.hidden_gradient, self.cell_gradient, self._scratch
        back = self._backward_steps[index]
        np.multiply(hidden_gradient, back.cell_slope, out=scratch)
        np.add(cell_gradient, scratch, out=cell_gradient)
        np.multiply(hidden_gradient, back.of_hidden_state, out=back.of_hidden_state)
        np.multiply(cell_gradient, back.of_cell, out=back.of_cell)
        if t:
            multiply(transposed[:, :used], back.product_gradient[:used], hidden_gradient)
            np.multiply(cell_gradient, self._rows[t].forget_gate, out=cell_gradient)
