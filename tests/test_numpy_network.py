"""The training step in plain numpy, of every cell and number of layers, compared with Keras' own."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from rnnlab.config import Config
from rnnlab.model.architecture import Architecture
from rnnlab.model.weights import Weights
from rnnlab.training import keras_backend
from rnnlab.training.initializers import initial_weights
from rnnlab.training.loss import row_loss_weights
from rnnlab.training.numpy_network import Workspace, to_columns
from rnnlab.training.optimizer import OPTIMIZERS
from rnnlab.training.parameters import Parameters, stack_size, stacks_in
from tests.weights import ARCHITECTURES, clear, named, random_weights_of


def batch(size: int, blank_rows: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (size, 28, 28), dtype=np.uint8)
    images[:, :blank_rows] = 0
    return images, generator.integers(0, 10, size, dtype=np.uint8)


def stacked(weights: Weights) -> tuple[Parameters, list[NDArray[np.float32]]]:
    parameters = Parameters(weights.architecture)
    parameters.set(weights)
    vector = np.full(stack_size(weights.architecture), np.nan, np.float32)
    stacks = stacks_in(vector, weights.architecture)
    parameters.stack(stacks)
    return parameters, stacks


def zeros_like(stacks: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    return [np.zeros_like(stacked) for stacked in stacks]


every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES, ids=named)


@pytest.mark.parametrize("mix", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("neurons", "batch_size"), [(8, 8), (16, 33), (128, 64), (32, 1)])
@pytest.mark.parametrize("initializers", ["keras", "notebook"])
def test_loss_and_every_gradient_equal_those_of_keras(
    neurons: int, batch_size: int, mix: float, initializers: str
) -> None:
    compare_with_keras(Architecture(neurons=neurons), batch_size, mix, initializers, blank_rows=0)


@pytest.mark.parametrize(("batch_size", "blank_rows", "mix"), [(7, 0, 0.0), (40, 5, 0.5)])
@every_architecture
def test_so_do_those_of_every_cell_and_number_of_layers(
    architecture: Architecture, batch_size: int, blank_rows: int, mix: float
) -> None:
    compare_with_keras(architecture, batch_size, mix, "keras", blank_rows)


@pytest.mark.parametrize("mix", [0.0, 0.5])
@pytest.mark.parametrize("blank_rows", [1, 2, 6, 27, 28])
@pytest.mark.parametrize("batch_size", [5, 40])
def test_gradients_are_the_same_where_the_first_rows_are_blank(
    batch_size: int, blank_rows: int, mix: float
) -> None:
    compare_with_keras(Architecture(neurons=16), batch_size, mix, "keras", blank_rows)


def test_of_distorted_images_the_last_row_alone_counts_as_in_keras() -> None:
    compare_with_keras(Architecture(neurons=16), 9, 0.5, "keras", 3, np.arange(9) % 3 > 0)


def compare_with_keras(  # noqa: PLR0917
    architecture: Architecture,
    batch_size: int,
    mix: float,
    initializers: str,
    blank_rows: int,
    distorted: np.ndarray | None = None,
) -> None:
    weights = initial_weights(architecture, initializers, seed=1)
    # Biases that are all zero could be mixed up unseen.
    generator = np.random.default_rng(2)
    for name, array in weights.arrays.items():
        if name.endswith("bias"):
            np.add(array, generator.normal(scale=0.1, size=array.shape), out=array, casting="same_kind")
    model = keras_backend.build_model(architecture, weights)
    images, labels = batch(batch_size, blank_rows)
    with tf.GradientTape() as tape:
        logits = model(images / np.float32(255))
        expected_loss = keras_backend.row_loss(logits, tf.constant(labels, tf.int32), mix, distorted)
    expected = tape.gradient(expected_loss, model.trainable_variables)

    parameters, stacks = stacked(weights)
    of_stacks = zeros_like(stacks)
    weights_of_rows = row_loss_weights(mix) / np.float32(batch_size)
    loss = Workspace(architecture, batch_size).gradient(
        stacks, to_columns(images), labels, weights_of_rows, of_stacks, last_row_only=distorted
    )
    gradient = Parameters(architecture)
    gradient.take_gradient(of_stacks, parameters)

    assert loss == pytest.approx(float(expected_loss), rel=1e-5)
    compare(gradient.weights(), expected)


def compare(gradient: Weights, expected: list[tf.Tensor], what: str = "") -> None:
    for (name, mine), theirs in zip(gradient.arrays.items(), expected, strict=True):
        scale = max(1.0, float(np.abs(theirs).max()))
        np.testing.assert_allclose(mine / scale, theirs / scale, atol=1e-4, err_msg=f"{name} {what}")


@pytest.mark.slow
@pytest.mark.parametrize("initializers", ["keras", "notebook"])
def test_the_loss_after_each_row_alone_and_its_gradient_equal_those_of_keras(initializers: str) -> None:
    architecture = Architecture(neurons=12)
    model = keras_backend.build_model(architecture, initial_weights(architecture, initializers, seed=3))
    images, labels = batch(9)
    parameters, stacks = stacked(Weights.of(architecture, model.get_weights()))
    workspace, gradient = Workspace(architecture, 9), Parameters(architecture)
    with tf.GradientTape(persistent=True) as tape:
        logits = model(images / np.float32(255))
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            np.repeat(labels[:, None].astype(np.int32), 28, axis=1), logits
        )
        of_rows = tf.unstack(tf.reduce_mean(losses, axis=0))
    for row, expected_loss in enumerate(of_rows):
        only_this_row = np.eye(28, dtype=np.float32)[row] / np.float32(9)
        of_stacks = zeros_like(stacks)
        loss = workspace.gradient(stacks, to_columns(images), labels, only_this_row, of_stacks)
        assert loss == pytest.approx(float(expected_loss), rel=1e-5), row
        gradient.take_gradient(of_stacks, parameters)
        compare(gradient.weights(), tape.gradient(expected_loss, model.trainable_variables), f"row {row}")


@every_architecture
def test_the_same_memory_serves_one_batch_after_the_other(architecture: Architecture) -> None:
    _, stacks = stacked(random_weights_of(architecture))
    images, labels = batch(12)
    used, fresh = Workspace(architecture, 12), Workspace(architecture, 12)
    first, again = zeros_like(stacks), zeros_like(stacks)
    used.gradient(stacks, to_columns(images[::-1]), labels, row_loss_weights(0.5), zeros_like(stacks))
    used.gradient(stacks, to_columns(images), labels, row_loss_weights(0.5), first)
    fresh.gradient(stacks, to_columns(images), labels, row_loss_weights(0.5), again)
    for mine, expected in zip(first, again, strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-5, atol=1e-6)


@every_architecture
def test_gradients_are_added_to_what_is_there(architecture: Architecture) -> None:
    _, stacks = stacked(random_weights_of(architecture, scale=0.2))
    images, labels = batch(6)
    workspace = Workspace(architecture, 6)
    once, twice = zeros_like(stacks), zeros_like(stacks)
    workspace.gradient(stacks, to_columns(images), labels, row_loss_weights(0.5), once)
    for _ in range(2):
        workspace.gradient(stacks, to_columns(images), labels, row_loss_weights(0.5), twice)
    for mine, double in zip(once, twice, strict=True):
        np.testing.assert_allclose(double, 2 * mine, rtol=1e-5, atol=1e-5)


@every_architecture
def test_the_digits_read_are_those_of_keras(architecture: Architecture) -> None:
    weights = initial_weights(architecture, "notebook", seed=2)
    model = keras_backend.build_model(architecture, weights)
    images, _ = batch(50)
    _, stacks = stacked(weights)
    workspace = Workspace(architecture, 50)
    for part in (images[::-1], images):
        beliefs = keras.ops.softmax(model(part / np.float32(255))).numpy()[:, -1]
        found, sure = workspace.read(stacks, to_columns(part)), clear(beliefs)
        np.testing.assert_array_equal(found[sure], beliefs.argmax(axis=1)[sure])
        assert sure.mean() > 0.9


@every_architecture
def test_weights_survive_the_way_through_the_parameters(architecture: Architecture) -> None:
    weights = random_weights_of(architecture)
    parameters, _ = stacked(weights)
    found = parameters.weights()
    assert found.architecture == architecture
    for name, array in weights.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)


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
