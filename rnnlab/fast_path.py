"""Loss and gradients of the network on processors without a GPU, written out row by row in plain numpy.

Keras computes the same with loops and an automatic gradient, in twice the time. What makes this faster:

- There is no activation between the input layer and the LSTM, so their products are folded into one kernel,
  W' = W_in W and b' = b_in W + b.
- All weights are stacked into one matrix S, and what a row works on into one matrix `state`, with one column
  per image. A row is then one product forward and one backward, read-out and biases included, and its part of
  all gradients one more.
- Everything is written into memory that is already there, and each part of it lies in one piece.
- sigmoid(z) = (1 + tanh(z / 2)) / 2, so with the halves put into S one tanh does for all four gates.

With n neurons, N images and the rows t = 0 to 27 (* is element-wise; h_-1 = c_-1 = 0):

    S = [ U^T   W'^T   b'  ]      4n rows, those of i, f and o halved; in the order i, f, o, g
        [ V^T   0      b_V ]      10 rows                           state_t = [h_{t-1}; x_t; 1]

Forward:

    [p_t; logits_{t-1}] = S state_t
    i, f, o = (1 + tanh of their quarter of p_t) / 2         g = tanh of its quarter
    c_t = f * c_{t-1} + i * g                                h_t = o * tanh(c_t)

Backward (backpropagation through time; Werbos, 1990), from the last row to the first, with d meaning the
derivative of the loss:

    dh_t = U dp_{t+1} + V dlogits_t                          the first n columns of S, transposed
    dc_t = dc_{t+1} * f_{t+1} + dh_t * o * (1 - tanh(c_t)^2)
    dp_t = [dc_t * g, dc_t * c_{t-1}, dh_t * tanh(c_t), dc_t * i] * (1 - tanh(p_t)^2)       i, f and o halved
    dS   = sum over t of [dp_t; dlogits_{t-1}] state_t^T

The halves of dp_t are left out until the end: they are put into the columns of S^T and the rows of dS.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rnnlab.reader import COLUMNS, DIGITS, ROWS, FloatArray, Weights

ADAM_EPSILON: Final = 1e-8
"""The notebook's (TensorFlow 1); Keras' own is 1e-7. It matters only where gradients are tiny."""

_ADAM_MEAN: Final = 0.9
_ADAM_SQUARE: Final = 0.999

_COLUMNS_AT_ONCE: Final = 64
"""Columns that a product for weight gradients has at least, with more than one row where images are few."""

_PIXEL_MAXIMUM: Final = np.float32(255)
_ONE: Final = np.float32(1)
_HALF: Final = np.float32(0.5)


def stack_shape(neurons: int) -> tuple[int, int]:
    """Return the shape of S."""
    return 4 * neurons + DIGITS, neurons + COLUMNS + 1


def row_weights(row_loss_mix: float, rows: int = ROWS) -> FloatArray:
    """Return the weight of each row in the loss, `float32` of shape (rows,), summing to 1."""
    weights = np.full(rows, row_loss_mix / rows, np.float32)
    weights[-1] += 1.0 - row_loss_mix
    return weights


class Parameters:
    """All weights of a network in one vector, in pieces that lie as they do in S; or all their gradients.

    Args:
        neurons: Length of the hidden state, n.

    Attributes:
        vector: All of them; what follows are views of its parts. The gates are in the order i, f, o, g.
        input: W_in and, as its last row, b_in, shape (29, n).
        kernel: W^T, shape (4n, n).
        recurrent_kernel: U^T, shape (4n, n).
        bias: b, shape (4n,).
        read_out: V^T, shape (10, n).
        read_out_bias: b_V, shape (10,).
    """

    def __init__(self, neurons: int) -> None:
        n = self.neurons = neurons
        shapes = [(COLUMNS + 1, n), (4 * n, n), (4 * n, n), (4 * n,), (DIGITS, n), (DIGITS,)]
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
        self.vector: FloatArray = np.zeros(ends[-1], np.float32)
        parts = np.split(self.vector, ends[:-1])
        views = [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
        self.input, self.kernel, self.recurrent_kernel, self.bias, self.read_out, self.read_out_bias = views

    def set(self, weights: Weights) -> None:
        """Take the values of a network's weights."""
        self.input[:-1] = weights.input_kernel
        self.input[-1] = weights.input_bias
        self.kernel[...] = _reorder(weights.lstm_kernel).T
        self.recurrent_kernel[...] = _reorder(weights.lstm_recurrent_kernel).T
        self.bias[...] = _reorder(weights.lstm_bias)
        self.read_out[...] = weights.output_kernel.T
        self.read_out_bias[...] = weights.output_bias

    def weights(self) -> Weights:
        """Return a copy in the form of Keras' layers."""
        return Weights(
            input_kernel=self.input[:-1].copy(),
            input_bias=self.input[-1].copy(),
            lstm_kernel=_reorder(self.kernel.T),
            lstm_recurrent_kernel=_reorder(self.recurrent_kernel.T),
            lstm_bias=_reorder(self.bias),
            output_kernel=self.read_out.T.copy(),
            output_bias=self.read_out_bias.copy(),
        )

    def stack(self, stacked: FloatArray) -> None:
        """Write S into `stacked`, shape `stack_shape(n)`."""
        n = self.neurons
        gates, read_out = stacked[: 4 * n], stacked[4 * n :]
        np.multiply(self.recurrent_kernel[: 3 * n], _HALF, out=gates[: 3 * n, :n])
        gates[3 * n :, :n] = self.recurrent_kernel[3 * n :]
        np.matmul(self.kernel, self.input.T, out=gates[:, n:])
        gates[:, -1] += self.bias
        gates[: 3 * n, n:] *= _HALF
        read_out[:, :n] = self.read_out
        read_out[:, n:-1] = 0
        read_out[:, -1] = self.read_out_bias

    def take_gradient(self, stacked: FloatArray, parameters: Parameters) -> None:
        """Become the derivatives by `parameters`, given those by S.

        Args:
            stacked: dS as `Shard.gradient` leaves it; overwritten.
            parameters: Those that S was made of.
        """
        n = self.neurons
        gates, read_out = stacked[: 4 * n], stacked[4 * n :]
        quarter = _HALF * _HALF  # one half for dp, one because S holds half of the weights
        np.multiply(gates[: 3 * n, :n], quarter, out=self.recurrent_kernel[: 3 * n])
        self.recurrent_kernel[3 * n :] = gates[3 * n :, :n]
        gates[: 3 * n, n:] *= quarter
        self.bias[...] = gates[:, -1]
        np.matmul(gates[:, n:], parameters.input, out=self.kernel)
        np.matmul(gates[:, n:].T, parameters.kernel, out=self.input)
        self.read_out[...] = read_out[:, :n]
        self.read_out_bias[...] = read_out[:, -1]


def _reorder(gates: FloatArray) -> FloatArray:
    """Return a copy with the gates, along the last axis, in the order of S for Keras', or the other way."""
    i, f, third, fourth = np.split(gates, 4, axis=-1)
    return np.concatenate([i, f, fourth, third], axis=-1)


class Shard:
    """The memory in which a part of a batch is read and learned from.

    Args:
        images: How many, N.
        neurons: Length of the hidden state, n.
        learns: Whether rows are kept for the way back; without, there is memory for one row alone.
        rows: Of an image.
    """

    def __init__(self, images: int, neurons: int, *, learns: bool = True, rows: int = ROWS) -> None:
        self._neurons, self._rows = neurons, rows
        kept = rows if learns else 1

        def per_row(features: int, arrays: int = kept) -> list[FloatArray]:
            """Return an array for every row and one after the last; the same for several if few are kept."""
            made = [np.zeros((features, images), np.float32) for _ in range(arrays)]
            return [made[t % arrays] for t in range(rows + 1)]

        n = neurons
        self._stacked_product = np.empty((4 * n + DIGITS, images), np.float32)
        self._states = per_row(n + COLUMNS + 1, kept + 1 if learns else 1)
        for state in self._states:
            state[-1] = 1
        self._tanhs = per_row(4 * n)
        self._gates = per_row(3 * n)
        self._cells = per_row(n, kept + 1 if learns else 1)
        self._cell_tanhs = per_row(n)
        self._row = np.empty((n, images), np.float32)
        self._logits = np.empty((rows, DIGITS, images), np.float32)
        if learns:
            self._hidden_gradient = np.empty((n, images), np.float32)
            self._cell_gradient = np.empty((n, images), np.float32)
            self._slopes = np.empty((4 * n, images), np.float32)
            self._products_gradient = np.empty((4 * n + DIGITS, images), np.float32)
            self._transposed = np.empty((n, 4 * n + DIGITS), np.float32)
            self._some_gradient = np.empty(stack_shape(n), np.float32)
            self._some = max(1, min(rows, _COLUMNS_AT_ONCE // images))
            if self._some > 1:
                # Lines of 2^k bytes would all want the same place in the cache; these are a little longer.
                columns = self._some * images + 16
                self._some_products_gradients = np.empty((4 * n + DIGITS, columns), np.float32)
                self._some_states = np.empty((n + COLUMNS + 1, columns), np.float32)

    def gradient(
        self,
        stacked: FloatArray,
        images: NDArray[np.uint8],
        labels: NDArray[np.uint8],
        weights: FloatArray,
        gradient: FloatArray,
    ) -> float:
        """Return the loss of the images, in nats, and add its derivatives to `gradient`.

        Args:
            stacked: S.
            images: Pixels from 0 to 255, shape (N, 28, 28).
            labels: Digits, shape (N,).
            weights: Weight of each row of an image in the loss, shape (28,).
            gradient: dS, of S' shape, in which the halves of the module's text are still missing.
        """
        every_row = bool(weights[:-1].any())
        self._forward(stacked, images, every_row=every_row)
        first = 0 if every_row else -1
        loss, beliefs = _loss(self._logits[first:], labels, weights[first:])
        self._backward(stacked, beliefs, gradient)
        return loss

    def read(self, stacked: FloatArray, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return the digits read after the last row, shape (N,); arguments as for `gradient`."""
        self._forward(stacked, images, every_row=False)
        read: NDArray[np.int64] = self._logits[-1].argmax(axis=0)
        return read

    def _forward(self, stacked: FloatArray, images: NDArray[np.uint8], *, every_row: bool) -> None:
        """Fill the rows' arrays and the logits, those after the last row alone unless `every_row`."""
        n, product = self._neurons, self._stacked_product
        pixels = np.ascontiguousarray(images.transpose(1, 2, 0))
        before = self._cells[0]
        before.fill(0)
        self._states[0][:n] = 0
        for t in range(self._rows):
            state, tanhs, gates = self._states[t], self._tanhs[t], self._gates[t]
            np.divide(pixels[t], _PIXEL_MAXIMUM, out=state[n:-1])
            if every_row and t:
                np.matmul(stacked, state, out=product)
                self._logits[t - 1] = product[4 * n :]
            else:
                np.matmul(stacked[: 4 * n], state, out=product[: 4 * n])
            np.tanh(product[: 4 * n], out=tanhs)
            np.multiply(tanhs[: 3 * n], _HALF, out=gates)
            np.add(gates, _HALF, out=gates)
            np.multiply(gates[n : 2 * n], before, out=self._row)
            before = self._cells[t + 1]
            np.multiply(gates[:n], tanhs[3 * n :], out=before)
            np.add(before, self._row, out=before)
            np.tanh(before, out=self._cell_tanhs[t])
            np.multiply(gates[2 * n :], self._cell_tanhs[t], out=self._states[t + 1][:n])
        np.matmul(stacked[4 * n :, :n], self._states[-1][:n], out=self._logits[-1])
        self._logits[-1] += stacked[4 * n :, -1:]

    def _backward(self, stacked: FloatArray, logits_gradient: FloatArray, gradient: FloatArray) -> None:
        """Add the derivatives by S, given those by the logits of all rows or of the last alone."""
        n = self._neurons
        above = self._products_gradient
        hidden_gradient, cell_gradient = self._hidden_gradient, self._cell_gradient
        np.copyto(self._transposed, stacked[:, :n].T)
        self._transposed[:, : 3 * n] *= _HALF
        every_row = len(logits_gradient) == self._rows
        used = 4 * n + DIGITS if every_row else 4 * n
        np.matmul(self._transposed[:, 4 * n :], logits_gradient[-1], out=hidden_gradient)
        gradient[4 * n :] += logits_gradient[-1] @ self._states[-1].T
        cell_gradient.fill(0)
        for t in range(self._rows - 1, -1, -1):
            self._row_backward(t, above)
            if every_row:
                above[4 * n :] = logits_gradient[t - 1] if t else 0
            self._add_product(t, above[:used], gradient[:used])
            if t:
                np.matmul(self._transposed[:, :used], above[:used], out=hidden_gradient)
                np.multiply(cell_gradient, self._gates[t][n : 2 * n], out=cell_gradient)

    def _add_product(self, t: int, above: FloatArray, gradient: FloatArray) -> None:
        """Add [dp_t; dlogits_{t-1}] state_t^T to the gradient; for few images, some rows in one product."""
        products, states, some = above, self._states[t], self._some_gradient[: len(above)]
        if self._some > 1:
            images = above.shape[1]
            place = (self._rows - 1 - t) % self._some * images
            self._some_products_gradients[: len(above), place : place + images] = products
            self._some_states[:, place : place + images] = states
            if t and place + images < self._some * images:
                return
            products = self._some_products_gradients[: len(above), : place + images]
            states = self._some_states[:, : place + images]
        np.matmul(products, states.T, out=some)
        np.add(gradient, some, out=gradient)

    def _row_backward(self, t: int, products_gradient: FloatArray) -> None:
        """Write dp_t, save for its halves, from dh_t and what dc_t has of the row above; complete dc_t."""
        n = self._neurons
        row, hidden_gradient, cell_gradient = self._row, self._hidden_gradient, self._cell_gradient
        tanhs, gates, cell_tanh = self._tanhs[t], self._gates[t], self._cell_tanhs[t]
        # o * (1 - tanh(c)^2) = o - h * tanh(c)
        np.multiply(self._states[t + 1][:n], cell_tanh, out=row)
        np.subtract(gates[2 * n :], row, out=row)
        np.multiply(row, hidden_gradient, out=row)
        np.add(cell_gradient, row, out=cell_gradient)
        np.multiply(cell_gradient, tanhs[3 * n :], out=products_gradient[:n])
        np.multiply(cell_gradient, self._cells[t], out=products_gradient[n : 2 * n])
        np.multiply(hidden_gradient, cell_tanh, out=products_gradient[2 * n : 3 * n])
        np.multiply(cell_gradient, gates[:n], out=products_gradient[3 * n : 4 * n])
        np.multiply(tanhs, tanhs, out=self._slopes)
        np.subtract(_ONE, self._slopes, out=self._slopes)
        np.multiply(products_gradient[: 4 * n], self._slopes, out=products_gradient[: 4 * n])


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


class Adam:
    """Adam (Kingma and Ba, 2015) on a vector of weights, in the form that Keras and TensorFlow have.

    Args:
        weights: The vector; changed in place by every step.
    """

    def __init__(self, weights: FloatArray) -> None:
        self._steps = 0
        self._weights = weights
        self._mean = np.zeros_like(weights)
        self._square = np.zeros_like(weights)
        self._change = np.empty_like(weights)

    def step(self, gradient: FloatArray, learning_rate: float) -> None:
        """Make one step against the gradient, which is overwritten."""
        self._steps += 1
        rate = learning_rate * (1 - _ADAM_SQUARE**self._steps) ** 0.5 / (1 - _ADAM_MEAN**self._steps)
        mean, square, change = self._mean, self._square, self._change
        np.subtract(gradient, mean, out=change)
        change *= np.float32(1 - _ADAM_MEAN)
        mean += change
        gradient *= gradient
        gradient -= square
        gradient *= np.float32(1 - _ADAM_SQUARE)
        square += gradient
        np.sqrt(square, out=change)
        change += np.float32(ADAM_EPSILON)
        np.divide(mean, change, out=change)
        change *= np.float32(rate)
        self._weights -= change
