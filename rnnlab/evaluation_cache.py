"""Evaluations of the runs in a store: each made once for all who look at it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from rnnlab.datasets import TestSet, load_test
from rnnlab.evaluation import Evaluation, evaluate
from rnnlab.reader import Reader, Weights
from rnnlab.runs import Run
from rnnlab.store import Store

EVALUATIONS_KEPT: Final = 4
"""Runs whose evaluation is kept in memory, those evaluated or asked for last."""

Stamp = tuple[int, int, str]
"""What an evaluation was made of: when the weights were written (ns), their size (bytes), the data set."""


@dataclass(frozen=True, eq=False)
class RunEvaluation:
    """An evaluation of a run as it was at one step; two are the same only if they are one object.

    Attributes:
        evaluation: The numbers.
        test_set: What was read.
        step: The training step of the weights.
        stamp: What it was made of.
    """

    evaluation: Evaluation
    test_set: TestSet
    step: int
    stamp: Stamp


class EvaluationCache:
    """Keeps the newest evaluation of the runs that people look at; safe to use from several threads.

    Args:
        store: Where the weights are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._evaluating = threading.Lock()
        self._kept: OrderedDict[str, RunEvaluation] = OrderedDict()

    def last(self, run_id: str) -> RunEvaluation | None:
        """Return the last evaluation of a run, of whichever step, or `None` if there is none in memory."""
        return self._kept.get(run_id)

    def newest(self, run: Run) -> RunEvaluation | None:
        """Return the evaluation of a run's newest weights, or `None` where it has none yet.

        It takes a second or two the first time. Who asks for it meanwhile waits for the same one.

        Raises:
            WeightsError: The weights file is damaged.
            DatasetError: The test images are not on this machine, or damaged.
        """
        stamp = self._stamp(run)
        if stamp is None:
            return None
        with self._evaluating:
            kept = self._kept.get(run.id)
            if kept is None or kept.stamp != stamp:
                kept = self._evaluate(run, stamp)
            self._kept[run.id] = kept
            self._kept.move_to_end(run.id)
            if len(self._kept) > EVALUATIONS_KEPT:
                self._kept.popitem(last=False)
            return kept

    def _stamp(self, run: Run) -> Stamp | None:
        """Return what an evaluation made now would be made of, or `None` without weights."""
        try:
            status = self._store.weights_path(run.id).stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, run.data_name or run.config.dataset

    def _evaluate(self, run: Run, stamp: Stamp) -> RunEvaluation:
        """Read the test set with the newest weights of a run."""
        weights, step = Weights.load(self._store.weights_path(run.id))
        test_set = self._test_set(stamp[2])
        return RunEvaluation(
            evaluate(Reader(weights), test_set.images, test_set.labels), test_set, step, stamp
        )

    def _test_set(self, name: str) -> TestSet:
        """Return a test set, where it is in memory already, that one."""
        loaded = (kept.test_set for kept in self._kept.values() if kept.test_set.name == name)
        return next(loaded, None) or load_test(name)
