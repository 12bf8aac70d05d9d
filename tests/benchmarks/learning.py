"""How fast and how well the presets learn on MNIST: `python -m tests.benchmarks.learning`.

Prints, for `notebook`, the step at which the mean of 5 readings first reaches each mark of the original's
printout, for nine seeds; for `default`, speed, test accuracy after 5,000 steps, accuracy and
confidence by row; and the share of the time that tests on the way take.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from rnnlab.batches import Batches
from rnnlab.config import Config, config_from
from rnnlab.datasets import Dataset, load
from rnnlab.evaluation import evaluate
from rnnlab.network import start_devices
from rnnlab.networks import new_network
from rnnlab.reader import Reader, Weights
from rnnlab.runs import AccuracyPoint, TestPoint
from rnnlab.training import GO_ON, Outcome, steps_between_tests, train

MARKS = {0.90: 260, 0.95: 500, 0.98: 1100}
"""Means of 5 readings and the steps by which they should be reached."""


class Curve:
    """Keeps the points of a run."""

    def __init__(self) -> None:
        self.points: list[AccuracyPoint] = []

    def point(self, point: AccuracyPoint, weights: Weights) -> None:
        """Keep a point."""
        del weights
        self.points.append(point)

    def test(self, test: TestPoint) -> None:
        """Print a test."""
        print(f"    step {test.step:,}: test accuracy {test.accuracy:.4f}")

    def begins(self, step: int, cores: int) -> None:
        """Print on how many cores it trains."""
        del step
        print(f"    on {cores} cores")

    def note(self, text: str) -> None:
        """Print nothing."""


def run(config: Config, data: Dataset) -> tuple[Curve, Outcome]:
    """Train and return the curve and the outcome."""
    curve = Curve()
    return curve, train(config, data, curve, lambda _: GO_ON)


def first_step(points: list[AccuracyPoint], mark: float) -> float:
    """Return the step at which the mean of 5 readings first reaches a mark."""
    accuracies = [point.accuracy for point in points]
    for index in range(4, len(accuracies)):
        if np.mean(accuracies[index - 4 : index + 1]) >= mark:
            return points[index].step
    return float("inf")


def notebook(data: Dataset) -> None:
    """Measure the notebook's curve: one curve is a matter of luck, so nine are drawn."""
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
    """Measure what reading the test set on the way costs."""
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

    with new_network(config, data) as network:
        step = seconds(lambda: network.train(batches)) / len(batches)
        test = seconds(network.test_accuracy)
    interval = steps_between_tests(config.batch_size)
    share = test / step / interval
    print(f"a test takes {test:.2f} s every {interval:,} steps of {1000 * step:.1f} ms: {share:.1%}")


if __name__ == "__main__":
    mnist = load("mnist")
    if mnist.note:
        raise SystemExit(mnist.note)
    start_devices()
    cost_of_tests(mnist)
    notebook(mnist)
    default(mnist)
