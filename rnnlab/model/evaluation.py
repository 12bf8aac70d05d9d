"""How well a network reads a whole test set, after every row."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from rnnlab.digits import DIGITS, ROWS
from rnnlab.model.reader import Reader, first_ink_rows

CONFIDENCE_BINS: Final = 15
"""How many intervals of confidence are compared with accuracy."""


@dataclass(frozen=True)
class Mistakes:
    """The test images that a network reads wrong after the last row, the surest mistakes first.

    Attributes:
        indices: Where they are in the test set, counted from 0, shape (M,).
        labels: The digits that they show, shape (M,).
        read_as: The digits that the network reads, shape (M,).
        probabilities: Its belief in the digits that it reads, 0 to 1, shape (M,).
    """

    indices: NDArray[np.int64]
    labels: NDArray[np.int64]
    read_as: NDArray[np.int64]
    probabilities: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.indices)

    def where(self, chosen: NDArray[np.bool_]) -> Mistakes:
        """Return some of them, in the same order.

        Args:
            chosen: Which to return, shape (M,).
        """
        return Mistakes(*(getattr(self, f.name)[chosen] for f in fields(self)))

    def to_json(self) -> list[dict[str, Any]]:
        """Return one object of plain numbers for each."""
        columns = (getattr(self, f.name).tolist() for f in fields(self))
        return [
            {"index": index, "label": label, "read_as": read_as, "probability": probability}
            for index, label, read_as, probability in zip(*columns, strict=True)
        ]


@dataclass(frozen=True)
class Evaluation:
    """How a network reads a test set.

    What is counted by row is counted by step: at each, a row or a column is read, in the reading order.

    Attributes:
        reading_order: In which order the network read the rows or columns of the images.
        test_accuracy: Share read correctly after the last row, 0 to 1.
        accuracy_by_row: Share read correctly after each row, shape (28,).
        confidence_by_row: Mean probability of the top digit after each row, shape (28,).
        calibration_error_by_row: Average distance of confidence from accuracy after each row, 0 to 1,
            shape (28,); see `calibration_error`.
        decisions_by_row: How many images are decided at each row, shape (28,). From that row on, the top
            digit, right or wrong, never changes again.
        decided_before_ink: How many of them are decided while what is read of them is empty: what the network
            took them for before it had seen any ink is what it reads.
        confusion: How many images of each digit (first index) are read as each digit (second index), shape
            (10, 10).
        mistakes: The images read wrong.
    """

    reading_order: str
    test_accuracy: float
    accuracy_by_row: NDArray[np.float64]
    confidence_by_row: NDArray[np.float64]
    calibration_error_by_row: NDArray[np.float64]
    decisions_by_row: NDArray[np.int64]
    decided_before_ink: int
    confusion: NDArray[np.int64]
    mistakes: Mistakes

    def decided_by(self, fraction: float) -> int:
        """Return the first row, 1 to 28, after which at least this fraction of the images is decided.

        Args:
            fraction: 0 to 1.
        """
        decided = np.cumsum(self.decisions_by_row)
        return int(np.argmax(decided >= fraction * decided[-1])) + 1

    def to_json(self) -> dict[str, Any]:
        """Return it as plain numbers and lists."""
        return {
            "reading_order": self.reading_order,
            "test_accuracy": self.test_accuracy,
            "accuracy_by_row": self.accuracy_by_row.tolist(),
            "confidence_by_row": self.confidence_by_row.tolist(),
            "calibration_error_by_row": self.calibration_error_by_row.tolist(),
            "decisions_by_row": self.decisions_by_row.tolist(),
            "decided_before_ink": self.decided_before_ink,
            "confusion": self.confusion.tolist(),
            "mistakes": self.mistakes.to_json(),
        }


def evaluate(reader: Reader, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Evaluation:
    """Read a whole test set: at least one image, `uint8` of shape (N, 28, 28), and the digits, shape (N,)."""
    # While a run trains on all cores, threads of one product wait for each other: it takes ten times as long.
    with threadpool_limits(limits=1, user_api="blas"):
        beliefs = reader.read(images).beliefs
    read = beliefs.argmax(axis=2)
    correct, confidence = read == labels[:, None], beliefs.max(axis=2)
    decided, order = decision_rows(read), reader.architecture.reading_order
    confusion = np.zeros((DIGITS, DIGITS), np.int64)
    np.add.at(confusion, (labels, read[:, -1]), 1)
    return Evaluation(
        reading_order=order,
        test_accuracy=float(correct[:, -1].mean()),
        accuracy_by_row=correct.mean(axis=0),
        confidence_by_row=confidence.mean(axis=0, dtype=np.float64),
        calibration_error_by_row=np.array(
            [calibration_error(confidence[:, row], correct[:, row]) for row in range(beliefs.shape[1])]
        ),
        decisions_by_row=np.bincount(decided - 1, minlength=ROWS),
        decided_before_ink=int((decided < first_ink_rows(images, order)).sum()),
        confusion=confusion,
        mistakes=_mistakes(read[:, -1], confidence[:, -1], labels),
    )


def decision_rows(read: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows, 1 to 28, from which the top digit never changes again: `decided_at` for many images.

    Args:
        read: The top digit after every row, shape (N, 28).

    Returns:
        Shape (N,).
    """
    differs = read != read[:, -1:]
    last_other = ROWS - 1 - differs[:, ::-1].argmax(axis=1)
    return np.where(differs.any(axis=1), last_other + 2, 1)


def _mistakes(
    read: NDArray[np.int64], confidence: NDArray[np.float32], labels: NDArray[np.uint8]
) -> Mistakes:
    """Collect what is read wrong after the last row; all arguments have shape (N,)."""
    wrong = np.flatnonzero(read != labels)
    indices = wrong[np.argsort(-confidence[wrong], kind="stable")]
    return Mistakes(
        indices=indices,
        labels=labels[indices].astype(np.int64),
        read_as=read[indices],
        probabilities=confidence[indices].astype(np.float64),
    )


def calibration_error(confidence: NDArray[np.float32], correct: NDArray[np.bool_]) -> float:
    """Return the expected calibration error (Naeini, Cooper and Hauskrecht, 2015), 0 to 1.

    The images are sorted into 15 intervals of confidence of the same width; in each, mean confidence is
    compared with accuracy. The differences are averaged, weighted by the number of images. Being too sure of
    some images and too unsure of others does not cancel out, as it would in means over all images.

    Args:
        confidence: Probability of the top digit, 0 to 1, shape (N,), at least one.
        correct: Whether the top digit is the right one, shape (N,).
    """
    bins = np.minimum((confidence * CONFIDENCE_BINS).astype(np.int64), CONFIDENCE_BINS - 1)
    difference = np.bincount(bins, confidence - correct, CONFIDENCE_BINS)
    return float(np.abs(difference).sum() / len(confidence))
