"""What a training step costs, in multiplications, and how many of them this machine makes."""

from __future__ import annotations

import time
from typing import Final

import numpy as np
from threadpoolctl import threadpool_limits

from rnnlab.config import Config
from rnnlab.digits import COLUMNS, DIGITS, ROWS
from rnnlab.model.architecture import GATES
from rnnlab.system.cores import usable_cores

_LARGE_MATRIX: Final = 2048
"""Rows and columns of matrices that a processor multiplies at its best."""


def multiplications(config: Config) -> float:
    """Return the multiplications of a training step: each row forward, backward, and the gradients."""
    n, gates = config.neurons, GATES[config.cell] * config.neurons
    of_a_row = 3.0 * DIGITS * n
    for layer in range(config.layers):
        inputs = n if layer else COLUMNS
        of_a_row += gates * (2.0 * (n + inputs + 1) + n + (inputs if layer else 0))
    return config.batch_size * ROWS * of_a_row


def multiplications_per_second(repeats: int = 3) -> float:
    """Return how many multiply-adds per second this machine makes in products of large matrices."""
    factor = np.random.default_rng(0).random((_LARGE_MATRIX, _LARGE_MATRIX), dtype=np.float32)
    product = np.empty_like(factor)
    fastest = float("inf")
    with threadpool_limits(limits=usable_cores(), user_api="blas"):
        for _ in range(repeats + 1):
            start = time.perf_counter()
            np.matmul(factor, factor, out=product)
            fastest = min(fastest, time.perf_counter() - start)
    return _LARGE_MATRIX**3 / fastest
