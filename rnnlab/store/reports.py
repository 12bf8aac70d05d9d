"""The worker's side of the store: it claims runs, reports on them, and reads the requests for them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from sqlite3 import Connection
from typing import Final, NamedTuple

from rnnlab import config_changes
from rnnlab.config_changes import Change
from rnnlab.runs import AccuracyPoint, Run, RunState, TestPoint
from rnnlab.store.database import Database, StoreError
from rnnlab.store.heartbeats import Heartbeats, HeldRun, dead_runs
from rnnlab.store.rows import SELECT_RUNS, DamagedRunError, run_from_row
from rnnlab.store.run_records import RunRecords
from rnnlab.store.schema import NEWEST_ACCURACY
from rnnlab.system.process_identity import is_alive, own_identity

_WORKER_ENDED: Final = (
    "Its worker ended unexpectedly; what it had learned is saved, and Resume continues from there."
)

_WORKER_SILENT: Final = (
    "Its worker, on another machine or in another container, has not been heard of for a while; what it had "
    "learned is saved, and Resume continues from there."
)

_OWN: Final = "process_identity = ?"
"""Condition that a run is a process's own; elsewhere, another process may have the same number."""

_NOBODY_ELSES: Final = f"(process_identity IS NULL OR {_OWN})"
"""Condition that a run is not that of another process."""

_POLL_SECONDS: Final = 0.5
"""Seconds between two looks at the heartbeat of a worker that may have died."""


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


class RunReports:
    """What workers write and read about their runs; `clock` returns the time in seconds since the epoch."""

    def __init__(
        self, database: Database, clock: Callable[[], float], heartbeats: Heartbeats, records: RunRecords
    ) -> None:
        self._database = database
        self._clock = clock
        self._heartbeats = heartbeats
        self.save_record = records.save

    # From claim to end

    def claim(self, run_id: str | None = None) -> Run | None:
        """Take the oldest queued run, or the given one, for this process.

        Returns:
            The run, now preparing, or `None` if no run waits. No run is handed out twice. Runs whose row is
            damaged fail, and the next one is taken.
        """
        with self._database.transaction() as connection:
            waiting = connection.execute(
                "SELECT rowid FROM runs WHERE state = ? AND (id = ? OR ? IS NULL) ORDER BY queued, rowid",
                (RunState.QUEUED, run_id, run_id),
            )
            for (row,) in waiting.fetchall():
                if (run := self._take(connection, row)) is not None:
                    return run
        return None

    def _take(self, connection: Connection, row: int) -> Run | None:
        """Give a waiting run to this process; return `None` if its row is damaged: then it fails."""
        now = self._clock()
        connection.execute(
            "UPDATE runs SET state = ?, started = ?, heartbeat = ?, process = ?, process_identity = ? "
            "WHERE rowid = ?",
            (RunState.PREPARING, now, now, os.getpid(), own_identity(), row),
        )
        try:
            return run_from_row(connection.execute(f"{SELECT_RUNS} WHERE rowid = ?", (row,)).fetchone())
        except DamagedRunError as error:
            connection.execute(
                "UPDATE runs SET state = ?, ended = ?, message = ? WHERE rowid = ?",
                (RunState.FAILED, now, str(error), row),
            )
            return None

    def set_begun(self, run_id: str, step: int, cores: int, engine: str) -> None:
        """Record at which step, on how many cores and with which engine a run begins or resumes.

        Points beyond that step are discarded.

        Raises:
            RunLostError: As for `add_point`.
        """
        with self._database.transaction() as connection:
            updated = connection.execute(
                f"UPDATE runs SET cores = ?, engine = ? WHERE id = ? AND {_OWN}",
                (cores, engine, run_id, own_identity()),
            )
            if not updated.rowcount:
                raise _lost(run_id)
            discard_after(connection, run_id, step)
        self.save_record(run_id)

    def set_message(self, run_id: str, message: str) -> None:
        """Say in words what the worker is doing."""
        self._database.execute(
            f"UPDATE runs SET message = ? WHERE id = ? AND {_NOBODY_ELSES}", (message, run_id, own_identity())
        )

    def set_data(self, run_id: str, name: str, data: str, note: str) -> None:
        """Record the data set in use, by name and in words, and a note if it is not the one asked for."""
        self._database.execute(
            f"UPDATE runs SET data_name = ?, data = ?, data_note = ? WHERE id = ? AND {_NOBODY_ELSES}",
            (name, data, note, run_id, own_identity()),
        )

    def add_remark(self, run_id: str, remark: str) -> None:
        """Add a sentence to the note of a run, once."""
        self._database.execute(
            "UPDATE runs SET data_note = ltrim(data_note || ' ' || ?) "
            "WHERE id = ? AND instr(data_note, ?) = 0",
            (remark, run_id, remark),
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
                f"UPDATE runs SET state = ?, step = ?, seconds = ?, batch_accuracy = {NEWEST_ACCURACY}, "
                f"message = '', ended = NULL, heartbeat = ? WHERE id = ? AND {_OWN}",
                (
                    *(RunState.TRAINING, point.step + 1, point.seconds),
                    *(self._clock(), run_id, own_identity()),
                ),
            )
            if not updated.rowcount:
                raise _lost(run_id)

    def add_test(self, run_id: str, test: TestPoint) -> None:
        """Add an accuracy on the whole test set.

        Raises:
            RunLostError: As for `add_point`.
        """
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO tests VALUES (?, ?, ?)", (run_id, test.step, test.accuracy)
            )
            updated = connection.execute(
                f"UPDATE runs SET test_accuracy = ? WHERE id = ? AND {_OWN}",
                (test.accuracy, run_id, own_identity()),
            )
            if not updated.rowcount:
                raise _lost(run_id)

    def end_run(
        self,
        run_id: str,
        state: RunState,
        *,
        message: str = "",
        ended_by: str = "",
        step: int | None = None,
        seconds: float | None = None,
    ) -> None:
        """Record how a run ended; completed steps and training seconds stay as reported if not given.

        Raises:
            RunLostError: Another process has the run by now.
        """
        with self._database.transaction() as connection:
            updated = connection.execute(
                "UPDATE runs SET state = ?, ended = ?, message = ?, ended_by = ?, stop_requested = 0, "
                "step = coalesce(?, step), seconds = coalesce(?, seconds) "
                f"WHERE id = ? AND {_OWN}",
                (state, self._clock(), message, ended_by, step, seconds, run_id, own_identity()),
            )
            if not updated.rowcount:
                raise _lost(run_id)
            if step is not None:
                discard_after(connection, run_id, step)
        self.save_record(run_id)

    # Requests, as the worker carries them out

    def pending_requests(self, run_id: str) -> PendingRequests:
        """Return the requests that this process, which has the run, has not carried out yet.

        Raises:
            RunLostError: As for `add_point`.
        """
        rows = self._database.query(
            f"SELECT stop_requested, pause_at, requested != '{{}}' FROM runs WHERE id = ? AND {_OWN}",
            (run_id, own_identity()),
        )
        if not rows:
            raise _lost(run_id)
        stop, pause_at, changes = rows[0]
        return PendingRequests(stop == 1, pause_at if isinstance(pause_at, int) else None, bool(changes))

    def take_changes(self, run_id: str, step: int) -> tuple[Change, ...]:
        """Move the requested changes into the run's own changes, to apply from a step on.

        Points reported beyond that step, without the changes, are discarded when the run continues from there
        (`set_begun`), not before: it may turn out that it cannot.

        Returns:
            The new changes.

        Raises:
            RunLostError: As for `add_point`.
            DamagedRunError: The row of the run is damaged.
        """
        with self._database.transaction() as connection:
            row = connection.execute(
                f"{SELECT_RUNS} WHERE id = ? AND {_OWN}", (run_id, own_identity())
            ).fetchone()
            if row is None:
                raise _lost(run_id)
            run = run_from_row(row)
            taken = tuple(Change(step, name, value) for name, value in run.requested.items())
            made = config_changes.merge_changes(run.changes, taken)
            connection.execute(
                "UPDATE runs SET changes = ?, requested = '{}' WHERE id = ?",
                (config_changes.to_json(made), run_id),
            )
        return taken

    def take_all_changes(self, run_id: str, step: int) -> tuple[Change, ...]:
        """Apply the requested changes from a step on, and return all changes of the run in order."""
        self.take_changes(run_id, step)
        return run_from_row(self._database.query(f"{SELECT_RUNS} WHERE id = ?", (run_id,))[0]).changes

    def set_paused(self, run_id: str) -> None:
        """Record that a run is paused and its worker waits with it."""
        self._set_state(run_id, RunState.PAUSED)

    def set_resumed(self, run_id: str) -> None:
        """Record that a paused run trains again."""
        self._set_state(run_id, RunState.TRAINING)

    def _set_state(self, run_id: str, state: RunState) -> None:
        """Set the state of a run, unless another worker has it by now."""
        self._database.execute(
            f"UPDATE runs SET state = ? WHERE id = ? AND {_OWN}", (state, run_id, own_identity())
        )
        self.save_record(run_id)

    def release(self, run_id: str, step: int) -> bool:
        """Give up a run that is paused at a step, so that its worker can take another one.

        Returns:
            Whether the run was still to pause: if not, its worker must continue it.
        """
        return bool(
            self._database.execute(
                "UPDATE runs SET process = NULL, process_identity = NULL "
                f"WHERE id = ? AND pause_at <= ? AND stop_requested = 0 AND {_OWN}",
                (run_id, step, own_identity()),
            )
        )

    def has_queued_runs(self) -> bool:
        """Return whether any run waits for a worker."""
        return bool(self._database.query("SELECT 1 FROM runs WHERE state = ? LIMIT 1", (RunState.QUEUED,)))

    # Heartbeats, and what happens without them

    def beat(self, run_id: str) -> None:
        """Record that the worker of a run is alive."""
        self._database.execute(
            f"UPDATE runs SET heartbeat = ? WHERE id = ? AND {_OWN}", (self._clock(), run_id, own_identity())
        )

    def mark_interrupted(self) -> list[str]:
        """Mark runs whose worker has died as interrupted; a paused one stays paused, without a worker.

        Returns:
            The ids of the runs that are newly interrupted.
        """
        if not dead_runs(
            self._database, self._heartbeats
        ):  # so that a look alone need not wait for those who write
            return []
        with self._database.transaction(even_of_copy=True) as connection:
            dead = dead_runs(self._database, self._heartbeats)
            for run in dead:
                self._part_from_worker(connection, run)
        for run in dead:
            self.save_record(run.id)
        return [run.id for run in dead if run.state != RunState.PAUSED]

    def mark_interrupted_surely(self) -> None:
        """Do the same, but first watch workers elsewhere whose heartbeats look old: it takes some seconds.

        A process that looks only once cannot tell a dead worker from a clock that differs from its own.
        """
        self.mark_interrupted()
        while self._heartbeats.in_doubt:
            time.sleep(_POLL_SECONDS)
            self.mark_interrupted()

    def _part_from_worker(self, connection: Connection, run: HeldRun) -> None:
        """Record that the worker of a run has died; a paused run may have been asked to stop or resume."""
        if run.state != RunState.PAUSED:
            # One elsewhere may only have slept, and then goes on: a request to stop waits for it.
            has_ended = isinstance(run.process_identity, str) and is_alive(run.process_identity) is False
            connection.execute(
                "UPDATE runs SET state = ?, ended = heartbeat, message = ?, "
                "stop_requested = stop_requested AND NOT ? WHERE id = ?",
                (
                    *(RunState.INTERRUPTED, _WORKER_ENDED if has_ended else _WORKER_SILENT),
                    *(has_ended, run.id),
                ),
            )
            return
        state = (
            RunState.STOPPED if run.stop_requested else RunState.QUEUED if run.goes_on else RunState.PAUSED
        )
        now = self._clock()
        connection.execute(
            "UPDATE runs SET state = ?, process = NULL, process_identity = NULL, stop_requested = 0, "
            "queued = ?, ended = ? WHERE id = ?",
            (state, now, now if run.stop_requested else None, run.id),
        )

    def explain_interruption(self, identity: str, message: str) -> None:
        """Record why the runs of a process that ended unexpectedly were interrupted."""
        self._database.execute(
            f"UPDATE runs SET message = ? WHERE state = ? AND message = ? AND {_OWN}",
            (message, RunState.INTERRUPTED, _WORKER_ENDED, identity),
        )

    def fail_interrupted(self, identity: str, message: str) -> None:
        """End the interrupted runs of a process as failed: they would end in the same way again."""
        self._database.execute(
            f"UPDATE runs SET state = ?, message = ? WHERE state = ? AND message = ? AND {_OWN}",
            (RunState.FAILED, message, RunState.INTERRUPTED, _WORKER_ENDED, identity),
        )

    def fail_queued(self, message: str) -> None:
        """End every waiting run as failed: no worker can train it."""
        waiting = self._database.query("SELECT id FROM runs WHERE state = ?", (RunState.QUEUED,))
        self._database.execute(
            "UPDATE runs SET state = ?, ended = ?, message = ? WHERE state = ?",
            (RunState.FAILED, self._clock(), message, RunState.QUEUED),
        )
        for (name,) in waiting:
            self.save_record(name)


def _lost(run_id: str) -> RunLostError:
    return RunLostError(f"The run {run_id} is not this worker's any more.")


def discard_after(connection: Connection, run_id: str, step: int) -> None:
    """Delete the points beyond a step: the run continues from there, and may take another course."""
    points = connection.execute("DELETE FROM points WHERE run = ? AND step >= ?", (run_id, step))
    tests = connection.execute("DELETE FROM tests WHERE run = ? AND step > ?", (run_id, step))
    if points.rowcount or tests.rowcount:
        connection.execute(
            f"UPDATE runs SET branches = branches + 1, batch_accuracy = {NEWEST_ACCURACY} WHERE id = ?",
            (run_id,),
        )
