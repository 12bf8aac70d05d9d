"""Turns the points in the store into lines: smoothed, and thinned out to a limited number of points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rnnlab.runs import AccuracyPoint

MAX_POINTS_DRAWN: Final = 600
"""Most points shown per line: more than a screen can show, few enough to send every second."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curve:
    """All points of a run's curve; two curves are the same only if they are one object.

    Attributes:
        steps: Index of the batch just trained on, shape (N,), ascending.
        accuracy: Accuracy on that batch, 0 to 1, shape (N,).
        loss: Loss on that batch, in nats, shape (N,).
        seconds: Training time up to that step, shape (N,).
    """

    steps: NDArray[np.int64]
    accuracy: FloatArray
    loss: FloatArray
    seconds: FloatArray

    def extended(self, points: list[AccuracyPoint]) -> Curve:
        """Return a curve with more points at its end."""
        return Curve(
            steps=np.append(self.steps, np.array([point.step for point in points], np.int64)),
            accuracy=np.append(self.accuracy, [point.accuracy for point in points]),
            loss=np.append(self.loss, [point.loss for point in points]),
            seconds=np.append(self.seconds, [point.seconds for point in points]),
        )

    def steps_per_second(self, window: int = 15) -> float | None:
        """Return the training speed over the last reports, or `None` before there are two."""
        if len(self.steps) < 2:
            return None
        first = max(0, len(self.steps) - window)
        elapsed = self.seconds[-1] - self.seconds[first]
        return float((self.steps[-1] - self.steps[first]) / elapsed) if elapsed > 0 else None


EMPTY_CURVE: Final = Curve(np.empty(0, np.int64), np.empty(0), np.empty(0), np.empty(0))


def moving_average(values: FloatArray, window: int) -> FloatArray:
    """Return the mean of the last `window` values at each point (of fewer at the beginning), shape (N,)."""
    sums = np.cumsum(values)
    counts = np.minimum(np.arange(1, len(values) + 1), window)
    sums[window:] -= sums[:-window].copy()
    return np.asarray(sums / counts)


def downsample(values: FloatArray, most: int = MAX_POINTS_DRAWN) -> NDArray[np.int64]:
    """Choose which points of a line to show so that its peaks and dips stay.

    The line is cut into stretches whose length is a power of two. The lowest and the highest point of each
    are kept. So the choice stays the same while the line grows, until it is twice as long.

    Args:
        values: The line, shape (N,).
        most: How many points may be kept, besides the first and the last.

    Returns:
        Indices of the points to keep, ascending.
    """
    count = len(values)
    if count <= most:
        return np.arange(count)
    stretch = 2
    while 2 * -(-count // stretch) > most:
        stretch *= 2
    whole = count // stretch * stretch
    parts = values[:whole].reshape(-1, stretch)
    starts = np.arange(0, whole, stretch)
    chosen = [starts + parts.argmin(axis=1), starts + parts.argmax(axis=1), np.array([0, count - 1])]
    if whole < count:
        chosen.append(whole + np.array([values[whole:].argmin(), values[whole:].argmax()]))
    return np.unique(np.concatenate(chosen))
