"""How SQLite keeps transactions whole: by a write-ahead log, or by a rollback journal where that cannot be.

With a log, nobody who reads waits for those who write. But it needs memory that all processes share through a
file, which some file systems lack. On a network they may seem to have it, and each machine sees its own.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

from rnnlab.system.mounts import is_on_network

_TRY_SECONDS: Final = 0.1
"""How long one try waits for other processes; there are more of them until the deadline."""

_BUSY: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
"""Errors that pass."""


def connect(path: Path, deadline: float) -> sqlite3.Connection:
    """Open a database, and create it if there is none, with the journal that its folder allows.

    A new one gets a write-ahead log where possible. One that has been made with a rollback journal keeps it:
    it may be shared with a machine on which there can be no log.

    Args:
        path: The file.
        deadline: When to stop waiting for other processes, as `time.monotonic` tells the time.

    Raises:
        sqlite3.DatabaseError: It cannot be opened, is damaged, or stays locked until the deadline.
    """
    with ExitStack() as stack:
        connection = stack.enter_context(closing(_open(path)))
        try:
            has_log = _has_log(connection, path, deadline)
        except sqlite3.OperationalError as error:
            if _code(error) in {*_BUSY, sqlite3.SQLITE_FULL}:  # for which the log is not to blame
                raise
            has_log = False
        if not has_log:
            connection.close()
            _give_up_log(path, deadline)
            connection = stack.enter_context(closing(_open(path)))
            _check_write(connection, deadline)
        # After a power cut, a log may lack the newest transactions; a rollback journal could leave half of
        # one if it were not written to the disk each time.
        connection.execute(f"PRAGMA synchronous = {'NORMAL' if has_log else 'FULL'}")
        set_patience(connection, max(_TRY_SECONDS, deadline - time.monotonic()))
        stack.pop_all()
    return connection


def set_patience(connection: sqlite3.Connection, seconds: float) -> None:
    """Let the statements of a connection wait for other processes up to a number of seconds."""
    connection.execute(f"PRAGMA busy_timeout = {seconds * 1000:.0f}")


def _has_log(connection: sqlite3.Connection, path: Path, deadline: float) -> bool:
    """Return whether a write-ahead log is in use, after a new database was given one if possible."""
    mode = _patiently(connection, "PRAGMA journal_mode", deadline)
    is_new = _patiently(connection, "PRAGMA user_version", deadline) == 0
    if is_on_network(path.parent):
        return False
    if is_new:
        # SQLite answers with the mode of before, and no error, if it knows that there can be no log.
        mode = _patiently(connection, "PRAGMA journal_mode = WAL", deadline)
    if mode == "wal":
        _check_write(connection, deadline)
    return bool(mode == "wal")


def _give_up_log(path: Path, deadline: float) -> None:
    """Give a database a rollback journal; if it has a log, that is possible while nobody else has it open."""
    with closing(_open(path)) as alone:
        alone.execute("PRAGMA locking_mode = EXCLUSIVE")  # so SQLite can do without the shared memory
        _patiently(alone, "PRAGMA journal_mode = DELETE", deadline)


def _check_write(connection: sqlite3.Connection, deadline: float) -> None:
    """Begin to write, and leave it at that: only this shows whether a log can be used."""
    _patiently(connection, "BEGIN IMMEDIATE", deadline)
    connection.execute("ROLLBACK")


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_TRY_SECONDS, isolation_level=None, check_same_thread=False)


def _patiently(connection: sqlite3.Connection, statement: str, deadline: float) -> Any:
    """Return the first value of a statement, if any; wait for others, which SQLite does not always do."""
    while True:
        try:
            row = connection.execute(statement).fetchone()
            return row[0] if row else None
        except sqlite3.OperationalError as error:
            if _code(error) not in _BUSY or time.monotonic() >= deadline:
                raise
        time.sleep(0.01)


def _code(error: sqlite3.Error) -> int:
    """Return the kind of an error, without what SQLite adds to it."""
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF
