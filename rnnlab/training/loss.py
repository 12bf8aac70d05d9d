"""The loss in plain numpy: softmax cross-entropy, partly on the last row, partly on the mean of all rows."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rnnlab.digits import DIGITS, NO_DIGIT, ROWS, FloatArray

_TARGETS: Final = np.eye(DIGITS, NO_DIGIT + 1, dtype=np.float32)
"""The right belief for each label, one per column."""
_TARGETS[:, NO_DIGIT] = 1 / DIGITS


def row_loss_weights(row_loss_mix: float, rows: int = ROWS) -> FloatArray:
    """Return the weight of each row in the loss, `float32` of shape (rows,), summing to 1."""
    weights = np.full(rows, row_loss_mix / rows, np.float32)
    weights[-1] += 1.0 - row_loss_mix
    return weights


def graded_rows(
    weights: FloatArray, labels: NDArray[np.uint8], last_row_only: NDArray[np.bool_] | None
) -> FloatArray:
    """Return the weight of every row of every image in the loss, shape (rows, N).

    For pictures of no digit, only the last row counts: their first rows look like those of digits, so grading
    them would teach doubt about the first rows of digits, too. For distorted digits, too, only the last row
    counts; the reason is given in `augmentation`.

    Args:
        weights: Weight of each row, shape (rows,).
        labels: Digits or `NO_DIGIT`, shape (N,).
        last_row_only: As for `LstmWorkspace.gradient`.
    """
    of_images = np.repeat(weights[:, None], len(labels), axis=1)
    alone = labels == NO_DIGIT if last_row_only is None else (labels == NO_DIGIT) | last_row_only
    of_images[:-1, alone] = 0
    return of_images


def softmax_cross_entropy(
    logits: FloatArray, labels: NDArray[np.uint8], weights: FloatArray
) -> tuple[float, FloatArray]:
    """Return the weighted softmax cross-entropy and its derivative by the logits.

    Args:
        logits: Shape (rows, 10, N); overwritten.
        labels: Digits or `NO_DIGIT`, shape (N,).
        weights: As `graded_rows` returns them, shape (rows, N).
    """
    logits -= logits.max(axis=1, keepdims=True)
    targets = _TARGETS[:, labels]
    of_the_truth = np.einsum("rdn,dn->rn", logits, targets)
    beliefs = np.exp(logits)
    sums = beliefs.sum(axis=1)
    loss = float((weights * (np.log(sums) - of_the_truth)).sum())
    beliefs *= (weights / sums)[:, None]
    beliefs -= weights[:, None] * targets
    return loss, beliefs
