from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from rnnlab.config import Config
from rnnlab.data.datasets import Dataset
from rnnlab.data.training_set import with_non_digits
from rnnlab.model.architecture import Architecture
from rnnlab.model.reader import Reader
from rnnlab.model.weights import Weights
from rnnlab.presets import config_from
from rnnlab.training import keras_backend
from rnnlab.training.backend import Network
from rnnlab.training.batches import Batch, Batches
from rnnlab.training.export import export
from rnnlab.training.initializers import initial_weights
from rnnlab.training.numpy_backend import NumpyNetwork
from rnnlab.training.optimizer import ADAM_EPSILON
from tests.weights import clear, random_weights_of


@pytest.mark.parametrize(("mix", "rows"), [(0.0, [27]), (1.0, list(range(28)))])
def test_the_loss_is_keras_cross_entropy_of_the_rows_it_names(mix: float, rows: list[int]) -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(6, 28, 10)).astype(np.float32)
    labels = generator.integers(0, 10, 6).astype(np.int32)
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    expected = np.mean([entropy(labels, logits[:, row]) for row in rows])
    assert float(keras_backend.row_loss(tf.constant(logits), tf.constant(labels), mix)) == pytest.approx(
        expected, 1e-5
    )


def test_the_mixed_loss_lies_between_its_two_parts() -> None:
    logits = tf.constant(np.random.default_rng(0).normal(size=(6, 28, 10)).astype(np.float32))
    labels = tf.constant(np.arange(6, dtype=np.int32))
    last, all_rows, mixed = (float(keras_backend.row_loss(logits, labels, mix)) for mix in (0.0, 1.0, 0.25))
    assert mixed == pytest.approx(0.75 * last + 0.25 * all_rows, 1e-5)


def fast(config: Config, data: Dataset, cores: int | None = None) -> NumpyNetwork:
    return NumpyNetwork(config, data, fresh(config), cores)


def reference(config: Config, data: Dataset) -> keras_backend.KerasNetwork:
    return keras_backend.KerasNetwork(config, data, fresh(config))


def fresh(config: Config) -> Weights:
    return initial_weights(Architecture.of(config), config.initializers, config.seed)


def assert_accuracy(found: float, beliefs: NDArray[np.float32], labels: NDArray[np.uint8]) -> None:
    """Compare an accuracy with that of these beliefs; those that are not clear may count or not."""
    unclear = (~clear(beliefs)).mean()
    assert unclear < 0.2
    expected = (beliefs.argmax(axis=1) == labels).mean()
    assert found == pytest.approx(expected, abs=unclear + 1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [reference, fast])
@pytest.mark.parametrize("mix", [0.0, 0.5])
def test_training_follows_plain_kerass_own_trajectory(
    digits: Dataset, mix: float, kind: Callable[[Config, Dataset], Network]
) -> None:
    config = config_from({"neurons": 16, "batch_size": 32, "row_loss_mix": mix, "seed": 4})
    batches = np.random.default_rng(0).integers(0, 1000, (12, 32)).astype(np.int32)
    with kind(config, digits) as ours:
        loss, accuracy = ours.train([Batch(batch, config.learning_rate) for batch in batches])
        trained = ours.weights()

    model = keras_backend.build_model(Architecture.of(config), fresh(config))
    optimizer = keras.optimizers.Adam(config.learning_rate, epsilon=ADAM_EPSILON)
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for batch in batches:
        images, labels = digits.train_images[batch] / np.float32(255), digits.train_labels[batch]
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            every_row = sum(entropy(labels, logits[:, row]) for row in range(28)) / 28
            expected = mix * every_row + (1 - mix) * entropy(labels, logits[:, -1])
        optimizer.apply(tape.gradient(expected, model.trainable_variables), model.trainable_variables)
    beliefs = keras.ops.softmax(model(images)).numpy()[:, -1]
    assert loss == pytest.approx(float(expected), rel=1e-4)
    assert_accuracy(accuracy, beliefs, labels)
    for mine, theirs in zip(trained.arrays.values(), model.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-4)


@pytest.mark.parametrize("kind", [reference, fast])
def test_every_step_has_a_learning_rate_of_its_own(
    digits: Dataset, kind: Callable[[Config, Dataset], Network]
) -> None:
    images = np.arange(64, dtype=np.int32)
    with kind(Config(neurons=8, batch_size=64), digits) as ours:
        ours.train([Batch(images, 0.01)])
        before = ours.weights()
        ours.train([Batch(images, 0.0), Batch(images, 0.0)])
        for mine, theirs in zip(ours.weights().arrays.values(), before.arrays.values(), strict=True):
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("kind", [reference, fast])
def test_accuracies_are_those_of_the_weights_as_they_are(
    digits: Dataset, kind: Callable[[Config, Dataset], Network]
) -> None:
    with kind(Config(neurons=8, batch_size=64), digits) as ours:
        _, accuracy = ours.train([Batch(np.arange(64, dtype=np.int32), 0.001)])
        reader = Reader(ours.weights())
        for found, images, labels in (
            (accuracy, digits.train_images[:64], digits.train_labels[:64]),
            (ours.test_accuracy(), digits.test_images, digits.test_labels),
        ):
            assert_accuracy(found, reader.read(images).beliefs[:, -1], labels)


def test_a_batch_larger_than_the_data_set_takes_the_whole_data_set(digits: Dataset) -> None:
    few = replace(digits, train_images=digits.train_images[:50], train_labels=digits.train_labels[:50])
    losses, weights = [], []
    for batch_size in (50, 1024):
        config = Config(neurons=8, batch_size=batch_size)
        (batch,) = Batches(config, 50).between(0, 1)
        assert sorted(batch.chosen.tolist()) == list(range(50))
        with fast(config, few) as ours:
            losses.append(ours.train([batch])[0])
            weights.append(ours.weights().arrays.values())
    assert losses[0] == losses[1]
    for mine, theirs in zip(*weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)


NETWORKS = [
    Architecture("lstm", 1, 24),
    Architecture("gru", 2, 16, "right"),
    Architecture("simple_rnn", 3, 16, "left"),
    Architecture("lstm", 2, 16, "up"),
    Architecture("gru", 1, 16, "shuffled"),
    Architecture("simple_rnn", 1, 16),
]


@pytest.mark.parametrize(
    ("architecture", "every_row"), [(network, bool(at % 2)) for at, network in enumerate(NETWORKS)]
)
def test_an_exported_file_answers_as_the_reader_does(
    digits: Dataset, tmp_path: Path, every_row: bool, architecture: Architecture
) -> None:
    weights, path = random_weights_of(architecture), tmp_path / "network.keras"
    export(weights, path, every_row=every_row)
    answers = keras.models.load_model(path)(digits.test_images[:20] / np.float32(255)).numpy()
    beliefs = Reader(weights).read(digits.test_images[:20]).beliefs
    np.testing.assert_allclose(answers, beliefs if every_row else beliefs[:, -1], atol=1e-5)
    assert [found.name for found in tmp_path.iterdir() if found.name != "home"] == ["network.keras"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "values",
    [
        {"averaging": 5},
        {"clip_norm": 0.2},
        {"rotation": 20.0, "bending": 0.5},
        {"nonsense": 0.2},
        {"cell": "gru", "layers": 2, "reading_order": "left"},
        {"cell": "simple_rnn", "layers": 3, "reading_order": "shuffled", "rotation": 20.0},
    ],
)
def test_all_that_a_run_can_be_trained_with_is_the_same_on_both_paths(
    digits: Dataset, values: dict[str, float | str]
) -> None:
    config = config_from({"neurons": 16, "batch_size": 32, "learning_rate": 0.01, **values})
    digits = with_non_digits(digits, config.nonsense)
    batches = Batches(config, len(digits.train_images)).between(0, 12)
    with reference(config, digits) as keras_network, fast(config, digits) as ours:
        expected, found = keras_network.train(batches), ours.train(batches)
        assert found[0] == pytest.approx(expected[0], rel=1e-3)
        assert found[1] == pytest.approx(expected[1], abs=1.01 / 32)  # one digit may be a close call
        assert ours.test_accuracy() == pytest.approx(keras_network.test_accuracy(), abs=0.006)
        for mine, theirs in zip(
            ours.weights().arrays.values(), keras_network.weights().arrays.values(), strict=True
        ):
            np.testing.assert_allclose(mine, theirs, atol=1e-3)


@pytest.mark.parametrize("kind", [reference, fast])
def test_the_weights_that_read_are_the_mean_of_the_last_ones(
    digits: Dataset, kind: Callable[[Config, Dataset], Network]
) -> None:
    plain, averaged = Config(neurons=8, batch_size=32), Config(neurons=8, batch_size=32, averaging=100)
    batches = Batches(plain, len(digits.train_images)).between(0, 6)
    with kind(plain, digits) as newest, kind(averaged, digits) as average:
        seen = []
        for batch in batches:
            newest.train([batch])
            seen.append(newest.weights().arrays["lstm_kernel"])
        average.train(batches)
        np.testing.assert_allclose(average.weights().arrays["lstm_kernel"], np.mean(seen, axis=0), atol=1e-5)
        beliefs = Reader(average.weights()).read(digits.test_images).beliefs[:, -1]
        assert_accuracy(average.test_accuracy(), beliefs, digits.test_labels)
