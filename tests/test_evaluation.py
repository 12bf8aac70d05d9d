"""How a network reads a whole test set, in numbers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from rnnlab.data.datasets import Dataset
from rnnlab.model.evaluation import calibration_error, decision_rows, evaluate
from rnnlab.model.reader import Reader, decided_at
from tests.weights import clear, random_weights


def clear_images(digits: Dataset, reader: Reader) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the test images that are read clearly after every row, and their labels."""
    read_clearly = clear(reader.read(digits.test_images).beliefs).all(axis=1)
    return digits.test_images[read_clearly], digits.test_labels[read_clearly]


def test_accuracy_confidence_and_confusion_are_counted_image_by_image(digits: Dataset) -> None:
    reader = Reader(random_weights(16, scale=0.5))
    images, labels = (part[:40] for part in clear_images(digits, reader))
    result = evaluate(reader, images, labels)
    beliefs = [reader.read(image[None]).beliefs[0] for image in images]
    for row in (0, 13, 27):
        right = [belief[row].argmax() == label for belief, label in zip(beliefs, labels, strict=True)]
        assert result.accuracy_by_row[row] == pytest.approx(np.mean(right))
        mean_confidence = np.mean([belief[row].max() for belief in beliefs])
        assert result.confidence_by_row[row] == pytest.approx(mean_confidence, abs=1e-5)
    for belief, label in zip(beliefs, labels, strict=True):
        result.confusion[label, belief[-1].argmax()] -= 1
    assert not result.confusion.any()


def test_confidence_that_is_right_as_often_as_it_says_has_no_calibration_error() -> None:
    confidence = np.full(1000, 0.75, np.float32)
    assert calibration_error(confidence, np.arange(1000) % 4 != 0) == pytest.approx(0, abs=1e-6)


def test_too_sure_and_too_unsure_do_not_even_out() -> None:
    confidence = np.repeat(np.array([0.9, 0.5], np.float32), 100)
    correct = np.concatenate([np.arange(100) < 70, np.arange(100) < 70])
    assert confidence.mean() == pytest.approx(correct.mean())
    assert calibration_error(confidence, correct) == pytest.approx(0.2, abs=1e-6)


def test_full_confidence_counts_in_the_last_interval() -> None:
    correct = np.array([True, True, True, False])
    assert calibration_error(np.ones(4, np.float32), correct) == pytest.approx(0.25)


def test_decision_rows_of_many_images_are_those_of_each(digits: Dataset) -> None:
    beliefs = Reader(random_weights(16)).read(digits.test_images[:60]).beliefs
    beliefs[0, :] = beliefs[0, -1]  # decided at the first row
    beliefs[1, -1] = np.roll(beliefs[1, -2], 1)  # decided at the very last row
    rows = decision_rows(beliefs.argmax(axis=2))
    assert rows[:2].tolist() == [1, 28]
    assert rows.tolist() == [decided_at(belief) for belief in beliefs]


def test_decisions_are_counted_by_row_and_shares_of_them_found(digits: Dataset) -> None:
    reader = Reader(random_weights(16))
    images, labels = (part[:40] for part in clear_images(digits, reader))
    result = evaluate(reader, images, labels)
    rows = sorted(decided_at(reader.read(image[None]).beliefs[0]) for image in images)
    assert result.decisions_by_row.tolist() == [rows.count(row) for row in range(1, 29)]
    assert [result.decided_by(share) for share in (0.5, 0.9, 1.0)] == [rows[19], rows[35], rows[39]]


def test_mistakes_are_the_images_read_wrong_the_surest_first(digits: Dataset) -> None:
    reader = Reader(random_weights(16))
    images, labels = clear_images(digits, reader)
    result = evaluate(reader, images, labels)
    last = reader.read(images).beliefs[:, -1]
    wrong = np.flatnonzero(last.argmax(axis=1) != labels)
    mistakes = result.mistakes
    assert sorted(mistakes.indices.tolist()) == wrong.tolist()
    assert len(mistakes) == result.confusion.sum() - np.trace(result.confusion)
    np.testing.assert_array_equal(mistakes.labels, labels[mistakes.indices])
    np.testing.assert_array_equal(mistakes.read_as, last[mistakes.indices].argmax(axis=1))
    np.testing.assert_allclose(mistakes.probabilities, last[mistakes.indices].max(axis=1), atol=1e-5)
    assert (np.diff(mistakes.probabilities) <= 0).all()
    sevens = mistakes.where(mistakes.labels == 7)
    assert set(sevens.labels.tolist()) == {7}
    assert len(sevens) == np.count_nonzero(labels[wrong] == 7)
