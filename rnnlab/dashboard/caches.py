"""Caches for what is read or computed once for all visitors: curves, evaluations, readers, lessons."""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rnnlab.dashboard.charts.curve_data import EMPTY_CURVE, Curve
from rnnlab.data.datasets import TestSet, load_test
from rnnlab.data.labelled_drawings import LabelledDrawingError, LabelledDrawings
from rnnlab.model.evaluation import Evaluation, evaluate
from rnnlab.model.reader import Reader
from rnnlab.model.weights import Weights, WeightsError
from rnnlab.runs import Run, TestPoint
from rnnlab.store.database import StoreError
from rnnlab.store.error_history import ErrorReaches
from rnnlab.store.store import Store

MAX_CURVES_CACHED: Final = 16
"""Most curves in memory; the one looked at longest ago goes first."""

MAX_EVALUATIONS_CACHED: Final = 4
"""Most evaluations in memory, one per run; the one asked for longest ago goes first."""


class CurveCache:
    """Caches the curves that people look at: each point is read from the store once for all viewers."""

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
            if len(self._curves) > MAX_CURVES_CACHED:
                self._curves.popitem(last=False)
            return curve


class ErrorReachCache:
    """Caches how far back the error reached in the runs that people look at: a file is read once for all."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[tuple[int, int], ErrorReaches]] = OrderedDict()

    def reaches(self, run_id: str) -> ErrorReaches:
        """Return how far back the error of a run reached at each report."""
        with self._lock:
            history = self._store.files(run_id).error_history()
            stamp = history.stamp()
            known = self._known.pop(run_id, None)
            reaches = known[1] if known and known[0] == stamp else history.read()
            self._known[run_id] = stamp, reaches
            if len(self._known) > MAX_CURVES_CACHED:
                self._known.popitem(last=False)
            return reaches


Stamp = tuple[Path, int, int, str]
"""What an evaluation was made from: weights file, its time (ns) and size (bytes), name of the data set."""


def data_of(run: Run) -> str:
    """Return the name of the data set that a run has learned from, or is going to learn from."""
    return run.data_name or run.config.dataset


@dataclass(frozen=True, eq=False)
class RunEvaluation:
    """An evaluation of a run as it was at one step; two are the same only if they are one object.

    Attributes:
        evaluation: The numbers.
        test_set: The test images that were read.
        step: The training step of the weights.
        stamp: What it was made from.
    """

    evaluation: Evaluation
    test_set: TestSet
    step: int
    stamp: Stamp


class EvaluationCache:
    """Caches the newest evaluation of the runs that people look at; safe to use from several threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._evaluating = threading.Lock()
        self._cached: OrderedDict[str, RunEvaluation] = OrderedDict()
        self._last_test_set: TestSet | None = None

    def last(self, run_id: str) -> RunEvaluation | None:
        """Return the last evaluation of a run, of whichever step, or `None` if there is none in memory."""
        return self._cached.get(run_id)

    def newest(self, run: Run, *, best: bool = False) -> RunEvaluation | None:
        """Return the evaluation of a run's newest weights, or `None` if it has none yet.

        This takes a second or two the first time. Whoever asks for it in that time waits for the same one.

        Args:
            run: The run.
            best: Whether the weights of its best test count in place of the newest ones, if there are any.

        Raises:
            WeightsError: The weights file is damaged.
            DatasetError: The test images are not on this machine, or damaged.
        """
        stamp = self._stamp(run, best=best)
        if stamp is None:
            return None
        with self._evaluating:
            found = self._cached.get(run.id)
            if found is None or found.stamp != stamp:
                found = self._evaluate(stamp)
            self._cached[run.id] = found
            self._cached.move_to_end(run.id)
            if len(self._cached) > MAX_EVALUATIONS_CACHED:
                self._cached.popitem(last=False)
            return found

    def _stamp(self, run: Run, *, best: bool) -> Stamp | None:
        """Return what an evaluation would be made from now, or `None` without weights."""
        files = self._store.files(run.id)
        found = files.best.newest() if best else None
        path = found[0] if found else files.weights
        try:
            status = path.stat()
        except OSError:
            return None
        return path, status.st_mtime_ns, status.st_size, data_of(run)

    def _evaluate(self, stamp: Stamp) -> RunEvaluation:
        """Read a test set with the weights of a run."""
        path, *_, data = stamp
        weights, step = Weights.load(path)
        test_set = self._test_set(data)
        return RunEvaluation(
            evaluate(Reader(weights), test_set.images, test_set.labels), test_set, step, stamp
        )

    def test_set(self, run: Run | None) -> TestSet:
        """Return the test images of a run's data set; without a run, the bundled ones.

        Raises:
            DatasetError: They are not on this machine, or damaged.
        """
        return self._test_set(data_of(run) if run else "digits")

    def _test_set(self, name: str) -> TestSet:
        """Return a test set; load it only if it is neither the last one nor that of a cached evaluation."""
        loaded = [self._last_test_set, *(each.test_set for each in list(self._cached.values()))]
        found = next((each for each in loaded if each and each.name == name), None) or load_test(name)
        self._last_test_set = found
        return found


@functools.lru_cache(maxsize=8)
def _reader_of(path: Path, _modified: int, _size: int) -> tuple[Reader, int]:
    weights, step = Weights.load(path)
    return Reader(weights), step


def newest_reader(store: Store, run_id: str) -> tuple[Reader, int] | None:
    """Return a reader with the newest weights of a run and their step, or `None` if there are none yet.

    Raises:
        WeightsError: The weights file is damaged.
    """
    return _reader_at(store.files(run_id).weights)


def best_reader(store: Store, run_id: str) -> tuple[Reader, int] | None:
    """Return a reader with the weights of a run's best test and their step, or `None` if there are none.

    Raises:
        WeightsError: The weights file is damaged.
    """
    best = store.files(run_id).best.newest()
    return _reader_at(best[0]) if best else None


def _reader_at(path: Path) -> tuple[Reader, int] | None:
    """Return a reader with the weights of a file and their step, or `None` if it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return _reader_of(path, status.st_mtime_ns, status.st_size)


@dataclass(frozen=True)
class Lesson:
    """What a run has learned from labelled drawings. It has learned from these very drawings.

    Attributes:
        parent: The run whose weights it started from.
        drawings: How many drawings it learns from.
        right_before: How many of them were read right with the weights that it started from.
        right_now: How many of them are read right now; `None` while it trains.
        start: The step of the parent at which it had these weights.
        test_before: The last test of the parent until then; `None` if there is none to compare with.
    """

    parent: str
    drawings: int
    right_before: int
    right_now: int | None
    start: int
    test_before: TestPoint | None


def lesson_of(store: Store, run: Run) -> Lesson | None:
    """Return what a run has learned from labelled drawings, or `None` if it was not taught, or not yet."""
    files = store.files(run.id)
    if run.parent is None or not run.config.your_hand or not files.labelled_drawings.exists():
        return None
    try:
        before = _score(files.start, files.labelled_drawings)
        now = None if run.state.is_active else _score(files.weights, files.labelled_drawings)
    except (WeightsError, LabelledDrawingError):
        return None
    if before is None or not before.drawings:
        return None
    return Lesson(
        parent=run.parent,
        drawings=before.drawings,
        right_before=before.right,
        right_now=now.right if now else None,
        start=before.step,
        test_before=_test_of_parent(store, run, before.step),
    )


@dataclass(frozen=True)
class _Score:
    """How many drawings are read right with the weights of a step."""

    right: int
    drawings: int
    step: int


def _score(weights: Path, drawings: Path) -> _Score | None:
    """Return how many drawings of a folder are read right, or `None` if there are no weights.

    Raises:
        WeightsError: The weights file is damaged.
        LabelledDrawingError: There is not enough memory to read the drawings.
    """
    try:
        status = weights.stat()
    except OSError:
        return None
    return _score_of(weights, status.st_mtime_ns, status.st_size, drawings)


@functools.lru_cache(maxsize=64)
def _score_of(path: Path, modified: int, size: int, drawings: Path) -> _Score:
    reader, step = _reader_of(path, modified, size)
    pictures, labels = LabelledDrawings(drawings).examples()
    right = int((reader.read(pictures).beliefs[:, -1].argmax(axis=1) == labels).sum())
    return _Score(right, len(labels), step)


def _test_of_parent(store: Store, run: Run, step: int) -> TestPoint | None:
    """Return the last test of a run's parent up to a step; `None` if there is none on the same test set."""
    try:
        parent = store.run(run.parent or "")
    except StoreError:
        return None
    tests = [test for test in store.tests(parent.id) if test.step <= step]
    return tests[-1] if tests and parent.data_name == run.data_name else None
