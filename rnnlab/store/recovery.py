"""What becomes of the runs if the list of them is damaged or missing: it is put together from what is left.

The rows of the damaged file come first, then the records beside the weights (`run_records`) of those runs
that are missing, then the points of all of them. A row counts only if it is sound.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from rnnlab.runs import RunState
from rnnlab.store import schema
from rnnlab.store.database import copy_files
from rnnlab.store.rows import (
    COLUMNS,
    MAX_STEPS,
    checked_column,
    points_from_rows,
    tests_from_rows,
)
from rnnlab.store.run_records import read_records

_RELISTED: Final = (
    "The list of runs was damaged while this one trained; what it had learned is saved, and Resume continues "
    "from there."
)

_NEEDED: Final = {"id", "config", "state", "created"}
"""Columns of a run without which its row is of no use."""

_OTHERS: Final = {"process": int, "process_identity": str, "branches": int}
"""Columns that do not become fields of a run, with their types."""

_LEAST_ROW: Final = 10
"""Bytes that a row takes at least."""

_MAX_FAILURES: Final = 2000
"""Most failures of a table to be read, all runs together; each takes a fraction of a millisecond."""

_LEAST_FAILURES: Final = 6
"""Failures after which the points of a run are given up, however many runs there are."""

_DAMAGE: Final = (sqlite3.Error, UnicodeDecodeError, MemoryError)
"""What a damaged database can raise; the second if SQLite tells what is wrong with a name in it."""

_Row = tuple[Any, ...]

_Fetch = Callable[[int, int, str], Iterator[_Row]]
"""Yields the rows whose first column, a whole number, is from one number up to below another, in an order."""


def recover(connection: sqlite3.Connection, home: Path, damaged: Path | None) -> str:
    """Put into a new database what can be saved of a damaged one; return in words what that was.

    Args:
        connection: The new one, in a transaction.
        home: The folder of runs.
        damaged: The damaged one, which is not changed; `None` if nothing is left of it.

    Raises:
        OSError: There is no room to work on it.
    """
    with ExitStack() as stack:
        source = None
        if damaged is not None:
            with suppress(*_DAMAGE):
                source = stack.enter_context(_open_copy(damaged))
                _save_rows(connection, source, damaged.stat().st_size)
        records = _save_records(connection, home)
        runs = [str(row[0]) for row in connection.execute("SELECT id FROM runs")]
        if source is not None:
            _save_points(connection, source, runs)
    if damaged is None:
        missing = f"The list of runs was missing; {_count(records)} listed again from their folders."
        return missing if records else ""
    kept = f" and is kept as {damaged.name}" if damaged.parent == home else ""
    from_folders = f", {records} of them from their folders" if records else ""
    return f"The list of runs was damaged{kept}; {_count(len(runs))} recovered{from_folders}."


def _count(runs: int) -> str:
    return f"{runs:,} of its runs {'was' if runs == 1 else 'were'}"


# The damaged file


@contextmanager
def _open_copy(damaged: Path) -> Iterator[sqlite3.Connection]:
    """Open a copy of a damaged database; if it does not say where its tables begin, by a sound first page.

    That page is the same in all databases with the same tables.

    Raises:
        sqlite3.Error: It cannot be opened.
        OSError: It cannot be copied.
    """
    with TemporaryDirectory(prefix="rnnlab-") as folder:
        path = Path(folder) / "runs.sqlite3"
        copy_files(damaged, path)
        if not _has_tables(path):
            copy_files(damaged, path)
            _replace_first_page(path)
        with closing(_connect(path)) as source:
            yield source


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.text_factory = lambda text: text.decode("utf-8", "replace")
    return connection


def _has_tables(path: Path) -> bool:
    """Return whether a database says where its tables begin."""
    tables = "SELECT count(*) FROM sqlite_master WHERE name IN ('runs', 'points', 'tests')"
    with suppress(*_DAMAGE), closing(_connect(path)) as connection:
        return bool(connection.execute(tables).fetchone() == (3,))
    return False


def _replace_first_page(path: Path) -> None:
    """Give a database the first page of a new one."""
    new = path.with_name("new.sqlite3")
    with closing(_connect(new)) as connection:
        for statement in schema.TABLES:
            connection.execute(statement)
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    page = bytearray(new.read_bytes()[:size])
    page[28:32] = (path.stat().st_size // size).to_bytes(4, "big")  # the number of pages, which counts if
    page[24:28] = page[92:96]  # these two are the same
    with path.open("r+b") as file:
        file.write(page)


def _readable(fetch: _Fetch, first: int, end: int, most: int = _MAX_FAILURES) -> Iterator[_Row]:
    """Yield all rows from `first` up to below `end` that can be read, until there are too many failures.

    What cannot be read is closed in from both sides, then cut into halves.
    """
    ranges, failures = [(first, end)], 0
    while ranges and failures < most:
        first, end = ranges.pop()
        for order in ("ASC", "DESC"):
            try:
                for row in fetch(first, end, order):
                    if not isinstance(row[0], int) or not first <= row[0] < end:
                        raise sqlite3.DatabaseError("rows out of order")
                    yield row
                    first, end = (row[0] + 1, end) if order == "ASC" else (first, row[0])
                break
            except _DAMAGE:
                failures += 1
        else:
            middle = (first + end) // 2
            if first < middle:
                ranges += [(middle, end), (first, middle)]


# What is saved


def _save_rows(connection: sqlite3.Connection, source: sqlite3.Connection, size: int) -> None:
    """Copy the sound rows of runs, and of others what is sound in them."""
    with suppress(*_DAMAGE):
        known = {row[1] for row in source.execute("PRAGMA table_info(runs)")}  # an older version has fewer
        names = [name for name in (*COLUMNS, *_OTHERS) if name in known]
        statement = (
            f"SELECT rowid, {', '.join(names)} FROM runs WHERE rowid >= ? AND rowid < ? ORDER BY rowid"
        )

        def fetch(first: int, end: int, order: str) -> Iterator[_Row]:
            return source.execute(f"{statement} {order}", (first, end))

        for row in _readable(fetch, 1, size // _LEAST_ROW + 2):
            columns = dict(zip(names, row[1:], strict=True))
            sound = {name: value for name, value in columns.items() if _is_sound(name, value)}
            if sound.keys() >= _NEEDED:
                _insert(connection, sound)


def _is_sound(name: str, value: object) -> bool:
    """Return whether a column of a run can be used."""
    if name in _OTHERS:
        return isinstance(value, _OTHERS[name])
    try:
        checked_column(name, value)
    except ValueError:
        return False
    return True


def _insert(connection: sqlite3.Connection, columns: dict[str, object]) -> int:
    """Add a run, unless there is one of its name; return how many were added."""
    names, places = ", ".join(columns), ", ".join("?" * len(columns))
    statement = f"INSERT OR IGNORE INTO runs ({names}) VALUES ({places})"
    return connection.execute(statement, tuple(columns.values())).rowcount


def _save_records(connection: sqlite3.Connection, home: Path) -> int:
    """List those runs again that have a record and no row; return how many."""
    added = 0
    with suppress(OSError):
        for columns in read_records(home):
            if columns["state"] in (RunState.PREPARING, RunState.TRAINING):
                columns |= {"state": RunState.INTERRUPTED, "message": _RELISTED, "stop_requested": 0}
            added += _insert(connection, columns)
    return added


def _save_points(connection: sqlite3.Connection, source: sqlite3.Connection, runs: list[str]) -> None:
    """Copy the sound points and accuracies on the test set of these runs."""
    most = max(_LEAST_FAILURES, _MAX_FAILURES // max(1, len(runs)))
    for run in runs:
        rows = _readable(
            _curve(source, "step, accuracy, loss, seconds FROM points", run), 0, MAX_STEPS + 1, most
        )
        connection.executemany(
            "INSERT OR IGNORE INTO points VALUES (?, ?, ?, ?, ?)",
            [(run, each.step, each.accuracy, each.loss, each.seconds) for each in points_from_rows(rows)],
        )
        rows = _readable(_curve(source, "step, accuracy FROM tests", run), 0, MAX_STEPS + 1, most)
        connection.executemany(
            "INSERT OR IGNORE INTO tests VALUES (?, ?, ?)",
            [(run, each.step, each.accuracy) for each in tests_from_rows(rows)],
        )


def _curve(source: sqlite3.Connection, what: str, run: str) -> _Fetch:
    """Return what fetches some columns of a table for one run."""
    statement = f"SELECT {what} WHERE run = ? AND step >= ? AND step < ? ORDER BY step"

    def fetch(first: int, end: int, order: str) -> Iterator[_Row]:
        return source.execute(f"{statement} {order}", (run, first, end))

    return fetch
