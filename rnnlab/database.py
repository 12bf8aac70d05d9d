"""The SQLite database that all processes of one home share: opening it, its tables, transactions."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self

from rnnlab.files import set_aside

_FILE: Final = "runs.sqlite3"

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
ALTER TABLE runs ADD COLUMN branches INTEGER NOT NULL DEFAULT 0;
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
    owner TEXT NOT NULL DEFAULT '',
    branches INTEGER NOT NULL DEFAULT 0
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


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another one of the same name, or `None` where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


@contextmanager
def _alone_in(home: Path) -> Iterator[None]:
    """Let no other process be in the same block at the same time, where the system has such locks."""
    with ExitStack() as stack:
        with suppress(ImportError, OSError):
            import fcntl

            file = stack.enter_context((home / "runs.lock").open("w"))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Database:
    """The database of one home folder, safe to use from several processes and threads at once.

    Args:
        home: The folder; created where it is missing.

    Attributes:
        notice: What people should know of the opening; empty where all went well.

    Raises:
        StoreError: The folder or the database in it cannot be opened.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.notice = ""
        self._lock = threading.RLock()
        try:
            home.mkdir(parents=True, exist_ok=True)
            with _alone_in(home):  # or another process could see a new list before the runs are in it
                self._open_or_begin_anew()
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"The runs in {home} cannot be opened ({error}); "
                "check the folder or choose another one with RNNLAB_HOME."
            ) from error

    def _open_or_begin_anew(self) -> None:
        """Open the database; one that is damaged gives its place to a new one."""
        try:
            self._open()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            self._begin_anew(error)

    def _open(self) -> None:
        """Open the database, a new one where there is none.

        Raises:
            sqlite3.DatabaseError: It is damaged.
        """
        self._connection = sqlite3.connect(
            self.home / _FILE, timeout=30, isolation_level=None, check_same_thread=False
        )
        self._use_write_ahead_log()
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._create_schema()
        self._identity = _identity(self.home / _FILE)
        (found,) = self._connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(found)

    def _begin_anew(self, error: sqlite3.DatabaseError) -> None:
        """Set a damaged database aside and go on with a new one that has what can still be read of it."""
        self._connection.close()
        kept = set_aside(self.home / _FILE)
        if kept is None:
            raise error
        for ending in ("-wal", "-shm"):  # they belong to the file, whatever it is called
            with suppress(OSError):
                os.rename(self.home / f"{_FILE}{ending}", kept.with_name(kept.name + ending))
        self._open()
        runs = self._salvage(kept)
        self.notice = (
            f"The list of runs was damaged and is kept as {kept.name}; {runs} runs could be saved from it."
        )

    def _salvage(self, damaged: Path) -> int:
        """Take over what can be read of a damaged database; return how many runs."""
        with suppress(sqlite3.Error), closing(sqlite3.connect(damaged)) as source:
            for table in ("runs", "points", "tests"):
                self._salvage_table(source, table)
        return int(self.query("SELECT count(*) FROM runs")[0][0])

    def _salvage_table(self, source: sqlite3.Connection, table: str) -> None:
        """Take over the rows of a table up to the first that cannot be read."""
        columns = [row[1] for row in self.query(f"PRAGMA table_info({table})")]
        names, places = ", ".join(columns), ", ".join("?" * len(columns))
        with suppress(StoreError), self.transaction() as connection:
            rows = source.execute(f"SELECT {names} FROM {table}")  # noqa: S608
            with suppress(sqlite3.Error):
                for row in rows:
                    connection.execute(f"INSERT OR IGNORE INTO {table} VALUES ({places})", row)  # noqa: S608

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

    @property
    def is_current(self) -> bool:
        """Whether the file in the folder still is the one that was opened."""
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
        """Turn what SQLite cannot do into a sentence."""
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
        """Hold the write lock of the database, so that what is read in between cannot change.

        Raises:
            StoreError: The database cannot be read or written, such as on a full disk.
        """
        with self._lock, self._in_words():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                with suppress(sqlite3.Error):  # where SQLite has done so by itself
                    self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

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
        """See to it that what has been written is on the disk, come what may."""
        self.query("PRAGMA wal_checkpoint(PASSIVE)")
