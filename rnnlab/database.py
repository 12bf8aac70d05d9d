"""The SQLite database that all processes of one home share: opening it, its tables, transactions."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

_OPENING_SECONDS: Final = 10.0
"""How long to wait for others who open the same new database."""

_SCHEMA_VERSION: Final = 5
"""Counts the forms that the tables have had; it goes up with every change of them."""

_UPGRADES: Final = {
    3: "ALTER TABLE runs ADD COLUMN parent TEXT",
    4: """
ALTER TABLE runs ADD COLUMN pause_at INTEGER;
ALTER TABLE runs ADD COLUMN changes TEXT NOT NULL DEFAULT '[]';
ALTER TABLE runs ADD COLUMN requested TEXT NOT NULL DEFAULT '{}';
ALTER TABLE runs ADD COLUMN queued REAL;
ALTER TABLE runs ADD COLUMN owner TEXT NOT NULL DEFAULT '';
UPDATE runs SET queued = created
""",
}
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
    parent TEXT,
    pause_at INTEGER,
    changes TEXT NOT NULL DEFAULT '[]',
    requested TEXT NOT NULL DEFAULT '{}',
    queued REAL,
    owner TEXT NOT NULL DEFAULT ''
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


class StoreError(RuntimeError):
    """The store cannot do what was asked; its text is one sentence meant for people."""


class Database:
    """The database of one home folder, safe to use from several processes and threads at once.

    Args:
        home: The folder; created where it is missing.

    Raises:
        StoreError: The folder or the database in it cannot be opened.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
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

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the write lock of the database, so that what is read in between cannot change."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def query(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of one statement."""
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    def execute(self, statement: str, values: Sequence[object] = ()) -> int:
        """Run one statement in a transaction of its own and return how many rows it changed."""
        with self._lock:
            return self._connection.execute(statement, values).rowcount

    def sync(self) -> None:
        """See to it that what has been written is on the disk, come what may."""
        self.query("PRAGMA wal_checkpoint(PASSIVE)")
