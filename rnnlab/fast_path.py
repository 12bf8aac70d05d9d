"""Loss and gradients of the network on processors without a GPU, written out row by row.

Keras computes the same with loops and an automatic gradient, in about twice the time. What makes this faster:

- There is no activation between the input layer and the LSTM, so their products are folded into one kernel,
  W' = W_in W and b' = b_in W + b, and all rows of all images go through it in one product.
- The gradients of the kernels are one product over all rows each, instead of a sum of 28 small ones.
- The batch is cut into shards that the cores work on side by side, one thread each: products of this size are
  too small to be worth sharing.

Forward, for row t (gates in Keras' order; * is element-wise; h_0 = c_0 = 0):

    z_t = x_t W' + b' + h_{t-1} U
    i, f, o = sigmoid of their quarter of z_t        g = tanh of its quarter
    c_t = f * c_{t-1} + i * g                        h_t = o * tanh(c_t)
    logits_t = h_t V + b_V

Backward (backpropagation through time; Werbos, 1990), from the last row to the first, with d meaning the
derivative of the loss:

    dh_t = dlogits_t V^T + dz_{t+1} U^T
    dc_t = dc_{t+1} * f_{t+1} + dh_t * o * (1 - tanh(c_t)^2)
    dz_t = [dc_t * g * i (1 - i),  dc_t * c_{t-1} * f (1 - f),
            dc_t * i * (1 - g^2),  dh_t * tanh(c_t) * o (1 - o)]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import tensorflow as tf

from rnnlab.reader import COLUMNS, DIGITS, ROWS

LEAST_IN_SHARD: Final = 32
"""Images per shard below which cutting a batch further costs more than it brings."""

MOST_SHARDS: Final = 4
"""Shards at most: each one adds its own rows to the graph, which then takes longer to prepare."""


class Parameters(NamedTuple):
    """The weights of a network with n neurons, or their gradients, in the order of Keras' variables.

    Attributes:
        input_kernel: W_in, shape (28, n).
        input_bias: b_in, shape (n,).
        lstm_kernel: W, shape (n, 4n).
        lstm_recurrent_kernel: U, shape (n, 4n).
        lstm_bias: b, shape (4n,).
        output_kernel: V, shape (n, 10).
        output_bias: b_V, shape (10,).
    """

    input_kernel: tf.Tensor
    input_bias: tf.Tensor
    lstm_kernel: tf.Tensor
    lstm_recurrent_kernel: tf.Tensor
    lstm_bias: tf.Tensor
    output_kernel: tf.Tensor
    output_bias: tf.Tensor


class _Folded(NamedTuple):
    """The weights as the shards use them: W', b', U and U^T, V, b_V."""

    kernel: tf.Tensor
    bias: tf.Tensor
    recurrent_kernel: tf.Tensor
    recurrent_kernel_transposed: tf.Tensor
    output_kernel: tf.Tensor
    output_bias: tf.Tensor


class _Row(NamedTuple):
    """What the backward pass needs of a row, each of shape (N, n)."""

    input_gate: tf.Tensor
    forget_gate: tf.Tensor
    candidate: tf.Tensor
    output_gate: tf.Tensor
    cell_before: tf.Tensor
    cell_tanh: tf.Tensor


class _Gradients(NamedTuple):
    """Loss of a shard and the derivatives by the folded weights."""

    loss: tf.Tensor
    kernel: tf.Tensor
    bias: tf.Tensor
    recurrent_kernel: tf.Tensor
    output_kernel: tf.Tensor
    output_bias: tf.Tensor


def shards_for(batch_size: int, cores: int) -> int:
    """Return into how many shards a batch is cut."""
    return max(1, min(cores, MOST_SHARDS, batch_size // LEAST_IN_SHARD))


def row_weights(row_loss_mix: float) -> np.ndarray:
    """Return the weight of each row in the loss, `float32` of shape (28,), summing to 1."""
    weights = np.full(ROWS, row_loss_mix / ROWS, np.float32)
    weights[-1] += 1.0 - row_loss_mix
    return weights


@tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
def loss_and_gradients(
    parameters: Parameters, images: tf.Tensor, labels: tf.Tensor, row_loss_mix: float, shards: int
) -> tuple[tf.Tensor, Parameters]:
    """Return the loss of a batch, in nats, and its derivatives.

    Args:
        parameters: The weights.
        images: Floats from 0 to 1, shape (N, 28, 28), N known when the graph is built.
        labels: Digits, `int32` of shape (N,).
        row_loss_mix: Share of the mean over all rows in the loss, 0 to 1; the rest is on the last row.
        shards: How many parts of the batch are worked on side by side, at most N.
    """
    folded = _fold(parameters)
    batch_size = images.shape[0]
    sizes = _shard_sizes(batch_size, shards)
    parts = [
        _shard_gradients(folded, part, digits, row_weights(row_loss_mix) / batch_size)
        for part, digits in zip(tf.split(images, sizes), tf.split(labels, sizes), strict=True)
    ]
    whole = _Gradients(*(tf.add_n(values) for values in zip(*parts, strict=True)))
    return whole.loss, _unfold(parameters, whole)


@tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]  # plain Python builds it
def last_row_logits(parameters: Parameters, images: tf.Tensor, shards: int) -> tf.Tensor:
    """Return the logits after the last row, shape (N, 10); arguments as for `loss_and_gradients`."""
    folded = _fold(parameters)
    parts = []
    for part in tf.split(images, _shard_sizes(images.shape[0], shards)):
        hidden_states, _ = _forward(tf.unstack(_project(part, folded)[1]), folded.recurrent_kernel)
        parts.append(tf.matmul(hidden_states[-1], folded.output_kernel) + folded.output_bias)
    return tf.concat(parts, axis=0)


def _shard_sizes(batch_size: int, shards: int) -> list[int]:
    """Return sizes that differ by at most one image."""
    return [batch_size // shards + (index < batch_size % shards) for index in range(shards)]


def _fold(parameters: Parameters) -> _Folded:
    p = parameters
    return _Folded(
        kernel=tf.matmul(p.input_kernel, p.lstm_kernel),
        bias=tf.linalg.matvec(p.lstm_kernel, p.input_bias, transpose_a=True) + p.lstm_bias,
        recurrent_kernel=tf.convert_to_tensor(p.lstm_recurrent_kernel),
        recurrent_kernel_transposed=tf.transpose(p.lstm_recurrent_kernel),
        output_kernel=tf.convert_to_tensor(p.output_kernel),
        output_bias=tf.convert_to_tensor(p.output_bias),
    )


def _unfold(parameters: Parameters, gradients: _Gradients) -> Parameters:
    """Return the derivatives by the weights of the input layer and the LSTM from those by W' and b'."""
    p = parameters
    return Parameters(
        input_kernel=tf.matmul(gradients.kernel, p.lstm_kernel, transpose_b=True),
        input_bias=tf.linalg.matvec(p.lstm_kernel, gradients.bias),
        lstm_kernel=tf.matmul(p.input_kernel, gradients.kernel, transpose_a=True)
        + p.input_bias[:, None] * gradients.bias[None, :],
        lstm_recurrent_kernel=gradients.recurrent_kernel,
        lstm_bias=gradients.bias,
        output_kernel=gradients.output_kernel,
        output_bias=gradients.output_bias,
    )


def _shard_gradients(
    folded: _Folded, images: tf.Tensor, labels: tf.Tensor, image_row_weights: np.ndarray
) -> _Gradients:
    """Return a shard's part of the loss and of the gradients.

    Args:
        folded: The weights.
        images: Shape (N, 28, 28).
        labels: Shape (N,).
        image_row_weights: Weight of each row of each image in the loss, shape (28,).
    """
    count, neurons = images.shape[0], folded.output_kernel.shape[0]
    flat_rows, inputs = _project(images, folded)
    hidden_states, rows = _forward(tf.unstack(inputs), folded.recurrent_kernel)
    flat_hidden = tf.concat(hidden_states, axis=0)
    logits = tf.reshape(
        tf.matmul(flat_hidden, folded.output_kernel) + folded.output_bias, [ROWS, count, DIGITS]
    )
    loss, flat_logits_gradient = _loss(logits, labels, image_row_weights)
    hidden_gradients = tf.matmul(flat_logits_gradient, folded.output_kernel, transpose_b=True)
    gate_gradients = _backward(
        tf.unstack(tf.reshape(hidden_gradients, [ROWS, count, neurons])),
        rows,
        folded.recurrent_kernel_transposed,
    )
    # The first row has no hidden state before it, so it adds nothing to the recurrent kernel's gradient.
    flat_gates = tf.concat(gate_gradients, axis=0)
    return _Gradients(
        loss=loss,
        kernel=tf.matmul(flat_rows, flat_gates, transpose_a=True),
        bias=tf.reduce_sum(flat_gates, axis=0),
        recurrent_kernel=tf.matmul(flat_hidden[:-count], flat_gates[count:], transpose_a=True),
        output_kernel=tf.matmul(flat_hidden, flat_logits_gradient, transpose_a=True),
        output_bias=tf.reduce_sum(flat_logits_gradient, axis=0),
    )


def _project(images: tf.Tensor, folded: _Folded) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the rows of all images below each other, (28 N, 28), and x_t W' + b' of each, (28, N, 4n)."""
    count = images.shape[0]
    flat_rows = tf.reshape(tf.transpose(images, [1, 0, 2]), [ROWS * count, COLUMNS])
    return flat_rows, tf.reshape(tf.matmul(flat_rows, folded.kernel) + folded.bias, [ROWS, count, -1])


def _forward(inputs: Sequence[tf.Tensor], recurrent_kernel: tf.Tensor) -> tuple[list[tf.Tensor], list[_Row]]:
    """Run the LSTM over projected rows, each (N, 4n); return h_t of every row and what backward needs."""
    hidden_states: list[tf.Tensor] = []
    rows = []
    cell = tf.zeros([inputs[0].shape[0], inputs[0].shape[1] // 4])
    for row_input in inputs:
        gates = row_input + tf.matmul(hidden_states[-1], recurrent_kernel) if hidden_states else row_input
        i, f, g, o = tf.split(gates, 4, axis=1)
        i, f, g, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)
        cell_before, cell = cell, f * cell + i * g
        cell_tanh = tf.tanh(cell)
        rows.append(_Row(i, f, g, o, cell_before, cell_tanh))
        hidden_states.append(o * cell_tanh)
    return hidden_states, rows


def _loss(logits: tf.Tensor, labels: tf.Tensor, image_row_weights: np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the weighted softmax cross-entropy and its derivative by the logits, (28 N, 10)."""
    weights = tf.constant(image_row_weights)[:, None]
    log_beliefs = tf.nn.log_softmax(logits)
    truth = tf.one_hot(labels, DIGITS)[None]
    loss = -tf.reduce_sum(tf.reduce_sum(log_beliefs * truth, axis=2) * weights)
    gradient = (tf.exp(log_beliefs) - truth) * weights[:, :, None]
    return loss, tf.reshape(gradient, [-1, DIGITS])


def _backward(
    hidden_gradients: Sequence[tf.Tensor], rows: Sequence[_Row], recurrent_kernel_transposed: tf.Tensor
) -> list[tf.Tensor]:
    """Return dz_t of every row, each (N, 4n), from what the read-out says about each h_t."""
    gate_gradients: list[tf.Tensor] = []
    hidden_gradient = hidden_gradients[-1]
    cell_gradient = tf.zeros_like(hidden_gradient)
    for t in range(ROWS - 1, -1, -1):
        i, f, g, o, cell_before, cell_tanh = rows[t]
        cell_gradient += hidden_gradient * o * (1.0 - cell_tanh * cell_tanh)
        gates = tf.concat(
            [
                cell_gradient * g * i * (1.0 - i),
                cell_gradient * cell_before * f * (1.0 - f),
                cell_gradient * i * (1.0 - g * g),
                hidden_gradient * cell_tanh * o * (1.0 - o),
            ],
            axis=1,
        )
        gate_gradients.append(gates)
        cell_gradient *= f
        if t > 0:
            hidden_gradient = hidden_gradients[t - 1] + tf.matmul(gates, recurrent_kernel_transposed)
    return gate_gradients[::-1]
