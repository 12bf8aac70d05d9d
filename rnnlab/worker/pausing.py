"""What a worker does after a report: save checkpoints, wait during a pause, apply changes."""

from __future__ import annotations

import threading
import time
from typing import Final

from rnnlab.runs import RunState
from rnnlab.store.reports import PendingRequests
from rnnlab.store.store import Store
from rnnlab.system.atomic_files import retry_if_folder_removed
from rnnlab.training.loop import Decision, TrainingState
from rnnlab.worker.reporting import StoreReporter

CHECKPOINT_INTERVAL: Final = 2.5
"""Seconds between two checkpoints. A run loses at most this and one report if its worker is killed."""

POLL_INTERVAL: Final = 0.1
"""Seconds between two checks whether a pause is over."""

MAX_PAUSE: Final = 600.0
"""Seconds that a worker stays with a paused run; after that the run has no worker until it is resumed."""


class RunCallback:
    """Called by the training loop after every report: carries out what people have asked of the run.

    Args:
        store: The store that holds the run.
        run_id: Its id.
        stop: Set to end it at the next report, as a request in the store does.
        reporter: Publishes the newest weights before a pause. If it has a listener (the command line), this
            process stays with a paused run, because it would not take another one.
    """

    def __init__(self, store: Store, run_id: str, stop: threading.Event, reporter: StoreReporter) -> None:
        self._reports, self._sync = store.reports, store.sync
        self._run_id, self._stop, self._reporter = run_id, stop, reporter
        self._files = store.files(run_id)
        self._saved = float("-inf")

    def __call__(self, state: TrainingState) -> Decision:
        """Return what the training loop is to do next; during a pause, wait until it is over."""
        pending = self._wait_while_paused(state)
        if pending is None:
            return Decision(RunState.PAUSED)
        if self._is_to_stop(pending):
            return Decision(RunState.STOPPED)
        changes = self._reports.take_changes(self._run_id, state.step) if pending.changes else ()
        if changes or time.monotonic() - self._saved >= CHECKPOINT_INTERVAL:
            self._save_checkpoint(state)
        return Decision(changes=changes)

    def _wait_while_paused(self, state: TrainingState) -> PendingRequests | None:
        """Wait while the run is to pause; then return the requests, or `None` if the worker gives it up."""
        pending = self._reports.pending_requests(self._run_id)
        if not self._is_to_pause(pending, state):
            return pending
        self._begin_pause(state)
        patience_ends = time.monotonic() + MAX_PAUSE
        while self._is_to_pause(pending, state):
            if self._may_part(patience_ends) and self._reports.release(self._run_id, state.step):
                return None
            self._stop.wait(POLL_INTERVAL)
            pending = self._reports.pending_requests(self._run_id)
        if not self._is_to_stop(pending):
            self._reports.set_resumed(self._run_id)
        return pending

    def _is_to_stop(self, pending: PendingRequests) -> bool:
        return pending.stop or self._stop.is_set()

    def _is_to_pause(self, pending: PendingRequests, state: TrainingState) -> bool:
        asked = pending.pause_at is not None and state.step >= pending.pause_at
        return asked and not self._is_to_stop(pending)

    def _may_part(self, patience_ends: float) -> bool:
        """Return whether the worker may give up a paused run: others wait, or it has waited long enough."""
        if self._reporter.is_heard:
            return False
        return time.monotonic() >= patience_ends or self._reports.has_queued_runs()

    def _begin_pause(self, state: TrainingState) -> None:
        self._save_checkpoint(state)
        self._reporter.publish(state.network.weights(), state.step)
        self._reports.set_paused(self._run_id)

    def _save_checkpoint(self, state: TrainingState) -> None:
        """Save a checkpoint, after making sure that all earlier reports are on the disk."""
        self._sync()
        checkpoint = state.checkpoint()
        retry_if_folder_removed(lambda: checkpoint.save(self._files.checkpoint))
        self._files.best.delete_older()
        self._reports.save_record(self._run_id)
        self._saved = time.monotonic()
