"""The weights that a run begins with come from the distributions that Keras' initializers draw from."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from rnnlab.model.architecture import Architecture
from rnnlab.model.weights import Weights
from rnnlab.training import keras_backend
from rnnlab.training.initializers import initial_weights


def of_keras(architecture: Architecture, seed: int) -> Weights:
    """Return weights as Keras' own layers draw them."""
    from rnnlab.training.libraries import keras

    keras.utils.set_random_seed(seed)
    return Weights.of(architecture, keras_backend.build_model(architecture).get_weights())


def quantiles(values: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.quantile(values.astype(np.float64), np.linspace(0, 1, 21))


def lstm(neurons: int) -> Architecture:
    return Architecture(neurons=neurons)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn"])
def test_they_have_the_shapes_and_the_quantiles_of_keras_own(cell: str, layers: int) -> None:
    architecture = Architecture(cell, layers, 128)
    ours, theirs = initial_weights(architecture, "keras", seed=1), of_keras(architecture, seed=1)
    for name, keras in theirs.arrays.items():
        mine = ours.arrays[name]
        assert mine.shape == keras.shape
        assert mine.dtype == np.float32
        if name.endswith("bias"):
            np.testing.assert_array_equal(mine, keras)
            continue
        assert mine.mean() == pytest.approx(0, abs=4 * float(keras.std()) / mine.size**0.5)
        # Standard deviations of the difference of two quantiles, at the least dense ones of the two kinds.
        deviation = 2**0.5 * 2.2 * keras.std() / mine.size**0.5
        np.testing.assert_allclose(quantiles(mine)[1:-1], quantiles(keras)[1:-1], atol=4 * deviation)


@pytest.mark.parametrize("neurons", [8, 128, 512])
def test_kernels_are_uniform_within_the_limit_of_glorot_and_bengio(neurons: int) -> None:
    weights = initial_weights(lstm(neurons), "keras", seed=0)
    for name in ("input_kernel", "lstm_kernel", "output_kernel"):
        kernel = weights.arrays[name]
        limit = (6 / sum(kernel.shape)) ** 0.5
        assert 0.9 * limit < np.abs(kernel).max() <= np.float32(limit)
        assert kernel.std() == pytest.approx(limit / 3**0.5, rel=0.1)


@pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn"])
@pytest.mark.parametrize("neurons", [8, 128, 512])
def test_the_rows_of_the_recurrent_kernels_are_orthogonal_and_of_length_one(neurons: int, cell: str) -> None:
    for layer in initial_weights(Architecture(cell, 2, neurons), "keras", seed=0).recurrent_layers():
        kernel = layer.recurrent_kernel.astype(np.float64)
        np.testing.assert_allclose(kernel @ kernel.T, np.eye(neurons), atol=1e-5)


def test_recurrent_kernels_point_in_all_directions_alike() -> None:
    drawn = [initial_weights(lstm(8), "keras", seed=s).arrays["lstm_recurrent_kernel"] for s in range(400)]
    kernels = np.stack(drawn)
    np.testing.assert_allclose(kernels.mean(axis=0), 0, atol=5 * 32**-0.5 / 400**0.5)
    np.testing.assert_allclose(kernels.std(axis=0), 32**-0.5, rtol=0.2)


@pytest.mark.parametrize(("cell", "gates"), [("lstm", 4), ("gru", 3), ("simple_rnn", 1)])
def test_the_notebooks_are_drawn_as_its_own_were(cell: str, gates: int) -> None:
    weights = initial_weights(Architecture(cell, 1, 128), "notebook", seed=0)
    for kernel in (weights.input_kernel, weights.output_kernel):
        assert kernel.mean() == pytest.approx(0, abs=0.1)
        assert kernel.std() == pytest.approx(1, abs=0.05)
    for bias in (weights.input_bias, weights.output_bias):
        np.testing.assert_allclose(bias, 0.1)
    limit = (6 / (2 * 128 + gates * 128)) ** 0.5
    for name in (f"{cell}_kernel", f"{cell}_recurrent_kernel"):
        kernel = weights.arrays[name]
        assert 0.99 * limit < np.abs(kernel).max() <= np.float32(limit)
        assert kernel.std() == pytest.approx(limit / 3**0.5, rel=0.02)


@pytest.mark.parametrize("initializers", ["keras", "notebook"])
def test_only_the_forget_gate_starts_with_a_bias_of_one(initializers: str) -> None:
    bias = initial_weights(lstm(16), initializers, seed=0).arrays["lstm_bias"]
    np.testing.assert_array_equal(bias.reshape(4, 16), np.array([0, 1, 0, 0])[:, None] * np.ones((4, 16)))


@pytest.mark.parametrize("initializers", ["keras", "notebook"])
def test_the_seed_decides_them(initializers: str) -> None:
    first, again, other = (initial_weights(lstm(8), initializers, seed) for seed in (1, 1, 2))
    for name, mine in first.arrays.items():
        np.testing.assert_array_equal(mine, again.arrays[name])
    assert np.abs(first.input_kernel - other.input_kernel).max() > 0
