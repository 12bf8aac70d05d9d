"""The SQLite database that all processes of one home folder share: opening it, its tables, transactions."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Self

from filelock import FileLock

from rnnlab.store import journal, schema
from rnnlab.system.atomic_files import quarantine
from rnnlab.system.file_errors import reason_of

_FILE: Final = "runs.sqlite3"

_SIDE_FILES: Final = ("-wal", "-shm", "-journal")
"""Endings of the files that belong to a database, whatever it is called."""

_OF_A_VALUE: Final = re.compile(r"(\w+ value in|CHECK constraint failed in|non-\w+ value in) ")
"""How SQLite's complaints begin that are about a value in a row: that row is damaged, the others are not."""

_MAX_COMPLAINTS: Final = 1000

_COPY_TRIES: Final = 3
"""How often to copy a database that another machine may be writing just then."""

_TURN_SECONDS: Final = 4.0
"""How long to wait for other processes that open the same database."""

_OPENING_SECONDS: Final = 5.0
"""How long to wait then for a database that other processes have locked."""

_BUSY_SECONDS: Final = 30.0
"""How long a statement waits for other processes once the database is open."""


class StoreError(RuntimeError):
    """The store cannot do what was asked; its text is one sentence for people."""


_ONLY_READ: Final = (
    "The folder of runs {home} cannot be written to: its runs can be read, and no run can be started or "
    "changed; choose another folder with RNNLAB_HOME."
)


def _age(path: Path) -> list[tuple[int, int]]:
    """Return when a database and its log were last written, in nanoseconds, and their sizes in bytes."""
    ages = []
    for ending in ("", "-wal", "-journal"):  # those who only read write the other one
        with suppress(FileNotFoundError):
            status = os.stat(f"{path}{ending}")
            ages.append((status.st_mtime_ns, status.st_size))
    return ages


def copy_files(source: Path, target: Path) -> None:
    """Copy a database with the log that belongs to it; once more if it is written just then.

    Raises:
        OSError: It cannot be read, or there is no room for the copy.
    """
    for _ in range(_COPY_TRIES):
        before = source.stat()
        shutil.copyfile(source, target)
        for ending in ("-wal", "-journal"):
            with suppress(FileNotFoundError):
                shutil.copyfile(f"{source}{ending}", f"{target}{ending}")
        after = source.stat()
        if (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size):
            return


def _rename_side_files(path: Path, to: Path) -> None:
    """Rename the files that belong to a database as it is renamed."""
    for ending in _SIDE_FILES:
        with suppress(OSError):
            os.replace(f"{path}{ending}", f"{to}{ending}")


def _check_writable(path: Path) -> None:
    """Check that a file, if there is one, may be written: SQLite opens another one, too, and fails later.

    Raises:
        OSError: It may not.
    """
    with suppress(FileNotFoundError):
        os.close(os.open(path, os.O_RDWR))


def _identity(path: Path) -> tuple[int, int] | None:
    """Return device and inode, which tell a file from another of the same name; `None` if it is missing."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


Recover = Callable[[sqlite3.Connection, Path, Path | None], str]
"""Puts into a new list of runs what can be saved of a damaged one; returns in words what that was.

Its arguments are the new database, in a transaction, the home folder, and the damaged file, or `None` if
nothing is left of it.
"""


class Database:
    """The database of one home folder, safe to use from several processes and threads at the same time.

    Of a folder that cannot be written to, a private copy of the database is opened, from which can be read.

    Args:
        home: The folder; created if it is missing.
        recover: Called with a new database that takes the place of a damaged one.

    Attributes:
        notice: What people should know about the opening; empty if all went well.
        is_copy: Whether the folder can only be read from.

    Raises:
        StoreError: The folder or the database in it cannot be opened.
    """

    def __init__(self, home: Path, recover: Recover) -> None:
        self.home = home
        self.notice = ""
        self._recover = recover
        self._lock = threading.RLock()
        self._path = home / _FILE
        self.is_copy = False
        self._on_close = ExitStack()
        try:
            home.mkdir(parents=True, exist_ok=True)
            _check_writable(self._path)
            with self._alone():  # or another process could see a new list before the runs are in it
                self._open_or_begin_anew()
        except (OSError, sqlite3.Error) as error:
            try:
                self._open_copy(error)
            except (OSError, sqlite3.Error) as reason:
                raise self._not_opened(reason) from error

    def _not_opened(self, error: Exception) -> StoreError:
        """Return why nothing can be opened, in a sentence."""
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        if "full" in reason:
            return StoreError(f"The runs in {self.home} cannot be opened: the disk is full; free some space.")
        if "locked" in reason:
            reason += ": another program holds it, or files cannot be locked there"
        return StoreError(
            f"The runs in {self.home} cannot be opened ({reason}); "
            "check the folder or choose another one with RNNLAB_HOME."
        )

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
        except (
            sqlite3.DatabaseError,
            UnicodeDecodeError,
        ) as error:  # the latter of what SQLite says about it
            self._begin_anew(error)

    def _open(self, damaged: Path | None = None) -> None:
        """Open the database; create it if there is none.

        Raises:
            sqlite3.DatabaseError: It is damaged.
        """
        deadline = time.monotonic() + _OPENING_SECONDS
        with ExitStack() as stack:
            schema.check_header(self._path)
            self._connection = stack.enter_context(closing(journal.connect(self._path, deadline)))
            # One text that is not UTF-8 must not keep all others from being read.
            self._connection.text_factory = lambda text: text.decode("utf-8", "replace")
            for (found,) in self._connection.execute(f"PRAGMA quick_check({_MAX_COMPLAINTS})"):
                if found != "ok" and not _OF_A_VALUE.match(found):
                    raise sqlite3.DatabaseError(found)
            schema.check_version(self._connection)
            self._create_schema(damaged)
            schema.check_tables(self._connection)
            self._identity = _identity(self._path)
            journal.set_patience(self._connection, _BUSY_SECONDS)
            stack.pop_all()

    def _begin_anew(self, error: sqlite3.DatabaseError | UnicodeDecodeError) -> None:
        """Set a damaged database aside and continue with a new one that holds what can still be read."""
        damaged = quarantine(self._path)
        if damaged is None:
            raise sqlite3.DatabaseError("it is damaged and cannot be set aside") from error
        _rename_side_files(self._path, damaged)
        try:
            self._open(damaged)
        except BaseException:  # such as on a full disk: the next try is to find all that there was
            os.replace(damaged, self._path)
            _rename_side_files(damaged, self._path)
            raise

    def _open_copy(self, error: Exception) -> None:
        """Open a private copy of the database if its folder cannot be written to; else raise the error.

        SQLite itself reads from such a folder only if no log is needed, or the files of one are there.
        """
        there = self._path
        is_forbidden = isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
        if not there.is_file() or not (is_forbidden or not os.access(self.home, os.W_OK)):
            raise error
        with ExitStack() as stack:
            folder = stack.enter_context(TemporaryDirectory(prefix="rnnlab-"))
            self._path, self.is_copy = Path(folder) / _FILE, True
            self._age_of_copy = _age(there)
            copy_files(there, self._path)
            self._open_or_begin_anew()
            self._identity = _identity(there)
            self._on_close = stack.pop_all()
        self.notice = f"{self.notice} {_ONLY_READ.format(home=self.home)}".strip()

    def _create_schema(self, damaged: Path | None) -> None:
        """Create the tables of a new database, upgrade older ones, refuse unknown versions.

        Args:
            damaged: The database that a new one takes the place of, if any. If there is none, the folders of
                runs may still be there.
        """
        if self.query("PRAGMA user_version") == [(schema.VERSION,)]:
            return
        with self.transaction(even_of_copy=True) as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                for statement in schema.TABLES:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {schema.VERSION}")
                self.notice = self._recover(connection, self.home, damaged)
                return
            while version in schema.UPGRADES:
                for statement in schema.UPGRADES[version].split(";"):
                    connection.execute(statement)
                version += 1
                connection.execute(f"PRAGMA user_version = {version}")
            if version != schema.VERSION:
                age = "a newer" if version > schema.VERSION else "an older"
                raise StoreError(
                    f"The runs in {self.home} were written by {age} RNN Lab and cannot be read by this one; "
                    "choose another folder with RNNLAB_HOME."
                )

    @property
    def is_current(self) -> bool:
        """Whether the file in the folder is still the one that was opened, and if copied, as it was then."""
        file = self.home / _FILE
        return _identity(file) == self._identity and (not self.is_copy or _age(file) == self._age_of_copy)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()
            self._on_close.close()

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
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if "full" in str(error):
                reason = "the disk is full; free some space"
            else:
                reason = f"{error}; check the folder and the disk"
            raise StoreError(f"The runs in {self.home} cannot be read or written: {reason}.") from error

    @contextmanager
    def transaction(self, *, even_of_copy: bool = False) -> Iterator[sqlite3.Connection]:
        """Hold the write lock of the database, so that what is read in the block cannot change.

        Args:
            even_of_copy: Whether a copy may be changed, of which nobody else will see anything.

        Raises:
            StoreError: The database cannot be read or written, such as on a full disk.
        """
        self._check_may_write(even_of_copy=even_of_copy)
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
        self._check_may_write()
        with self._lock, self._in_words():
            return self._connection.execute(statement, values).rowcount

    def _check_may_write(self, *, even_of_copy: bool = False) -> None:
        if self.is_copy and not even_of_copy:
            raise StoreError(_ONLY_READ.format(home=self.home))

    def sync(self) -> None:
        """Make sure that everything written so far is on the disk."""
        self.query("PRAGMA wal_checkpoint(PASSIVE)")
