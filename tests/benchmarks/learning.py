"""How fast and how well the presets learn on MNIST: `python -m tests.benchmarks.learning`.

Prints, for `notebook`, the step at which the mean of 5 readings first reaches each mark of the original's
printout, for nine seeds; for `default`, speed, test accuracy after 5,000 steps, accuracy and
confidence by row; and the share of the time that tests during training take.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from rnnlab.config import Config
from rnnlab.data.datasets import Dataset, load
from rnnlab.digits import FloatArray
from rnnlab.model.evaluation import evaluate
from rnnlab.model.reader import Reader
from rnnlab.model.weights import Weights
from rnnlab.presets import config_from
from rnnlab.runs import AccuracyPoint, TestPoint
from rnnlab.training.backend import create_network
from rnnlab.training.batches import Batches
from rnnlab.training.devices import initialize_devices
from rnnlab.training.loop import CONTINUE, Outcome, steps_between_tests, train

MARKS = {0.90: 260, 0.95: 500, 0.98: 1100}
"""Means of 5 readings, each with the step by which it should be reached."""


class Curve:
    """Records the points of a run."""

    def __init__(self) -> None:
        self.points: list[AccuracyPoint] = []

    def on_point(self, point: AccuracyPoint, weights: Weights) -> None:
        """Record a point."""
        del weights
        self.points.append(point)

    def on_error_reach(self, step: int, norms: FloatArray) -> None:
        """Record nothing."""

    def on_test(self, test: TestPoint, weights: Weights) -> None:
        """Print a test."""
        del weights
        print(f"    step {test.step:,}: test accuracy {test.accuracy:.4f}")

    def on_begin(self, step: int, cores: int, engine: str) -> None:
        """Print on how many cores it trains, and with which engine."""
        del step
        print(f"    with {engine} on {cores} cores")

    def on_note(self, text: str) -> None:
        """Print nothing."""

    def on_remark(self, text: str) -> None:
        """Print it."""
        print(f"    {text}")


def run(config: Config, data: Dataset) -> tuple[Curve, Outcome]:
    """Train and return the curve and the outcome."""
    curve = Curve()
    return curve, train(config, data, curve, lambda _: CONTINUE)


def first_step(points: list[AccuracyPoint], mark: float) -> float:
    """Return the step at which the mean of 5 readings first reaches a mark."""
    accuracies = [point.accuracy for point in points]
    for index in range(4, len(accuracies)):
        if np.mean(accuracies[index - 4 : index + 1]) >= mark:
            return points[index].step
    return float("inf")


def notebook(data: Dataset) -> None:
    """Measure the notebook's curve: one curve is a matter of luck, so nine are measured."""
    print("notebook: first step with a mean of 5 readings of at least")
    reached: dict[float, list[float]] = {mark: [] for mark in MARKS}
    for seed in range(9):
        curve, _ = run(config_from({"seed": seed, "iterations": 1_401}, "notebook"), data)
        for mark in MARKS:
            reached[mark].append(first_step(curve.points, mark))
    for mark, limit in MARKS.items():
        steps = reached[mark]
        print(f"  {mark:.2f}: seeds 0 to 8: {steps} (aim: by {limit:,})")
        print(
            f"        median of all {np.median(steps):,.0f}, of the first three {np.median(steps[:3]):,.0f}"
        )


def default(data: Dataset) -> None:
    """Measure the default preset."""
    print("default, 5,000 steps")
    curve, outcome = run(config_from({"iterations": 5_000}), data)
    assert outcome.weights is not None
    print(f"  test accuracy {outcome.test_accuracy:.4f} (aim 0.985)")
    print(f"  {4_980 / curve.points[-1].seconds:.1f} steps/s, tests included")
    result = evaluate(Reader(outcome.weights), data.test_images, data.test_labels)
    for row in (8, 14, 20, 28):
        values = result.accuracy_by_row[row - 1], result.confidence_by_row[row - 1]
        print(f"  row {row}: accuracy {values[0]:.3f}, mean confidence {values[1]:.3f}")


def cost_of_tests(data: Dataset) -> None:
    """Measure the time that tests during training take."""
    config = Config()
    batches = Batches(config, len(data.train_images)).between(0, 200)

    def seconds(work: Callable[[], object]) -> float:
        work()
        times = []
        for _ in range(3):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
        return float(np.median(times))

    with create_network(config, data) as network:
        step = seconds(lambda: network.train(batches)) / len(batches)
        test = seconds(network.test_accuracy)
    interval = steps_between_tests(config.batch_size)
    share = test / step / interval
    print(f"a test takes {test:.2f} s every {interval:,} steps of {1000 * step:.1f} ms: {share:.1%}")


if __name__ == "__main__":
    mnist = load("mnist")
    if mnist.note:
        raise SystemExit(mnist.note)
    initialize_devices()
    cost_of_tests(mnist)
    notebook(mnist)
    default(mnist)
