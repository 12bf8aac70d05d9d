"""A layer of GRU cells (Cho et al., 2014) in plain numpy; `numpy_layer` has what all cells share.

It is Keras' GRU with `reset_after=True`, in which the reset gate works on the product of the hidden state.
S has 4n rows, in the order x, z, r, u, above those of the read-out: the candidate has two, x of the input and
u of the hidden state, which are added only after u has been multiplied by r. So the first n columns of x are
zero, and so are the columns of the input in u; these parts are not multiplied. With * the element-wise
product:

    [x; z; r; u; logits_{t-1}] = S state_t          z, r = sigmoid of their part
    g = tanh(x + r * u)                             h_t = z * h_{t-1} + (1 - z) * g

Backward, from the last row to the first:

    dx_t = dh_t * (1 - z) * (1 - g^2)               du_t = dx_t * r
    dz_t = dh_t * (h_{t-1} - g) * z * (1 - z)       dr_t = dx_t * u * r * (1 - r)
    dh_{t-1} = dh_t * z + U [dz_t; dr_t; du_t] + V dlogits_{t-1}
"""

from __future__ import annotations

import numpy as np

from rnnlab.digits import FloatArray
from rnnlab.training.matmul import multiply
from rnnlab.training.numpy_layer import HALF, ONE, UnrolledLayer


class UnrolledGru(UnrolledLayer):
    """An `UnrolledLayer` of GRU cells."""

    cell = "gru"

    def __init__(self, images: int, neurons: int, inputs: int, rows: int, *, uppermost: bool) -> None:
        super().__init__(images, neurons, inputs, rows, uppermost=uppermost)
        self._candidates = np.empty((rows, neurons, images), np.float32)
        self._differences = np.empty((rows, neurons, images), np.float32)
        self._of_state = np.empty((self._products.shape[1] - neurons, neurons), np.float32)
        self._of_input = np.empty((3 * neurons, inputs + 1), np.float32)

    def _forward_row(self, stacked: FloatArray, t: int, *, every_row: bool) -> None:
        n, product, state = self._neurons, self._products[t], self.states[t]
        of_input, gates, of_state = product[:n], product[n : 3 * n], product[3 * n : 4 * n]
        used = len(product) if every_row else 4 * n
        multiply(stacked[n : 3 * n], state, gates)
        np.matmul(stacked[:n, n:], state[n:], out=of_input)
        np.matmul(stacked[3 * n : used, :n], state[:n], out=product[3 * n : used])
        product[3 * n : used] += stacked[3 * n : used, -1:]
        np.tanh(gates, out=gates)
        np.multiply(gates, HALF, out=gates)
        np.add(gates, HALF, out=gates)
        candidate, difference = self._candidates[t], self._differences[t]
        np.multiply(gates[n:], of_state, out=candidate)
        np.add(candidate, of_input, out=candidate)
        np.tanh(candidate, out=candidate)
        np.subtract(state[:n], candidate, out=difference)
        hidden_state = self.states[t + 1, :n]
        np.multiply(gates[:n], difference, out=hidden_state)
        np.add(hidden_state, candidate, out=hidden_state)

    def _prepare_backward(self, rows: range) -> None:
        n, here = self._neurons, slice(rows.start, rows.stop)
        gates, of_state = self._products[here, n : 3 * n], self._products[here, 3 * n : 4 * n]
        candidates, slopes = self._candidates[here], self._product_gradients[: len(rows)]
        of_candidate, of_gates = slopes[:, :n], slopes[:, n : 3 * n]
        np.multiply(candidates, candidates, out=of_candidate)
        np.subtract(ONE, of_candidate, out=of_candidate)
        of_candidate *= ONE - gates[:, :n]
        np.multiply(gates, gates, out=of_gates)
        np.subtract(gates, of_gates, out=of_gates)
        of_gates[:, :n] *= self._differences[here]
        of_gates[:, n:] *= of_state

    def _backward_row(self, transposed: FloatArray, t: int, index: int, used: int) -> None:
        n, gradient, dh = self._neurons, self._product_gradients[index], self.hidden_gradient
        gates = self._products[t, n : 3 * n]
        of_input, of_update, of_reset, of_state = gradient[: 4 * n].reshape(4, n, -1)
        np.multiply(dh, of_input, out=of_input)
        np.multiply(dh, of_update, out=of_update)
        np.multiply(of_input, of_reset, out=of_reset)
        np.multiply(of_input, gates[n:], out=of_state)
        if t:
            np.multiply(dh, gates[:n], out=self._scratch)
            multiply(transposed[:, : used - n], gradient[n:used], dh)
            np.add(dh, self._scratch, out=dh)

    def _add_gradient(self, gradient: FloatArray, product_gradient: FloatArray, state: FloatArray) -> None:
        """See `UnrolledLayer`; the parts of S that are always zero have no gradient."""
        n = self._neurons
        of_state, of_input = self._of_state[: len(gradient) - n], self._of_input
        np.matmul(product_gradient[n:], state[:n].T, out=of_state)
        np.matmul(product_gradient[: 3 * n], state[n:].T, out=of_input)
        gradient[n:, :n] += of_state
        gradient[: 3 * n, n:] += of_input
        gradient[3 * n :, -1] += product_gradient[3 * n :].sum(axis=1)
