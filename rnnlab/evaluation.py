"""How well a network reads a whole test set, after every row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rnnlab.reader import DIGITS, Reader

CONFIDENCE_BINS: Final = 15
"""Intervals of confidence in which it is compared with accuracy."""


@dataclass(frozen=True)
class Evaluation:
    """What a network makes of a test set.

    Attributes:
        test_accuracy: Share read correctly after the last row, 0 to 1.
        accuracy_by_row: Share read correctly after each row, shape (28,).
        confidence_by_row: Mean probability of the top digit after each row, shape (28,).
        calibration_error_by_row: How far confidence is from accuracy on average after each row, 0 to 1,
            shape (28,): see `calibration_error`.
        confusion: How often each digit (first index) is read as each digit (second index), shape (10, 10).
    """

    test_accuracy: float
    accuracy_by_row: NDArray[np.float64]
    confidence_by_row: NDArray[np.float64]
    calibration_error_by_row: NDArray[np.float64]
    confusion: NDArray[np.int64]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain numbers and lists."""
        return {
            "test_accuracy": self.test_accuracy,
            "accuracy_by_row": self.accuracy_by_row.tolist(),
            "confidence_by_row": self.confidence_by_row.tolist(),
            "calibration_error_by_row": self.calibration_error_by_row.tolist(),
            "confusion": self.confusion.tolist(),
        }


def evaluate(reader: Reader, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Evaluation:
    """Read a whole test set.

    Args:
        reader: The network.
        images: `uint8` of shape (N, 28, 28), at least one.
        labels: Digits, `uint8` of shape (N,).
    """
    beliefs = reader.read(images).beliefs
    read = beliefs.argmax(axis=2)
    correct, confidence = read == labels[:, None], beliefs.max(axis=2)
    confusion = np.zeros((DIGITS, DIGITS), np.int64)
    np.add.at(confusion, (labels, read[:, -1]), 1)
    return Evaluation(
        test_accuracy=float(correct[:, -1].mean()),
        accuracy_by_row=correct.mean(axis=0),
        confidence_by_row=confidence.mean(axis=0, dtype=np.float64),
        calibration_error_by_row=np.array(
            [calibration_error(confidence[:, row], correct[:, row]) for row in range(beliefs.shape[1])]
        ),
        confusion=confusion,
    )


def calibration_error(confidence: NDArray[np.float32], correct: NDArray[np.bool_]) -> float:
    """Return the expected calibration error (Naeini, Cooper and Hauskrecht, 2015), 0 to 1.

    The images are sorted into 15 intervals of confidence of the same width; in each, mean confidence is
    compared with accuracy, and the differences are averaged, weighted by how many images there are. Unlike in
    the means over all images, being too sure of some and too unsure of others does not even out.

    Args:
        confidence: Probability of the top digit, 0 to 1, shape (N,), at least one.
        correct: Whether the top digit is the right one, shape (N,).
    """
    bins = np.minimum((confidence * CONFIDENCE_BINS).astype(np.int64), CONFIDENCE_BINS - 1)
    difference = np.bincount(bins, confidence - correct, CONFIDENCE_BINS)
    return float(np.abs(difference).sum() / len(confidence))
