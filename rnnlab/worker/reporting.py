"""Sends the reports of a run to the store, to its log, and to a listener in this process."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Final, Protocol

from rnnlab.digits import FloatArray
from rnnlab.model.weights import Weights
from rnnlab.runs import AccuracyPoint, Run, TestPoint
from rnnlab.store.database import StoreError
from rnnlab.store.reports import RunLostError
from rnnlab.store.store import Store
from rnnlab.system.atomic_files import retry_if_folder_removed

HEARTBEAT_INTERVAL: Final = 2.0
"""Seconds between two heartbeats."""

PUBLISH_INTERVAL: Final = 0.4
"""Seconds between two writes of the newest weights: often enough for the eye."""

log = logging.getLogger("rnnlab.worker")


class RunListener(Protocol):
    """Gets the reports of a run while it trains, such as the command line's progress bar."""

    def on_point(self, point: AccuracyPoint) -> None:
        """Take a point of the curve."""

    def on_test(self, test: TestPoint) -> None:
        """Take an accuracy on the whole test set."""

    def on_note(self, text: str) -> None:
        """Take a few words on what the run is doing."""


class StoreReporter:
    """Reports a run to the store, and to a listener if given, and publishes its weights."""

    def __init__(self, store: Store, run: Run, listener: RunListener | None = None) -> None:
        self._store, self._run, self._listener = store, run, listener
        self._files = store.files(run.id)
        self._history, self._error_history = self._files.history(), self._files.error_history()
        self._published = float("-inf")
        self._best_accuracy = float("-inf")

    @property
    def is_heard(self) -> bool:
        """Whether there is a listener in this process."""
        return self._listener is not None

    def on_begin(self, step: int, cores: int, engine: str) -> None:
        """Store the step at which the run begins or resumes, the number of processor cores, the engine."""
        self._store.reports.set_begun(self._run.id, step, cores, engine)
        retry_if_folder_removed(lambda: self._error_history.discard_from(step))
        self._files.best.discard_after(step)
        known = (test.accuracy for test in self._store.tests(self._run.id))
        self._best_accuracy = max(known, default=float("-inf"))
        log.info("%s: trains with %s on %d of this machine's cores", self._run.id, engine, cores)

    def on_note(self, text: str) -> None:
        """Store in a few words what the run is doing."""
        self._store.reports.set_message(self._run.id, text)
        if self._listener:
            self._listener.on_note(text)

    def on_remark(self, text: str) -> None:
        """Store and log a sentence that people should know about the run."""
        self._store.reports.add_remark(self._run.id, text)
        log.warning("%s: %s", self._run.id, text)

    def on_point(self, point: AccuracyPoint, weights: Weights) -> None:
        """Store a point; publish the weights if the last ones are older than `PUBLISH_INTERVAL`."""
        if not self._store.is_current:
            raise RunLostError(f"The list of runs that {self._run.id} is in has been removed or replaced.")
        self._store.reports.add_point(self._run.id, point)
        if time.monotonic() - self._published >= PUBLISH_INTERVAL:
            self.publish(weights, point.step)
        retry_if_folder_removed(lambda: self._history.maybe_snapshot(weights, point.step))
        if self._listener:
            self._listener.on_point(point)

    def on_error_reach(self, step: int, norms: FloatArray) -> None:
        """Add how far back the error reaches to the file of the run."""
        retry_if_folder_removed(lambda: self._error_history.add(step, norms))

    def publish(self, weights: Weights, step: int) -> None:
        """Save weights as the newest ones, which the dashboard reads with."""
        retry_if_folder_removed(lambda: weights.save(self._files.weights, step))
        self._published = time.monotonic()

    def on_test(self, test: TestPoint, weights: Weights) -> None:
        """Store an accuracy on the whole test set, and the weights if none was better.

        Of weights that read equally well the last ones are kept: they have learned longer.
        """
        self._store.reports.add_test(self._run.id, test)
        if test.accuracy >= self._best_accuracy:
            retry_if_folder_removed(lambda: self._files.best.save(weights, test.step))
            self._best_accuracy = test.accuracy
        if self._listener:
            self._listener.on_test(test)


class _RunLogHandler(logging.FileHandler):
    """Writes to the log of a run for as long as there is room on the disk; what comes then is lost."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 its name in Python's library
        """Do nothing: the run has its own way to say that the disk is full."""

    def close(self) -> None:
        """Close the file."""
        with suppress(OSError):
            super().close()


@contextmanager
def run_log(store: Store, run: Run) -> Iterator[None]:
    """Also write what the package logs in the block to the run's own log, if that can be written."""
    package = logging.getLogger("rnnlab")
    package.setLevel(logging.INFO)
    with ExitStack() as stack:
        try:
            store.files(run.id).make_folder()
            handler = _RunLogHandler(store.files(run.id).log, encoding="utf-8")
        except OSError:
            log.exception("%s: its log cannot be written", run.id)
        else:
            # With the time zone, since whoever reads it may be in another one.
            handler.setFormatter(
                logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S%z")
            )
            package.addHandler(handler)
            stack.callback(handler.close)
            stack.callback(package.removeHandler, handler)
        yield


@contextmanager
def heartbeat(store: Store, *, run_id: str | None = None, worker_id: str | None = None) -> Iterator[None]:
    """Send a heartbeat for a run or a worker every two seconds, also while TensorFlow compiles."""
    over = threading.Event()

    def send() -> None:
        with suppress(StoreError):  # a disk that is full now may have room two seconds later
            if run_id is not None:
                store.reports.beat(run_id)
            if worker_id is not None:
                store.workers.beat(worker_id)

    def beat() -> None:
        while not over.wait(HEARTBEAT_INTERVAL):
            send()

    send()
    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
