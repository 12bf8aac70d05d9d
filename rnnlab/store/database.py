"""The SQLite database that all processes of one home folder share: opening it, its tables, transactions."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self

from filelock import FileLock

from rnnlab.store import journal
from rnnlab.system.atomic_files import quarantine
from rnnlab.system.file_errors import reason_of

_FILE: Final = "runs.sqlite3"

_TURN_SECONDS: Final = 4.0
"""How long to wait for other processes that open the same database."""

_OPENING_SECONDS: Final = 5.0
"""How long to wait then for a database that other processes have locked."""

_BUSY_SECONDS: Final = 30.0
"""How long a statement waits for other processes once the database is open."""

_SCHEMA_VERSION: Final = 6
"""Version of the tables; every change to them adds one."""

_UPGRADES: Final = {
    3: "ALTER TABLE runs ADD COLUMN parent TEXT",
    4: """
ALTER TABLE runs ADD COLUMN pause_at INTEGER;
ALTER TABLE runs ADD COLUMN changes TEXT NOT NULL DEFAULT '[]';
ALTER TABLE runs ADD COLUMN requested TEXT NOT NULL DEFAULT '{}';
ALTER TABLE runs ADD COLUMN queued REAL;
ALTER TABLE runs ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN branches INTEGER NOT NULL DEFAULT 0;
UPDATE runs SET queued = created
""",
    5: """
ALTER TABLE runs ADD COLUMN process_identity TEXT;
ALTER TABLE workers ADD COLUMN process_identity TEXT
""",
}
"""For each older version, the statements that turn its tables into those of the next one."""

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
    parent TEXT,
    pause_at INTEGER,
    changes TEXT NOT NULL DEFAULT '[]',
    requested TEXT NOT NULL DEFAULT '{}',
    queued REAL,
    owner TEXT NOT NULL DEFAULT '',
    branches INTEGER NOT NULL DEFAULT 0,
    process_identity TEXT
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
    heartbeat REAL NOT NULL,
    process_identity TEXT
);
"""


class StoreError(RuntimeError):
    """The store cannot do what was asked; its text is one sentence for people."""


def _identity(path: Path) -> tuple[int, int] | None:
    """Return device and inode, which tell a file from another of the same name; `None` if it is missing."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


class Database:
    """The database of one home folder, safe to use from several processes and threads at the same time.

    Args:
        home: The folder; created if it is missing.

    Attributes:
        notice: What people should know about the opening; empty if all went well.

    Raises:
        StoreError: The folder or the database in it cannot be opened.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.notice = ""
        self._lock = threading.RLock()
        try:
            home.mkdir(parents=True, exist_ok=True)
            with self._alone():  # or another process could see a new list before the runs are in it
                self._open_or_begin_anew()
        except (OSError, sqlite3.Error) as error:
            reason = reason_of(error) if isinstance(error, OSError) else str(error)
            if "full" in reason:
                raise StoreError(
                    f"The runs in {home} cannot be opened: the disk is full; free some space."
                ) from error
            if "locked" in reason:
                reason += ": another program holds it, or files cannot be locked there"
            raise StoreError(
                f"The runs in {home} cannot be opened ({reason}); "
                "check the folder or choose another one with RNNLAB_HOME."
            ) from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes out of the same block, if the folder can hold a lock file."""
        with ExitStack() as stack:
            with suppress(OSError, NotImplementedError):
                lock = FileLock(self.home / "runs.lock", timeout=_TURN_SECONDS, fallback_to_soft=False)
                stack.enter_context(lock)
            yield

    def _open_or_begin_anew(self) -> None:
        """Open the database; replace a damaged one by a new one."""
        try:
            self._open()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            self._begin_anew(error)

    def _open(self) -> None:
        """Open the database; create it if there is none.

        Raises:
            sqlite3.DatabaseError: It is damaged.
        """
        deadline = time.monotonic() + _OPENING_SECONDS
        with ExitStack() as stack:
            self._connection = stack.enter_context(closing(journal.connect(self.home / _FILE, deadline)))
            (found,) = self._connection.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise sqlite3.DatabaseError(found)
            self._create_schema()
            self._identity = _identity(self.home / _FILE)
            journal.set_patience(self._connection, _BUSY_SECONDS)
            stack.pop_all()

    def _begin_anew(self, error: sqlite3.DatabaseError) -> None:
        """Set a damaged database aside and continue with a new one that holds what can still be read."""
        damaged = quarantine(self.home / _FILE)
        if damaged is None:
            raise error
        for ending in ("-wal", "-shm", "-journal"):  # they belong to the file, whatever it is called
            with suppress(OSError):
                os.rename(self.home / f"{_FILE}{ending}", damaged.with_name(damaged.name + ending))
        self._open()
        runs = self._salvage(damaged)
        self.notice = (
            f"The list of runs was damaged and is kept as {damaged.name}; {runs} of its runs were recovered."
        )

    def _salvage(self, damaged: Path) -> int:
        """Copy what can be read from a damaged database; return the number of runs."""
        with suppress(sqlite3.Error), closing(sqlite3.connect(damaged)) as source:
            for table in ("runs", "points", "tests"):
                self._salvage_table(source, table)
        return int(self.query("SELECT count(*) FROM runs")[0][0])

    def _salvage_table(self, source: sqlite3.Connection, table: str) -> None:
        """Copy the rows of a table up to the first that cannot be read."""
        known = f"PRAGMA table_info({table})"
        with suppress(StoreError), self.transaction() as connection:
            of_old = {row[1] for row in source.execute(known)}  # an older version has fewer columns
            columns = [row[1] for row in connection.execute(known) if row[1] in of_old]
            names, places = ", ".join(columns), ", ".join("?" * len(columns))
            rows = source.execute(f"SELECT {names} FROM {table}")
            with suppress(sqlite3.Error):
                for row in rows:
                    connection.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({places})", row)

    def _create_schema(self) -> None:
        """Create the tables of a new database, upgrade older ones, refuse unknown versions."""
        if self.query("PRAGMA user_version") == [(_SCHEMA_VERSION,)]:
            return
        with self.transaction() as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
                return
            while version in _UPGRADES:
                for statement in _UPGRADES[version].split(";"):
                    connection.execute(statement)
                version += 1
                connection.execute(f"PRAGMA user_version = {version}")
            if version != _SCHEMA_VERSION:
                age = "a newer" if version > _SCHEMA_VERSION else "an older"
                raise StoreError(
                    f"The runs in {self.home} were written by {age} RNN Lab and cannot be read by this one; "
                    "choose another folder with RNNLAB_HOME."
                )

    @property
    def is_current(self) -> bool:
        """Whether the file in the folder is still the one that was opened."""
        return _identity(self.home / _FILE) == self._identity

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """Turn an SQLite error into a `StoreError` with a sentence for people."""
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as error:
            if "full" in str(error):
                reason = "the disk is full; free some space"
            else:
                reason = f"{error}; check the folder and the disk"
            raise StoreError(f"The runs in {self.home} cannot be read or written: {reason}.") from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the write lock of the database, so that what is read in the block cannot change.

        Raises:
            StoreError: The database cannot be read or written, such as on a full disk.
        """
        with self._lock, self._in_words():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")  # without a log, it may have to wait for readers, in vain
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite may have rolled back by itself
                    self._connection.execute("ROLLBACK")
                raise

    def query(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of one statement.

        Raises:
            StoreError: The database cannot be read.
        """
        with self._lock, self._in_words():
            return self._connection.execute(statement, values).fetchall()

    def execute(self, statement: str, values: Sequence[object] = ()) -> int:
        """Run one statement in a transaction of its own and return how many rows it changed.

        Raises:
            StoreError: The database cannot be written.
        """
        with self._lock, self._in_words():
            return self._connection.execute(statement, values).rowcount

    def sync(self) -> None:
        """Make sure that everything written so far is on the disk."""
        self.query("PRAGMA wal_checkpoint(PASSIVE)")
