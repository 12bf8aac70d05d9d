"""The hand-written training step, held to Keras' own."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from rnnlab import network
from rnnlab.fast_path import Parameters, last_row_logits, loss_and_gradients, row_weights, shards_for


@pytest.mark.parametrize("mix", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(
    ("neurons", "batch_size", "shards"), [(8, 8, 1), (16, 33, 2), (128, 64, 2), (32, 13, 4)]
)
@pytest.mark.parametrize("initializers", ["keras", "notebook"])
def test_loss_and_every_gradient_equal_those_of_keras(
    neurons: int, batch_size: int, shards: int, mix: float, initializers: str
) -> None:
    model = network.build_model(neurons, initializers, seed=1)
    generator = np.random.default_rng(0)
    images = tf.constant(generator.random((batch_size, 28, 28)).astype(np.float32))
    labels = tf.constant(generator.integers(0, 10, batch_size).astype(np.int32))
    with tf.GradientTape() as tape:
        expected_loss = network.loss_of(model(images), labels, mix)
    expected = tape.gradient(expected_loss, model.trainable_variables)
    parameters = Parameters(*(variable.value for variable in model.trainable_variables))
    loss, gradients = loss_and_gradients(parameters, images, labels, mix, shards)
    assert float(loss) == pytest.approx(float(expected_loss), rel=1e-5)
    for name, mine, theirs in zip(Parameters._fields, gradients, expected, strict=True):
        scale = max(1.0, float(np.abs(theirs).max()))
        np.testing.assert_allclose(mine / scale, theirs / scale, atol=1e-4, err_msg=name)


@pytest.mark.parametrize(("batch_size", "shards"), [(1, 1), (64, 2), (50, 3)])
def test_logits_after_the_last_row_equal_those_of_keras(batch_size: int, shards: int) -> None:
    model = network.build_model(24, "keras", seed=2)
    images = tf.constant(np.random.default_rng(0).random((batch_size, 28, 28)).astype(np.float32))
    parameters = Parameters(*(variable.value for variable in model.trainable_variables))
    logits = last_row_logits(parameters, images, shards)
    np.testing.assert_allclose(logits, model(images)[:, -1], atol=1e-4)


def test_the_weights_of_the_rows_sum_to_one() -> None:
    for mix in (0.0, 0.3, 1.0):
        assert row_weights(mix).sum() == pytest.approx(1)
    assert row_weights(0.0)[:-1].tolist() == [0] * 27


@pytest.mark.parametrize(
    ("batch_size", "cores", "shards"), [(8, 2, 1), (128, 2, 2), (128, 1, 1), (1024, 64, 4), (63, 8, 1)]
)
def test_a_batch_is_cut_by_cores_but_not_into_crumbs(batch_size: int, cores: int, shards: int) -> None:
    assert shards_for(batch_size, cores) == shards
