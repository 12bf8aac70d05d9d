"""The training step in plain numpy, compared with Keras' own."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from rnnlab.config import Config
from rnnlab.model.weights import Weights
from rnnlab.training import keras_backend
from rnnlab.training.initializers import initial_weights
from rnnlab.training.loss import row_loss_weights
from rnnlab.training.numpy_lstm import LstmWorkspace, to_columns
from rnnlab.training.optimizer import OPTIMIZERS
from rnnlab.training.parameters import Parameters, stack_shape
from tests.weights import clear, random_weights

WEIGHT_NAMES = list(Weights.__dataclass_fields__)


def batch(size: int, blank_rows: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (size, 28, 28), dtype=np.uint8)
    images[:, :blank_rows] = 0
    return images, generator.integers(0, 10, size, dtype=np.uint8)


def stacked(weights: Weights) -> tuple[Parameters, NDArray[np.float32]]:
    parameters = Parameters(weights.neurons)
    parameters.set(weights)
    matrix = np.full(stack_shape(weights.neurons), np.nan, np.float32)
    parameters.stack(matrix)
    return parameters, matrix


@pytest.mark.parametrize("mix", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("neurons", "batch_size"), [(8, 8), (16, 33), (128, 64), (32, 1)])
@pytest.mark.parametrize("initializers", ["keras", "notebook"])
def test_loss_and_every_gradient_equal_those_of_keras(
    neurons: int, batch_size: int, mix: float, initializers: str
) -> None:
    compare_with_keras(neurons, batch_size, mix, initializers, blank_rows=0)


@pytest.mark.parametrize("mix", [0.0, 0.5])
@pytest.mark.parametrize("blank_rows", [1, 2, 6, 27, 28])
@pytest.mark.parametrize("batch_size", [5, 40])
def test_gradients_are_the_same_where_the_first_rows_are_blank(
    batch_size: int, blank_rows: int, mix: float
) -> None:
    compare_with_keras(16, batch_size, mix, "keras", blank_rows)


def test_of_distorted_images_the_last_row_alone_counts_as_in_keras() -> None:
    compare_with_keras(16, 9, 0.5, "keras", 3, np.arange(9) % 3 > 0)


def compare_with_keras(  # noqa: PLR0917
    neurons: int,
    batch_size: int,
    mix: float,
    initializers: str,
    blank_rows: int,
    distorted: np.ndarray | None = None,
) -> None:
    model = keras_backend.build_model(neurons, initial_weights(neurons, initializers, seed=1))
    images, labels = batch(batch_size, blank_rows)
    with tf.GradientTape() as tape:
        logits = model(images / np.float32(255))
        expected_loss = keras_backend.row_loss(logits, tf.constant(labels, tf.int32), mix, distorted)
    expected = tape.gradient(expected_loss, model.trainable_variables)

    parameters, matrix = stacked(Weights(*model.get_weights()))
    of_the_stack = np.zeros_like(matrix)
    weights_of_rows = row_loss_weights(mix) / np.float32(batch_size)
    loss = LstmWorkspace(batch_size, neurons).gradient(
        matrix, to_columns(images), labels, weights_of_rows, of_the_stack, last_row_only=distorted
    )
    gradient = Parameters(neurons)
    gradient.take_gradient(of_the_stack, parameters)

    assert loss == pytest.approx(float(expected_loss), rel=1e-5)
    for name, theirs in zip(WEIGHT_NAMES, expected, strict=True):
        scale = max(1.0, float(np.abs(theirs).max()))
        mine = getattr(gradient.weights(), name)
        np.testing.assert_allclose(mine / scale, theirs / scale, atol=1e-4, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("initializers", ["keras", "notebook"])
def test_the_loss_after_each_row_alone_and_its_gradient_equal_those_of_keras(initializers: str) -> None:
    model = keras_backend.build_model(12, initial_weights(12, initializers, seed=3))
    images, labels = batch(9)
    parameters, matrix = stacked(Weights(*model.get_weights()))
    shard, gradient = LstmWorkspace(9, 12), Parameters(12)
    with tf.GradientTape(persistent=True) as tape:
        logits = model(images / np.float32(255))
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            np.repeat(labels[:, None].astype(np.int32), 28, axis=1), logits
        )
        of_rows = tf.unstack(tf.reduce_mean(losses, axis=0))
    for row, expected_loss in enumerate(of_rows):
        only_this_row = np.eye(28, dtype=np.float32)[row] / np.float32(9)
        of_the_stack = np.zeros_like(matrix)
        loss = shard.gradient(matrix, to_columns(images), labels, only_this_row, of_the_stack)
        assert loss == pytest.approx(float(expected_loss), rel=1e-5), row
        gradient.take_gradient(of_the_stack, parameters)
        expected = tape.gradient(expected_loss, model.trainable_variables)
        for name, theirs in zip(WEIGHT_NAMES, expected, strict=True):
            mine, scale = getattr(gradient.weights(), name), max(1.0, float(np.abs(theirs).max()))
            np.testing.assert_allclose(mine / scale, theirs / scale, atol=1e-4, err_msg=f"{name}, row {row}")


def test_the_same_memory_serves_one_batch_after_the_other() -> None:
    _, matrix = stacked(random_weights(16))
    images, labels = batch(12)
    used, fresh = LstmWorkspace(12, 16), LstmWorkspace(12, 16)
    first, again = np.zeros_like(matrix), np.zeros_like(matrix)
    used.gradient(matrix, to_columns(images[::-1]), labels, row_loss_weights(0.5), np.zeros_like(matrix))
    used.gradient(matrix, to_columns(images), labels, row_loss_weights(0.5), first)
    fresh.gradient(matrix, to_columns(images), labels, row_loss_weights(0.5), again)
    np.testing.assert_allclose(first, again, rtol=1e-5, atol=1e-6)


def test_gradients_are_added_to_what_is_there() -> None:
    _, matrix = stacked(random_weights(8))
    images, labels = batch(6)
    shard = LstmWorkspace(6, 8)
    once, twice = np.zeros_like(matrix), np.zeros_like(matrix)
    shard.gradient(matrix, to_columns(images), labels, row_loss_weights(0.5), once)
    for _ in range(2):
        shard.gradient(matrix, to_columns(images), labels, row_loss_weights(0.5), twice)
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-5, atol=1e-7)


def test_the_digits_read_are_those_of_keras() -> None:
    model = keras_backend.build_model(24, initial_weights(24, "notebook", seed=2))
    images, _ = batch(50)
    _, matrix = stacked(Weights(*model.get_weights()))
    shard = LstmWorkspace(50, 24)
    for part in (images[::-1], images):
        beliefs = keras.ops.softmax(model(part / np.float32(255))).numpy()[:, -1]
        found, sure = shard.read(matrix, to_columns(part)), clear(beliefs)
        np.testing.assert_array_equal(found[sure], beliefs.argmax(axis=1)[sure])
        assert sure.mean() > 0.9


def test_weights_survive_the_way_through_the_parameters() -> None:
    weights = random_weights(16)
    parameters, _ = stacked(weights)
    for name in WEIGHT_NAMES:
        np.testing.assert_array_equal(getattr(parameters.weights(), name), getattr(weights, name))


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("clip_norm", [0.0, 100.0])
def test_every_optimizer_steps_as_that_of_keras_does(name: str, clip_norm: float) -> None:
    generator = np.random.default_rng(0)
    start = generator.normal(size=150_000).astype(np.float32)
    mine, theirs = start.copy(), keras.Variable(start)
    ours = OPTIMIZERS[name](mine, clip_norm)
    optimizer = keras_backend.create_optimizer(Config(optimizer=name, clip_norm=clip_norm))
    for learning_rate in (0.01, 0.01, 0.002, 0.05):
        gradient = generator.normal(size=start.size).astype(np.float32)
        optimizer.learning_rate = learning_rate
        optimizer.apply([tf.constant(gradient)], [theirs])
        ours.step(gradient, learning_rate)
    np.testing.assert_allclose(mine, theirs.numpy(), atol=1e-6)


def test_the_weights_of_the_rows_sum_to_one() -> None:
    for mix in (0.0, 0.3, 1.0):
        assert row_loss_weights(mix).sum() == pytest.approx(1)
    assert row_loss_weights(0.0)[:-1].tolist() == [0] * 27
