"""How fast networks train on this machine: RNN Lab, plain Keras and PyTorch, turn by turn in one process.

All train the same network (row -> linear layer -> recurrent layers -> linear read-out) on the same images
with the same loss and Adam, in float32. RNN Lab's turns, one with each engine, are training runs like any
other: they save points and weights in a store, and read the test set as often as any run. The other two make
bare training steps.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rnnlab.cli.pytorch import recurrent_layer_of_torch, torch_module
from rnnlab.config import HYPERPARAMETERS, Config
from rnnlab.data.datasets import Dataset
from rnnlab.digits import COLUMNS, DIGITS, ROWS, FloatArray
from rnnlab.model.architecture import Architecture
from rnnlab.model.weights import Weights
from rnnlab.runs import AccuracyPoint, RunState, TestPoint
from rnnlab.store.store import Store
from rnnlab.system.cores import usable_cores
from rnnlab.training import backend, keras_backend, loop
from rnnlab.training.engine import KERAS, NUMPY
from rnnlab.training.step_cost import multiplications, multiplications_per_second
from rnnlab.worker.reporting import StoreReporter

_REST_SECONDS: Final = 0.2
"""Seconds between two turns, so that the threads of the last one have gone to sleep."""

MAX_ITERATIONS: Final = int(HYPERPARAMETERS["iterations"].maximum or 0)
"""Iterations of a run that ends with its turn: more than it can make in that time."""

Turn = Callable[[float], float]
"""Trains for about the given number of seconds; returns the steps per second."""


@dataclass(frozen=True)
class Comparison:
    """Training steps per second of one network.

    Attributes:
        config: Its hyperparameters.
        cores: Processor cores that RNN Lab used.
        turns: Steps per second of every turn, by `rnnlab` (engine numpy), `engine_keras`, `keras_fit` and, if
            it is installed, `torch`.
        torch_threads: Number of threads with which PyTorch was fastest, or `None` if it is not installed.
        limit: Steps per second if a step were nothing but its multiplications, at the speed at which this
            machine multiplies large matrices.
    """

    config: Config
    cores: int
    turns: dict[str, list[float]]
    torch_threads: int | None
    limit: float

    @property
    def steps_per_second(self) -> dict[str, float | None]:
        """The median of the turns of each library; `None` if it is not installed."""
        names = ("rnnlab", "engine_keras", "keras_fit", "torch")
        return {name: round(median(self.turns[name]), 2) if name in self.turns else None for name in names}

    def ratio(self, other: str) -> float | None:
        """Return how many times faster RNN Lab is than the other library: the median over the rounds."""
        if other not in self.turns:
            return None
        return median(a / b for a, b in zip(self.turns["rnnlab"], self.turns[other], strict=True))

    def to_json(self) -> dict[str, Any]:
        """Return the values that the command line prints with `--json`."""
        return {
            "steps_per_second": self.steps_per_second,
            "limit_steps_per_second": round(self.limit, 2),
            "ratio": {name: _rounded(self.ratio(name)) for name in ("engine_keras", "keras_fit", "torch")},
            "cell": self.config.cell,
            "layers": self.config.layers,
            "batch_size": self.config.batch_size,
            "neurons": self.config.neurons,
            "row_loss_mix": self.config.row_loss_mix,
            "cores": self.cores,
            "torch_threads": self.torch_threads,
            "rounds": len(self.turns["rnnlab"]),
        }


def _rounded(ratio: float | None) -> float | None:
    return None if ratio is None else round(ratio, 3)


def compare(config: Config, data: Dataset, *, rounds: int, seconds: float) -> Comparison:
    """Let all installed libraries train in turn, round after round.

    Args:
        config: The hyperparameters.
        data: Digits to train on.
        rounds: Number of turns for each library.
        seconds: About how long a turn is.
    """
    with ExitStack() as stack:
        turns: dict[str, Turn] = {
            "rnnlab": stack.enter_context(our_turns(replace(config, engine=NUMPY), data)),
            "engine_keras": stack.enter_context(our_turns(replace(config, engine=KERAS), data)),
            "keras_fit": _keras_fit(config, data),
        }
        threads = None
        if (torch := torch_module()) is not None:
            turns["torch"], threads = _best_of_torch(torch, config, data)
        measured: dict[str, list[float]] = {name: [] for name in turns}
        limits = []
        for _ in range(rounds):
            for name, turn in turns.items():
                time.sleep(_REST_SECONDS)
                measured[name].append(turn(seconds))
            limits.append(multiplications_per_second() / multiplications(config))
    return Comparison(config, usable_cores(), measured, threads, median(limits))


class _TimedReporter(StoreReporter):
    """Reports to a store like any run; knows how many tests there were and how long the last one took."""

    tests = 0
    _last = 0.0

    def on_note(self, text: str) -> None:
        """Note the time: a note comes before the last test."""
        super().on_note(text)
        self._last = time.perf_counter()

    def on_point(self, point: AccuracyPoint, weights: Weights) -> None:
        """Note the time: a point comes before every other test."""
        super().on_point(point, weights)
        self._last = time.perf_counter()

    def on_error_reach(self, step: int, norms: FloatArray) -> None:
        """Note the time: this comes between a point and a test."""
        super().on_error_reach(step, norms)
        self._last = time.perf_counter()

    def on_test(self, test: TestPoint, weights: Weights) -> None:
        """Count the test and measure how long it took."""
        self.test_seconds = time.perf_counter() - self._last
        self.tests += 1
        super().on_test(test, weights)


def stopping_at(moment: float) -> loop.Callback:
    """Return a callback that stops a run at a time of the performance counter, but not before two reports.

    The clock of a run starts after its first step, so a run of one step would have taken no time.
    """
    stopped = loop.Decision(RunState.STOPPED)
    return lambda now: stopped if time.perf_counter() >= moment and now.step > 1 else loop.CONTINUE


@contextmanager
def our_turns(config: Config, data: Dataset) -> Iterator[Turn]:
    """Offer turns of RNN Lab, each a run in a temporary store.

    Args:
        config: The hyperparameters; its number of iterations does not count.
        data: Digits to train on.
    """
    config = replace(config, iterations=MAX_ITERATIONS)
    with (
        tempfile.TemporaryDirectory() as home,
        Store(Path(home)) as store,
        backend.create_network(config, data) as ours,
    ):

        def turn(seconds: float) -> float:
            reporter = _TimedReporter(store, store.create_run(config, claimed=True))
            until = time.perf_counter() + seconds
            outcome = loop.Training(config, data, reporter, stopping_at(until)).run(ours)
            if outcome is None:
                raise AssertionError("the batch size of a turn never changes")
            steps = outcome.step - 1  # the clock starts after the first
            tests_due = steps / loop.steps_between_tests(config.batch_size)
            tests_missing = tests_due - (reporter.tests - 1)  # the last test comes once per run, however long
            return steps / (outcome.seconds + tests_missing * reporter.test_seconds)

        turn(0.5)  # takes its memory now, as the other two do in their first turns
        yield turn


def _batch_images(
    config: Config, data: Dataset, batches: int
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return images and labels for a number of batches; the data repeats if it is too short."""
    chosen = np.arange(batches * config.batch_size) % len(data.train_images)
    images = np.divide(data.train_images[chosen], np.float32(255), dtype=np.float32)
    return images, data.train_labels[chosen].astype(np.int32)


def _keras_fit(config: Config, data: Dataset) -> Turn:
    """Offer turns of plain `model.fit`."""
    import keras

    model = keras_backend.build_model(Architecture.of(config))

    def loss(labels: Any, logits: Any) -> Any:
        return keras_backend.row_loss(logits, keras.ops.cast(labels[:, 0], "int32"), config.row_loss_mix)

    model.compile(optimizer=keras.optimizers.Adam(config.learning_rate), loss=loss)

    def fit(batches: int) -> float:
        images, labels = _batch_images(config, data, batches)
        start = time.perf_counter()
        model.fit(images, labels[:, None], batch_size=config.batch_size, verbose=0)
        return batches / (time.perf_counter() - start)

    fit(2)  # compiles
    speed = [fit(4)]

    def turn(seconds: float) -> float:
        speed.append(fit(max(2, round(speed[-1] * seconds))))
        return speed[-1]

    return turn


def _best_of_torch(torch: ModuleType, config: Config, data: Dataset) -> tuple[Turn, int]:
    """Offer turns of PyTorch with one thread or one thread per core, whichever is faster."""
    turn = _torch_turn(torch, config, data)
    speeds = {}
    for threads in sorted({1, usable_cores()}):
        torch.set_num_threads(threads)
        turn(0.2)
        speeds[threads] = turn(0.6)
    best = max(speeds, key=lambda threads: speeds[threads])
    torch.set_num_threads(best)
    return turn, best


def _torch_turn(torch: Any, config: Config, data: Dataset) -> Turn:
    """Offer turns of PyTorch; rows first, which is faster than `batch_first`."""
    torch.manual_seed(config.seed)
    layers = torch.nn.Linear(COLUMNS, config.neurons), recurrent_layer_of_torch(torch, config)
    read_out = torch.nn.Linear(config.neurons, DIGITS)
    parameters = [parameter for layer in (*layers, read_out) for parameter in layer.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=config.learning_rate)
    cross_entropy = torch.nn.functional.cross_entropy
    some_images, some_labels = _batch_images(config, data, 1)
    images = torch.from_numpy(np.ascontiguousarray(some_images.transpose(1, 0, 2)))
    labels = torch.from_numpy(some_labels.astype(np.int64))
    labels_of_rows = labels.repeat(ROWS)

    def step() -> None:
        optimizer.zero_grad()
        hidden_states, _ = layers[1](layers[0](images))
        mix = config.row_loss_mix
        loss = (1 - mix) * cross_entropy(read_out(hidden_states[-1]), labels)
        if mix:
            logits = read_out(hidden_states).reshape(-1, DIGITS)
            loss = loss + mix * cross_entropy(logits, labels_of_rows)
        loss.backward()
        optimizer.step()

    def turn(seconds: float) -> float:
        start, steps = time.perf_counter(), 0
        while steps < 2 or time.perf_counter() - start < seconds:
            step()
            steps += 1
        return steps / (time.perf_counter() - start)

    return turn
