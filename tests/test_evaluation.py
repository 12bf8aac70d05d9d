"""What a network makes of a whole test set, in numbers."""

from __future__ import annotations

import numpy as np
import pytest

from rnnlab.datasets import Dataset
from rnnlab.evaluation import calibration_error, evaluate
from rnnlab.reader import Reader
from tests.conftest import random_weights


def test_accuracy_confidence_and_confusion_are_counted_image_by_image(digits: Dataset) -> None:
    images, labels = digits.test_images[:40], digits.test_labels[:40]
    reader = Reader(random_weights(16, scale=0.5))
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
