"""The Keras model: row -> linear layer -> LSTM -> linear read-out after every row; training step, weights.

Stock layers only (`Dense`, `LSTM`, `Dense`), so that an exported file loads wherever Keras does.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, Protocol, Self

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's notes on its build are nobody's news
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import numpy as np
from numpy.typing import NDArray

from rnnlab.config import Config
from rnnlab.data_parallel import usable_cores
from rnnlab.datasets import Dataset
from rnnlab.fast_network import FastNetwork
from rnnlab.optimizer import ADAM_EPSILON
from rnnlab.reader import COLUMNS, DIGITS, ROWS, Weights


@contextmanager
def _hidden(*libraries: str) -> Iterator[None]:
    """Let imports meanwhile not find libraries that nobody has imported yet."""
    hidden = [library for library in libraries if library not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None means: there is no such module
    try:
        yield
    finally:
        for library in hidden:
            del sys.modules[library]


# Keras imports both where it finds them, for adapters that are not used here: 120 MB and a second a start.
with _hidden("pandas", "sklearn"):
    import keras
    import tensorflow as tf


EVALUATION_BATCH: Final = 500
"""Images per step of a test: large enough to be fast, small enough to add little memory."""


def has_gpu() -> bool:
    """Return whether TensorFlow sees a GPU."""
    return bool(tf.config.list_physical_devices("GPU"))


def start_devices() -> None:
    """Start TensorFlow's devices, so that all it says about them is said now."""
    tf.config.list_logical_devices()


def build_model(neurons: int, initializers: str, seed: int) -> keras.Sequential:
    """Build the model with fresh weights.

    Args:
        neurons: Length of the LSTM's hidden state.
        initializers: `keras`: Glorot uniform and orthogonal, forget bias 1; `notebook`: the original's.
        seed: Of the initial weights.

    Returns:
        A model from float images (N, 28, 28), 0 to 1, to the logits after every row, (N, 28, 10).
    """
    keras.utils.set_random_seed(seed)
    dense, lstm = _notebook_initializers(neurons) if initializers == "notebook" else ({}, {})
    layers = _layers(neurons, every_row=True, dense=dense, lstm=lstm)
    return keras.Sequential([keras.Input((ROWS, COLUMNS)), *layers], name="row_by_row")


def _layers(
    neurons: int, *, every_row: bool, dense: dict[str, Any] | None = None, lstm: dict[str, Any] | None = None
) -> list[keras.Layer]:
    """Return the three layers; `dense` and `lstm` hold initializers where Keras' own are not wanted."""
    return [
        keras.layers.Dense(neurons, name="input_projection", **(dense or {})),
        keras.layers.LSTM(neurons, return_sequences=every_row, name="lstm", **(lstm or {})),
        keras.layers.Dense(DIGITS, name="read_out", **(dense or {})),
    ]


def _notebook_initializers(neurons: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the initializers of the notebook for its linear layers and its LSTM.

    TensorFlow 1 drew the LSTM's kernel as one Glorot uniform matrix of shape (2n, 4n), input and recurrent
    part together: the limit is sqrt(6 / (2n + 4n)) = 1 / sqrt(n). Its forget bias of 1 is Keras' default.
    """
    dense = {
        "kernel_initializer": keras.initializers.RandomNormal(0.0, 1.0),
        "bias_initializer": keras.initializers.Constant(0.1),
    }
    limit = neurons**-0.5
    lstm = {
        "kernel_initializer": keras.initializers.RandomUniform(-limit, limit),
        "recurrent_initializer": keras.initializers.RandomUniform(-limit, limit),
    }
    return dense, lstm


def loss_of(logits: tf.Tensor, labels: tf.Tensor, row_loss_mix: float) -> tf.Tensor:
    """Return the softmax cross-entropy of a batch, in nats, part on the last row, part on all rows.

    Args:
        logits: After every row, shape (N, 28, 10).
        labels: Digits, `int32` of shape (N,).
        row_loss_mix: Share of the mean over all rows, 0 to 1; the rest is on the last row.
    """

    def cross_entropy(row_logits: tf.Tensor, row_labels: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels=row_labels, logits=row_logits)
        )

    last_row = cross_entropy(logits[:, -1], labels)
    if row_loss_mix == 0.0:
        return last_row
    all_rows = cross_entropy(logits, tf.repeat(labels[:, None], ROWS, axis=1))
    return row_loss_mix * all_rows + (1.0 - row_loss_mix) * last_row


def _as_inputs(images: tf.Tensor) -> tf.Tensor:
    """Turn `uint8` images into what the model reads: floats from 0 to 1."""
    return tf.cast(images, tf.float32) / 255.0


class Network(Protocol):
    """A network that learns from batches. To be closed, best by `with`: it may have processes of its own."""

    learning_rate: float
    cores: int

    def __enter__(self) -> Self:
        """Do nothing but return the network."""

    def __exit__(self, *_: object) -> None:
        """Close the network."""

    def train(self, batches: NDArray[np.int32]) -> tuple[float, float]:
        """Make one training step per batch.

        Args:
            batches: Indices of the training images, shape (steps, batch size); at least one step.

        Returns:
            Of the last batch: the loss that its update was computed from, in nats, and the accuracy on that
            same batch after the update, 0 to 1.
        """

    def test_accuracy(self) -> float:
        """Return the share of test images read correctly after their last row, 0 to 1."""

    def weights(self) -> Weights:
        """Return a copy of the weights as they are now."""


def new_network(config: Config, data: Dataset) -> Network:
    """Return a fresh network: by Keras' own LSTM (cuDNN) where there is a GPU, by `FastNetwork` elsewhere."""
    if has_gpu():
        return KerasNetwork(config, data)
    model = build_model(config.neurons, config.initializers, config.seed)
    return FastNetwork(config, data, Weights(*model.get_weights()))


class KerasNetwork:
    """A `Network` of Keras' own layers, its steps compiled by TensorFlow.

    Args:
        config: The hyperparameters.
        data: Digits to learn from and to test with.

    Attributes:
        cores: How many processor cores it may use.
    """

    def __init__(self, config: Config, data: Dataset) -> None:
        self.model = build_model(config.neurons, config.initializers, config.seed)
        self.cores = usable_cores()
        self._optimizer = keras.optimizers.Adam(config.learning_rate, epsilon=ADAM_EPSILON)
        self._optimizer.build(self.model.trainable_variables)
        self._row_loss_mix = config.row_loss_mix
        # Batches are put together by numpy: a copy of all images in TensorFlow would only take memory.
        self._data = data
        self._train = tf.function(self._train_steps, reduce_retracing=True)
        self._read = tf.function(self._read_digits, reduce_retracing=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    @property
    def learning_rate(self) -> float:
        """Of the steps to come."""
        return float(self._optimizer.learning_rate)

    @learning_rate.setter
    def learning_rate(self, learning_rate: float) -> None:
        self._optimizer.learning_rate = learning_rate

    def train(self, batches: NDArray[np.int32]) -> tuple[float, float]:
        """Make one training step per batch; see `Network`."""
        loss, accuracy = self._train(
            tf.constant(self._data.train_images[batches]), tf.constant(self._data.train_labels[batches])
        )
        return float(loss), float(accuracy)

    def _train_steps(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Train on batches (steps, batch size, …); return the last one's loss and its accuracy afterwards."""
        loss = tf.constant(0.0)
        for step in tf.range(tf.shape(images)[0]):
            loss = self._train_step(_as_inputs(images[step]), tf.cast(labels[step], tf.int32))
        read = self._read_digits(images[-1])
        return loss, tf.reduce_mean(tf.cast(tf.equal(read, tf.cast(labels[-1], tf.int32)), tf.float32))

    def _train_step(self, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            loss = loss_of(self.model(images, training=True), labels, self._row_loss_mix)
        self._optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    def _read_digits(self, images: tf.Tensor) -> tf.Tensor:
        """Return the digits read in `uint8` images after their last row, `int32` of shape (N,)."""
        return tf.argmax(self.model(_as_inputs(images))[:, -1], axis=-1, output_type=tf.int32)

    def test_accuracy(self) -> float:
        """Return the share of test images read correctly after their last row, 0 to 1."""
        images, labels = self._data.test_images, self._data.test_labels
        correct = 0
        for start in range(0, len(images), EVALUATION_BATCH):
            part = slice(start, start + EVALUATION_BATCH)
            correct += int(np.count_nonzero(self._read(tf.constant(images[part])).numpy() == labels[part]))
        return correct / len(images)

    def weights(self) -> Weights:
        """Return a copy of the weights as they are now."""
        return Weights(*self.model.get_weights())


def export(weights: Weights, path: Path, *, every_row: bool = False) -> None:
    """Save a network as a standard `.keras` file that loads without RNN Lab.

    The saved model maps float images (N, 28, 28), 0 to 1, to probabilities: (N, 10) after the last row, or
    (N, 28, 10) after every row.

    Args:
        weights: The trained weights.
        path: Ends in `.keras`; written aside and renamed.
        every_row: Whether the saved model answers after every row.

    Raises:
        OSError: The file cannot be written.
    """
    layers = _layers(weights.neurons, every_row=every_row)
    softmax = keras.layers.Softmax(name="probabilities")
    model = keras.Sequential([keras.Input((ROWS, COLUMNS)), *layers, softmax], name="rnnlab")
    model.set_weights([getattr(weights, field.name) for field in fields(weights)])
    aside = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        model.save(aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
