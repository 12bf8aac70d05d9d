"""The weights that a run begins with come from the distributions that Keras' initializers draw from."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from numpy.typing import NDArray

from rnnlab.model.weights import Weights
from rnnlab.training import keras_backend
from rnnlab.training.initializers import initial_weights


def of_keras(neurons: int, seed: int) -> Weights:
    """Return weights as Keras' own layers draw them."""
    from rnnlab.training.libraries import keras

    keras.utils.set_random_seed(seed)
    return Weights(*keras_backend.build_model(neurons).get_weights())


def quantiles(values: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.quantile(values.astype(np.float64), np.linspace(0, 1, 21))


def test_they_have_the_shapes_and_the_quantiles_of_keras_own() -> None:
    ours, theirs = initial_weights(128, "keras", seed=1), of_keras(128, seed=1)
    for name in ("input_kernel", "lstm_kernel", "lstm_recurrent_kernel", "output_kernel"):
        mine, keras = getattr(ours, name), getattr(theirs, name)
        assert mine.shape == keras.shape
        assert mine.dtype == np.float32
        assert mine.mean() == pytest.approx(0, abs=4 * float(keras.std()) / mine.size**0.5)
        # Standard deviations of the difference of two quantiles, at the least dense ones of the two kinds.
        deviation = 2**0.5 * 2.2 * keras.std() / mine.size**0.5
        np.testing.assert_allclose(quantiles(mine)[1:-1], quantiles(keras)[1:-1], atol=4 * deviation)
    for name in ("input_bias", "lstm_bias", "output_bias"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))


@pytest.mark.parametrize("neurons", [8, 128, 512])
def test_kernels_are_uniform_within_the_limit_of_glorot_and_bengio(neurons: int) -> None:
    weights = initial_weights(neurons, "keras", seed=0)
    for kernel in (weights.input_kernel, weights.lstm_kernel, weights.output_kernel):
        limit = (6 / sum(kernel.shape)) ** 0.5
        assert 0.9 * limit < np.abs(kernel).max() <= np.float32(limit)
        assert kernel.std() == pytest.approx(limit / 3**0.5, rel=0.1)


@pytest.mark.parametrize("neurons", [8, 128, 512])
def test_the_rows_of_the_recurrent_kernel_are_orthogonal_and_of_length_one(neurons: int) -> None:
    kernel = initial_weights(neurons, "keras", seed=0).lstm_recurrent_kernel.astype(np.float64)
    np.testing.assert_allclose(kernel @ kernel.T, np.eye(neurons), atol=1e-5)


def test_recurrent_kernels_point_in_all_directions_alike() -> None:
    kernels = np.stack([initial_weights(8, "keras", seed=s).lstm_recurrent_kernel for s in range(400)])
    np.testing.assert_allclose(kernels.mean(axis=0), 0, atol=5 * 32**-0.5 / 400**0.5)
    np.testing.assert_allclose(kernels.std(axis=0), 32**-0.5, rtol=0.2)


def test_the_notebooks_are_drawn_as_its_own_were() -> None:
    weights = initial_weights(128, "notebook", seed=0)
    for kernel in (weights.input_kernel, weights.output_kernel):
        assert kernel.mean() == pytest.approx(0, abs=0.1)
        assert kernel.std() == pytest.approx(1, abs=0.05)
    for bias in (weights.input_bias, weights.output_bias):
        np.testing.assert_allclose(bias, 0.1)
    limit = 128**-0.5
    for kernel in (weights.lstm_kernel, weights.lstm_recurrent_kernel):
        assert 0.99 * limit < np.abs(kernel).max() <= limit
        assert kernel.std() == pytest.approx(limit / 3**0.5, rel=0.02)


@pytest.mark.parametrize("initializers", ["keras", "notebook"])
def test_only_the_forget_gate_starts_with_a_bias_of_one(initializers: str) -> None:
    bias = initial_weights(16, initializers, seed=0).lstm_bias
    np.testing.assert_array_equal(bias.reshape(4, 16), np.array([0, 1, 0, 0])[:, None] * np.ones((4, 16)))


@pytest.mark.parametrize("initializers", ["keras", "notebook"])
def test_the_seed_decides_them(initializers: str) -> None:
    first, again, other = (initial_weights(8, initializers, seed) for seed in (1, 1, 2))
    for mine, same, another in zip(astuple(first), astuple(again), astuple(other), strict=True):
        np.testing.assert_array_equal(mine, same)
        assert mine.shape == another.shape
    assert np.abs(first.input_kernel - other.input_kernel).max() > 0
