"""The worker's side of the store: it claims runs, reports on them, and reads the requests for them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from sqlite3 import Connection
from typing import Final, NamedTuple

from rnnlab import config_changes
from rnnlab.config_changes import Change
from rnnlab.runs import AccuracyPoint, Run, RunState, TestPoint
from rnnlab.store.database import Database, StoreError
from rnnlab.store.rows import SELECT_RUNS, run_from_row
from rnnlab.store.workers import is_held

_WORKER_ENDED: Final = (
    "Its worker ended unexpectedly; what it had learned is saved, and Resume continues from there."
)


class RunLostError(StoreError):
    """A worker reports on a run that is no longer its own."""


class PendingRequests(NamedTuple):
    """What people have asked of a run, as its worker reads it.

    Attributes:
        stop: Whether to end it.
        pause_at: Completed steps from which on it is to pause, or `None`.
        changes: Whether hyperparameters are to be changed.
    """

    stop: bool
    pause_at: int | None
    changes: bool


class _HeldRun(NamedTuple):
    """A run that a worker has or had, as `mark_interrupted` reads it."""

    id: str
    state: str
    heartbeat: float
    process: int | None
    goes_on: bool
    stop_requested: bool


class RunReports:
    """What workers write and read about their runs; `clock` returns the time in seconds since the epoch."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    # From claim to end

    def claim(self, run_id: str | None = None) -> Run | None:
        """Take the oldest queued run, or the given one, for this process.

        Returns:
            The run, now preparing, or `None` if no run waits. No run is handed out twice. A run whose row
            is damaged fails.
        """
        now = self._clock()
        with self._database.transaction() as connection:
            row = connection.execute(
                "SELECT id FROM runs WHERE state = ? AND id = coalesce(?, id) ORDER BY queued, rowid LIMIT 1",
                (RunState.QUEUED, run_id),
            ).fetchone()
            if row is None:
                return None
            connection.execute(
                "UPDATE runs SET state = ?, started = ?, heartbeat = ?, process = ? WHERE id = ?",
                (RunState.PREPARING, now, now, os.getpid(), row[0]),
            )
        try:
            return run_from_row(self._database.query(f"{SELECT_RUNS} WHERE id = ?", (row[0],))[0])
        except StoreError as error:
            self.end_run(row[0], RunState.FAILED, message=str(error))
            return None

    def set_begun(self, run_id: str, step: int, cores: int) -> None:
        """Record at which step and on how many cores a run begins or resumes; discard points beyond it.

        Raises:
            RunLostError: As for `add_point`.
        """
        with self._database.transaction() as connection:
            updated = connection.execute(
                "UPDATE runs SET cores = ? WHERE id = ? AND process = ?", (cores, run_id, os.getpid())
            )
            if not updated.rowcount:
                raise RunLostError(f"The run {run_id} is not this worker's any more.")
            discard_after(connection, run_id, step)

    def set_message(self, run_id: str, message: str) -> None:
        """Say in words what the worker is doing."""
        self._database.execute("UPDATE runs SET message = ? WHERE id = ?", (message, run_id))

    def set_data(self, run_id: str, name: str, data: str, note: str) -> None:
        """Record the data set in use, by name and in words, and a note if it is not the one asked for."""
        self._database.execute(
            "UPDATE runs SET data_name = ?, data = ?, data_note = ? WHERE id = ?", (name, data, note, run_id)
        )

    def add_point(self, run_id: str, point: AccuracyPoint) -> None:
        """Add a point to the curve; the run is then training and has completed the point's step.

        A run that was resumed from a checkpoint reports the steps since then again; each counts once.

        Raises:
            RunLostError: This process has not claimed the run, or was taken for dead and another resumed it.
        """
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?, ?)",
                (run_id, point.step, point.accuracy, point.loss, point.seconds),
            )
            updated = connection.execute(
                "UPDATE runs SET state = ?, step = ?, seconds = ?, batch_accuracy = ?, message = '', "
                "ended = NULL, heartbeat = ? WHERE id = ? AND process = ?",
                (
                    *(RunState.TRAINING, point.step + 1, point.seconds, point.accuracy),
                    *(self._clock(), run_id, os.getpid()),
                ),
            )
            if not updated.rowcount:
                raise RunLostError(f"The run {run_id} is not this worker's any more.")

    def add_test(self, run_id: str, test: TestPoint) -> None:
        """Add an accuracy on the whole test set."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO tests VALUES (?, ?, ?)", (run_id, test.step, test.accuracy)
            )
            connection.execute("UPDATE runs SET test_accuracy = ? WHERE id = ?", (test.accuracy, run_id))

    def end_run(
        self,
        run_id: str,
        state: RunState,
        *,
        message: str = "",
        step: int | None = None,
        seconds: float | None = None,
    ) -> None:
        """Record how a run ended; completed steps and training seconds stay as reported if not given."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE runs SET state = ?, ended = ?, message = ?, stop_requested = 0, "
                "step = coalesce(?, step), seconds = coalesce(?, seconds) WHERE id = ?",
                (state, self._clock(), message, step, seconds, run_id),
            )
            if step is not None:
                discard_after(connection, run_id, step)

    # Requests, as the worker carries them out

    def pending_requests(self, run_id: str) -> PendingRequests:
        """Return the requests that the worker of a run has not carried out yet."""
        row = self._database.query(
            "SELECT stop_requested, pause_at, requested != '{}' FROM runs WHERE id = ?", (run_id,)
        )[0]
        return PendingRequests(bool(row[0]), row[1], bool(row[2]))

    def take_changes(self, run_id: str, step: int) -> tuple[Change, ...]:
        """Move the requested changes into the run's own changes, to apply from a step on.

        Points reported beyond that step, without the changes, are discarded when the run continues from there
        (`set_begun`), not before: it may turn out that it cannot.

        Returns:
            The new changes.
        """
        with self._database.transaction() as connection:
            known, requested = connection.execute(
                "SELECT changes, requested FROM runs WHERE id = ?", (run_id,)
            ).fetchone()
            taken = tuple(Change(step, name, value) for name, value in json.loads(requested).items())
            made = config_changes.merge_changes(config_changes.from_json(known), taken)
            connection.execute(
                "UPDATE runs SET changes = ?, requested = '{}' WHERE id = ?",
                (config_changes.to_json(made), run_id),
            )
        return taken

    def take_all_changes(self, run_id: str, step: int) -> tuple[Change, ...]:
        """Apply the requested changes from a step on, and return all changes of the run in order."""
        self.take_changes(run_id, step)
        return config_changes.from_json(
            self._database.query("SELECT changes FROM runs WHERE id = ?", (run_id,))[0][0]
        )

    def set_paused(self, run_id: str) -> None:
        """Record that a run is paused and its worker waits with it."""
        self._set_state(run_id, RunState.PAUSED)

    def set_resumed(self, run_id: str) -> None:
        """Record that a paused run trains again."""
        self._set_state(run_id, RunState.TRAINING)

    def _set_state(self, run_id: str, state: RunState) -> None:
        """Set the state of a run, unless another worker has it by now."""
        self._database.execute(
            "UPDATE runs SET state = ? WHERE id = ? AND process = ?", (state, run_id, os.getpid())
        )

    def release(self, run_id: str, step: int) -> bool:
        """Give up a run that is paused at a step, so that its worker can take another one.

        Returns:
            Whether the run was still to pause: if not, its worker must continue it.
        """
        return bool(
            self._database.execute(
                "UPDATE runs SET process = NULL WHERE id = ? AND pause_at <= ? AND stop_requested = 0",
                (run_id, step),
            )
        )

    def has_queued_runs(self) -> bool:
        """Return whether any run waits for a worker."""
        return bool(self._database.query("SELECT 1 FROM runs WHERE state = ? LIMIT 1", (RunState.QUEUED,)))

    # Heartbeats, and what happens without them

    def beat(self, run_id: str) -> None:
        """Record that the worker of a run is alive."""
        self._database.execute("UPDATE runs SET heartbeat = ? WHERE id = ?", (self._clock(), run_id))

    def mark_interrupted(self) -> list[str]:
        """Mark runs whose worker has died as interrupted; a paused one stays paused, without a worker.

        Returns:
            The ids of the runs that are newly interrupted.
        """
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT id, state, heartbeat, process, pause_at IS NULL OR pause_at > step, stop_requested "
                "FROM runs WHERE state IN (?, ?) OR (state = ? AND process IS NOT NULL)",
                (RunState.PREPARING, RunState.TRAINING, RunState.PAUSED),
            ).fetchall()
            held = [_HeldRun._make([*row[:4], bool(row[4]), bool(row[5])]) for row in rows]
            dead = [run for run in held if not is_held(run.process, self._clock() - run.heartbeat)]
            for run in dead:
                self._part_from_worker(connection, run)
        return [run.id for run in dead if run.state != RunState.PAUSED]

    def _part_from_worker(self, connection: Connection, run: _HeldRun) -> None:
        """Record that the worker of a run has died; a paused run may have been asked to stop or resume."""
        if run.state != RunState.PAUSED:
            connection.execute(
                "UPDATE runs SET state = ?, ended = heartbeat, message = ?, stop_requested = 0 WHERE id = ?",
                (RunState.INTERRUPTED, _WORKER_ENDED, run.id),
            )
            return
        state = (
            RunState.STOPPED if run.stop_requested else RunState.QUEUED if run.goes_on else RunState.PAUSED
        )
        now = self._clock()
        connection.execute(
            "UPDATE runs SET state = ?, process = NULL, stop_requested = 0, queued = ?, ended = ? "
            "WHERE id = ?",
            (state, now, now if run.stop_requested else None, run.id),
        )

    def explain_interruption(self, process: int, message: str) -> None:
        """Record why the runs of a process that ended unexpectedly were interrupted."""
        self._database.execute(
            "UPDATE runs SET message = ? WHERE process = ? AND state = ?",
            (message, process, RunState.INTERRUPTED),
        )

    def fail_queued(self, message: str) -> None:
        """End every waiting run as failed: no worker can be started."""
        self._database.execute(
            "UPDATE runs SET state = ?, ended = ?, message = ? WHERE state = ?",
            (RunState.FAILED, self._clock(), message, RunState.QUEUED),
        )


def discard_after(connection: Connection, run_id: str, step: int) -> None:
    """Delete the points beyond a step: the run continues from there, and may take another course."""
    points = connection.execute("DELETE FROM points WHERE run = ? AND step >= ?", (run_id, step))
    tests = connection.execute("DELETE FROM tests WHERE run = ? AND step > ?", (run_id, step))
    if points.rowcount or tests.rowcount:
        connection.execute("UPDATE runs SET branches = branches + 1 WHERE id = ?", (run_id,))
