"""What is mixed into the training digits: bundled digits, synthetic digits, pictures of no digit."""

from __future__ import annotations

import numpy as np
import pytest

from rnnlab.data.datasets import Dataset
from rnnlab.data.non_digits import make_dots_and_scribbles, make_two_digits
from rnnlab.data.synthetic_digits import make_synthetic_digits
from rnnlab.data.training_set import load_training_set
from rnnlab.digits import NO_DIGIT
from rnnlab.model.architecture import Architecture
from rnnlab.model.reader import Reader
from rnnlab.presets import config_from
from rnnlab.training.batches import Batch
from rnnlab.training.initializers import initial_weights
from rnnlab.training.keras_backend import row_loss
from rnnlab.training.numpy_backend import NumpyNetwork


@pytest.mark.slow
def test_ones_fours_sevens_and_nines_are_drawn_by_rule_each_in_another_way() -> None:
    pictures, labels = make_synthetic_digits()
    assert pictures.shape == (len(labels), 28, 28)
    assert pictures.dtype == labels.dtype == np.uint8
    assert {int(digit): int((labels == digit).sum()) for digit in set(labels)}.keys() == {1, 4, 7, 9}
    assert len(np.unique(pictures, axis=0)) == len(pictures)
    assert pictures.max(axis=(1, 2)).min() == 255


@pytest.mark.slow
def test_the_same_seed_draws_the_same(digits: Dataset) -> None:
    few, more = make_synthetic_digits(0.01, seed=3), make_synthetic_digits(0.02, seed=3)
    for digit in (1, 4, 7, 9):
        first = few[0][few[1] == digit]
        np.testing.assert_array_equal(first, more[0][more[1] == digit][: len(first)])
    two = [make_two_digits(digits.train_images, count, seed=3) for count in (10, 20)]
    scribbles = [make_dots_and_scribbles(count, seed=3) for count in (10, 20)]
    for fewer, all_of_them in (two, scribbles):
        np.testing.assert_array_equal(fewer, all_of_them[:10])


def test_nonsense_comes_in_the_share_that_is_asked_for_and_the_test_has_none() -> None:
    plain = load_training_set(config_from({"dataset": "digits", "nonsense": 0}))
    mixed = load_training_set(config_from({"dataset": "digits", "nonsense": 0.1}))
    is_nonsense = mixed.train_labels == NO_DIGIT
    assert is_nonsense.mean() == pytest.approx(0.1, abs=0.001)
    np.testing.assert_array_equal(mixed.train_images[~is_nonsense], plain.train_images)
    np.testing.assert_array_equal(mixed.test_labels, plain.test_labels)


@pytest.mark.slow
@pytest.mark.usefixtures("mnist_folder")
def test_extra_digits_join_mnists_training_digits_alone() -> None:
    plain, bundled, forms = (
        load_training_set(config_from({"extra_digits": extra, "nonsense": 0}))
        for extra in ("none", "bundled", "forms")
    )
    assert len(plain.train_images) < len(bundled.train_images) < len(forms.train_images)
    for mixed in (bundled, forms):
        np.testing.assert_array_equal(mixed.train_images[:60_000], plain.train_images)
        assert len(mixed.train_labels) == len(mixed.train_images)
        np.testing.assert_array_equal(mixed.test_images, plain.test_images)


def test_a_small_data_set_gets_few_extra_digits_in_proportion() -> None:
    plain, bundled, forms = (
        load_training_set(config_from({"dataset": "digits", "extra_digits": extra, "nonsense": 0}))
        for extra in ("none", "bundled", "forms")
    )
    assert len(bundled.train_images) == len(plain.train_images)  # it has the bundled digits already
    added = np.bincount(forms.train_labels[len(plain.train_labels) :], minlength=10)
    assert added.sum() == pytest.approx(0.08 * len(plain.train_images), abs=1)
    assert added[[1, 4, 7, 9]].min() > 10
    assert added[[0, 2, 3, 5, 6, 8]].sum() == 0


@pytest.mark.usefixtures("mnist_folder")
def test_the_validation_part_is_never_learned_from_and_holds_no_test_digit() -> None:
    mnist, validation = (
        load_training_set(config_from({"dataset": name, "extra_digits": "none", "nonsense": 0}))
        for name in ("mnist", "validation")
    )
    np.testing.assert_array_equal(validation.train_images, mnist.train_images[:50_000])
    np.testing.assert_array_equal(validation.test_images, mnist.train_images[50_000:])
    np.testing.assert_array_equal(validation.test_labels, mnist.train_labels[50_000:])


def test_the_right_belief_about_no_digit_is_flat() -> None:
    flat, sure = np.zeros((1, 28, 10), np.float32), np.zeros((1, 28, 10), np.float32)
    sure[..., 3] = 5
    label = np.array([NO_DIGIT], np.int32)
    assert float(row_loss(flat, label, 0.0)) == pytest.approx(np.log(10))
    assert float(row_loss(sure, label, 0.0)) > np.log(10)


def test_doubt_is_taught_at_the_last_row_alone() -> None:
    logits, label = np.zeros((1, 28, 10), np.float32), np.array([NO_DIGIT], np.int32)
    whole = float(row_loss(logits, label, 0.5))
    logits[:, :-1, 3] = 5
    assert float(row_loss(logits, label, 0.5)) == pytest.approx(whole)
    logits[:, -1, 3] = 5
    assert float(row_loss(logits, label, 0.5)) > whole


def test_a_network_learns_to_doubt_and_its_accuracy_is_that_of_the_digits_alone(digits: Dataset) -> None:
    config = config_from(
        {"neurons": 32, "batch_size": 64, "learning_rate": 0.01, "nonsense": 0.2, "dataset": "digits"}
    )
    data = load_training_set(config)
    nonsense, real = (np.flatnonzero((data.train_labels == NO_DIGIT) == wanted) for wanted in (True, False))
    chosen = np.concatenate([nonsense[:32], real[:32]]).astype(np.int32)
    weights = initial_weights(Architecture(neurons=32), "keras", 0)
    with NumpyNetwork(config, data, weights) as network:
        _, accuracy = network.train([Batch(chosen, 0.01)] * 150)
        assert accuracy > 0.95
        beliefs = Reader(network.weights()).read(data.train_images[chosen]).beliefs[:, -1].max(axis=1)
    assert np.median(beliefs[:32]) < 0.4
    assert np.median(beliefs[32:]) > 0.8
