"""The weights that a run begins with, drawn at random as Keras' initializers would draw them."""

from __future__ import annotations

from typing import Final

import numpy as np
from threadpoolctl import threadpool_limits

from rnnlab.digits import COLUMNS, DIGITS, FloatArray
from rnnlab.model.weights import Weights

_STREAM: Final = 2
"""Tells these random numbers from the others of a run with the same seed; see `batches`."""

_NOTEBOOK_BIAS: Final = np.float32(0.1)


def initial_weights(neurons: int, initializers: str, seed: int) -> Weights:
    """Draw fresh weights.

    Args:
        neurons: Length of the LSTM's hidden state, n.
        initializers: `keras`: Glorot uniform (Glorot and Bengio, 2010) and orthogonal (Saxe, McClelland and
            Ganguli, 2014), as the layers of Keras have them by default; `notebook`: the original's. With
            both, the bias of the forget gate is 1 (Jozefowicz et al., 2015).
        seed: Seed of the random numbers, at least 0.

    Returns:
        Weights of n neurons.
    """
    generator = np.random.default_rng([seed, 0, _STREAM])
    draw = _notebook if initializers == "notebook" else _keras
    return draw(generator, neurons)


def _keras(generator: np.random.Generator, neurons: int) -> Weights:
    return Weights(
        input_kernel=_glorot_uniform(generator, COLUMNS, neurons),
        input_bias=np.zeros(neurons, np.float32),
        lstm_kernel=_glorot_uniform(generator, neurons, 4 * neurons),
        lstm_recurrent_kernel=_orthogonal(generator, neurons, 4 * neurons),
        lstm_bias=_forget_bias(neurons),
        output_kernel=_glorot_uniform(generator, neurons, DIGITS),
        output_bias=np.zeros(DIGITS, np.float32),
    )


def _notebook(generator: np.random.Generator, neurons: int) -> Weights:
    """Draw weights as the notebook did.

    TensorFlow 1 sampled the LSTM's kernel as one Glorot uniform matrix of shape (2n, 4n), input and recurrent
    part together: the limit is sqrt(6 / (2n + 4n)) = 1 / sqrt(n). Its forget bias was 1, too.
    """
    limit = neurons**-0.5
    return Weights(
        input_kernel=generator.standard_normal((COLUMNS, neurons), np.float32),
        input_bias=np.full(neurons, _NOTEBOOK_BIAS),
        lstm_kernel=_uniform(generator, limit, neurons, 4 * neurons),
        lstm_recurrent_kernel=_uniform(generator, limit, neurons, 4 * neurons),
        lstm_bias=_forget_bias(neurons),
        output_kernel=generator.standard_normal((neurons, DIGITS), np.float32),
        output_bias=np.full(DIGITS, _NOTEBOOK_BIAS),
    )


def _glorot_uniform(generator: np.random.Generator, inputs: int, outputs: int) -> FloatArray:
    return _uniform(generator, (6 / (inputs + outputs)) ** 0.5, inputs, outputs)


def _uniform(generator: np.random.Generator, limit: float, rows: int, columns: int) -> FloatArray:
    """Draw numbers between -limit and limit, each as likely as the others."""
    return generator.uniform(-limit, limit, (rows, columns)).astype(np.float32)


def _orthogonal(generator: np.random.Generator, rows: int, columns: int) -> FloatArray:
    """Draw a matrix, no higher than wide, whose rows are orthogonal and of length 1, uniformly from all such.

    The Q of a normal matrix is one only if the signs are taken that make R's diagonal positive (Mezzadri,
    2007).
    """
    with threadpool_limits(limits=1, user_api="blas"):  # for so little, threads wait longer than they work
        q, r = np.linalg.qr(generator.standard_normal((columns, rows)))
    return np.ascontiguousarray((q * np.sign(np.diagonal(r))).T, np.float32)


def _forget_bias(neurons: int) -> FloatArray:
    """Return biases of the gates i, f, g, o: 1 for f, 0 for the others."""
    return np.repeat(np.array([0, 1, 0, 0], np.float32), neurons)
