"""What is said about one picture: the digit, how sure the network is, and when it was decided."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from rnnlab.data.datasets import Dataset
from rnnlab.digits import with_article
from rnnlab.model.answer import answer
from rnnlab.model.evaluation import evaluate
from rnnlab.model.reader import Reader, decided_at, first_ink_rows
from tests.weights import random_weights, with_read_out


@pytest.fixture
def stubborn() -> Reader:
    """Return a network that takes everything for a 7, whatever it has read."""
    weights = random_weights()
    bias = np.eye(10, dtype=np.float32)[7] * 9
    return Reader(with_read_out(weights, 0 * weights.output_kernel, bias))


def picture_from(row: int) -> NDArray[np.uint8]:
    """Return a picture with ink from a row (1 to 28) on, and a trace too faint to count above it."""
    picture = np.zeros((28, 28), np.uint8)
    picture[row - 1 :, 10:14] = 255
    picture[: row - 1, 10:14] = 12
    return picture


def test_an_answer_that_stands_before_any_ink_is_not_said_to_be_decided_by_a_row(stubborn: Reader) -> None:
    said = answer(stubborn, picture_from(5))
    assert (said.digit, said.decided_at, said.first_ink_row) == (7, 1, 5)
    assert said.decision == "decided before the first ink (row 5)"
    assert answer(stubborn, picture_from(1)).decision == "decided at row 1 of 28"


def test_an_answer_decided_at_the_first_row_with_ink_or_later_names_the_row(stubborn: Reader) -> None:
    said = answer(stubborn, picture_from(5))
    assert replace(said, decided_at=5).decision == "decided at row 5 of 28"
    assert replace(said, decided_at=4).decision == "decided before the first ink (row 5)"


def test_eight_has_the_article_that_it_is_spoken_with() -> None:
    assert [with_article(digit) for digit in (1, 7, 8)] == ["a 1", "a 7", "an 8"]


def test_a_blank_picture_has_no_empty_rows_before_its_ink() -> None:
    assert first_ink_rows(np.zeros((1, 28, 28), np.uint8)).tolist() == [1]


def test_an_evaluation_counts_the_digits_decided_before_their_first_ink(
    stubborn: Reader, digits: Dataset
) -> None:
    images, labels = digits.test_images, digits.test_labels
    assert evaluate(stubborn, images, labels).decided_before_ink == 360
    reader = Reader(random_weights())
    read = reader.read(images).beliefs
    early = [decided_at(read[i]) < first_ink_rows(images)[i] for i in range(360)]
    assert evaluate(reader, images, labels).decided_before_ink == sum(early)
