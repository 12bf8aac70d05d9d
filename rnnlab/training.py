"""Training: `train(config, data, report, control)` knows no process, store or screen."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from rnnlab.batches import Batches
from rnnlab.changes import Change, config_at, merged
from rnnlab.checkpoint import Checkpoint
from rnnlab.config import Config
from rnnlab.datasets import Dataset
from rnnlab.networks import Network, new_network
from rnnlab.reader import Weights
from rnnlab.runs import REPORT_EVERY, AccuracyPoint, RunState, TestPoint

IMAGES_BETWEEN_TESTS: Final = 128_000
"""Images trained on between two tests on the whole test set (every 1,000 steps of 128).

Reading 10,000 images costs about a third of learning from them, so a test costs under 3 % of the training
between two of them; larger batches than the notebook's are tested more often, smaller ones less.
"""


class Report(Protocol):
    """Where a training run tells what happens."""

    def point(self, point: AccuracyPoint, weights: Weights) -> None:
        """Take a point of the curve and the weights that it was measured with."""

    def test(self, test: TestPoint) -> None:
        """Take an accuracy on the whole test set."""

    def begins(self, step: int, cores: int) -> None:
        """Take from which step training goes on now, and on how many processor cores."""

    def note(self, text: str) -> None:
        """Take a few words on what is going on where no points come."""


@dataclass(frozen=True)
class Moment:
    """A training between two steps.

    Attributes:
        step: Training steps completed.
        seconds: Time spent training.
        network: The network.
    """

    step: int
    seconds: float
    network: Network

    def checkpoint(self) -> Checkpoint:
        """Return what is needed to go on from here."""
        return Checkpoint(self.step, self.seconds, self.network.state())


@dataclass(frozen=True)
class Instruction:
    """What a training is to do after a report.

    Attributes:
        end: The state to end in, stopped or paused; `None` to go on.
        changes: Made from the next step on.
    """

    end: RunState | None = None
    changes: Sequence[Change] = ()


GO_ON: Final = Instruction()

Control = Callable[[Moment], Instruction]
"""Asked after every report what to do. The time that it takes does not count as training."""


@dataclass(frozen=True)
class Outcome:
    """How a training run ended.

    Attributes:
        state: Finished, stopped, paused or diverged.
        step: Training steps completed.
        seconds: Time spent training and testing.
        test_accuracy: On the whole test set at the end, 0 to 1; `None` after a divergence and in a pause.
        weights: The last weights that hold finite numbers; `None` where there never were any.
        weights_step: The step that they belong to; 0 where there are none.
        checkpoint: What is needed to go on from here; `None` after a divergence.
    """

    state: RunState
    step: int
    seconds: float
    test_accuracy: float | None
    weights: Weights | None
    weights_step: int
    checkpoint: Checkpoint | None = None


def steps_between_tests(batch_size: int) -> int:
    """Return after how many steps the whole test set is read again: a multiple of the report interval."""
    return max(1, round(IMAGES_BETWEEN_TESTS / batch_size / REPORT_EVERY)) * REPORT_EVERY


def train(
    config: Config,
    data: Dataset,
    report: Report,
    control: Control,
    *,
    start: Weights | None = None,
    changes: Sequence[Change] = (),
    checkpoint: Checkpoint | None = None,
) -> Outcome:
    """Train a network as the configuration says.

    At step 0, 20, 40, … it reports the accuracy on the batch it has just trained on, after the update, as the
    notebook printed it; on the way and at the end the accuracy on the whole test set.

    Args:
        config: The hyperparameters that the run begins with.
        data: Digits to learn from and to test with.
        report: Told what happens.
        control: Asked after every report what to do.
        start: Weights to start from; fresh ones by default.
        changes: Made to the hyperparameters before now.
        checkpoint: Where to go on from; from the beginning by default.

    Raises:
        WeightsError: The weights to start from are of another number of neurons.
        CheckpointError: The checkpoint is of another kind of network.
    """
    report.note("Preparing the network")
    training = Training(
        config, len(data.train_images), report, control, changes=changes, checkpoint=checkpoint
    )
    state = checkpoint.network if checkpoint else None
    while True:
        with new_network(training.config, data, start if state is None else None, state) as network:
            report.begins(training.step, network.cores)
            outcome = training.go_on(network)
            if outcome is not None:
                return outcome
            state = network.state()


class Training:
    """A training run, whatever network it is made with.

    Args:
        config: The hyperparameters that the run begins with.
        images: Number of training images.
        report: Told what happens.
        control: Asked after every report what to do.
        changes: Made to the hyperparameters before, when it may have been further than the checkpoint.
        checkpoint: Where to go on from; from the beginning by default.

    Attributes:
        config: The hyperparameters as they are now.
    """

    def __init__(
        self,
        config: Config,
        images: int,
        report: Report,
        control: Control,
        *,
        changes: Sequence[Change] = (),
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self._first_config, self._images, self._changes = config, images, list(changes)
        self._report, self._control = report, control
        self._batches = Batches(config, images, self._changes)
        self._completed = checkpoint.step if checkpoint else 0
        self.config = config_at(config, self._changes, self._completed)
        self._clock = _Clock(checkpoint.seconds if checkpoint else None)
        self._good: tuple[Weights | None, int] = None, 0

    @property
    def step(self) -> int:
        """Training steps completed."""
        return self._completed

    def go_on(self, network: Network) -> Outcome | None:
        """Train to the end, whatever that is.

        Args:
            network: In the state in which the training is.

        Returns:
            How it ended, or `None` where it needs a network for another batch size to go on.
        """
        while (reported := -(-self._completed // REPORT_EVERY) * REPORT_EVERY) < self.config.iterations:
            if not self._train_to_report(network, reported):
                return self._diverged()
            with self._clock.held():
                instruction = self._control(Moment(self._completed, self._clock.seconds(), network))
            if instruction.end:
                return self._ended(network, instruction.end)
            if not self._follow(instruction.changes):
                return None
        if not self._train_to_the_end(network):
            return self._diverged()
        return self._ended(network, RunState.FINISHED)

    def _train_to_report(self, network: Network, reported: int) -> bool:
        """Train up to and with a step that is reported; return whether all numbers are finite."""
        loss, accuracy = network.train(self._batches.between(self._completed, reported + 1))
        self._completed = reported + 1
        weights = network.weights()
        seconds = self._clock.seconds()
        if not (math.isfinite(loss) and weights.are_finite()):
            return False
        self._good = weights, reported
        self._report.point(AccuracyPoint(reported, accuracy, loss, seconds), weights)
        if reported and reported % steps_between_tests(self.config.batch_size) == 0:
            self._report.test(TestPoint(reported, network.test_accuracy()))
        return True

    def _train_to_the_end(self, network: Network) -> bool:
        """Train the steps after the last report; return whether all numbers are finite."""
        if self._completed >= self.config.iterations:
            return True
        loss, _ = network.train(self._batches.between(self._completed, self.config.iterations))
        self._completed = self.config.iterations
        return math.isfinite(loss) and network.weights().are_finite()

    def _diverged(self) -> Outcome:
        """Return the end of a training whose numbers are not finite any more."""
        weights, step = self._good
        return Outcome(RunState.DIVERGED, self._completed, self._clock.seconds(), None, weights, step)

    def _follow(self, changes: Sequence[Change]) -> bool:
        """Make new changes and those that are due; return whether the network can take them."""
        if changes:
            self._changes = list(merged(self._changes, changes))
            self._batches = Batches(self._first_config, self._images, self._changes)
        before = self.config
        self.config = config_at(self._first_config, self._changes, self._completed)
        return self.config.batch_size == before.batch_size

    def _ended(self, network: Network, state: RunState) -> Outcome:
        """Return how the training ended, with the test accuracy unless it may go on at any moment."""
        seconds, accuracy = self._clock.seconds(), None
        if state is not RunState.PAUSED:
            self._report.note("Reading the whole test set")
            accuracy = network.test_accuracy()
            self._report.test(TestPoint(self._completed, accuracy))
        checkpoint = Checkpoint(self._completed, seconds, network.state())
        return Outcome(
            state, self._completed, seconds, accuracy, network.weights(), self._completed, checkpoint
        )


class _Clock:
    """Counts the seconds of training.

    A new run's begin at the end of its first step, which compiles the network.

    Args:
        seconds: Counted before; `None` for a new run.
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
        """Let the time meanwhile not count."""
        before = self.seconds()
        yield
        self._started = time.perf_counter() - before
