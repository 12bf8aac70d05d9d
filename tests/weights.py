"""Weights as a network could have them, and what may be expected of what it reads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rnnlab.model.architecture import Architecture
from rnnlab.model.weights import Weights

ARCHITECTURES = [
    Architecture(cell, layers, 12) for cell in ("lstm", "gru", "simple_rnn") for layers in (1, 2, 3)
]
"""Networks of every kind of cell and every number of layers, but small."""


def named(architecture: Architecture) -> str:
    """Return a short name of a network for the name of a test."""
    return f"{architecture.layers}-{architecture.cell}"


def random_weights(neurons: int = 16, seed: int = 0, scale: float = 0.5) -> Weights:
    """Return random weights of one layer of LSTM cells."""
    return random_weights_of(Architecture(neurons=neurons), seed, scale)


def random_weights_of(architecture: Architecture, seed: int = 0, scale: float = 0.5) -> Weights:
    """Return random weights of any network."""
    generator = np.random.default_rng(seed)
    shapes = architecture.shapes.values()
    arrays = [(generator.normal(size=shape) * scale).astype(np.float32) for shape in shapes]
    return Weights.of(architecture, arrays)


def with_read_out(weights: Weights, kernel: NDArray[np.float32], bias: NDArray[np.float32]) -> Weights:
    """Return weights with another read-out."""
    return Weights(weights.architecture, {**weights.arrays, "output_kernel": kernel, "output_bias": bias})


def clear(beliefs: NDArray[np.floating], by: float = 1e-4) -> NDArray[np.bool_]:
    """Return for which of the beliefs, shape (…, 10), the top digit leads the second one clearly.

    Rounding of `float32` sums depends on cores, threads and processor. A test may expect a top digit only if
    rounding cannot change it.
    """
    second, top = np.moveaxis(np.sort(beliefs, axis=-1)[..., -2:], -1, 0)
    return np.asarray(top - second > by)
