"""Weights as a network could have them, and what may be expected of what it reads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rnnlab.model.weights import Weights


def random_weights(neurons: int = 16, seed: int = 0, scale: float = 0.5) -> Weights:
    """Return random weights."""
    generator = np.random.default_rng(seed)

    def normal(*shape: int) -> NDArray[np.float32]:
        return (generator.normal(size=shape) * scale).astype(np.float32)

    return Weights(
        input_kernel=normal(28, neurons),
        input_bias=normal(neurons),
        lstm_kernel=normal(neurons, 4 * neurons),
        lstm_recurrent_kernel=normal(neurons, 4 * neurons),
        lstm_bias=normal(4 * neurons),
        output_kernel=normal(neurons, 10),
        output_bias=normal(10),
    )


def clear(beliefs: NDArray[np.floating], by: float = 1e-4) -> NDArray[np.bool_]:
    """Return for which of the beliefs, shape (…, 10), the top digit leads the second one clearly.

    Rounding of `float32` sums depends on cores, threads and processor. A test may expect a top digit only if
    rounding cannot change it.
    """
    second, top = np.moveaxis(np.sort(beliefs, axis=-1)[..., -2:], -1, 0)
    return np.asarray(top - second > by)
