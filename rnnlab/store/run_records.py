"""What the list of runs says of a run, kept a second time beside its weights, if the list should be lost.

A record is a small JSON file with the columns of the run's row; texts that are JSON themselves are nested.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Final

from rnnlab.runs import Run
from rnnlab.store.database import Database, StoreError
from rnnlab.store.rows import COLUMNS, SELECT_RUNS, run_from_row
from rnnlab.store.run_files import RunFiles
from rnnlab.store.run_names import is_run_name
from rnnlab.system.atomic_files import atomic_write

_NESTED: Final = ("config", "changes", "requested")

_DEFAULTS: Final[dict[str, object]] = {
    **{field.name: field.default for field in fields(Run) if field.default is not MISSING},
    "changes": [],
    "requested": {},
}
"""What a record of an earlier version, which has fewer columns, says in its place."""

_MAX_BYTES: Final = 10_000_000
"""Size beyond which a file is no record; one has about 1,500 bytes, and some more for each change."""


class RunRecords:
    """Keeps the records of the runs of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, run_id: str) -> None:
        """Keep what the list says of a run now. If that is not possible, the run is none the worse for it."""
        with suppress(StoreError, OSError):
            for row in self._database.query(f"{SELECT_RUNS} WHERE id = ?", (run_id,)):
                self._save(row)

    def save_missing(self) -> None:
        """Keep records of the runs of an earlier version, which have files, but no record."""
        if self._database.is_copy:
            return
        home = self._database.home
        for (run_id,) in self._database.query("SELECT id FROM runs"):
            if isinstance(run_id, str) and is_run_name(run_id):
                files = RunFiles(home, run_id)
                if not files.record.exists() and files.folder.is_dir():
                    self.save(run_id)

    def _save(self, row: tuple[object, ...]) -> None:
        run = run_from_row(row)
        columns = dict(zip(COLUMNS, row, strict=True))
        nested = {name: json.loads(str(columns[name])) for name in _NESTED}
        text = json.dumps({**columns, **nested}, indent=1)
        with atomic_write(RunFiles(self._database.home, run.id).record) as file:
            file.write(text.encode())


def read_records(home: Path) -> Iterator[dict[str, object]]:
    """Yield the columns of all runs in a home folder of which there is a sound record."""
    for name in sorted(os.listdir(home)):
        if is_run_name(name):
            with suppress(OSError, ValueError, TypeError, KeyError, RecursionError, StoreError):
                yield _read(RunFiles(home, name))


def _read(files: RunFiles) -> dict[str, object]:
    """Return the columns of a run from its record.

    Raises:
        OSError: There is none, or it cannot be read.
        ValueError: It is damaged; so say `TypeError`, `KeyError`, `RecursionError` and `StoreError`.
    """
    if not files.record.is_file() or files.record.stat().st_size > _MAX_BYTES:
        raise ValueError("no file, or too large a one")
    read = {**_DEFAULTS, **json.loads(files.record.read_bytes()), "id": files.folder.name}
    columns = {name: json.dumps(read[name]) if name in _NESTED else read[name] for name in COLUMNS}
    run_from_row(tuple(columns.values()))
    return columns
