from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rnnlab.data.datasets import Dataset
from rnnlab.data.reading_order import row_order
from rnnlab.model.architecture import READING_ORDERS, Architecture
from rnnlab.model.reader import Reader, decided_at
from rnnlab.model.weights import Weights, WeightsError
from rnnlab.training.initializers import initial_weights
from tests.weights import ARCHITECTURES, named, random_weights, random_weights_of


@pytest.mark.parametrize("initializers", ["keras", "notebook"])
@pytest.mark.parametrize("neurons", [8, 128])
def test_beliefs_equal_the_keras_models_after_every_row(
    digits: Dataset, neurons: int, initializers: str
) -> None:
    beliefs, expected = beliefs_of_both(
        initial_weights(Architecture(neurons=neurons), initializers, seed=3), digits
    )
    assert beliefs.shape == (50, 28, 10)
    np.testing.assert_allclose(beliefs, expected, atol=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=named)
def test_so_do_those_of_every_cell_and_number_of_layers(architecture: Architecture, digits: Dataset) -> None:
    beliefs, expected = beliefs_of_both(random_weights_of(architecture, scale=0.4), digits)
    np.testing.assert_allclose(beliefs, expected, atol=1e-4)


def beliefs_of_both(weights: Weights, digits: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return the beliefs of the reader and those of Keras, in 50 digits after every row."""
    import keras

    from rnnlab.training import keras_backend

    images = digits.test_images[:50]
    model = keras_backend.build_model(weights.architecture, weights)
    expected = keras.ops.softmax(model(images / np.float32(255))).numpy()
    return Reader(weights).read(images).beliefs, expected


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=named)
def test_the_hidden_states_of_all_layers_equal_those_of_keras_layers(
    architecture: Architecture, digits: Dataset
) -> None:
    import keras

    from rnnlab.training import keras_backend

    images = digits.test_images[:20]
    weights = initial_weights(architecture, "keras", seed=1)
    model = keras_backend.build_model(architecture, weights)
    reading = Reader(weights).read(images, states=True)
    for prefix, layer in zip(architecture.prefixes(), reading.layers, strict=True):
        inner = keras.Model(model.inputs[0], model.get_layer(prefix).output)
        np.testing.assert_allclose(layer["hidden_state"], inner(images / np.float32(255)), atol=1e-5)


def test_gates_and_states_obey_the_equations_of_the_lstm(digits: Dataset) -> None:
    (layer,) = Reader(random_weights()).read(digits.test_images[:5], states=True).layers
    before = shifted(layer["cell_state"])
    cell = layer["forget_gate"] * before + layer["input_gate"] * layer["candidate"]
    np.testing.assert_allclose(layer["cell_state"], cell, atol=1e-6)
    np.testing.assert_allclose(layer["hidden_state"], layer["output_gate"] * np.tanh(cell), atol=1e-6)


def test_gates_and_states_obey_the_equations_of_the_gru(digits: Dataset) -> None:
    weights = random_weights_of(Architecture("gru", 1, 16))
    (layer,) = Reader(weights).read(digits.test_images[:5], states=True).layers
    update, before = layer["update_gate"], shifted(layer["hidden_state"])
    expected = update * before + (1 - update) * layer["candidate"]
    np.testing.assert_allclose(layer["hidden_state"], expected, atol=1e-6)
    assert layer["reset_gate"].min() >= 0
    assert layer["reset_gate"].max() <= 1


def shifted(states: np.ndarray) -> np.ndarray:
    """Return what was there a row before, of shape (N, 28, n)."""
    return np.concatenate([np.zeros_like(states[:, :1]), states[:, :-1]], axis=1)


ORDERS = {
    "down": lambda image: image,
    "up": lambda image: image[::-1],
    "right": lambda image: image.T,
    "left": lambda image: image[:, ::-1].T,
    "shuffled": lambda image: image[row_order("shuffled")],
}


@pytest.mark.parametrize("order", READING_ORDERS)
def test_an_image_is_read_in_the_order_of_the_network(order: str, digits: Dataset) -> None:
    weights, images = random_weights(), digits.test_images[:5]
    turned = np.stack([ORDERS[order](image) for image in images])
    other = Weights(replace(weights.architecture, reading_order=order), weights.arrays)
    expected = Reader(weights).read(turned).beliefs
    np.testing.assert_allclose(Reader(other).read(images).beliefs, expected, atol=1e-6)


def test_shuffled_is_one_order_for_ever_of_all_rows() -> None:
    order = row_order("shuffled").tolist()
    assert order[:6] == [17, 14, 9, 27, 7, 4]
    assert sorted(order) == list(range(28))


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


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=named)
def test_weights_come_back_from_their_file_with_their_step(
    architecture: Architecture, tmp_path: Path
) -> None:
    weights = random_weights_of(replace(architecture, reading_order="left"))
    weights.save(tmp_path / "weights.npz", 40)
    loaded, step = Weights.load(tmp_path / "weights.npz")
    assert step == 40
    assert loaded.architecture == weights.architecture
    for name, array in weights.arrays.items():
        np.testing.assert_array_equal(loaded.arrays[name], array)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.npz"]


def test_a_file_of_before_other_networks_is_one_layer_of_lstm_that_reads_down(tmp_path: Path) -> None:
    weights = random_weights(8)
    np.savez(tmp_path / "weights.npz", allow_pickle=False, step=np.int64(20), **weights.arrays)
    loaded, step = Weights.load(tmp_path / "weights.npz")
    assert (loaded.architecture, step) == (Architecture("lstm", 1, 8, "down"), 20)


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
    wrong = {name: np.zeros((2, 2), np.float32) for name in Architecture().shapes}
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
