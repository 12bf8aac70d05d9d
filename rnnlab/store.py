"""The runs database (SQLite in WAL mode) and the files of a run.

The store is the only thing that the dashboard, the workers and the command line share. A home folder holds

    runs.sqlite3                runs, points of their curves, workers
    worker.log                  what the background workers say outside of any run
    <run id>/weights.npz        the newest weights, replaced as often as anybody can see
    <run id>/checkpoint.npz     all that a run needs to go on exactly as if it had never been away
    <run id>/start.npz          the weights of another run that it starts from, if it does
    <run id>/steps/<step>.npz   weights kept along the way
    <run id>/log.txt            what happened, with the traceback where something failed
    hand/                       drawings whose right digit people have named

Everything handed out is a value, detached from the store.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from rnnlab import changes
from rnnlab.config import Config
from rnnlab.control import RunControl, branch_off
from rnnlab.database import Database, StoreError
from rnnlab.names import new_name
from rnnlab.runs import AccuracyPoint, Run, RunState, TestPoint
from rnnlab.worker_list import WorkerList, is_held

_COLUMNS: Final = (
    "id, config, state, created, started, ended, heartbeat, step, seconds, message, data, data_name, "
    "data_note, cores, batch_accuracy, test_accuracy, stop_requested, parent, pause_at, "
    "changes, requested, queued, owner"
)


_WITHOUT_A_WORD: Final = (
    "Its worker ended without a word; what it learned until then is kept, and Resume goes on from there."
)


class RunLostError(StoreError):
    """A worker reports on a run that it does not have any more."""


def default_home() -> Path:
    """Return the folder of runs: `RNNLAB_HOME`, or `runs` in the working folder."""
    return Path(os.environ.get("RNNLAB_HOME") or "runs").absolute()


def _run_from_row(row: tuple[object, ...]) -> Run:
    """Build a run from a row of `_COLUMNS`.

    Raises:
        StoreError: Something in it is damaged.
    """
    values = dict(zip(_COLUMNS.split(", "), row, strict=True))
    try:
        values["config"] = Config.from_json(str(values["config"]))
        values["state"] = RunState(str(values["state"]))
        values["changes"] = changes.from_json(str(values["changes"]))
        values["requested"] = changes.checked(json.loads(str(values["requested"])))
        values["stop_requested"] = bool(values["stop_requested"])
        return Run(**values)  # type: ignore[arg-type]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreError(
            f"What the list of runs says of {str(values['id'])[:60]!r} is damaged; open another run."
        ) from error


def _runs_from_rows(rows: Iterable[tuple[object, ...]]) -> list[Run]:
    """Build runs from rows, without those that are damaged."""
    found = []
    for row in rows:
        with suppress(StoreError):
            found.append(_run_from_row(row))
    return found


class Store:
    """One home folder of runs, safe to use from several processes and threads at once.

    Args:
        home: The folder; created where it is missing.
        clock: Returns the time in seconds since the epoch.

    Attributes:
        control: What people ask of runs under way.
        workers: The background workers.
        notice: What people should know of the opening, such as that the list was damaged; may be empty.

    Raises:
        StoreError: The folder or the database in it cannot be opened.
    """

    def __init__(self, home: Path, clock: Callable[[], float] = time.time) -> None:
        self.home = home
        self._clock = clock
        self._database = Database(home)
        self.notice = self._database.notice
        self.control = RunControl(self._database, clock)
        self.workers = WorkerList(self._database, clock)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    @property
    def is_current(self) -> bool:
        """Whether this is still what an opening of the home would open: nobody has removed or replaced it."""
        return self._database.is_current

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Runs

    def create_run(
        self, config: Config, *, claimed: bool = False, parent: str | None = None, owner: str = ""
    ) -> Run:
        """Add a run with a name of its own.

        Args:
            config: Its hyperparameters.
            claimed: Whether this process trains it; otherwise it waits for a worker.
            parent: The run whose newest weights it starts from, if any.
            owner: Who starts it: a visitor's name or an empty text.

        Raises:
            StoreError: The parent has no weights.
        """
        now = self._clock()
        state, started, process = (
            (RunState.PREPARING, now, os.getpid()) if claimed else (RunState.QUEUED, None, None)
        )
        while True:
            name = new_name()
            try:
                with self._database.transaction() as connection:
                    connection.execute(
                        "INSERT INTO runs (id, config, state, created, queued, started, heartbeat, process, "
                        "parent, owner) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        (name, config.to_json(), state, now, now, started, started, process, parent, owner),
                    )
                    if parent is not None:
                        self._copy_weights(parent, name)
            except sqlite3.IntegrityError:
                continue
            return self.run(name)

    def _copy_weights(self, parent: str, name: str) -> None:
        """Put a run's newest weights where a run to come starts from, before any worker sees it."""
        path = self.start_path(name)
        try:
            path.parent.mkdir(exist_ok=True)
            shutil.copyfile(self.weights_path(self.run(parent).id), path)
        except OSError as error:
            raise StoreError(
                f"The weights of {parent} cannot be had ({error.strerror}); choose a run that has learned."
            ) from error

    def run(self, run_id: str) -> Run:
        """Return a run by its full id.

        Raises:
            StoreError: There is no such run.
        """
        rows = self._database.query(f"SELECT {_COLUMNS} FROM runs WHERE id = ?", (run_id,))
        if not rows:
            raise StoreError(
                f"There is no run called {run_id[:60]!r}; the list of runs shows those there are."
            )
        return _run_from_row(rows[0])

    def find(self, name: str) -> Run:
        """Return a run by its id, a unique beginning of it, or `latest`.

        Raises:
            StoreError: No run, or more than one, fits.
        """
        runs = self.runs()
        if name == "latest":
            if not runs:
                raise StoreError("There is no run yet; start one first.")
            return runs[0]
        fitting = [run for run in runs if run.id == name] or [
            r for r in runs if name and r.id.startswith(name)
        ]
        if len(fitting) > 1:
            raise StoreError(
                f"{len(fitting)} runs begin with {name[:60]!r}, such as {fitting[0].id}; "
                "give more of the name."
            )
        return fitting[0] if fitting else self.run(name)

    def runs(self) -> list[Run]:
        """Return all runs, newest first."""
        return _runs_from_rows(
            self._database.query(f"SELECT {_COLUMNS} FROM runs ORDER BY created DESC, rowid DESC")
        )

    def current_run(self) -> Run | None:
        """Return the run that a newcomer wants to see: the one that trains, else the newest."""
        rows = self._database.query(
            f"SELECT {_COLUMNS} FROM runs "
            "ORDER BY state IN (?, ?) DESC, state IN (?, ?) DESC, created DESC LIMIT 3",
            (RunState.TRAINING, RunState.PREPARING, RunState.QUEUED, RunState.PAUSED),
        )
        return next(iter(_runs_from_rows(rows)), None)

    def active_runs(self) -> list[Run]:
        """Return the runs that wait, train or pause."""
        states = [state for state in RunState if state.is_active]
        rows = self._database.query(
            f"SELECT {_COLUMNS} FROM runs WHERE state IN ({', '.join('?' * len(states))})", states
        )
        return _runs_from_rows(rows)

    def queue(self) -> list[Run]:
        """Return the runs that wait for a worker, the next one first."""
        rows = self._database.query(
            f"SELECT {_COLUMNS} FROM runs WHERE state = ? ORDER BY queued, rowid", (RunState.QUEUED,)
        )
        return _runs_from_rows(rows)

    def sync(self) -> None:
        """See to it that what has been reported is on the disk, come what may."""
        self._database.sync()

    # What a worker reports

    def claim(self, run_id: str | None = None) -> Run | None:
        """Take the oldest queued run, or the given one, for this process.

        Returns:
            The run, now preparing, or `None` where nothing waits. No run is handed out twice. One of which
            too little can be read fails.
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
            return self.run(row[0])
        except StoreError as error:
            self.end_run(row[0], RunState.FAILED, message=str(error))
            return None

    def set_begun(self, run_id: str, step: int, cores: int) -> None:
        """Record from which step and on how many cores a run goes on; what was reported beyond is forgotten.

        Raises:
            RunLostError: As for `add_point`.
        """
        with self._database.transaction() as connection:
            updated = connection.execute(
                "UPDATE runs SET cores = ? WHERE id = ? AND process = ?", (cores, run_id, os.getpid())
            )
            if not updated.rowcount:
                raise RunLostError(f"The run {run_id} is not this worker's any more.")
            branch_off(connection, run_id, step)

    def set_message(self, run_id: str, message: str) -> None:
        """Say in words what the worker is doing."""
        self._database.execute("UPDATE runs SET message = ? WHERE id = ?", (message, run_id))

    def set_data(self, run_id: str, name: str, data: str, note: str) -> None:
        """Say which data set is in use, by name and in words, and why where that is not what was asked."""
        self._database.execute(
            "UPDATE runs SET data_name = ?, data = ?, data_note = ? WHERE id = ?", (name, data, note, run_id)
        )

    def add_point(self, run_id: str, point: AccuracyPoint) -> None:
        """Add a point to the curve; the run is then training and has completed the point's step.

        A run that has gone on from a checkpoint reports again what it had reported since; it counts once.

        Raises:
            RunLostError: This process has not claimed the run, or it was taken for dead and has been resumed.
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
        """Record how a run ended; steps completed and seconds trained stay as reported where not given."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE runs SET state = ?, ended = ?, message = ?, stop_requested = 0, "
                "step = coalesce(?, step), seconds = coalesce(?, seconds) WHERE id = ?",
                (state, self._clock(), message, step, seconds, run_id),
            )
            if step is not None:
                branch_off(connection, run_id, step)

    def beat(self, run_id: str) -> None:
        """Show that the worker of a run lives."""
        self._database.execute("UPDATE runs SET heartbeat = ? WHERE id = ?", (self._clock(), run_id))

    def mark_interrupted(self) -> list[str]:
        """Find runs whose worker has died without a word, and say so; one that pauses just has none any more.

        Returns:
            The ids of the runs that are interrupted from now on.
        """
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT id, state, heartbeat, process, pause_at IS NULL OR pause_at > step, stop_requested "
                "FROM runs WHERE state IN (?, ?) OR (state = ? AND process IS NOT NULL)",
                (RunState.PREPARING, RunState.TRAINING, RunState.PAUSED),
            ).fetchall()
            dead = [row for row in rows if not is_held(row[3], self._clock() - row[2])]
            for run, state, _, _, goes_on, stops in dead:
                if state != RunState.PAUSED:
                    self._interrupt(connection, run)
                else:
                    self._part(connection, run, goes_on=goes_on, stops=stops)
        return [row[0] for row in dead if row[1] != RunState.PAUSED]

    def _interrupt(self, connection: sqlite3.Connection, run_id: str) -> None:
        """End a run whose worker has died."""
        connection.execute(
            "UPDATE runs SET state = ?, ended = heartbeat, message = ?, stop_requested = 0 WHERE id = ?",
            (RunState.INTERRUPTED, _WITHOUT_A_WORD, run_id),
        )

    def _part(self, connection: sqlite3.Connection, run_id: str, *, goes_on: bool, stops: bool) -> None:
        """Free a run that pauses of its dead worker, which may have been told to go on or to stop."""
        state = RunState.STOPPED if stops else RunState.QUEUED if goes_on else RunState.PAUSED
        now = self._clock()
        connection.execute(
            "UPDATE runs SET state = ?, process = NULL, stop_requested = 0, queued = ?, ended = ? "
            "WHERE id = ?",
            (state, now, now if stops else None, run_id),
        )

    def explain_interruption(self, process: int, message: str) -> None:
        """Say why the runs of a process that has ended without a word were interrupted."""
        self._database.execute(
            "UPDATE runs SET message = ? WHERE process = ? AND state = ?",
            (message, process, RunState.INTERRUPTED),
        )

    def fail_queued(self, message: str) -> None:
        """End every waiting run as failed: no worker can be had."""
        self._database.execute(
            "UPDATE runs SET state = ?, ended = ?, message = ? WHERE state = ?",
            (RunState.FAILED, self._clock(), message, RunState.QUEUED),
        )

    # Curves

    def points(self, run_id: str, after: int = -1) -> list[AccuracyPoint]:
        """Return the points of the curve beyond a step, in order."""
        rows = self._database.query(
            "SELECT step, accuracy, loss, seconds FROM points WHERE run = ? AND step > ? ORDER BY step",
            (run_id, after),
        )
        return [AccuracyPoint(*row) for row in rows]

    def branches(self, run_id: str) -> int:
        """Return how often points that had been reported were forgotten again."""
        rows = self._database.query("SELECT branches FROM runs WHERE id = ?", (run_id,))
        return int(rows[0][0]) if rows else 0

    def tests(self, run_id: str) -> list[TestPoint]:
        """Return the accuracies on the test set, in order."""
        rows = self._database.query("SELECT step, accuracy FROM tests WHERE run = ? ORDER BY step", (run_id,))
        return [TestPoint(*row) for row in rows]

    # Files

    def folder(self, run_id: str) -> Path:
        """Return the folder of a run, created where it is missing.

        Raises:
            StoreError: There is no such run, so no name from outside ever becomes a path.
        """
        folder = self.home / self.run(run_id).id
        folder.mkdir(exist_ok=True)
        return folder

    def weights_path(self, run_id: str) -> Path:
        """Return where the newest weights of a run are, once it has reported."""
        return self.home / run_id / "weights.npz"

    def checkpoint_path(self, run_id: str) -> Path:
        """Return where all is that a run needs to go on, once it has reported."""
        return self.home / run_id / "checkpoint.npz"

    def start_path(self, run_id: str) -> Path:
        """Return where the weights are that a run starts from, if it has a parent."""
        return self.home / run_id / "start.npz"

    @property
    def hand_path(self) -> Path:
        """Where the drawings are whose right digit people have named."""
        return self.home / "hand"

    def log_path(self, run_id: str) -> Path:
        """Return where the log of a run is."""
        return self.home / run_id / "log.txt"
