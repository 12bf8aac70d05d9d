"""Rows of the runs database as values, each column checked as it is read.

The columns are the fields of `Run`: another one is a field there (in `runs`), a column of the table (in
`schema`) and a check here. Whoever has been at the database, a row becomes a sound value or is named as
damaged.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from rnnlab import config_changes
from rnnlab.config import HYPERPARAMETERS, STOP_RULES, Config
from rnnlab.config_changes import Change
from rnnlab.hyperparameter import Value
from rnnlab.runs import AccuracyPoint, Run, RunState, TestPoint
from rnnlab.store.database import StoreError
from rnnlab.store.run_names import is_run_name

COLUMNS: Final = tuple(field.name for field in fields(Run))
"""The columns of a run that become its fields."""

SELECT_RUNS: Final = f"SELECT {', '.join(COLUMNS)} FROM runs"
"""The start of every statement whose rows become runs."""

MAX_STEPS: Final = int(HYPERPARAMETERS["iterations"].maximum or 0)
"""Most steps that a run may have."""

_LATEST: Final = 2.5e11
"""A time in seconds since the epoch that a calendar still has, in any time zone."""

_MAX_PAUSE_AT: Final = 2**53
"""Step at which a run pauses; every press of Step adds some."""

_LONGEST: Final = 1e12
"""Most seconds that training may have taken."""

_UNREADABLE: Final = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
"""What a text from outside can raise when it is read as JSON with certain things in it."""


class DamagedRunError(StoreError):
    """The row of a run is damaged; its text is one sentence for people."""


@dataclass(frozen=True)
class DamagedRun:
    """A run whose row is damaged.

    Attributes:
        name: Its id, or whatever stands in its place, for people.
        problem: What is wrong with it, in a sentence.
    """

    name: str
    problem: str


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    value.encode()  # JSON can hold halves of characters, which no file and no terminal can
    return value


def _name(value: object) -> str:
    if not is_run_name(_text(value)):
        raise ValueError
    return _text(value)


def _rule(value: object) -> str:
    if value not in ("", *STOP_RULES):
        raise ValueError
    return _text(value)


def _whole(least: int, most: int) -> Callable[[object], int]:
    """Return a check for a whole number within bounds."""

    def check(value: object) -> int:
        if not isinstance(value, int) or not least <= value <= most:
            raise ValueError
        return int(value)

    return check


def _real(least: float, most: float) -> Callable[[object], float]:
    """Return a check for a finite number within bounds."""

    def check(value: object) -> float:
        if not isinstance(value, int | float) or not least <= value <= most or not math.isfinite(value):
            raise ValueError
        return float(value)

    return check


def _or_none(check: Callable[[object], Any]) -> Callable[[object], Any]:
    return lambda value: None if value is None else check(value)


def _requested(value: object) -> Mapping[str, Value]:
    read = json.loads(_text(value))
    if not isinstance(read, dict):
        raise TypeError
    return config_changes.validate(read)


def _changes(value: object) -> tuple[Change, ...]:
    changes = config_changes.from_json(_text(value))
    for change in changes:
        config_changes.validate({change.name: change.value})
        _STEP(change.step)
    return changes


_STEP: Final = _whole(0, MAX_STEPS)
_TIME: Final = _real(0.0, _LATEST)
_FRACTION: Final = _real(0.0, 1.0 + 1e-6)  # a mean of single precision may be a little off
_SECONDS: Final = _real(0.0, _LONGEST)
_LOSS: Final = _real(-1e300, 1e300)

_CHECKS: Final[Mapping[str, Callable[[object], Any]]] = {
    "id": _name,
    "config": lambda value: Config.from_json(_text(value)),
    "state": lambda value: RunState(_text(value)),
    "created": _TIME,
    "started": _or_none(_TIME),
    "ended": _or_none(_TIME),
    "heartbeat": _or_none(_TIME),
    "step": _STEP,
    "seconds": _SECONDS,
    "message": _text,
    "data": _text,
    "data_name": _text,
    "data_note": _text,
    "cores": _or_none(_whole(1, 2**20)),
    "batch_accuracy": _or_none(_FRACTION),
    "test_accuracy": _or_none(_FRACTION),
    "stop_requested": lambda value: bool(_whole(0, 1)(value)),
    "parent": _or_none(_name),
    "pause_at": _or_none(_whole(0, _MAX_PAUSE_AT)),
    "changes": _changes,
    "requested": _requested,
    "queued": _or_none(_TIME),
    "owner": _text,
    "engine": _text,
    "ended_by": _rule,
    "trial": _text,
}
"""For each column, what turns it into a field of `Run`; raises one of `_UNREADABLE` if it cannot be one."""


def checked_column(name: str, value: object) -> Any:
    """Return what a column of a run says, as a field of `Run`.

    Raises:
        ValueError: It is damaged.
    """
    try:
        return _CHECKS[name](value)
    except _UNREADABLE as error:
        raise ValueError(name) from error


def run_from_row(row: tuple[object, ...]) -> Run:
    """Build a run from a row of `SELECT_RUNS`.

    Raises:
        DamagedRunError: A value in it is damaged.
    """
    columns = dict(zip(COLUMNS, row, strict=True))
    try:
        return Run(**{name: checked_column(name, value) for name, value in columns.items()})
    except ValueError as error:
        value = columns[str(error)]
        problem = f"its {error} is {'missing' if value is None else _shown(value)}"
        raise DamagedRunError(
            f"The entry of {_shown(columns['id'])} in the list of runs is damaged ({problem}); "
            "choose another run."
        ) from error


def _shown(value: object) -> str:
    """Return a value from outside for people, as much of it as fits into a sentence."""
    return repr(value[:60] if isinstance(value, str | bytes) else value)[:80]


def runs_from_rows(rows: Iterable[tuple[object, ...]]) -> list[Run]:
    """Build runs from rows; leave out those that are damaged."""
    return [run for run in map(_run_or_damage, rows) if isinstance(run, Run)]


def damaged_runs_from_rows(rows: Iterable[tuple[object, ...]]) -> list[DamagedRun]:
    """Return those runs that `runs_from_rows` leaves out."""
    return [run for run in map(_run_or_damage, rows) if isinstance(run, DamagedRun)]


def _run_or_damage(row: tuple[object, ...]) -> Run | DamagedRun:
    try:
        return run_from_row(row)
    except DamagedRunError as error:
        name = row[COLUMNS.index("id")]
        return DamagedRun(name if isinstance(name, str) and is_run_name(name) else _shown(name), str(error))


def points_from_rows(rows: Iterable[tuple[object, ...]]) -> Iterator[AccuracyPoint]:
    """Yield points from rows of step, accuracy, loss and seconds; leave out those that are damaged."""
    for step, accuracy, loss, seconds in rows:
        try:
            yield AccuracyPoint(_STEP(step), _FRACTION(accuracy), _LOSS(loss), _SECONDS(seconds))
        except _UNREADABLE:
            continue


def tests_from_rows(rows: Iterable[tuple[object, ...]]) -> Iterator[TestPoint]:
    """Yield accuracies on the test set from rows of step and accuracy; leave out those that are damaged."""
    for step, accuracy in rows:
        try:
            yield TestPoint(_STEP(step), _FRACTION(accuracy))
        except _UNREADABLE:
            continue
