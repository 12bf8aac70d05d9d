"""The weights that a run begins with, drawn at random as Keras' initializers would draw them."""

from __future__ import annotations

from typing import Final

import numpy as np
from threadpoolctl import threadpool_limits

from rnnlab.digits import COLUMNS, DIGITS, FloatArray
from rnnlab.model.architecture import GATES, Architecture
from rnnlab.model.weights import Weights

_STREAM: Final = 2
"""Tells these random numbers from the others of a run with the same seed; see `batches`."""

_NOTEBOOK_BIAS: Final = np.float32(0.1)


def initial_weights(architecture: Architecture, initializers: str, seed: int) -> Weights:
    """Draw fresh weights.

    Args:
        architecture: Which network.
        initializers: `keras`: Glorot uniform (Glorot and Bengio, 2010) and orthogonal (Saxe, McClelland and
            Ganguli, 2014), as the layers of Keras have them by default; `notebook`: the original's. With
            both, the bias of an LSTM's forget gate is 1 (Jozefowicz et al., 2015).
        seed: Seed of the random numbers, at least 0.

    Returns:
        Weights of that network.
    """
    generator = np.random.default_rng([seed, 0, _STREAM])
    draw = _notebook if initializers == "notebook" else _keras
    return Weights.of(architecture, draw(generator, architecture))


def _keras(generator: np.random.Generator, architecture: Architecture) -> list[FloatArray]:
    n, width = architecture.neurons, GATES[architecture.cell] * architecture.neurons
    arrays = [_glorot_uniform(generator, COLUMNS, n), np.zeros(n, np.float32)]
    for _ in range(architecture.layers):
        arrays += [
            _glorot_uniform(generator, n, width),
            _orthogonal(generator, n, width),
            _gate_bias(architecture),
        ]
    return [*arrays, _glorot_uniform(generator, n, DIGITS), np.zeros(DIGITS, np.float32)]


def _notebook(generator: np.random.Generator, architecture: Architecture) -> list[FloatArray]:
    """Draw weights as the notebook did.

    TensorFlow 1 sampled the LSTM's kernel as one Glorot uniform matrix of shape (2n, 4n), input and recurrent
    part together: the limit is sqrt(6 / (2n + 4n)) = 1 / sqrt(n). Its forget bias was 1, too. The other cells
    are drawn in the same way.
    """
    n, width = architecture.neurons, GATES[architecture.cell] * architecture.neurons
    limit = (6 / (2 * n + width)) ** 0.5
    arrays = [generator.standard_normal((COLUMNS, n), np.float32), np.full(n, _NOTEBOOK_BIAS)]
    for _ in range(architecture.layers):
        arrays += [
            _uniform(generator, limit, n, width),
            _uniform(generator, limit, n, width),
            _gate_bias(architecture),
        ]
    return [*arrays, generator.standard_normal((n, DIGITS), np.float32), np.full(DIGITS, _NOTEBOOK_BIAS)]


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


def _gate_bias(architecture: Architecture) -> FloatArray:
    """Return the biases of a layer's gates: all 0, but 1 for the forget gate of an LSTM."""
    shape = architecture.shapes[f"{architecture.cell}_bias"]
    bias = np.zeros(shape, np.float32)
    if architecture.cell == "lstm":
        bias[architecture.neurons : 2 * architecture.neurons] = 1
    return bias
