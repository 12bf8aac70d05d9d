"""Distorted copies of training digits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rnnlab.config import UNCHANGED_DIGITS, Config
from rnnlab.data.augmentation import are_distorted, distort, sample_distortions, uses_distortion
from rnnlab.data.datasets import Dataset
from rnnlab.presets import config_from

EVERYTHING = {"rotation": 15, "slant": 0.2, "scaling": 0.2, "shift": 1, "bending": 0.8, "thickness": 0.8}

PLAIN = config_from(UNCHANGED_DIGITS)
"""A configuration that distorts nothing."""


def distorted(images: np.ndarray, config: Config, seed: int = 0) -> np.ndarray:
    parameters = sample_distortions(config, len(images), np.random.default_rng(seed))
    return distort(images, np.arange(len(images)), parameters).transpose(2, 0, 1)


def centre_of_mass(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    ink = images.astype(np.float64)
    mass, places = ink.sum(axis=(1, 2)), np.arange(28)
    return ink.sum(axis=2) @ places / mass, ink.sum(axis=1) @ places / mass


def test_distortions_of_no_strength_change_nothing(digits: Dataset) -> None:
    np.testing.assert_allclose(
        distorted(digits.train_images[:50], PLAIN), digits.train_images[:50], atol=0.01
    )


@pytest.mark.parametrize("name", list(EVERYTHING))
def test_each_distortion_changes_the_picture_and_keeps_it_a_picture(digits: Dataset, name: str) -> None:
    config = config_from({**UNCHANGED_DIGITS, name: EVERYTHING[name]})
    assert uses_distortion(config)
    images = digits.train_images[:50]
    found = distorted(images, config)
    assert found.dtype == np.float32
    assert 0 <= found.min() <= found.max() <= 255
    assert (np.abs(found - images).max(axis=(1, 2)) > 20).mean() > 0.6
    kept = found.sum(axis=(1, 2)) / images.sum(axis=(1, 2))
    assert 0.4 < kept.min() <= kept.max() < 2


def test_the_share_that_is_not_distorted_stays_as_it_is(digits: Dataset) -> None:
    images = digits.train_images[:400]
    found = distorted(images, config_from({**EVERYTHING, "distorted_share": 0.7}))
    unchanged = np.abs(found - images).max(axis=(1, 2)) < 0.01
    assert unchanged.mean() == pytest.approx(0.3, abs=0.08)


def test_it_is_known_which_digits_are_distorted(digits: Dataset) -> None:
    config = config_from({**EVERYTHING, "distorted_share": 0.7})
    parameters = sample_distortions(config, 400, np.random.default_rng(0))
    found = distort(digits.train_images, np.arange(400), parameters).transpose(2, 0, 1)
    changed = np.abs(found - digits.train_images[:400]).max(axis=(1, 2)) > 0.01
    np.testing.assert_array_equal(are_distorted(parameters), changed)
    assert not are_distorted(sample_distortions(PLAIN, 5, np.random.default_rng(0))).any()


def test_a_quarter_turn_is_a_quarter_turn() -> None:
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 14, 8:21] = 255  # a line to both sides of the centre
    parameters = sample_distortions(PLAIN, 1, np.random.default_rng(0))
    turned = parameters.copy()
    half = parameters.shape[1] // 2
    turned[0, :2], turned[0, half : half + 2] = (0, -1), (1, 0)
    np.testing.assert_allclose(distort(image, np.array([0]), turned)[:, :, 0], image[0].T, atol=0.01)


def test_turning_and_slanting_leave_the_centre_where_it_is(digits: Dataset) -> None:
    config = config_from({**UNCHANGED_DIGITS, "rotation": 30, "slant": 0.3})
    images = digits.train_images[:200]
    for before, after in zip(centre_of_mass(images), centre_of_mass(distorted(images, config)), strict=True):
        assert np.abs(before - after).max() < 0.5


def test_thickness_goes_both_ways(digits: Dataset) -> None:
    images = digits.train_images[:200]
    found = distorted(images, replace(PLAIN, thickness=1.0)).sum(axis=(1, 2)) / images.sum(axis=(1, 2))
    assert (found < 0.95).mean() > 0.3
    assert (found > 1.05).mean() > 0.3


def test_the_same_chance_gives_the_same_distortion_and_images_can_be_chosen(digits: Dataset) -> None:
    config = config_from(EVERYTHING)
    parameters = sample_distortions(config, 5, np.random.default_rng(3))
    np.testing.assert_array_equal(parameters, sample_distortions(config, 5, np.random.default_rng(3)))
    chosen = np.array([7, 2, 2, 40, 0])
    found = distort(digits.train_images, chosen, parameters)
    for place, index in enumerate(chosen):
        alone = distort(digits.train_images[[index]], np.array([0]), parameters[[place]])
        np.testing.assert_allclose(found[:, :, place], alone[:, :, 0], atol=0.01)
