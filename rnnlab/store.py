"""The runs database (SQLite in WAL mode) and the files of a run.

The store is the only thing that the dashboard, the workers and the command line share. A home folder holds

    runs.sqlite3                runs, points of their curves, workers
    worker.log                  what the background workers say outside of any run
    <run id>/weights.npz        the newest weights, replaced as often as anybody can see
    <run id>/start.npz          the weights of another run that it starts from, if it does
    <run id>/steps/<step>.npz   weights kept along the way
    <run id>/log.txt            what happened, with the traceback where something failed
    hand/                       drawings whose right digit people have named

Everything handed out is a value, detached from the store.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from rnnlab.config import Config
from rnnlab.names import new_name
from rnnlab.runs import AccuracyPoint, Run, RunState, TestPoint

HEARTBEAT_GRACE: Final = 15.0
"""Seconds without a heartbeat after which a worker counts as dead."""

WORKER_GRACE: Final = 60.0
"""Seconds after which even a worker whose process is there counts as dead: it may be another program's."""

_OPENING_SECONDS: Final = 10.0
"""How long to wait for others who open the same new database."""

_SCHEMA_VERSION: Final = 4
"""Counts the forms that the tables have had; it goes up with every change of them."""

_UPGRADES: Final = {3: "ALTER TABLE runs ADD COLUMN parent TEXT"}
"""What turns the tables of an older version into those of the next one."""

_SCHEMA: Final = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    config TEXT NOT NULL,
    state TEXT NOT NULL,
    created REAL NOT NULL,
    started REAL,
    ended REAL,
    heartbeat REAL,
    step INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0,
    message TEXT NOT NULL DEFAULT '',
    data TEXT NOT NULL DEFAULT '',
    data_name TEXT NOT NULL DEFAULT '',
    data_note TEXT NOT NULL DEFAULT '',
    cores INTEGER,
    batch_accuracy REAL,
    test_accuracy REAL,
    stop_requested INTEGER NOT NULL DEFAULT 0,
    process INTEGER,
    parent TEXT
);
CREATE INDEX runs_by_state ON runs (state);
CREATE TABLE points (
    run TEXT NOT NULL REFERENCES runs (id),
    step INTEGER NOT NULL,
    accuracy REAL NOT NULL,
    loss REAL NOT NULL,
    seconds REAL NOT NULL,
    PRIMARY KEY (run, step)
) WITHOUT ROWID;
CREATE TABLE tests (
    run TEXT NOT NULL REFERENCES runs (id),
    step INTEGER NOT NULL,
    accuracy REAL NOT NULL,
    PRIMARY KEY (run, step)
) WITHOUT ROWID;
CREATE TABLE workers (
    id TEXT PRIMARY KEY,
    process INTEGER,
    heartbeat REAL NOT NULL
);
"""

_COLUMNS: Final = (
    "id, config, state, created, started, ended, heartbeat, step, seconds, message, data, data_name, "
    "data_note, cores, batch_accuracy, test_accuracy, stop_requested, parent"
)


class StoreError(RuntimeError):
    """The store cannot do what was asked; its text is one sentence meant for people."""


def default_home() -> Path:
    """Return the folder of runs: `RNNLAB_HOME`, or `runs` in the working folder."""
    return Path(os.environ.get("RNNLAB_HOME") or "runs").absolute()


def _run_from_row(row: tuple[object, ...]) -> Run:
    """Build a run from a row of `_COLUMNS`."""
    values = dict(zip(_COLUMNS.split(", "), row, strict=True))
    values["config"] = Config.from_json(str(values["config"]))
    values["state"] = RunState(str(values["state"]))
    values["stop_requested"] = bool(values["stop_requested"])
    return Run(**values)  # type: ignore[arg-type]


def process_is_alive(process: int) -> bool:
    """Return whether a process of this machine is there (a zombie that nobody has reaped yet is not)."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return True
    return status.rpartition(")")[2].split()[0] != "Z"


def _worker_lives(process: int | None, silence: float) -> bool:
    """Return whether a worker counts as living after some seconds without a heartbeat."""
    if process is None:  # it has been started, but has not shown itself yet
        return silence <= HEARTBEAT_GRACE
    return process_is_alive(process) and silence <= WORKER_GRACE


class Store:
    """One home folder of runs, safe to use from several processes and threads at once.

    Args:
        home: The folder; created where it is missing.
        clock: Returns the time in seconds since the epoch.

    Raises:
        StoreError: The folder or the database in it cannot be opened.
    """

    def __init__(self, home: Path, clock: Callable[[], float] = time.time) -> None:
        self.home = home
        self._clock = clock
        self._lock = threading.RLock()
        try:
            home.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                home / "runs.sqlite3", timeout=30, isolation_level=None, check_same_thread=False
            )
            self._use_write_ahead_log()
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._create_schema()
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"The runs in {home} cannot be opened ({error}); "
                "check the folder or choose another one with RNNLAB_HOME."
            ) from error

    def _use_write_ahead_log(self) -> None:
        """Switch a new database to its write-ahead log; SQLite does not wait for others who do the same."""
        deadline = time.monotonic() + _OPENING_SECONDS
        while self._connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _create_schema(self) -> None:
        """Create the tables in a new database, bring older ones up to date; refuse one of another form."""
        with self._transaction() as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
                return
            while version in _UPGRADES:
                connection.execute(_UPGRADES[version])
                version += 1
                connection.execute(f"PRAGMA user_version = {version}")
            if version != _SCHEMA_VERSION:
                age = "a newer" if version > _SCHEMA_VERSION else "an older"
                raise StoreError(
                    f"The runs in {self.home} were written by {age} RNN Lab and cannot be read by this one; "
                    "choose another folder with RNNLAB_HOME."
                )

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the write lock of the database, so that what is read in between cannot change."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _query(self, statement: str, values: Sequence[object] = ()) -> list[tuple[object, ...]]:
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    def _execute(self, statement: str, values: Sequence[object] = ()) -> int:
        """Run one statement in a transaction of its own and return how many rows it changed."""
        with self._lock:
            return self._connection.execute(statement, values).rowcount

    # Runs

    def create_run(self, config: Config, *, claimed: bool = False, parent: str | None = None) -> Run:
        """Add a run with a name of its own.

        Args:
            config: Its hyperparameters.
            claimed: Whether this process trains it; otherwise it waits for a worker.
            parent: The run whose newest weights it starts from, if any.

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
                with self._transaction() as connection:
                    connection.execute(
                        "INSERT INTO runs (id, config, state, created, started, heartbeat, process, parent) "
                        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                        (name, config.to_json(), state, now, started, started, process, parent),
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
        rows = self._query(f"SELECT {_COLUMNS} FROM runs WHERE id = ?", (run_id,))
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
        return [
            _run_from_row(row)
            for row in self._query(f"SELECT {_COLUMNS} FROM runs ORDER BY created DESC, rowid DESC")
        ]

    def current_run(self) -> Run | None:
        """Return the run that a newcomer wants to see: the one that trains, else the newest."""
        rows = self._query(
            f"SELECT {_COLUMNS} FROM runs "
            "ORDER BY state IN (?, ?) DESC, state = ? DESC, created DESC LIMIT 1",
            (RunState.TRAINING, RunState.PREPARING, RunState.QUEUED),
        )
        return _run_from_row(rows[0]) if rows else None

    def request_stop(self, run_id: str) -> None:
        """Ask a run to stop: one that waits ends at once, one that trains at its next report."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE runs SET state = ?, ended = ?, message = 'Stopped before it began.' "
                "WHERE id = ? AND state = ?",
                (RunState.STOPPED, self._clock(), run_id, RunState.QUEUED),
            )
            connection.execute(
                "UPDATE runs SET stop_requested = 1 WHERE id = ? AND state IN (?, ?)",
                (run_id, RunState.PREPARING, RunState.TRAINING),
            )

    # What a worker reports

    def claim(self, run_id: str | None = None) -> Run | None:
        """Take the oldest queued run, or the given one, for this process.

        Returns:
            The run, now preparing, or `None` where nothing waits. No run is handed out twice.
        """
        now = self._clock()
        with self._transaction() as connection:
            row = connection.execute(
                "SELECT id FROM runs WHERE state = ? AND id = coalesce(?, id) "
                "ORDER BY created, rowid LIMIT 1",
                (RunState.QUEUED, run_id),
            ).fetchone()
            if row is None:
                return None
            connection.execute(
                "UPDATE runs SET state = ?, started = ?, heartbeat = ?, process = ? WHERE id = ?",
                (RunState.PREPARING, now, now, os.getpid(), row[0]),
            )
        return self.run(row[0])

    def set_cores(self, run_id: str, cores: int) -> None:
        """Record on how many processor cores a run trains."""
        self._execute("UPDATE runs SET cores = ? WHERE id = ?", (cores, run_id))

    def set_message(self, run_id: str, message: str) -> None:
        """Say in words what the worker is doing."""
        self._execute("UPDATE runs SET message = ? WHERE id = ?", (message, run_id))

    def set_data(self, run_id: str, name: str, data: str, note: str) -> None:
        """Say which data set is in use, by name and in words, and why where that is not what was asked."""
        self._execute(
            "UPDATE runs SET data_name = ?, data = ?, data_note = ? WHERE id = ?", (name, data, note, run_id)
        )

    def add_point(self, run_id: str, point: AccuracyPoint) -> None:
        """Add a point to the curve; the run is then training and has completed the point's step."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO points VALUES (?, ?, ?, ?, ?)",
                (run_id, point.step, point.accuracy, point.loss, point.seconds),
            )
            connection.execute(
                "UPDATE runs SET state = ?, step = ?, seconds = ?, batch_accuracy = ?, message = '', "
                "ended = NULL, heartbeat = ? WHERE id = ?",
                (RunState.TRAINING, point.step + 1, point.seconds, point.accuracy, self._clock(), run_id),
            )

    def add_test(self, run_id: str, test: TestPoint) -> None:
        """Add an accuracy on the whole test set."""
        with self._transaction() as connection:
            connection.execute("INSERT INTO tests VALUES (?, ?, ?)", (run_id, test.step, test.accuracy))
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
        self._execute(
            "UPDATE runs SET state = ?, ended = ?, message = ?, step = coalesce(?, step), "
            "seconds = coalesce(?, seconds) WHERE id = ?",
            (state, self._clock(), message, step, seconds, run_id),
        )

    def stop_requested(self, run_id: str) -> bool:
        """Return whether someone asked the run to stop."""
        return bool(self._query("SELECT stop_requested FROM runs WHERE id = ?", (run_id,))[0][0])

    def beat(self, *, run_id: str | None = None, worker_id: str | None = None) -> None:
        """Show that the worker of a run, and a background worker, live."""
        now = self._clock()
        if run_id is not None:
            self._execute("UPDATE runs SET heartbeat = ? WHERE id = ?", (now, run_id))
        if worker_id is not None:
            self._execute(
                # One that was taken for dead, because the machine slept, comes back on the list.
                "INSERT INTO workers VALUES (?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET process = excluded.process, heartbeat = excluded.heartbeat",
                (worker_id, os.getpid(), now),
            )

    def mark_interrupted(self) -> list[str]:
        """Find runs whose worker has died without a word, and say so.

        Returns:
            The ids of the runs that are interrupted from now on.
        """
        now = self._clock()
        with self._transaction() as connection:
            rows = connection.execute(
                "SELECT id, heartbeat, process FROM runs WHERE state IN (?, ?)",
                (RunState.PREPARING, RunState.TRAINING),
            ).fetchall()
            dead = [
                run
                for run, beat, process in rows
                if now - beat > HEARTBEAT_GRACE or not process_is_alive(process)
            ]
            for run in dead:
                connection.execute(
                    "UPDATE runs SET state = ?, ended = heartbeat, "
                    "message = 'Its worker ended without a word; what it learned until then is kept.' "
                    "WHERE id = ?",
                    (RunState.INTERRUPTED, run),
                )
        return dead

    # Background workers

    def reserve_worker(self, limit: int, *, even_idle: bool = False) -> str | None:
        """Make room for one more background worker if there is work and fewer than `limit` live.

        Args:
            limit: How many may live at once.
            even_idle: Whether to make room though no run waits.

        Returns:
            The id under which the new worker shows that it lives, or `None` where none is needed.
        """
        now = self._clock()
        with self._transaction() as connection:
            queued = connection.execute(
                "SELECT count(*) FROM runs WHERE state = ?", (RunState.QUEUED,)
            ).fetchone()[0]
            if not (queued or even_idle):
                return None
            for worker, process, beat in connection.execute("SELECT * FROM workers").fetchall():
                if not _worker_lives(process, now - beat):
                    connection.execute("DELETE FROM workers WHERE id = ?", (worker,))
            if connection.execute("SELECT count(*) FROM workers").fetchone()[0] >= limit:
                return None
            worker_id = secrets.token_hex(4)
            connection.execute("INSERT INTO workers VALUES (?, NULL, ?)", (worker_id, now))
            return worker_id

    def release_worker(self, worker_id: str) -> bool:
        """Strike a background worker off the list, unless there is still work for it.

        Returns:
            Whether it was struck off and must take no more runs.
        """
        return bool(
            self._execute(
                "DELETE FROM workers WHERE id = ? AND NOT EXISTS (SELECT 1 FROM runs WHERE state = ?)",
                (worker_id, RunState.QUEUED),
            )
        )

    def dismiss_worker(self, worker_id: str) -> None:
        """Strike a worker that has ended off the list, whatever waits."""
        self._execute("DELETE FROM workers WHERE id = ?", (worker_id,))

    def fail_queued(self, message: str) -> None:
        """End every waiting run as failed: no worker can be had."""
        self._execute(
            "UPDATE runs SET state = ?, ended = ?, message = ? WHERE state = ?",
            (RunState.FAILED, self._clock(), message, RunState.QUEUED),
        )

    # Curves

    def points(self, run_id: str, after: int = -1) -> list[AccuracyPoint]:
        """Return the points of the curve beyond a step, in order."""
        rows = self._query(
            "SELECT step, accuracy, loss, seconds FROM points WHERE run = ? AND step > ? ORDER BY step",
            (run_id, after),
        )
        return [AccuracyPoint(*row) for row in rows]  # type: ignore[arg-type]

    def tests(self, run_id: str) -> list[TestPoint]:
        """Return the accuracies on the test set, in order."""
        rows = self._query("SELECT step, accuracy FROM tests WHERE run = ? ORDER BY step", (run_id,))
        return [TestPoint(*row) for row in rows]  # type: ignore[arg-type]

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
