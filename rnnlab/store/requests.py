"""What people ask of a run: stop, pause, step, resume, train further, other hyperparameters.

A request is written into the run's row, and its worker carries it out at the next report (`reports`). If no
worker has the run, the run goes back into the queue, to continue from its checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from sqlite3 import Connection
from typing import Final, NamedTuple

from rnnlab import config_changes
from rnnlab.config import HYPERPARAMETERS
from rnnlab.hyperparameter import ConfigError, Value
from rnnlab.runs import REPORT_EVERY, STOPPED_EARLY, RunState
from rnnlab.store.database import Database, StoreError
from rnnlab.store.heartbeats import Heartbeats
from rnnlab.store.rows import COLUMNS, SELECT_RUNS, run_from_row
from rnnlab.store.run_records import RunRecords

_HAVE_A_WORKER: Final = (RunState.PREPARING, RunState.TRAINING)


class _Standing(NamedTuple):
    """What a request needs to know about a run.

    Attributes:
        state: Whether it waits, trains, pauses or has ended, and how.
        step: Training steps completed.
        pause_at: Completed steps at which it is to pause, or `None`.
        spent_rule: The rule that ended it and is to count no longer; empty if there is none.
        is_held: Whether a living worker has it.
    """

    state: RunState
    step: int
    pause_at: int | None
    spent_rule: str
    is_held: bool

    @property
    def has_a_worker(self) -> bool:
        """Whether a worker will see the request."""
        return self.state in _HAVE_A_WORKER or (self.state is RunState.PAUSED and self.is_held)


class RunRequests:
    """The requests in one home folder; `clock` returns the time in seconds since the epoch.

    Every request raises `StoreError` if there is no such run, or its row is damaged.
    """

    def __init__(
        self, database: Database, clock: Callable[[], float], heartbeats: Heartbeats, records: RunRecords
    ) -> None:
        self._database = database
        self._clock = clock
        self._heartbeats = heartbeats
        self._records = records

    def stop(self, run_id: str) -> None:
        """Ask a run to stop: one without a worker ends immediately, one that trains at its next report."""
        with self._database.transaction() as connection:
            run = self._standing(connection, run_id)
            if run.has_a_worker:
                connection.execute("UPDATE runs SET stop_requested = 1 WHERE id = ?", (run_id,))
            elif run.state in (RunState.QUEUED, RunState.PAUSED):
                message = "" if run.step else STOPPED_EARLY
                connection.execute(
                    "UPDATE runs SET state = ?, ended = ?, message = ?, pause_at = NULL WHERE id = ?",
                    (RunState.STOPPED, self._clock(), message, run_id),
                )
        self._records.save(run_id)

    def pause(self, run_id: str) -> None:
        """Ask a run to pause at its next report."""
        self._database.execute(
            "UPDATE runs SET pause_at = 0 WHERE id = ? AND state IN (?, ?)", (run_id, *_HAVE_A_WORKER)
        )

    def hold(self, run_id: str) -> None:
        """Let a waiting run wait no longer: it is paused, without a worker, until it is resumed."""
        self._database.execute(
            "UPDATE runs SET state = ?, pause_at = 0 WHERE id = ? AND state = ?",
            (RunState.PAUSED, run_id, RunState.QUEUED),
        )

    def resume(self, run_id: str) -> None:
        """Let a run continue that is paused or asked to pause, that failed, or whose worker has died."""
        with self._database.transaction() as connection:
            run = self._standing(connection, run_id)
            if run.has_a_worker:
                self._set_pause(connection, run_id, None)
            elif run.state.can_resume:
                self._enqueue(connection, run_id, None)
        self._records.save(run_id)

    def step(self, run_id: str) -> None:
        """Let a run that is paused, or is about to be, train up to one more report; each request adds one."""
        with self._database.transaction() as connection:
            run = self._standing(connection, run_id)
            pause_at = max(run.step, run.pause_at or 0) + REPORT_EVERY
            if run.has_a_worker and run.pause_at is not None:
                self._set_pause(connection, run_id, pause_at)
            elif not run.has_a_worker and run.state.can_resume:
                self._enqueue(connection, run_id, pause_at)
        self._records.save(run_id)

    def train_further(self, run_id: str, iterations: int) -> None:
        """Let a finished or stopped run train for a number of further iterations.

        If a rule ended it, such as a time limit, that no longer counts, unless it was given another value.

        Raises:
            ConfigError: It would have more iterations than a run may have.
        """
        with self._database.transaction() as connection:
            run = self._standing(connection, run_id)
            if run.state.can_train_further:
                limit = HYPERPARAMETERS["iterations"].maximum or 0
                least = max(1, REPORT_EVERY - run.step)
                if not least <= iterations <= limit - run.step:
                    raise ConfigError(
                        f"A run has at most {limit:,.0f} iterations and this one has made {run.step:,}; ask "
                        f"for {least} to {limit - run.step:,.0f} more."
                    )
                lifted = {run.spent_rule: 0} if run.spent_rule else {}
                self._request(connection, run_id, {"iterations": run.step + iterations, **lifted})
                self._enqueue(connection, run_id, None)
        self._records.save(run_id)

    def change(self, run_id: str, values: Mapping[str, object]) -> None:
        """Ask for other hyperparameters from the next report on; the present value cancels a request.

        Raises:
            ConfigError: A value cannot be used, or cannot be changed during a run.
        """
        valid = config_changes.validate(values)
        with self._database.transaction() as connection:
            state = self._standing(connection, run_id).state
            if state.is_active or state.can_resume or state.can_train_further:
                self._request(connection, run_id, valid)
        self._records.save(run_id)

    def _request(self, connection: Connection, run_id: str, values: Mapping[str, Value]) -> None:
        run = run_from_row(connection.execute(f"{SELECT_RUNS} WHERE id = ?", (run_id,)).fetchone())
        asked = {**run.requested, **values}
        left = {name: value for name, value in asked.items() if value != getattr(run.config_now, name)}
        connection.execute("UPDATE runs SET requested = ? WHERE id = ?", (json.dumps(left), run_id))

    def _set_pause(self, connection: Connection, run_id: str, pause_at: int | None) -> None:
        connection.execute("UPDATE runs SET pause_at = ? WHERE id = ?", (pause_at, run_id))

    def _enqueue(self, connection: Connection, run_id: str, pause_at: int | None) -> None:
        connection.execute(
            "UPDATE runs SET state = ?, queued = ?, ended = NULL, message = '', ended_by = '', "
            "stop_requested = 0, process = NULL, process_identity = NULL, pause_at = ? WHERE id = ?",
            (RunState.QUEUED, self._clock(), pause_at, run_id),
        )

    def _standing(self, connection: Connection, run_id: str) -> _Standing:
        """Return what a request needs to know about a run.

        Raises:
            StoreError: There is no such run.
            DamagedRunError: Its row is damaged.
        """
        row = connection.execute(
            f"SELECT process IS NOT NULL, process_identity, {', '.join(COLUMNS)} FROM runs WHERE id = ?",
            (run_id,),
        ).fetchone()
        if row is None:
            raise StoreError(
                f"There is no run called {run_id[:60]!r}; the list of runs shows those there are."
            )
        has_process, identity, *columns = row
        run = run_from_row(tuple(columns))
        is_held = bool(has_process) and self._heartbeats.is_alive(run_id, identity, run.heartbeat)
        return _Standing(run.state, run.step, run.pause_at, run.spent_rule, is_held)
