"""The Keras model: row -> linear layer -> recurrent layers -> read-out after every row; its training step.

Stock layers only (`Dense`; `LSTM`, `GRU` or `SimpleRNN`; `Dense`), so that an exported file loads wherever
Keras does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from rnnlab.config import Config
from rnnlab.data.augmentation import are_distorted, distort
from rnnlab.data.datasets import Dataset
from rnnlab.data.reading_order import as_read, reads_columns, row_order
from rnnlab.digits import COLUMNS, DIGITS, NO_DIGIT, ROWS
from rnnlab.model.architecture import Architecture
from rnnlab.model.weights import Weights
from rnnlab.system.cores import usable_cores
from rnnlab.training import devices
from rnnlab.training.backend import GpuError
from rnnlab.training.batches import Batch
from rnnlab.training.checkpoint import NetworkState, restored_array
from rnnlab.training.engine import KERAS, KERAS_STATE
from rnnlab.training.libraries import keras, tf
from rnnlab.training.optimizer import ADAM_EPSILON, MOMENTUM, RMSPROP_EPSILON, RMSPROP_SQUARE

EVALUATION_BATCH: Final = 500
"""Images per step of a test: large enough to be fast, small enough to add little memory."""


def build_model(architecture: Architecture, weights: Weights | None = None) -> keras.Sequential:
    """Build the model.

    Args:
        architecture: Which network.
        weights: Its weights; by default those that Keras draws at random.

    Returns:
        A model from float images (N, 28, 28), 0 to 1, with their rows or columns in the order in which they
        are read, to the logits after every one of these, (N, 28, 10).
    """
    layers = _layers(architecture, every_row=True)
    model = keras.Sequential([keras.Input((ROWS, COLUMNS)), *layers], name="row_by_row")
    if weights is not None:
        model.set_weights(list(weights.arrays.values()))
    return model


def _layers(architecture: Architecture, *, every_row: bool) -> list[keras.Layer]:
    kinds = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "simple_rnn": keras.layers.SimpleRNN}
    kind, prefixes = kinds[architecture.cell], list(architecture.prefixes())
    recurrent = [
        kind(architecture.neurons, return_sequences=every_row or prefix != prefixes[-1], name=prefix)
        for prefix in prefixes
    ]
    return [
        keras.layers.Dense(architecture.neurons, name="input_projection"),
        *recurrent,
        keras.layers.Dense(DIGITS, name="read_out"),
    ]


def create_optimizer(config: Config) -> keras.optimizers.Optimizer:
    """Return Keras' own optimizer of the name that the configuration has for it."""
    options = {"learning_rate": config.learning_rate, "global_clipnorm": config.clip_norm or None}
    match config.optimizer:
        case "sgd":
            return keras.optimizers.SGD(**options)
        case "momentum":
            return keras.optimizers.SGD(momentum=MOMENTUM, **options)
        case "rmsprop":
            return keras.optimizers.RMSprop(rho=RMSPROP_SQUARE, epsilon=RMSPROP_EPSILON, **options)
        case _:
            return keras.optimizers.Adam(epsilon=ADAM_EPSILON, **options)


def row_loss(
    logits: tf.Tensor, labels: tf.Tensor, row_loss_mix: float, last_row_only: tf.Tensor | None = None
) -> tf.Tensor:
    """Return the softmax cross-entropy of a batch, in nats, partly on the last row, partly on all rows.

    For pictures of no digit and for distorted ones, only the last row counts.

    Args:
        logits: After every row, shape (N, 28, 10).
        labels: Digits or `NO_DIGIT`, `int32` of shape (N,).
        row_loss_mix: Share of the mean over all rows, 0 to 1; the rest is on the last row.
        last_row_only: Which images are distorted, `bool` of shape (N,); none by default.
    """
    # `one_hot` turns `NO_DIGIT` into ten zeros: the right belief is then one tenth for each digit.
    targets = tf.one_hot(labels, DIGITS)
    targets += (1.0 - tf.reduce_sum(targets, axis=1, keepdims=True)) / DIGITS

    last_row = tf.nn.softmax_cross_entropy_with_logits(labels=targets, logits=logits[:, -1])
    if row_loss_mix == 0.0:
        return tf.reduce_mean(last_row)
    others = tf.nn.softmax_cross_entropy_with_logits(
        labels=tf.repeat(targets[:, None], ROWS - 1, axis=1), logits=logits[:, :-1]
    )
    whole_way = labels != NO_DIGIT
    if last_row_only is not None:
        whole_way = tf.logical_and(whole_way, tf.logical_not(last_row_only))
    all_rows = (tf.reduce_sum(others, axis=1) * tf.cast(whole_way, logits.dtype) + last_row) / ROWS
    return tf.reduce_mean(row_loss_mix * all_rows + (1.0 - row_loss_mix) * last_row)


def _as_inputs(images: tf.Tensor) -> tf.Tensor:
    """Turn images of 0 to 255 into inputs of the model: floats from 0 to 1."""
    return tf.cast(images, tf.float32) / 255.0


class KerasNetwork:
    """A `backend.Network` of Keras' own layers with steps compiled by TensorFlow.

    Args:
        weights: Those to start from; `None` if a state will be restored.
        on_gpu: Whether to use a GPU, if TensorFlow has one; otherwise the processor.

    Attributes:
        engine: `keras`.
        cores: How many processor cores it may use.

    Raises:
        GpuError: It does not fit on the GPU.
    """

    engine = KERAS

    def __init__(
        self, config: Config, data: Dataset, weights: Weights | None = None, *, on_gpu: bool = True
    ) -> None:
        self.cores = usable_cores()
        self._on_gpu = on_gpu and devices.has_gpu()
        # numpy puts the batches together: a copy of all images in TensorFlow would only take memory.
        self._data = data
        with self._gpu_errors(), self._placed():
            self._build(config, weights)
            if self._on_gpu:
                self._try(min(config.batch_size, len(data.train_images)))

    def _build(self, config: Config, weights: Weights | None) -> None:
        """Make the model, its optimizer and the compiled steps."""
        self._architecture = Architecture.of(config)
        self.model = build_model(self._architecture, weights)
        if not self._on_gpu and config.cell != "simple_rnn":  # which has no such option
            for prefix in self._architecture.prefixes():
                self.model.get_layer(prefix).use_cudnn = False
        self._optimizer = create_optimizer(config)
        self._optimizer.build(self.model.trainable_variables)
        self._row_loss_mix = config.row_loss_mix
        self._averaging = config.averaging
        self._steps = tf.Variable(0.0)
        self._average = [tf.Variable(variable) for variable in self.model.trainable_variables]
        self._train = self._compiled(self._train_steps)
        self._read = self._compiled(self._read_digits)

    def _placed(self) -> Any:
        """Return a context for what must not be computed on a GPU if this network does not use one."""
        return tf.device(None if self._on_gpu else "CPU:0")

    def _compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that TensorFlow compiles for the device of this network."""

        def placed(*arguments: tf.Tensor) -> Any:
            with self._placed():
                return function(*arguments)

        compiled: Callable[..., Any] = tf.function(placed, reduce_retracing=True)
        return compiled

    @contextmanager
    def _gpu_errors(self, *, only_of_memory: bool = False) -> Iterator[None]:
        """Turn the errors of a GPU in the block into a `GpuError`."""
        try:
            yield
        except tf.errors.OpError as error:
            if not self._on_gpu or (only_of_memory and not devices.is_memory_error(error)):
                raise
            raise GpuError(devices.gpu_problem(error)) from error

    def _try(self, batch_size: int) -> None:
        """Read and learn as much at a time as the run will, without changing anything: does it fit?"""
        images = tf.zeros((max(batch_size, EVALUATION_BATCH), ROWS, COLUMNS))
        self._read_digits(images)
        with tf.GradientTape() as tape:
            logits = self.model(images[:batch_size], training=True)
            loss = row_loss(logits, tf.zeros(batch_size, tf.int32), self._row_loss_mix)
        tape.gradient(loss, self.model.trainable_variables)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def train(self, batches: Sequence[Batch]) -> tuple[float, float]:
        """Make one training step per batch; see `backend.Network`.

        Raises:
            GpuError: The memory of the GPU is full; the network is as it was before.
        """
        before = self.state() if self._on_gpu else None
        try:
            with self._gpu_errors(only_of_memory=True):
                loss, accuracy = self._train(
                    tf.constant(np.stack([self._images(batch) for batch in batches])),
                    tf.constant(np.stack([self._data.train_labels[batch.chosen] for batch in batches])),
                    tf.constant(np.stack([_distorted(batch) for batch in batches])),
                    tf.constant([batch.learning_rate for batch in batches]),
                )
                return float(loss), float(accuracy)
        except GpuError:
            if before is not None:  # some of the steps may have been made
                self.restore(before)
            raise

    def _images(self, batch: Batch) -> NDArray[np.float32]:
        """Return the images of a batch, 0 to 255, with their distortions, as they are read."""
        if batch.distortions is None:
            images = self._data.train_images[batch.chosen].astype(np.float32)
        else:
            images = distort(self._data.train_images, batch.chosen, batch.distortions).transpose(2, 0, 1)
        return as_read(images, self._architecture.reading_order)

    def _train_steps(
        self, images: tf.Tensor, labels: tf.Tensor, distorted: tf.Tensor, learning_rates: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Train on batches (steps, batch size, …); return the last one's loss and its accuracy afterwards."""
        loss = tf.constant(0.0)
        for step in tf.range(tf.shape(images)[0]):
            self._optimizer.learning_rate.assign(learning_rates[step])
            expected = tf.cast(labels[step], tf.int32)
            loss = self._train_step(_as_inputs(images[step]), expected, distorted[step])
        read, expected = self._read_digits(images[-1]), tf.cast(labels[-1], tf.int32)
        correct = tf.math.count_nonzero(tf.equal(read, expected), dtype=tf.float32)
        return loss, correct / tf.maximum(1.0, tf.math.count_nonzero(expected < DIGITS, dtype=tf.float32))

    def _train_step(self, images: tf.Tensor, labels: tf.Tensor, distorted: tf.Tensor) -> tf.Tensor:
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            loss = row_loss(self.model(images, training=True), labels, self._row_loss_mix, distorted)
        self._optimizer.apply(tape.gradient(loss, variables), variables)
        if self._averaging:
            self._steps.assign_add(1.0)
            rate = 1.0 / tf.minimum(self._steps, float(self._averaging))
            for average, variable in zip(self._average, variables, strict=True):
                average.assign_add(rate * (variable - average))
        return loss

    def _read_digits(self, images: tf.Tensor) -> tf.Tensor:
        """Return the digits read in images of 0 to 255 after their last row, `int32` of shape (N,)."""
        return tf.argmax(self.model(_as_inputs(images))[:, -1], axis=-1, output_type=tf.int32)

    def test_accuracy(self) -> float:
        """Return the share of test images read correctly after their last row, 0 to 1; see `train`."""
        images, labels = self._data.test_images, self._data.test_labels
        correct = 0
        with self._averaged(), self._gpu_errors(only_of_memory=True):
            for start in range(0, len(images), EVALUATION_BATCH):
                part = slice(start, start + EVALUATION_BATCH)
                ordered = as_read(images[part], self._architecture.reading_order)
                read = self._read(tf.constant(ordered)).numpy()
                correct += int(np.count_nonzero(read == labels[part]))
        return correct / len(images)

    def weights(self) -> Weights:
        """Return a copy of the weights to read with: the newest, or their average if the run averages."""
        with self._averaged():
            return Weights.of(self._architecture, self.model.get_weights())

    def state(self) -> NetworkState:
        """Return a copy of weights, optimizer and average."""
        return {name: np.array(variable.numpy()) for name, variable in self._variables().items()}

    def restore(self, state: NetworkState) -> None:
        """Take over the state of another network; see `backend.Network`."""
        variables = self._variables()
        arrays = {name: restored_array(state, name, variable.numpy()) for name, variable in variables.items()}
        for name, variable in variables.items():
            variable.assign(arrays[name])

    def _variables(self) -> dict[str, Any]:
        """Return all that changes in training, by name."""
        groups = {
            KERAS_STATE: [*self.model.trainable_variables, *self._optimizer.variables],
            "average_": [*self._average, self._steps] if self._averaging else [],
        }
        return {
            f"{group}{place}": variable.value if isinstance(variable, keras.Variable) else variable
            for group, variables in groups.items()
            for place, variable in enumerate(variables)
        }

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Give the model the averaged weights in the block, if the run averages."""
        if not self._averaging:
            yield
            return
        newest = self.model.get_weights()
        self.model.set_weights([average.numpy() for average in self._average])
        try:
            yield
        finally:
            self.model.set_weights(newest)


def _distorted(batch: Batch) -> NDArray[np.bool_]:
    """Return which images of a batch are distorted."""
    if batch.distortions is None:
        return np.zeros(len(batch.chosen), np.bool_)
    return are_distorted(batch.distortions)


def build_reading_model(weights: Weights, *, every_row: bool) -> keras.Model:
    """Build a model that reads with given weights, in the reading order of their network.

    Returns:
        A model from float images (N, 28, 28), 0 to 1, to probabilities: (N, 10) after the last row, or
        (N, 28, 10) after every row, in the order in which they are read, if `every_row` is true.
    """
    order = weights.architecture.reading_order
    images = outputs = keras.Input((ROWS, COLUMNS), name="images")
    if reads_columns(order):
        outputs = keras.layers.Permute((2, 1), name="columns")(outputs)
    if order not in {"down", "right"}:
        outputs = keras.ops.take(outputs, row_order(order).tolist(), axis=1)
    for layer in _layers(weights.architecture, every_row=every_row):
        outputs = layer(outputs)
    outputs = keras.layers.Softmax(name="probabilities")(outputs)
    model = keras.Model(images, outputs, name="rnnlab")
    model.set_weights(list(weights.arrays.values()))
    return model
