"""Rows of the runs database as values.

The columns are the fields of `Run`: another one is a field there (in `runs`) and a column of the table (in
`database`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import fields
from typing import Final

from rnnlab import config_changes
from rnnlab.config import Config
from rnnlab.runs import Run, RunState
from rnnlab.store.database import StoreError

_COLUMNS: Final = tuple(field.name for field in fields(Run))

SELECT_RUNS: Final = f"SELECT {', '.join(_COLUMNS)} FROM runs"
"""The start of every statement whose rows become runs."""


def run_from_row(row: tuple[object, ...]) -> Run:
    """Build a run from a row of `SELECT_RUNS`.

    Raises:
        StoreError: A value in it is damaged.
    """
    values = dict(zip(_COLUMNS, row, strict=True))
    try:
        values["config"] = Config.from_json(str(values["config"]))
        values["state"] = RunState(str(values["state"]))
        values["changes"] = config_changes.from_json(str(values["changes"]))
        values["requested"] = config_changes.validate(json.loads(str(values["requested"])))
        values["stop_requested"] = bool(values["stop_requested"])
        return Run(**values)  # type: ignore[arg-type]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreError(
            f"The entry of {str(values['id'])[:60]!r} in the list of runs is damaged; open another run."
        ) from error


def runs_from_rows(rows: Iterable[tuple[object, ...]]) -> list[Run]:
    """Build runs from rows; leave out those that are damaged."""
    found = []
    for row in rows:
        with suppress(StoreError):
            found.append(run_from_row(row))
    return found
