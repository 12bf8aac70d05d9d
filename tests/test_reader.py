from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rnnlab.data.datasets import Dataset
from rnnlab.model.reader import Reader, decided_at
from rnnlab.model.weights import Weights, WeightsError
from rnnlab.training.initializers import initial_weights
from tests.weights import random_weights


@pytest.mark.parametrize("initializers", ["keras", "notebook"])
@pytest.mark.parametrize("neurons", [8, 128])
def test_beliefs_equal_the_keras_models_after_every_row(
    digits: Dataset, neurons: int, initializers: str
) -> None:
    import keras

    from rnnlab.training import keras_backend

    images = digits.test_images[:50]
    weights = initial_weights(neurons, initializers, seed=3)
    model = keras_backend.build_model(neurons, weights)
    expected = keras.ops.softmax(model(images / np.float32(255))).numpy()
    beliefs = Reader(weights).read(images).beliefs
    assert beliefs.shape == (50, 28, 10)
    np.testing.assert_allclose(beliefs, expected, atol=1e-5)


def test_hidden_state_equals_the_keras_layers(digits: Dataset) -> None:
    import keras

    from rnnlab.training import keras_backend

    images = digits.test_images[:20]
    weights = initial_weights(32, "keras", seed=1)
    model = keras_backend.build_model(32, weights)
    inner = keras.Model(model.inputs[0], model.get_layer("lstm").output)
    reading = Reader(weights).read(images, states=True)
    assert reading.hidden_state is not None
    np.testing.assert_allclose(reading.hidden_state, inner(images / np.float32(255)), atol=1e-5)


def test_gates_and_states_obey_the_equations_of_the_lstm(digits: Dataset) -> None:
    reading = Reader(random_weights()).read(digits.test_images[:5], states=True)
    assert reading.hidden_state is not None
    assert reading.cell_state is not None
    assert reading.input_gate is not None
    assert reading.forget_gate is not None
    assert reading.candidate is not None
    assert reading.output_gate is not None
    before = np.concatenate([np.zeros_like(reading.cell_state[:, :1]), reading.cell_state[:, :-1]], axis=1)
    cell = reading.forget_gate * before + reading.input_gate * reading.candidate
    np.testing.assert_allclose(reading.cell_state, cell, atol=1e-6)
    np.testing.assert_allclose(reading.hidden_state, reading.output_gate * np.tanh(cell), atol=1e-6)


def test_beliefs_are_probabilities_and_do_not_depend_on_the_company(digits: Dataset) -> None:
    reader = Reader(random_weights())
    together = reader.read(digits.test_images).beliefs
    alone = reader.read(digits.test_images[-1:]).beliefs[0]
    np.testing.assert_allclose(together.sum(axis=2), 1, atol=1e-5)
    np.testing.assert_allclose(together[-1], alone, atol=1e-5)


def test_the_belief_after_a_row_knows_nothing_of_the_rows_below(digits: Dataset) -> None:
    reader = Reader(random_weights())
    image = digits.test_images[:1]
    covered = image.copy()
    covered[:, 14:] = 0
    whole, upper_half = (reader.read(each).beliefs[0] for each in (image, covered))
    np.testing.assert_allclose(whole[:14], upper_half[:14], atol=1e-6)
    assert np.abs(whole[14:] - upper_half[14:]).max() > 0.01


def test_huge_weights_give_finite_beliefs(digits: Dataset) -> None:
    beliefs = Reader(random_weights(scale=1e4)).read(digits.test_images[:3]).beliefs
    assert np.isfinite(beliefs).all()


def test_no_image_gives_no_belief() -> None:
    assert Reader(random_weights()).read(np.empty((0, 28, 28), np.uint8)).beliefs.shape == (0, 28, 10)


@pytest.mark.parametrize("images", [np.zeros((28, 28), np.uint8), np.zeros((1, 28, 28)), np.zeros((1, 8, 8))])
def test_images_of_another_form_are_refused(images: np.ndarray) -> None:
    with pytest.raises(ValueError, match="images must be uint8 of shape"):
        Reader(random_weights()).read(images)


def test_weights_come_back_from_their_file_with_their_step(tmp_path: Path) -> None:
    weights = random_weights()
    weights.save(tmp_path / "weights.npz", 40)
    loaded, step = Weights.load(tmp_path / "weights.npz")
    assert step == 40
    np.testing.assert_array_equal(loaded.lstm_kernel, weights.lstm_kernel)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.npz"]


def test_a_damaged_weights_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    with pytest.raises(WeightsError, match="no weights"):
        Weights.load(path)
    random_weights().save(path, 0)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 255
    for damaged in (b"", b"PK", whole[:500], whole[:-30], bytes(flipped)):
        path.write_bytes(damaged)
        with pytest.raises(WeightsError, match=r"is damaged .*resume the run or train a new one"):
            Weights.load(path)


def test_pickles_and_foreign_arrays_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    np.savez(path, step=np.array([{"a": 1}], dtype=object), output_kernel=np.zeros(3))
    with pytest.raises(WeightsError):
        Weights.load(path)
    wrong = {name: np.zeros((2, 2), np.float32) for name in Weights.__dataclass_fields__}
    np.savez(path, allow_pickle=False, step=1, **wrong)
    with pytest.raises(WeightsError, match="input_kernel must be"):
        Weights.load(path)


def test_infinite_weights_are_refused(tmp_path: Path) -> None:
    weights = random_weights()
    weights.output_bias[3] = np.inf
    assert not weights.are_finite()
    weights.save(tmp_path / "weights.npz", 0)
    with pytest.raises(WeightsError, match="infinite"):
        Weights.load(tmp_path / "weights.npz")


@pytest.mark.parametrize(
    ("tops", "row"),
    [([5] * 28, 1), ([3] * 27 + [5], 28), ([1] * 10 + [5] * 18, 11), ([5] * 9 + [1] + [5] * 18, 11)],
)
def test_decided_is_the_first_row_from_which_the_top_digit_stays(tops: list[int], row: int) -> None:
    assert decided_at(np.eye(10)[tops]) == row
