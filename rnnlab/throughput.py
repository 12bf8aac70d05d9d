"""How fast networks train on this machine: RNN Lab, plain Keras and PyTorch, turn by turn in one process.

All train the same network (row -> linear layer -> LSTM -> linear read-out) on the same images with the same
loss and Adam, in float32. RNN Lab's turn is a training run like any other: points and weights go into a
store, and the test set is read as often as in any run. The other two make bare training steps.
"""

from __future__ import annotations

import importlib
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from rnnlab import network, networks, training
from rnnlab.config import HYPERPARAMETERS, Config, config_from
from rnnlab.cores import usable_cores
from rnnlab.datasets import Dataset
from rnnlab.execution import StoreReport
from rnnlab.fast_path import Shard, row_weights
from rnnlab.parameters import stack_shape
from rnnlab.reader import COLUMNS, DIGITS, ROWS, Weights
from rnnlab.runs import AccuracyPoint, RunState, TestPoint
from rnnlab.store import Store

PYTORCH_HINT: Final = "PyTorch is not installed; to compare with it: pip install torch"

_REST_SECONDS: Final = 0.2
"""Between two turns, so that the threads of the last one have gone to sleep."""

_LARGE_MATRIX: Final = 2048
_MOST_ITERATIONS: Final = int(HYPERPARAMETERS["iterations"].maximum or 0)
"""Of a run that its turn ends, not its configuration."""

Turn = Callable[[float], float]
"""Trains for about so many seconds; returns the steps per second."""


@dataclass(frozen=True)
class Comparison:
    """Training steps per second of one network.

    Attributes:
        config: Its hyperparameters.
        cores: Processor cores that RNN Lab used.
        turns: Steps per second of every turn, by `rnnlab`, `keras_fit` and, where it is installed, `torch`.
        torch_threads: With which PyTorch was faster, or `None` where it is not installed.
        limit: Steps per second if a step were nothing but its multiplications, as fast as large matrices are
            multiplied here.
    """

    config: Config
    cores: int
    turns: dict[str, list[float]]
    torch_threads: int | None
    limit: float

    @property
    def steps_per_second(self) -> dict[str, float | None]:
        """The median of the turns of each; `None` where it is absent."""
        names = ("rnnlab", "keras_fit", "torch")
        return {name: round(median(self.turns[name]), 2) if name in self.turns else None for name in names}

    def ratio(self, other: str) -> float | None:
        """Return how many times faster than the other RNN Lab is, the median over the rounds."""
        if other not in self.turns:
            return None
        return median(a / b for a, b in zip(self.turns["rnnlab"], self.turns[other], strict=True))

    def to_json(self) -> dict[str, Any]:
        """Return the values as the command line's contract names them, and some more."""
        return {
            "steps_per_second": self.steps_per_second,
            "limit_steps_per_second": round(self.limit, 2),
            "ratio": {name: _rounded(self.ratio(name)) for name in ("keras_fit", "torch")},
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
    """Let all that are here train in turn, round after round.

    Args:
        config: The hyperparameters.
        data: Digits to train on.
        rounds: How often each has its turn.
        seconds: About how long a turn is.
    """
    with ExitStack() as stack:
        ours = stack.enter_context(_ours(config, data))
        turns: dict[str, Turn] = {"rnnlab": ours, "keras_fit": _keras_fit(config, data)}
        threads = None
        if (torch := _torch()) is not None:
            turns["torch"], threads = _best_of_torch(torch, config, data)
        measured: dict[str, list[float]] = {name: [] for name in turns}
        limits = []
        for _ in range(rounds):
            for name, turn in turns.items():
                time.sleep(_REST_SECONDS)
                measured[name].append(turn(seconds))
            limits.append(multiplications_per_second() / multiplications(config))
    return Comparison(config, usable_cores(), measured, threads, median(limits))


def multiplications(config: Config) -> float:
    """Return the multiplications of a training step: S with every row's state, back, gradients."""
    gates, inputs = stack_shape(config.neurons)
    return config.batch_size * ROWS * (2.0 * gates * inputs + gates * config.neurons)


def multiplications_per_second(repeats: int = 3) -> float:
    """Return how many multiplications (each with its addition) products of large matrices make here."""
    factor = np.random.default_rng(0).random((_LARGE_MATRIX, _LARGE_MATRIX), dtype=np.float32)
    product = np.empty_like(factor)
    fastest = float("inf")
    with threadpool_limits(limits=usable_cores(), user_api="blas"):
        for _ in range(repeats + 1):
            start = time.perf_counter()
            np.matmul(factor, factor, out=product)
            fastest = min(fastest, time.perf_counter() - start)
    return _LARGE_MATRIX**3 / fastest


class _TimedReport(StoreReport):
    """Reports to a store like any run; knows how many tests there were and how long the last one took."""

    tests = 0
    _last = 0.0

    def note(self, text: str) -> None:
        """Take the time: before the last test there is a note."""
        super().note(text)
        self._last = time.perf_counter()

    def point(self, point: AccuracyPoint, weights: Weights) -> None:
        """Take the time: before the other tests there is a point."""
        super().point(point, weights)
        self._last = time.perf_counter()

    def test(self, test: TestPoint) -> None:
        """Count the test."""
        self.test_seconds = time.perf_counter() - self._last
        self.tests += 1
        super().test(test)


def _until(moment: float) -> training.Control:
    """Return a control that stops a training at a moment of the performance counter, not before two reports.

    The clock of a training starts with its first step, so that one alone takes no time.
    """
    stopped = training.Instruction(RunState.STOPPED)
    return lambda now: stopped if time.perf_counter() >= moment and now.step > 1 else training.GO_ON


@contextmanager
def _ours(config: Config, data: Dataset) -> Iterator[Turn]:
    """Offer turns of RNN Lab, each a run in a store for the time being."""
    config = replace(config, iterations=_MOST_ITERATIONS)
    with (
        tempfile.TemporaryDirectory() as home,
        Store(Path(home)) as store,
        networks.new_network(config, data) as ours,
    ):
        images = len(data.train_images)

        def turn(seconds: float) -> float:
            report = _TimedReport(store, store.create_run(config, claimed=True))
            until = time.perf_counter() + seconds
            outcome = training.Training(config, images, report, _until(until)).go_on(ours)
            if outcome is None:
                raise AssertionError("the batch size of a turn never changes")
            steps = outcome.step - 1  # the clock starts after the first
            tests_due = steps / training.steps_between_tests(config.batch_size)
            tests_missing = tests_due - (report.tests - 1)  # the one at the end comes once a run
            return steps / (outcome.seconds + tests_missing * report.test_seconds)

        turn(0.5)  # its memory is new, the other two have theirs from their first turns, too
        yield turn


def _batch_images(
    config: Config, data: Dataset, batches: int
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return images and labels of so many batches, taken from the data as often as need be."""
    chosen = np.arange(batches * config.batch_size) % len(data.train_images)
    images = np.divide(data.train_images[chosen], np.float32(255), dtype=np.float32)
    return images, data.train_labels[chosen].astype(np.int32)


def _keras_fit(config: Config, data: Dataset) -> Turn:
    """Offer turns of plain `model.fit`."""
    import keras

    model = network.build_model(config.neurons, config.initializers, config.seed)

    def loss(labels: Any, logits: Any) -> Any:
        return network.loss_of(logits, keras.ops.cast(labels[:, 0], "int32"), config.row_loss_mix)

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


def machine() -> str:
    """Return the processor of this machine, as far as the system tells it, and how many cores train."""
    cores = usable_cores()
    return f"{_processor()}, {cores} core{'s' if cores > 1 else ''}"


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _torch() -> ModuleType | None:
    try:
        return importlib.import_module("torch")
    except ImportError:
        return None


def has_torch() -> bool:
    """Return whether PyTorch is installed."""
    return _torch() is not None


def _best_of_torch(torch: ModuleType, config: Config, data: Dataset) -> tuple[Turn, int]:
    """Offer turns of PyTorch with one thread or as many as cores, whatever is faster."""
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
    layers = torch.nn.Linear(COLUMNS, config.neurons), torch.nn.LSTM(config.neurons, config.neurons)
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


@dataclass(frozen=True)
class Growth:
    """How the cost of a step grows with one thing, all else as by default.

    Attributes:
        by: What grows.
        milliseconds: Cost of a step for each value of it.
    """

    by: str
    milliseconds: dict[int, float] = field(default_factory=dict)


def growth(
    data: Dataset,
    *,
    seconds: float,
    batch_sizes: Sequence[int] = (16, 32, 64, 128, 256, 512, 1024),
    neurons: Sequence[int] = (16, 32, 64, 128, 256),
    rows: Sequence[int] = (7, 14, 28, 56),
) -> list[Growth]:
    """Measure the cost of a step over batch size, neurons and rows, and over the length of a run.

    Args:
        data: Digits to train on.
        seconds: About how long each measurement takes; the long run takes thirty times as long.
        batch_sizes: To be measured.
        neurons: To be measured.
        rows: Of an image, to be measured.
    """
    grown = []
    for name, values in (("batch_size", batch_sizes), ("neurons", neurons)):
        costs = {}
        for value in values:
            with _ours(config_from({name: value}), data) as turn:
                costs[value] = 1000 / turn(seconds)
        grown.append(Growth(name, costs))
    costs = {count: _cost_of_rows(count, seconds) for count in rows}
    return [*grown, Growth("rows (64 images, one core)", costs), _long_run(data, 30 * seconds)]


def _cost_of_rows(rows: int, seconds: float) -> float:
    """Return the milliseconds that loss and gradients of images with so many rows take."""
    config = Config()
    shard = Shard(64, config.neurons, rows=rows)
    generator = np.random.default_rng(0)
    stacked = generator.normal(scale=0.05, size=stack_shape(config.neurons)).astype(np.float32)
    pixels = generator.integers(0, 256, (rows, COLUMNS, 64), dtype=np.uint8)
    labels = generator.integers(0, DIGITS, 64, dtype=np.uint8)
    weights, gradient = row_weights(config.row_loss_mix, rows), np.zeros_like(stacked)
    times: list[float] = []
    until = time.perf_counter() + seconds
    with threadpool_limits(limits=1, user_api="blas"):
        while len(times) < 3 or time.perf_counter() < until:
            start = time.perf_counter()
            shard.gradient(stacked, pixels, labels, weights, gradient)
            times.append(time.perf_counter() - start)
    return 1000 * median(times)


def _long_run(data: Dataset, seconds: float) -> Growth:
    """Return the milliseconds a step takes in each tenth of a run of a small network, by its last step.

    Where the run reports fewer points than it has tenths, the parts are those between its points.
    """
    config = Config(neurons=32, batch_size=32, iterations=_MOST_ITERATIONS)
    with tempfile.TemporaryDirectory() as home, Store(Path(home)) as store:
        run = store.create_run(config, claimed=True)
        until = time.perf_counter() + seconds
        training.train(config, data, StoreReport(store, run), _until(until))
        points = store.points(run.id)
    parts = min(10, len(points) - 1)
    costs = {}
    for part in range(parts):
        first, last = (points[(len(points) - 1) * (part + end) // parts] for end in (0, 1))
        costs[last.step] = 1000 * (last.seconds - first.seconds) / (last.step - first.step)
    return Growth("step of a run (batch size 32, 32 neurons)", costs)
