"""How many seconds it takes to read so many of the test digits: presets of RNN Lab, plain Keras and PyTorch.

Keras and PyTorch train as tutorials show it: 128 LSTM cells, graded on the last row, Adam at 0.001, batches
of 128, digits as they are. PyTorch also trains with the recipe of RNN Lab's preset `quick`, so that recipe
and speed can be told apart. Start and tests count as they do for somebody who waits.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rnnlab.cli.pytorch import recurrent_layer_of_torch, torch_module
from rnnlab.config import UNCHANGED_DIGITS, Config
from rnnlab.data.augmentation import are_distorted, distort
from rnnlab.data.datasets import Dataset
from rnnlab.data.reading_order import as_read
from rnnlab.data.training_set import load_training_set
from rnnlab.digits import COLUMNS, DIGITS, NO_DIGIT, ROWS, FloatArray
from rnnlab.model.architecture import Architecture
from rnnlab.presets import PRESETS
from rnnlab.runs import AccuracyPoint, TestPoint
from rnnlab.store.store import Store
from rnnlab.system.cores import usable_cores
from rnnlab.training import keras_backend
from rnnlab.training.batches import Batch, Batches
from rnnlab.training.loop import is_tested
from rnnlab.worker.job import execute

USUAL: Final = Config(
    row_loss_mix=0.0,
    schedule="constant",
    nonsense=0.0,
    **UNCHANGED_DIGITS,  # type: ignore[arg-type]
)
"""How tutorials train such a network."""

_TEST_BATCH: Final = 500
_TRIAL_STEPS: Final = 20


@dataclass(frozen=True)
class TimeToAccuracy:
    """How long one party took.

    Attributes:
        name: Who trained, and how.
        seconds: For each goal, a share of the test digits, the seconds until a test found it, or `None`.
        best: The best share that a test found, 0 to 1.
    """

    name: str
    seconds: dict[float, float | None]
    best: float


class _Watch:
    """Notes when a test first reaches each goal.

    Args:
        goals: Shares of the test digits, 0 to 1.
        limit: Seconds after which it is over.
    """

    def __init__(self, goals: Sequence[float], limit: float) -> None:
        self.seconds: dict[float, float | None] = dict.fromkeys(sorted(goals))
        self.best, self.over = 0.0, threading.Event()
        self._began, self._limit = time.perf_counter(), limit

    def on_test(self, test: TestPoint) -> None:
        """Take a test; the listener of a run calls it, too."""
        self.best = max(self.best, test.accuracy)
        for goal, reached in self.seconds.items():
            if reached is None and self.best >= goal:
                self.seconds[goal] = time.perf_counter() - self._began
        if None not in self.seconds.values() or time.perf_counter() - self._began > self._limit:
            self.over.set()

    def on_point(self, point: AccuracyPoint) -> None:
        """End a run that takes too long."""
        del point
        if time.perf_counter() - self._began > self._limit:
            self.over.set()

    def on_note(self, text: str) -> None:
        """Do nothing."""

    def result(self, name: str) -> TimeToAccuracy:
        """Return what it has found."""
        return TimeToAccuracy(name, self.seconds, self.best)


def times_to_accuracy(
    goals: Sequence[float], *, dataset: str, seed: int, limit: float
) -> Iterator[TimeToAccuracy]:
    """Yield how long each party takes, one after the other.

    Args:
        goals: Shares of the test digits, 0 to 1.
        dataset: Name of the data set.
        seed: Seed of all of them.
        limit: Seconds after which a party is stopped.
    """
    for preset in ("quick", "default"):
        config = replace(PRESETS[preset], dataset=dataset, seed=seed)
        yield _of_run(config, f"RNN Lab, {preset}", _Watch(goals, limit))
    usual = replace(USUAL, dataset=dataset, seed=seed)
    yield _of_keras(usual, "Keras fit, usual", _Watch(goals, limit))
    if (torch := torch_module()) is not None:
        quick = replace(PRESETS["quick"], dataset=dataset, seed=seed)
        for config, name in ((usual, "PyTorch, usual"), (quick, "PyTorch, recipe of quick")):
            torch.set_num_threads(_best_threads(torch, config))
            yield _of_torch(torch, config, name, _Watch(goals, limit))


def _of_run(config: Config, name: str, watch: _Watch) -> TimeToAccuracy:
    """Train a run like any other, in a store of its own."""
    with tempfile.TemporaryDirectory() as home, Store(Path(home)) as store:
        execute(store, store.create_run(config, claimed=True), listener=watch, stop=watch.over)
    return watch.result(name)


def _of_keras(config: Config, name: str, watch: _Watch) -> TimeToAccuracy:
    """Train with plain `model.fit`; as many digits between two tests as in a run of RNN Lab."""
    import keras

    data = load_training_set(config)
    layers = keras_backend.build_model(Architecture.of(config)).layers
    layers[1].return_sequences = False
    model = keras.Sequential([keras.Input((ROWS, COLUMNS)), *layers])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(config.learning_rate), loss)
    images, test = (part / np.float32(255) for part in (data.train_images, data.test_images))
    order, step = np.random.default_rng(config.seed).permutation(len(images)), 0
    for until in _tested_steps(config):
        chosen = np.take(order, range(step * config.batch_size, until * config.batch_size), mode="wrap")
        model.fit(images[chosen], data.train_labels[chosen], batch_size=config.batch_size, verbose=0)
        read = model.predict(test, batch_size=_TEST_BATCH, verbose=0).argmax(axis=1)
        step = until
        watch.on_test(TestPoint(step, float((read == data.test_labels).mean())))
        if watch.over.is_set():
            break
    return watch.result(name)


def _tested_steps(config: Config) -> Iterator[int]:
    """Yield after how many steps the test set is read."""
    reports = range(20, config.iterations, 20)
    yield from (step for step in reports if is_tested(step, config.batch_size))
    yield config.iterations


def _best_threads(torch: Any, config: Config) -> int:
    """Return with how many threads PyTorch is faster: one, or one for each core."""
    data, steps, seconds = load_training_set(config), 2 * _TRIAL_STEPS, {}
    batches = list(Batches(config, len(data.train_images)).between(0, steps))
    for threads in sorted({1, usable_cores()}):
        torch.set_num_threads(threads)
        network = _TorchNetwork(torch, config, data)
        for step, batch in enumerate(batches):
            if step == _TRIAL_STEPS:
                start = time.perf_counter()
            network.step(batch)
        seconds[threads] = time.perf_counter() - start
    return min(seconds, key=lambda threads: seconds[threads])


def _of_torch(torch: Any, config: Config, name: str, watch: _Watch) -> TimeToAccuracy:
    """Train with PyTorch, with all that the configuration says of a recipe."""
    torch.manual_seed(config.seed)
    data = load_training_set(config)
    network = _TorchNetwork(torch, config, data)
    batches, step = Batches(config, len(data.train_images)), 0
    for until in _tested_steps(config):
        for batch in batches.between(step, until):
            network.step(batch)
        step = until
        watch.on_test(TestPoint(step, network.test_accuracy()))
        if watch.over.is_set():
            break
    return watch.result(name)


class _TorchNetwork:
    """A network in PyTorch, trained as a configuration of RNN Lab says."""

    def __init__(self, torch: Any, config: Config, data: Dataset) -> None:
        self._torch, self._config, self._data = torch, config, data
        self._layers = torch.nn.ModuleList(
            [
                torch.nn.Linear(COLUMNS, config.neurons),
                recurrent_layer_of_torch(torch, config),
                torch.nn.Linear(config.neurons, DIGITS),
            ]
        )
        self._optimizer = torch.optim.Adam(self._layers.parameters(), lr=config.learning_rate)
        self._average = torch.optim.swa_utils.AveragedModel(self._layers, avg_fn=self._towards)

    def _towards(self, average: Any, newest: Any, steps: Any) -> Any:
        return average + (newest - average) / min(int(steps) + 1, self._config.averaging)

    def _logits(self, layers: Any, images: Any) -> Any:
        """Return the logits after every row, shape (28, N, 10)."""
        projection, recurrent, read_out = layers
        hidden_states, _ = recurrent(projection(images))
        return read_out(hidden_states)

    def _inputs(self, images: NDArray[Any]) -> Any:
        """Return images (N, 28, 28), 0 to 255, as inputs (28, N, 28)."""
        ordered = as_read(images, self._config.reading_order).transpose(1, 0, 2)
        return self._torch.from_numpy(np.ascontiguousarray(ordered, np.float32) / np.float32(255))

    def step(self, batch: Batch) -> None:
        """Make one training step."""
        for group in self._optimizer.param_groups:
            group["lr"] = batch.learning_rate
        images: NDArray[Any] = self._data.train_images[batch.chosen]
        last_row_only = self._data.train_labels[batch.chosen] == NO_DIGIT
        if batch.distortions is not None:
            images = distort(self._data.train_images, batch.chosen, batch.distortions).transpose(2, 0, 1)
            last_row_only |= are_distorted(batch.distortions)
        loss = self._loss(self._inputs(images), self._data.train_labels[batch.chosen], last_row_only)
        self._optimizer.zero_grad()
        loss.backward()
        if self._config.clip_norm:
            self._torch.nn.utils.clip_grad_norm_(self._layers.parameters(), self._config.clip_norm)
        self._optimizer.step()
        if self._config.averaging:
            self._average.update_parameters(self._layers)

    def _loss(self, images: Any, labels: NDArray[np.uint8], last_row_only: NDArray[np.bool_]) -> Any:
        """Return the loss as `rnnlab.training.loss` has it."""
        targets: FloatArray = np.eye(DIGITS + 1, DIGITS, dtype=np.float32)[labels]
        targets[labels == NO_DIGIT] = 1 / DIGITS
        believed = self._torch.log_softmax(self._logits(self._layers, images), dim=-1)
        of_rows = -(believed * self._torch.from_numpy(targets)).sum(dim=-1)  # (28, N)
        mix = self._config.row_loss_mix
        weights = np.full(of_rows.shape, mix / ROWS, np.float32)
        weights[:-1, last_row_only] = 0
        weights[-1] += 1 - mix
        return (of_rows * self._torch.from_numpy(weights)).sum() / len(labels)

    def test_accuracy(self) -> float:
        """Return the share of test digits read correctly."""
        layers = self._average.module if self._config.averaging else self._layers
        correct = 0
        with self._torch.no_grad():
            for start in range(0, len(self._data.test_images), _TEST_BATCH):
                part = slice(start, start + _TEST_BATCH)
                logits = self._logits(layers, self._inputs(self._data.test_images[part]))
                read = logits[-1].argmax(dim=-1).numpy()
                correct += int((read == self._data.test_labels[part]).sum())
        return correct / len(self._data.test_images)
