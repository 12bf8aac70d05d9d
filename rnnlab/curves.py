"""From the points in the store to what is drawn: shared, smoothed, and thinned to a bounded number."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rnnlab.runs import AccuracyPoint
from rnnlab.store import Store

MOST_DRAWN: Final = 600
"""Points drawn per line: more than a screen can show, few enough to send every second."""

CURVES_KEPT: Final = 16
"""Curves kept in memory, those looked at last."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curve:
    """All points of a run's curve; two curves are the same only if they are one object.

    Attributes:
        steps: Index of the batch just trained on, shape (N,), ascending.
        accuracy: On that batch, 0 to 1, shape (N,).
        loss: In nats, shape (N,).
        seconds: Training time up to there, shape (N,).
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


class CurveCache:
    """Keeps the curves that people look at, so that each point is read from the store once for all viewers.

    Args:
        store: Where the points are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._curves: OrderedDict[str, tuple[int, Curve]] = OrderedDict()

    def curve(self, run_id: str) -> Curve:
        """Return the curve of a run up to its newest point."""
        with self._lock:
            branches = self._store.branches(run_id)
            known, curve = self._curves.pop(run_id, (branches, EMPTY_CURVE))
            curve = curve if known == branches else EMPTY_CURVE
            last = int(curve.steps[-1]) if len(curve.steps) else -1
            points = self._store.points(run_id, after=last)
            curve = curve.extended(points) if points else curve
            self._curves[run_id] = branches, curve
            if len(self._curves) > CURVES_KEPT:
                self._curves.popitem(last=False)
            return curve


def smoothed(values: FloatArray, window: int) -> FloatArray:
    """Return the mean of the last `window` readings at each point (of fewer at the beginning), shape (N,)."""
    sums = np.cumsum(values)
    counts = np.minimum(np.arange(1, len(values) + 1), window)
    sums[window:] -= sums[:-window].copy()
    return np.asarray(sums / counts)


def thinned(values: FloatArray, most: int = MOST_DRAWN) -> NDArray[np.int64]:
    """Choose which points of a line to draw so that its peaks and dips stay.

    The line is cut into stretches of a power of two, and the lowest and highest point of each is kept, so the
    choice stays the same while the line grows, until it doubles.

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
