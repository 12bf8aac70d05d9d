"""A layer of simple recurrent cells (Elman, 1990) in plain numpy; `numpy_layer` has the notation.

S has n rows above those of the read-out:

    [z_t; logits_{t-1}] = S state_t                  h_t = tanh(z_t)
    dz_t = dh_t * (1 - h_t^2)
"""

from __future__ import annotations

import numpy as np

from rnnlab.digits import FloatArray
from rnnlab.training.matmul import multiply
from rnnlab.training.numpy_layer import ONE, UnrolledLayer


class UnrolledSimpleRnn(UnrolledLayer):
    """An `UnrolledLayer` of simple recurrent cells."""

    cell = "simple_rnn"

    def _forward_row(self, stacked: FloatArray, t: int, *, every_row: bool) -> None:
        n, product = self._neurons, self._products[t]
        if every_row:
            multiply(stacked, self.states[t], product)
        else:
            multiply(stacked[:n], self.states[t], product[:n])
        np.tanh(product[:n], out=self.states[t + 1, :n])

    def _prepare_backward(self, rows: range) -> None:
        n = self._neurons
        hidden_states = self.states[rows.start + 1 : rows.stop + 1, :n]
        slopes = self._product_gradients[: len(rows), :n]
        np.multiply(hidden_states, hidden_states, out=slopes)
        np.subtract(ONE, slopes, out=slopes)

    def _backward_row(self, transposed: FloatArray, t: int, index: int, used: int) -> None:
        product_gradient = self._product_gradients[index]
        of_state = product_gradient[: self._neurons]
        np.multiply(self.hidden_gradient, of_state, out=of_state)
        if t:
            multiply(transposed[:, :used], product_gradient[:used], self.hidden_gradient)
