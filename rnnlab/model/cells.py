"""The recurrent cells in plain numpy, each as Keras defines it.

With x_t the input, h_t the hidden state, sigma the logistic function and * the element-wise product:

LSTM (Hochreiter and Schmidhuber, 1997; forget gate: Gers, Schmidhuber and Cummins, 2000):

    i, f, g, o = x_t W + h_{t-1} U + b               split into four equal parts; then
    i, f, o = sigma(i), sigma(f), sigma(o)           input gate, forget gate, output gate
    g = tanh(g)                                      candidate
    c_t = f * c_{t-1} + i * g                        cell state
    h_t = o * tanh(c_t)                              hidden state

GRU (Cho et al., 2014; in the form of Keras' `reset_after=True`, with two biases):

    z = sigma(x_t W_z + b_z + h_{t-1} U_z + b'_z)                  update gate
    r = sigma(x_t W_r + b_r + h_{t-1} U_r + b'_r)                  reset gate
    g = tanh(x_t W_h + b_h + r * (h_{t-1} U_h + b'_h))             candidate
    h_t = z * h_{t-1} + (1 - z) * g                                hidden state

Simple RNN (Elman, 1990):

    h_t = tanh(x_t W + h_{t-1} U + b)                hidden state
"""

from __future__ import annotations

from typing import Final

import numpy as np

from rnnlab.digits import FloatArray
from rnnlab.model.weights import LayerWeights

States = dict[str, FloatArray]
"""What a cell has after a row, each of shape (N, n): `hidden_state`, and in an LSTM `cell_state`; gates and
candidate."""


def sigmoid(x: FloatArray) -> FloatArray:
    """Return the logistic function, computed by tanh, which never overflows."""
    return np.asarray(np.float32(0.5) * np.tanh(np.float32(0.5) * x) + np.float32(0.5))


def first_states(cell: str, images: int, neurons: int) -> States:
    """Return what a cell has before the first row of so many images: zeros."""
    names = ("hidden_state", "cell_state") if cell == "lstm" else ("hidden_state",)
    return {name: np.zeros((images, neurons), np.float32) for name in names}


def _lstm(weights: LayerWeights, x: FloatArray, before: States) -> States:
    gates = x @ weights.kernel + before["hidden_state"] @ weights.recurrent_kernel + weights.bias
    i, f, g, o = np.split(gates, 4, axis=1)
    input_gate, forget_gate, candidate, output_gate = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    cell_state = forget_gate * before["cell_state"] + input_gate * candidate
    return {
        "hidden_state": output_gate * np.tanh(cell_state),
        "cell_state": cell_state,
        "input_gate": input_gate,
        "forget_gate": forget_gate,
        "candidate": candidate,
        "output_gate": output_gate,
    }


def _gru(weights: LayerWeights, x: FloatArray, before: States) -> States:
    hidden_state = before["hidden_state"]
    of_input = np.split(x @ weights.kernel + weights.bias[0], 3, axis=1)
    of_state = np.split(hidden_state @ weights.recurrent_kernel + weights.bias[1], 3, axis=1)
    update_gate, reset_gate = sigmoid(of_input[0] + of_state[0]), sigmoid(of_input[1] + of_state[1])
    candidate = np.tanh(of_input[2] + reset_gate * of_state[2])
    return {
        "hidden_state": update_gate * hidden_state + (1 - update_gate) * candidate,
        "update_gate": update_gate,
        "reset_gate": reset_gate,
        "candidate": candidate,
    }


def _simple_rnn(weights: LayerWeights, x: FloatArray, before: States) -> States:
    product = x @ weights.kernel + before["hidden_state"] @ weights.recurrent_kernel + weights.bias
    return {"hidden_state": np.tanh(product)}


STEPS: Final = {"lstm": _lstm, "gru": _gru, "simple_rnn": _simple_rnn}
"""How each cell computes what it has after a row, given the input x_t and what it had before."""
