"""The training loop: `train(config, data, reporter, callback)` depends on no process, store or screen."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from rnnlab.config import Config
from rnnlab.config_changes import Change, config_at, merge_changes
from rnnlab.data.datasets import Dataset
from rnnlab.digits import FloatArray
from rnnlab.model.weights import Weights
from rnnlab.runs import REPORT_EVERY, AccuracyPoint, RunState, TestPoint
from rnnlab.training.backend import GpuError, Network, create_network
from rnnlab.training.batches import Batches
from rnnlab.training.checkpoint import Checkpoint
from rnnlab.training.data_parallel import Team
from rnnlab.training.error_reach import ErrorReach
from rnnlab.training.stopping import Stop, due_stop

IMAGES_BETWEEN_TESTS: Final = 128_000
"""Images trained on between two tests on the whole test set (every 1,000 steps of 128).

Reading 10,000 images takes about a third of the time of learning from them, so a test takes under 3 % of the
time between two tests. Batches larger than the notebook's are tested after fewer steps, smaller ones after
more. The first tests come sooner.
"""

FIRST_TESTS: Final = (1 / 8, 1 / 4, 3 / 8, 1 / 2)
"""When the first tests come, as shares of the images between two tests: most is learned in this time."""


class Reporter(Protocol):
    """Receives what the loop reports about a run while it trains."""

    def on_point(self, point: AccuracyPoint, weights: Weights) -> None:
        """Receive a point of the curve and the weights that it was measured with."""

    def on_test(self, test: TestPoint, weights: Weights) -> None:
        """Receive an accuracy on the whole test set and the weights that it was measured with."""

    def on_error_reach(self, step: int, norms: FloatArray) -> None:
        """Receive how far back the error reaches at a step: what `ErrorReach.norms` returns."""

    def on_begin(self, step: int, cores: int, engine: str) -> None:
        """Receive the step from which training continues now, on how many cores, and with which engine."""

    def on_note(self, text: str) -> None:
        """Receive a few words about what is being done while no points come."""

    def on_remark(self, text: str) -> None:
        """Receive a sentence that people should know about the run, also after it has ended."""


@dataclass(frozen=True)
class TrainingState:
    """A run in training, between two steps.

    Attributes:
        step: Training steps completed.
        seconds: Time spent training.
        network: The network in training.
    """

    step: int
    seconds: float
    network: Network

    def checkpoint(self) -> Checkpoint:
        """Return what is needed to resume from here."""
        return Checkpoint(self.step, self.seconds, self.network.state())


@dataclass(frozen=True)
class Decision:
    """What a run must do after a report.

    Attributes:
        end: The state to end in, stopped or paused; `None` to continue.
        changes: New changes, in force from the next step on.
    """

    end: RunState | None = None
    changes: Sequence[Change] = ()


CONTINUE: Final = Decision()

Callback = Callable[[TrainingState], Decision]
"""Decides after every report what to do. The time that it takes does not count as training."""


@dataclass(frozen=True)
class Outcome:
    """How a training run ended.

    Attributes:
        state: Finished, stopped, paused or diverged.
        step: Training steps completed.
        seconds: Time spent training and testing.
        test_accuracy: On the whole test set at the end, 0 to 1; `None` if the run diverged or pauses.
        weights: The last weights that hold finite numbers; `None` if there never were any.
        weights_step: The step that they belong to; 0 if there are none.
        checkpoint: What is needed to resume from here; `None` if the run diverged.
        stop: The rule that ended the run before its last step; `None` if none did.
    """

    state: RunState
    step: int
    seconds: float
    test_accuracy: float | None
    weights: Weights | None
    weights_step: int
    checkpoint: Checkpoint | None = None
    stop: Stop | None = None


def steps_between_tests(batch_size: int) -> int:
    """Return after how many steps the whole test set is read again: a multiple of the report interval."""
    return _reports(IMAGES_BETWEEN_TESTS / batch_size) * REPORT_EVERY


def is_tested(step: int, batch_size: int) -> bool:
    """Return whether the whole test set is read after a step that is reported."""
    first = {_reports(IMAGES_BETWEEN_TESTS * part / batch_size) * REPORT_EVERY for part in FIRST_TESTS}
    return step > 0 and (step % steps_between_tests(batch_size) == 0 or step in first)


def _reports(steps: float) -> int:
    """Return about how many reports come in so many steps, at least one."""
    return max(1, round(steps / REPORT_EVERY))


def train(
    config: Config,
    data: Dataset,
    reporter: Reporter,
    callback: Callback,
    *,
    start: Weights | None = None,
    changes: Sequence[Change] = (),
    checkpoint: Checkpoint | None = None,
    tests: Sequence[TestPoint] = (),
    team: Team | None = None,
) -> Outcome:
    """Train a network as the configuration says.

    At step 0, 20, 40, … it reports the accuracy on the batch that it has just trained on, after the update,
    as the notebook printed it. From time to time and at the end, it reports the accuracy on the whole test
    set.

    Args:
        config: The hyperparameters that the run begins with.
        data: Digits to learn from and to test with.
        reporter: Receives all points, tests and notes.
        callback: Decides after every report what to do.
        start: Weights to start from; fresh ones by default.
        changes: Those made to the hyperparameters so far.
        checkpoint: The checkpoint to resume from; by default the run starts from the beginning.
        tests: The accuracies on the test set up to the checkpoint.
        team: Helper processes that have been started already, if any.

    Raises:
        WeightsError: The weights to start from are those of another network.
        CheckpointError: The checkpoint belongs to another kind of network.
        EngineError: The engine is not installed.
    """
    reporter.on_note("Preparing the network")
    training = Training(
        config,
        data,
        reporter,
        callback,
        changes=changes,
        checkpoint=checkpoint,
        tests=tests,
    )
    state = checkpoint.network if checkpoint else None
    use_gpu = True
    while True:
        with create_network(
            training.config,
            data,
            start if state is None else None,
            state,
            use_gpu=use_gpu,
            on_remark=reporter.on_remark,
            team=team,
        ) as network:
            team = None  # its processes end with this network
            reporter.on_begin(training.step, network.cores, network.engine)
            try:
                outcome = training.run(network)
            except GpuError as error:  # others have filled its memory: the processor goes on from here
                reporter.on_remark(str(error))
                outcome, use_gpu = None, False
            if outcome is not None:
                return outcome
            state = network.state()


class Training:
    """A run in training, with any kind of network.

    Args:
        config: The hyperparameters that the run begins with.
        data: Digits to learn from and to test with.
        reporter: Receives all points, tests and notes.
        callback: Decides after every report what to do.
        changes: Those made to the hyperparameters so far, also those made after the step of the checkpoint.
        checkpoint: The checkpoint to resume from; by default the run starts from the beginning.
        tests: The accuracies on the test set up to the checkpoint.

    Attributes:
        config: The hyperparameters as they are now.
    """

    def __init__(
        self,
        config: Config,
        data: Dataset,
        reporter: Reporter,
        callback: Callback,
        *,
        changes: Sequence[Change] = (),
        checkpoint: Checkpoint | None = None,
        tests: Sequence[TestPoint] = (),
    ) -> None:
        self._first_config, self._images, self._changes = config, len(data.train_images), list(changes)
        self._reporter, self._callback = reporter, callback
        self._batches = Batches(config, self._images, self._changes)
        self._completed = checkpoint.step if checkpoint else 0
        self.config = config_at(config, self._changes, self._completed)
        self._error_reach = ErrorReach(data, self.config.batch_size)
        self._clock = _Clock(checkpoint.seconds if checkpoint else None)
        self._good: tuple[Weights | None, int] = None, 0
        # Tests at the end of a run do not count: being stopped must not end it earlier once it goes on.
        self._tests = [test for test in tests if test.step % REPORT_EVERY == 0]
        self._tested: float | None = None

    @property
    def step(self) -> int:
        """Training steps completed."""
        return self._completed

    def run(self, network: Network) -> Outcome | None:
        """Train until the run ends or pauses.

        Args:
            network: A network in the present state of the run.

        Returns:
            How it ended, or `None` if it needs a network for another batch size to continue.
        """
        while (reported := -(-self._completed // REPORT_EVERY) * REPORT_EVERY) < self.config.iterations:
            if not self._train_to_report(network, reported):
                return self._diverged()
            if stop := self._due_stop():
                return self._ended(network, RunState.FINISHED, stop)
            with self._clock.held():
                decision = self._callback(TrainingState(self._completed, self._clock.seconds(), network))
            if decision.end:
                return self._ended(network, decision.end)
            if not self._apply(decision.changes):
                return None
        if not self._train_to_the_end(network):
            return self._diverged()
        return self._ended(network, RunState.FINISHED)

    def _train_to_report(self, network: Network, reported: int) -> bool:
        """Train up to and including a step that is reported; return whether all numbers are finite."""
        loss, accuracy = network.train(self._batches.between(self._completed, reported + 1))
        self._completed = reported + 1
        weights = network.weights()
        seconds, self._tested = self._clock.seconds(), None
        if not (math.isfinite(loss) and weights.are_finite()):
            return False
        self._good = weights, reported
        self._reporter.on_point(AccuracyPoint(reported, accuracy, loss, seconds), weights)
        self._reporter.on_error_reach(reported, self._error_reach.norms(weights))
        if is_tested(reported, self.config.batch_size):
            self._tested = network.test_accuracy()
            self._tests.append(TestPoint(reported, self._tested))
            self._reporter.on_test(self._tests[-1], weights)
        return True

    def _due_stop(self) -> Stop | None:
        """Return the rule that ends the run after the report just made, if any, and before its last step."""
        if self._completed >= self.config.iterations:
            return None
        tests = self._tests if self._tested is not None else ()
        return due_stop(self.config, tests, self._completed, self._clock.seconds())

    def _train_to_the_end(self, network: Network) -> bool:
        """Train the steps after the last report; return whether all numbers are finite."""
        if self._completed >= self.config.iterations:
            return True
        loss, _ = network.train(self._batches.between(self._completed, self.config.iterations))
        self._completed, self._tested = self.config.iterations, None
        return math.isfinite(loss) and network.weights().are_finite()

    def _diverged(self) -> Outcome:
        """Return the outcome of a run whose numbers are not finite any more."""
        weights, step = self._good
        return Outcome(RunState.DIVERGED, self._completed, self._clock.seconds(), None, weights, step)

    def _apply(self, changes: Sequence[Change]) -> bool:
        """Apply new changes and those that are due; return whether the network still fits."""
        if changes:
            self._changes = list(merge_changes(self._changes, changes))
            self._batches = Batches(self._first_config, self._images, self._changes)
        before = self.config
        self.config = config_at(self._first_config, self._changes, self._completed)
        return self.config.batch_size == before.batch_size

    def _ended(self, network: Network, state: RunState, stop: Stop | None = None) -> Outcome:
        """Return how the run ended, with the test accuracy unless it only pauses."""
        seconds, weights, accuracy = self._clock.seconds(), network.weights(), None
        if state is not RunState.PAUSED:
            accuracy = self._tested if stop else None  # no need to read it twice
            if accuracy is None:
                self._reporter.on_note("Reading the whole test set")
                accuracy = network.test_accuracy()
            self._reporter.on_test(TestPoint(self._completed, accuracy), weights)
        checkpoint = Checkpoint(self._completed, seconds, network.state())
        return Outcome(state, self._completed, seconds, accuracy, weights, self._completed, checkpoint, stop)


class _Clock:
    """Counts the seconds of training.

    In a new run they count from the end of its first step, which compiles the network.

    Args:
        seconds: Those counted before; `None` for a new run.
    """

    def __init__(self, seconds: float | None) -> None:
        self._started = None if seconds is None else time.perf_counter() - seconds

    def seconds(self) -> float:
        now = time.perf_counter()
        if self._started is None:
            self._started = now
        return now - self._started

    @contextmanager
    def held(self) -> Iterator[None]:
        """Leave out the time spent in the block."""
        before = self.seconds()
        yield
        self._started = time.perf_counter() - before
