"""What each training step works on: images, distortions, learning rate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rnnlab.config import UNCHANGED_DIGITS, Config
from rnnlab.presets import config_from
from rnnlab.training.batches import Batches
from rnnlab.training.learning_rate import learning_rate_at


def chosen(config: Config, images: int, first: int, stop: int) -> np.ndarray:
    return np.stack([batch.chosen for batch in Batches(config, images).between(first, stop)])


def test_every_image_is_seen_once_an_epoch_in_a_new_order() -> None:
    config = Config(batch_size=20, seed=1)
    first, second = chosen(config, 100, 0, 5).ravel(), chosen(config, 100, 5, 10).ravel()
    assert sorted(first) == sorted(second) == list(range(100))
    assert (first != second).any()


def test_batches_run_on_over_the_end_of_an_epoch() -> None:
    seen = chosen(Config(batch_size=20, seed=1), 50, 0, 5).ravel()
    assert sorted(seen[:50]) == sorted(seen[50:]) == list(range(50))


def test_batches_are_a_function_of_configuration_and_step_alone() -> None:
    config = Config(batch_size=30, seed=7, rotation=10.0, bending=0.5, schedule="cosine")
    whole = Batches(config, 1000).between(0, 100)
    entered = Batches(config, 1000).between(61, 81)
    for expected, found in zip(whole[61:81], entered, strict=True):
        np.testing.assert_array_equal(found.chosen, expected.chosen)
        np.testing.assert_array_equal(found.distortions, expected.distortions)
        assert found.learning_rate == expected.learning_rate
    other = Batches(replace(config, seed=8), 1000).between(0, 1)[0]
    assert (other.chosen != whole[0].chosen).any()
    assert other.distortions is not None
    assert np.any(other.distortions != whole[0].distortions)


def test_every_step_distorts_otherwise_and_without_distortion_none_does() -> None:
    first, second = Batches(Config(rotation=10.0, distorted_share=1.0), 1000).between(0, 2)
    assert first.distortions is not None
    assert np.any(first.distortions != second.distortions)
    assert Batches(config_from(UNCHANGED_DIGITS), 1000).between(0, 1)[0].distortions is None


def test_a_batch_is_no_larger_than_the_data_set() -> None:
    assert chosen(Config(batch_size=1024), 50, 0, 1).shape == (1, 50)


def test_the_learning_rate_stays_unless_a_schedule_is_asked_for() -> None:
    config = Config(learning_rate=0.01, iterations=1000, schedule="constant")
    assert {learning_rate_at(config, step) for step in (0, 1, 500, 999)} == {0.01}


def test_the_cosine_schedule_falls_from_the_full_rate_to_nothing() -> None:
    config = Config(learning_rate=0.01, iterations=1000, schedule="cosine")
    rates = [learning_rate_at(config, step) for step in range(1000)]
    assert rates[0] == 0.01
    assert rates[500] == pytest.approx(0.005)
    assert 0 < rates[-1] < 1e-7
    assert rates == sorted(rates, reverse=True)


def test_the_warm_up_rises_evenly_to_the_full_rate() -> None:
    config = Config(learning_rate=0.01, warm_up=100, schedule="constant")
    rates = np.array([learning_rate_at(config, step) for step in range(120)])
    np.testing.assert_allclose(np.diff(rates[:101]), 0.01 / 101, rtol=1e-6)
    np.testing.assert_allclose(rates[100:], 0.01)
