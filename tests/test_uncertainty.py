"""How sure a network may be of an answer."""

from __future__ import annotations

import numpy as np
import pytest

from rnnlab.config import UNCHANGED_DIGITS
from rnnlab.data.augmentation import distort, rotation_and_slant, sample_distortions
from rnnlab.data.datasets import Dataset
from rnnlab.model.reader import Reader
from rnnlab.model.uncertainty import augmented_confidence
from rnnlab.presets import config_from
from tests.weights import random_weights

ONE_GREY_LEVEL = 1e-3
"""A belief changes less than this if a pixel of a changed copy is rounded to the next grey level."""


def test_sureness_is_the_mean_belief_over_a_digit_and_its_changed_copies(digits: Dataset) -> None:
    reader, images = Reader(random_weights(scale=0.7)), digits.test_images[:20]
    beliefs = reader.read(images).beliefs[:, -1]
    found = augmented_confidence(reader, images, beliefs)
    changes = rotation_and_slant([(5, 0), (-5, 0), (0, 0.15), (0, -0.15)])
    for image, belief, mine in zip(images, beliefs, found, strict=True):
        copies = distort(image[None], np.zeros(4, np.int64), changes).transpose(2, 0, 1)
        others = reader.read(np.rint(copies).astype(np.uint8)).beliefs[:, -1, belief.argmax()]
        assert mine == pytest.approx((belief.max() + others.sum()) / 5, abs=ONE_GREY_LEVEL)


def test_an_answer_that_no_change_touches_is_as_sure_as_its_belief() -> None:
    reader, blank = Reader(random_weights()), np.zeros((1, 28, 28), np.uint8)
    beliefs = reader.read(blank).beliefs[:, -1]
    assert augmented_confidence(reader, blank, beliefs)[0] == pytest.approx(beliefs.max(), abs=1e-5)


def test_sureness_does_not_depend_on_the_company_and_of_nothing_there_is_none(digits: Dataset) -> None:
    reader, images = Reader(random_weights()), digits.train_images[:600]
    beliefs = reader.read(images).beliefs[:, -1]
    together = augmented_confidence(reader, images, beliefs)
    alone = [augmented_confidence(reader, images[[i]], beliefs[[i]])[0] for i in (0, 499, 500, 599)]
    np.testing.assert_allclose(together[[0, 499, 500, 599]], alone, atol=ONE_GREY_LEVEL)
    assert augmented_confidence(reader, images[:0], beliefs[:0]).shape == (0,)


def test_a_turn_and_a_slant_are_those_that_training_draws() -> None:
    drawn = sample_distortions(
        config_from({**UNCHANGED_DIGITS, "rotation": 10, "slant": 0.3}), 1, np.random.default_rng(4)
    )
    generator = np.random.default_rng(4)
    degrees, slant = generator.uniform(-10, 10), generator.uniform(-0.3, 0.3)
    np.testing.assert_allclose(rotation_and_slant([(degrees, slant)]), drawn, atol=1e-6)
