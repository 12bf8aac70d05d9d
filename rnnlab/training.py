"""Training: `train(config, data, report, control)` knows no process, store or screen."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from rnnlab.batches import Batches
from rnnlab.config import Config
from rnnlab.datasets import Dataset
from rnnlab.network import Network, new_network
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

    def cores(self, cores: int) -> None:
        """Take the number of processor cores that training uses."""

    def note(self, text: str) -> None:
        """Take a few words on what is going on where no points come."""


@dataclass(frozen=True)
class Outcome:
    """How a training run ended.

    Attributes:
        state: Finished, stopped or diverged.
        step: Training steps completed.
        seconds: Time spent training and testing.
        test_accuracy: On the whole test set at the end, 0 to 1; `None` after a divergence.
        weights: The last weights that hold finite numbers; `None` where there never were any.
        weights_step: The step that they belong to; 0 where there are none.
    """

    state: RunState
    step: int
    seconds: float
    test_accuracy: float | None
    weights: Weights | None
    weights_step: int


def steps_between_tests(batch_size: int) -> int:
    """Return after how many steps the whole test set is read again: a multiple of the report interval."""
    return max(1, round(IMAGES_BETWEEN_TESTS / batch_size / REPORT_EVERY)) * REPORT_EVERY


def train(
    config: Config,
    data: Dataset,
    report: Report,
    control: Callable[[], bool],
    start: Weights | None = None,
) -> Outcome:
    """Train a network as the configuration says.

    At step 0, 20, 40, … it reports the accuracy on the batch it has just trained on, after the update, as the
    notebook printed it; on the way and at the end the accuracy on the whole test set.

    Args:
        config: The hyperparameters.
        data: Digits to learn from and to test with.
        report: Told what happens.
        control: Asked after every report whether to stop.
        start: Weights to start from; fresh ones by default.
    """
    report.note("Preparing the network")
    with new_network(config, data, start) as network:
        report.cores(network.cores)
        return train_network(config, network, len(data.train_images), report, control)


def train_network(
    config: Config, network: Network, images: int, report: Report, control: Callable[[], bool]
) -> Outcome:
    """Train a network that is there; the rest is as for `train`.

    Args:
        config: The hyperparameters.
        network: A network of that configuration.
        images: Number of training images.
        report: Told what happens.
        control: Asked after every report whether to stop.
    """
    batches = Batches(config, images)
    clock = _Clock()
    completed, weights, state = 0, None, RunState.FINISHED
    for reported in range(0, config.iterations, REPORT_EVERY):
        loss, accuracy = network.train(batches.between(completed, reported + 1))
        completed = reported + 1
        newest = network.weights()
        if not (math.isfinite(loss) and newest.are_finite()):
            last_good = max(0, reported - REPORT_EVERY)
            return Outcome(RunState.DIVERGED, completed, clock.seconds(), None, weights, last_good)
        weights = newest
        report.point(AccuracyPoint(reported, accuracy, loss, clock.seconds()), weights)
        if reported and reported % steps_between_tests(config.batch_size) == 0:
            report.test(TestPoint(reported, network.test_accuracy()))
        if control():
            state = RunState.STOPPED
            break
    if state is RunState.FINISHED and completed < config.iterations:
        network.train(batches.between(completed, config.iterations))
        completed = config.iterations
    seconds = clock.seconds()
    report.note("Reading the whole test set")
    test_accuracy = network.test_accuracy()
    report.test(TestPoint(completed, test_accuracy))
    return Outcome(state, completed, seconds, test_accuracy, network.weights(), completed)


class _Clock:
    """Counts the seconds from the end of the first step on: that step compiles the network."""

    def __init__(self) -> None:
        self._started: float | None = None

    def seconds(self) -> float:
        now = time.perf_counter()
        if self._started is None:
            self._started = now
        return now - self._started
