"""The Keras model: row -> linear layer -> LSTM -> linear read-out after every row; weights in and out.

Stock layers only (`Dense`, `LSTM`, `Dense`), so that an exported file loads wherever Keras does.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's notes on its build are nobody's news
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import numpy as np
from numpy.typing import NDArray

from rnnlab.config import Config
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

ADAM_EPSILON: Final = 1e-8
"""The notebook's (TensorFlow 1); Keras' own is 1e-7. It matters only where gradients are tiny."""

EVALUATION_BATCH: Final = 500
"""Images per step of a test: large enough to be fast, small enough to add little memory."""


def start_devices() -> int:
    """Start TensorFlow's devices, so that all it says about them is said now; return their number."""
    return len(tf.config.list_logical_devices())


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


def read_accuracy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Return the share of a batch read correctly after its last row, 0 to 1."""
    read = tf.argmax(logits[:, -1], axis=-1, output_type=tf.int32)
    return tf.reduce_mean(tf.cast(tf.equal(read, labels), tf.float32))


def _as_inputs(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Turn `uint8` images and labels into what the model reads: floats from 0 to 1 and `int32`."""
    return tf.cast(images, tf.float32) / 255.0, tf.cast(labels, tf.int32)


class Network:
    """A model, its optimizer, and the images it learns from.

    Args:
        config: The hyperparameters.
        images: Training images, `uint8` of shape (N, 28, 28).
        labels: Training labels, `uint8` of shape (N,).
    """

    def __init__(self, config: Config, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> None:
        self.model = build_model(config.neurons, config.initializers, config.seed)
        self.optimizer = keras.optimizers.Adam(config.learning_rate, epsilon=ADAM_EPSILON)
        self.optimizer.build(self.model.trainable_variables)
        self._row_loss_mix = config.row_loss_mix
        # Batches are put together by numpy: a copy of all images in TensorFlow would only take memory.
        self._images = images
        self._labels = labels
        batch_size = min(config.batch_size, len(images))
        self._train = tf.function(
            self._train_steps,
            input_signature=[
                tf.TensorSpec([None, batch_size, ROWS, COLUMNS], tf.uint8),
                tf.TensorSpec([None, batch_size], tf.uint8),
            ],
        )
        self._count_correct = tf.function(
            self._count_correct_in,
            input_signature=[tf.TensorSpec([None, ROWS, COLUMNS], tf.uint8), tf.TensorSpec([None], tf.uint8)],
        )

    def train(self, batches: NDArray[np.int32]) -> tuple[float, float]:
        """Make one training step per batch.

        Args:
            batches: Indices of the training images, shape (steps, batch size); at least one step.

        Returns:
            Of the last batch: the loss that its update was computed from, in nats, and the accuracy on that
            same batch after the update, 0 to 1.
        """
        loss, accuracy = self._train(self._images[batches], self._labels[batches])
        return float(loss), float(accuracy)

    def _train_steps(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Train on batches (steps, batch size, …); return the last one's loss and its accuracy afterwards."""
        loss = tf.constant(0.0)
        for step in tf.range(tf.shape(images)[0]):
            loss = self._train_step(*_as_inputs(images[step], labels[step]))
        last_images, last_labels = _as_inputs(images[-1], labels[-1])
        return loss, read_accuracy(self.model(last_images), last_labels)

    def _train_step(self, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = loss_of(self.model(images, training=True), labels, self._row_loss_mix)
        variables = self.model.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    def test_accuracy(self, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> float:
        """Return the share of images read correctly after their last row, 0 to 1."""
        correct = 0
        for start in range(0, len(images), EVALUATION_BATCH):
            part = slice(start, start + EVALUATION_BATCH)
            correct += int(self._count_correct(images[part], labels[part]))
        return correct / len(images)

    def _count_correct_in(self, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        inputs, digits = _as_inputs(images, labels)
        read = tf.argmax(self.model(inputs)[:, -1], axis=-1, output_type=tf.int32)
        return tf.math.count_nonzero(tf.equal(read, digits))

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
