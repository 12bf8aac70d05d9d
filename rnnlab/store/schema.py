"""The tables of the runs database.

Those of a new one refuse values of another type, such as a text for a number. `STRICT` would do the same, but
an SQLite before 3.37, on another machine that shares the folder, takes a database with it for a damaged one.
"""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import Final

from rnnlab.runs import READINGS_OF_MEAN

VERSION: Final = 10
"""Version of the tables; every change to them, or to what a column says, adds one."""

NEWEST_ACCURACY: Final = f"""coalesce((
    SELECT avg(accuracy) FROM (
        SELECT accuracy FROM points
        WHERE run = runs.id AND typeof(accuracy) = 'real' AND accuracy BETWEEN 0 AND 1.000001
        ORDER BY step DESC LIMIT {READINGS_OF_MEAN}
    )
), batch_accuracy)"""
"""What `batch_accuracy` of a run is set to: the mean of its newest readings, if there are any."""

UPGRADES: Final = {
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
    6: f"UPDATE runs SET batch_accuracy = {NEWEST_ACCURACY}",  # it was the newest reading alone
    7: "ALTER TABLE runs ADD COLUMN engine TEXT NOT NULL DEFAULT ''",
    8: "ALTER TABLE runs ADD COLUMN ended_by TEXT NOT NULL DEFAULT ''",
    9: """
ALTER TABLE runs ADD COLUMN trial TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX runs_by_trial ON runs (trial) WHERE trial != ''
""",
}
"""For each older version, the statements that turn its tables into those of the next one."""

_TABLES: Final = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY NOT NULL,
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
    process_identity TEXT,
    engine TEXT NOT NULL DEFAULT '',
    ended_by TEXT NOT NULL DEFAULT '',
    trial TEXT NOT NULL DEFAULT ''
);
CREATE INDEX runs_by_state ON runs (state);
CREATE UNIQUE INDEX runs_by_trial ON runs (trial) WHERE trial != '';
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
    id TEXT PRIMARY KEY NOT NULL,
    process INTEGER,
    heartbeat REAL NOT NULL,
    process_identity TEXT
);
"""


def _with_checks(tables: str) -> str:
    """Return statements that create tables, with a check of its type for every column."""
    return re.sub(
        r"^    (\w+) (TEXT|REAL|INTEGER)\b[^,\n]*",
        lambda column: f"{column[0]} CHECK (typeof({column[1]}) IN ('{column[2].lower()}', 'null'))",
        tables,
        flags=re.MULTILINE,
    )


TABLES: Final = tuple(_with_checks(_TABLES).split(";"))
"""The statements that create the tables of a new database."""

COLUMNS: Final = {
    table: re.findall(r"^    (\w+) (?:TEXT|REAL|INTEGER)\b", columns, re.MULTILINE)
    for table, columns in re.findall(r"CREATE TABLE (\w+) \((.*?)\n\)", _TABLES, re.DOTALL)
}
"""The names of the columns of each table."""

_MAX_VERSION: Final = 100
"""No version will ever be beyond it."""


def check_header(path: Path) -> None:
    """Check what SQLite calls an error of another kind than damage: file formats that it does not know.

    Raises:
        sqlite3.DatabaseError: The file is no database of this kind.
    """
    if not path.is_file():  # a pipe would be waited for
        return
    with path.open("rb") as file:
        header = file.read(100)
    if not (set(header[18:20]) <= {1, 2} and int.from_bytes(header[44:48], "big") <= 4):
        raise sqlite3.DatabaseError("its header is damaged")


def check_version(connection: sqlite3.Connection) -> None:
    """Check that the version of the tables can be one.

    Raises:
        sqlite3.DatabaseError: It cannot.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not (0 < version < _MAX_VERSION if tables else version == 0):
        raise sqlite3.DatabaseError("the version of its tables is damaged")


def check_tables(connection: sqlite3.Connection) -> None:
    """Check that all tables of the present version are there, with all their columns.

    Raises:
        sqlite3.DatabaseError: They are not.
    """
    for table, columns in COLUMNS.items():
        found = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        if not found >= set(columns):
            raise sqlite3.DatabaseError(f"its table {table} is damaged")
