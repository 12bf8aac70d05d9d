"""How well a network reads a whole test set, after every row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnlab.reader import DIGITS, Reader


@dataclass(frozen=True)
class Evaluation:
    """What a network makes of a test set.

    Attributes:
        test_accuracy: Share read correctly after the last row, 0 to 1.
        accuracy_by_row: Share read correctly after each row, shape (28,).
        confidence_by_row: Mean probability of the top digit after each row, shape (28,).
        confusion: How often each digit (first index) is read as each digit (second index), shape (10, 10).
    """

    test_accuracy: float
    accuracy_by_row: NDArray[np.float64]
    confidence_by_row: NDArray[np.float64]
    confusion: NDArray[np.int64]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain numbers and lists."""
        return {
            "test_accuracy": self.test_accuracy,
            "accuracy_by_row": self.accuracy_by_row.tolist(),
            "confidence_by_row": self.confidence_by_row.tolist(),
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
    correct = read == labels[:, None]
    confusion = np.zeros((DIGITS, DIGITS), np.int64)
    np.add.at(confusion, (labels, read[:, -1]), 1)
    return Evaluation(
        test_accuracy=float(correct[:, -1].mean()),
        accuracy_by_row=correct.mean(axis=0),
        confidence_by_row=beliefs.max(axis=2).mean(axis=0, dtype=np.float64),
        confusion=confusion,
    )
