"""What a network answers when it is shown one picture, as the page and the command line both say it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnnlab.data.reading_words import ReadingWords
from rnnlab.digits import FloatArray
from rnnlab.model.reader import Reader, decided_at, first_ink_rows
from rnnlab.model.uncertainty import CONFIDENCE_THRESHOLD, augmented_confidence


@dataclass(frozen=True, eq=False)
class Answer:
    """How a network reads one picture.

    Attributes:
        beliefs: Probabilities of the ten digits after each step: each row or column read, shape (28, 10).
        digit: The digit that it reads.
        probability: Its belief in that digit after the last step, 0 to 1.
        confidence: Its mean belief in that digit over the picture and slightly changed copies of it, 0 to 1.
        decided_at: The first step, 1 to 28, from which the top digit never changes again.
        first_ink_row: The first step, 1 to 28, at which there is ink. If it was decided before that, no ink
            has decided it: the favourite of before all reading has turned out to be the answer.
        reading_order: In which order the network read the rows or columns of the picture.
    """

    beliefs: FloatArray
    digit: int
    probability: float
    confidence: float
    decided_at: int
    first_ink_row: int
    reading_order: str = "down"

    @property
    def decision(self) -> str:
        """When it was decided, in words."""
        return ReadingWords(self.reading_order).decision(self.decided_at, self.first_ink_row)

    @property
    def is_sure(self) -> bool:
        """Whether the answer may be given; otherwise the network is not sure."""
        return self.confidence >= CONFIDENCE_THRESHOLD

    def rounded_beliefs(self, decimals: int) -> list[list[float]]:
        """Return the beliefs as plain numbers, rounded."""
        rounded: list[list[float]] = np.round(self.beliefs.astype(np.float64), decimals).tolist()
        return rounded


def answer(reader: Reader, picture: NDArray[np.uint8]) -> Answer:
    """Read one picture, `uint8` of shape (28, 28), 0 = background, 255 = ink, prepared as MNIST was."""
    beliefs = reader.read(picture[None]).beliefs[0]
    digit, order = int(beliefs[-1].argmax()), reader.architecture.reading_order
    return Answer(
        beliefs=beliefs,
        digit=digit,
        probability=float(beliefs[-1, digit]),
        confidence=float(augmented_confidence(reader, picture[None], beliefs[-1:])[0]),
        decided_at=decided_at(beliefs),
        first_ink_row=int(first_ink_rows(picture[None], order)[0]),
        reading_order=order,
    )
