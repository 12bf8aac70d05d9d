"""What people ask of a run under way, and how its worker learns of it: stop, pause, step, resume, changes.

A wish is written into the run's row and followed by its worker at the next report. Where no worker has the
run, it waits for one again, to go on from its checkpoint.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from sqlite3 import Connection
from typing import NamedTuple

from rnnlab import changes
from rnnlab.changes import Change
from rnnlab.config import HYPERPARAMETERS, Config, ConfigError, Value
from rnnlab.database import Database, StoreError
from rnnlab.runs import REPORT_EVERY, RunState
from rnnlab.worker_list import is_held

_HAVE_A_WORKER = (RunState.PREPARING, RunState.TRAINING)


class Wishes(NamedTuple):
    """What a worker is asked to do with the run that it has.

    Attributes:
        stop: Whether to end it.
        pause_at: Completed steps from which on to wait, or `None`.
        changes: Whether hyperparameters are to be changed.
    """

    stop: bool
    pause_at: int | None
    changes: bool


class RunControl:
    """The wishes of one home.

    Args:
        database: Where they are kept.
        clock: Returns the time in seconds since the epoch.
    """

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    # What people ask

    def stop(self, run_id: str) -> None:
        """Ask a run to stop: one that no worker has ends at once, one that trains at its next report."""
        with self._database.transaction() as connection:
            state, step, held = self._standing(connection, run_id)
            if state in _HAVE_A_WORKER or (state is RunState.PAUSED and held):
                connection.execute("UPDATE runs SET stop_requested = 1 WHERE id = ?", (run_id,))
            elif state in (RunState.QUEUED, RunState.PAUSED):
                message = "" if step else "Stopped before it began."
                connection.execute(
                    "UPDATE runs SET state = ?, ended = ?, message = ?, pause_at = NULL WHERE id = ?",
                    (RunState.STOPPED, self._clock(), message, run_id),
                )

    def pause(self, run_id: str) -> None:
        """Ask a run to pause at its next report."""
        self._database.execute(
            "UPDATE runs SET pause_at = 0 WHERE id = ? AND state IN (?, ?)", (run_id, *_HAVE_A_WORKER)
        )

    def resume(self, run_id: str) -> None:
        """Let a run go on that pauses, or will, or whose worker has ended before it had."""
        self._go_on(run_id, None)

    def step(self, run_id: str) -> None:
        """Let a run that pauses, or will, go on for one report; asked again meanwhile, for one more."""
        self._go_on(run_id, REPORT_EVERY)

    def _go_on(self, run_id: str, steps: int | None) -> None:
        """Let a run go on, for so many steps if a number is given."""
        with self._database.transaction() as connection:
            state, step, held = self._standing(connection, run_id)
            (asked,) = connection.execute("SELECT pause_at FROM runs WHERE id = ?", (run_id,)).fetchone()
            pause_at = None if steps is None else max(step, asked or 0) + steps
            if state in _HAVE_A_WORKER or (state is RunState.PAUSED and held):
                if steps is None or asked is not None:
                    connection.execute("UPDATE runs SET pause_at = ? WHERE id = ?", (pause_at, run_id))
            elif state.can_resume:
                self._enqueue(connection, run_id, pause_at)

    def train_further(self, run_id: str, iterations: int) -> None:
        """Let a run that has ended in order go on for more steps.

        Args:
            run_id: The run.
            iterations: How many more.

        Raises:
            ConfigError: It would have more iterations than a run may have.
        """
        with self._database.transaction() as connection:
            state, step, _ = self._standing(connection, run_id)
            if state.can_train_further:
                limit = HYPERPARAMETERS["iterations"].maximum or 0
                least = max(1, REPORT_EVERY - step)
                if not least <= iterations <= limit - step:
                    raise ConfigError(
                        f"A run has at most {limit:,.0f} iterations and this one has made {step:,}; ask for "
                        f"{least} to {limit - step:,.0f} more."
                    )
                self._request(connection, run_id, {"iterations": step + iterations})
                self._enqueue(connection, run_id, None)

    def change(self, run_id: str, values: Mapping[str, object]) -> None:
        """Ask for other hyperparameters from the next report on; to ask for what is takes a wish back.

        Raises:
            ConfigError: A value cannot be used, or cannot be changed on the way.
        """
        checked = changes.checked(values)
        with self._database.transaction() as connection:
            state, _, _ = self._standing(connection, run_id)
            if state.is_active or state.can_resume or state.can_train_further:
                self._request(connection, run_id, checked)

    def _request(self, connection: Connection, run_id: str, values: Mapping[str, Value]) -> None:
        requested, config, known = connection.execute(
            "SELECT requested, config, changes FROM runs WHERE id = ?", (run_id,)
        ).fetchone()
        now = changes.changed(Config.from_json(config), changes.from_json(known))
        wishes = {**json.loads(requested), **values}
        left = {name: value for name, value in wishes.items() if value != getattr(now, name)}
        connection.execute("UPDATE runs SET requested = ? WHERE id = ?", (json.dumps(left), run_id))

    def _enqueue(self, connection: Connection, run_id: str, pause_at: int | None) -> None:
        connection.execute(
            "UPDATE runs SET state = ?, queued = ?, ended = NULL, message = '', stop_requested = 0, "
            "process = NULL, pause_at = ? WHERE id = ?",
            (RunState.QUEUED, self._clock(), pause_at, run_id),
        )

    def _standing(self, connection: Connection, run_id: str) -> tuple[RunState, int, bool]:
        """Return the state of a run, the steps it has completed, and whether a living worker has it.

        Raises:
            StoreError: There is no such run.
        """
        row = connection.execute(
            "SELECT state, step, process, heartbeat FROM runs WHERE id = ?", (run_id,)
        ).fetchone()
        if row is None:
            raise StoreError(
                f"There is no run called {run_id[:60]!r}; the list of runs shows those there are."
            )
        state, step, process, beat = row
        return RunState(state), step, is_held(process, self._clock() - (beat or 0.0))

    # What a worker asks

    def wishes(self, run_id: str) -> Wishes:
        """Return what the worker of a run is asked to do."""
        row = self._database.query(
            "SELECT stop_requested, pause_at, requested != '{}' FROM runs WHERE id = ?", (run_id,)
        )[0]
        return Wishes(bool(row[0]), row[1], bool(row[2]))

    def take_changes(self, run_id: str, step: int) -> tuple[Change, ...]:
        """Make the requested changes from a step on; they are then the run's own.

        What had been reported beyond that step, without them, is forgotten when the run goes on from there
        (`Store.set_begun`), not before: it may turn out that it cannot.

        Returns:
            The changes that have not been there before.
        """
        with self._database.transaction() as connection:
            known, requested = connection.execute(
                "SELECT changes, requested FROM runs WHERE id = ?", (run_id,)
            ).fetchone()
            taken = tuple(Change(step, name, value) for name, value in json.loads(requested).items())
            made = changes.merged(changes.from_json(known), taken)
            connection.execute(
                "UPDATE runs SET changes = ?, requested = '{}' WHERE id = ?",
                (changes.to_json(made), run_id),
            )
        return taken

    def set_paused(self, run_id: str) -> None:
        """Say that a run waits, its worker still with it."""
        self._set_state(run_id, RunState.PAUSED)

    def set_going_on(self, run_id: str) -> None:
        """Say that a run waits no longer."""
        self._set_state(run_id, RunState.TRAINING)

    def _set_state(self, run_id: str, state: RunState) -> None:
        """Set the state of a run, unless another worker has it by now."""
        self._database.execute(
            "UPDATE runs SET state = ? WHERE id = ? AND process = ?", (state, run_id, os.getpid())
        )

    def release(self, run_id: str, step: int) -> bool:
        """Part from a run that pauses after so many steps, so that its worker can take another one.

        Returns:
            Whether it still was to pause: if not, its worker must go on with it.
        """
        return bool(
            self._database.execute(
                "UPDATE runs SET process = NULL WHERE id = ? AND pause_at <= ? AND stop_requested = 0",
                (run_id, step),
            )
        )

    def others_wait(self) -> bool:
        """Return whether any run waits for a worker."""
        return bool(self._database.query("SELECT 1 FROM runs WHERE state = ? LIMIT 1", (RunState.QUEUED,)))


def branch_off(connection: Connection, run_id: str, step: int) -> None:
    """Forget what was reported beyond a step: the run goes on from there, and may take another way."""
    points = connection.execute("DELETE FROM points WHERE run = ? AND step >= ?", (run_id, step))
    tests = connection.execute("DELETE FROM tests WHERE run = ? AND step > ?", (run_id, step))
    if points.rowcount or tests.rowcount:
        connection.execute("UPDATE runs SET branches = branches + 1 WHERE id = ?", (run_id,))
