"""The store as the dashboard and the command line read it: runs, their curves, and where their files are.

The store is the only thing that the dashboard, the workers and the command line share: an SQLite database
(`database`) and the files of each run (`run_files`). Requests from people are in `requests`, reports from
workers in `reports`. Everything returned is a value that no longer changes.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from rnnlab.config import Config
from rnnlab.data.labelled_drawings import LabelledDrawings
from rnnlab.runs import AccuracyPoint, Run, RunState, TestPoint
from rnnlab.store.database import Database, StoreError
from rnnlab.store.heartbeats import Heartbeats
from rnnlab.store.recovery import recover
from rnnlab.store.reports import RunReports
from rnnlab.store.requests import RunRequests
from rnnlab.store.rows import (
    SELECT_RUNS,
    DamagedRun,
    damaged_runs_from_rows,
    points_from_rows,
    run_from_row,
    runs_from_rows,
    tests_from_rows,
)
from rnnlab.store.run_files import RunFiles, labelled_drawings_folder
from rnnlab.store.run_names import new_run_name
from rnnlab.store.run_records import RunRecords
from rnnlab.store.workers import Workers
from rnnlab.system.process_identity import own_identity


def default_home() -> Path:
    """Return the folder of runs: `RNNLAB_HOME`, or `runs` in the working folder."""
    return Path(os.environ.get("RNNLAB_HOME") or "runs").absolute()


class Store:
    """One home folder of runs, safe to use from several processes and threads at the same time.

    Args:
        home: The folder; created if it is missing.
        clock: Returns the time in seconds since the epoch.
        steady: Returns seconds on a clock that nobody sets.

    Attributes:
        requests: What people ask of runs.
        reports: What workers report on their runs.
        workers: The background workers.
        notice: What people should know about the opening, such as that the list was damaged; may be empty.

    Raises:
        StoreError: The folder or the database in it cannot be opened.
    """

    def __init__(
        self,
        home: Path,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.home = home
        self._clock = clock
        self._database = Database(home, recover)
        self.notice = self._database.notice
        heartbeats = Heartbeats(clock, steady)
        self._records = RunRecords(self._database)
        self.requests = RunRequests(self._database, clock, heartbeats, self._records)
        self.reports = RunReports(self._database, clock, heartbeats, self._records)
        self.workers = Workers(self._database, clock, heartbeats)
        self._records.save_missing()

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    @property
    def is_current(self) -> bool:
        """Whether the database file is still the one that was opened: not removed, not replaced."""
        return self._database.is_current

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Runs

    def create_run(
        self,
        config: Config,
        *,
        claimed: bool = False,
        parent: str | None = None,
        owner: str = "",
        trial: str = "",
    ) -> Run:
        """Add a run with a name of its own.

        Args:
            config: The hyperparameters.
            claimed: Whether this process trains it; otherwise it waits for a worker.
            parent: The id of the run whose newest weights it starts from, if any.
            owner: The name of the visitor who starts it; empty if started from the command line.
            trial: Which run of a sweep it is, as `Run.trial` says; one that exists already is returned.

        Raises:
            StoreError: The parent has no weights.
            DamagedRunError: The trial has a run already, whose row is damaged.
        """
        now = self._clock()
        state, started, process, identity = (
            (RunState.PREPARING, now, os.getpid(), own_identity())
            if claimed
            else (RunState.QUEUED, None, None, None)
        )
        while True:
            if trial and (known := self._database.query(f"{SELECT_RUNS} WHERE trial = ?", (trial,))):
                return run_from_row(known[0])
            name = new_run_name()
            try:
                with self._database.transaction() as connection:
                    connection.execute(
                        "INSERT INTO runs (id, config, state, created, queued, started, heartbeat, process, "
                        "process_identity, parent, owner, trial) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        (
                            *(name, config.to_json(), state, now, now, started, started),
                            *(process, identity, parent, owner, trial),
                        ),
                    )
                    if parent is not None:
                        self._copy_weights(parent, name)
            except sqlite3.IntegrityError:
                continue
            self._records.save(name)
            return self.run(name)

    def _copy_weights(self, parent: str, name: str) -> None:
        """Copy the parent's newest weights into the new run's folder, before any worker sees the run."""
        try:
            self.files(name).start_from(self.files(self.run(parent).id))
        except OSError as error:
            raise StoreError(
                f"The weights of {parent} cannot be copied ({error.strerror}); choose a run that has learned."
            ) from error

    def run(self, run_id: str) -> Run:
        """Return a run by its full id.

        Raises:
            StoreError: There is no such run.
            DamagedRunError: Its row is damaged.
        """
        rows = self._database.query(f"{SELECT_RUNS} WHERE id = ?", (run_id,))
        if not rows:
            raise StoreError(
                f"There is no run called {run_id[:60]!r}; the list of runs shows those there are."
            )
        return run_from_row(rows[0])

    def find(self, name: str) -> Run:
        """Return a run by its id, a unique beginning of it, or `latest`.

        Raises:
            StoreError: No run matches, or more than one.
        """
        runs = self.runs()
        if name == "latest" and runs:
            return runs[0]
        damaged = self.damaged_runs()
        if name == "latest":
            raise StoreError(damaged[0].problem if damaged else "There is no run yet; start one first.")
        ids = [run.id for run in runs] + [run.name for run in damaged]
        matches = [name] if name in ids else [each for each in ids if name and each.startswith(name)]
        if len(matches) > 1:
            raise StoreError(
                f"{len(matches)} runs begin with {name[:60]!r}, such as {matches[0]}; give more of the name."
            )
        return self.run(matches[0] if matches else name)

    def runs(self) -> list[Run]:
        """Return all runs, newest first."""
        return runs_from_rows(self._rows())

    def damaged_runs(self) -> list[DamagedRun]:
        """Return the runs that `runs` leaves out, since their rows are damaged."""
        return damaged_runs_from_rows(self._rows())

    def _rows(self) -> list[tuple[object, ...]]:
        return self._database.query(f"{SELECT_RUNS} ORDER BY created DESC, rowid DESC")

    def current_run(self) -> Run | None:
        """Return the run to show to a new visitor: one that trains, else waits or pauses, else the newest."""
        states = (RunState.TRAINING, RunState.PREPARING, RunState.QUEUED, RunState.PAUSED)
        for limit in (1, -1):  # all of them only if the row of the first one is damaged
            rows = self._database.query(
                f"{SELECT_RUNS} ORDER BY state IN (?, ?) DESC, state IN (?, ?) DESC, created DESC LIMIT ?",
                (*states, limit),
            )
            if found := runs_from_rows(rows):
                return found[0]
        return None

    def active_runs(self) -> list[Run]:
        """Return the runs that wait, train or pause."""
        states = [state for state in RunState if state.is_active]
        rows = self._database.query(f"{SELECT_RUNS} WHERE state IN ({', '.join('?' * len(states))})", states)
        return runs_from_rows(rows)

    def queue(self) -> list[Run]:
        """Return the runs that wait for a worker, the next one first."""
        rows = self._database.query(
            f"{SELECT_RUNS} WHERE state = ? ORDER BY queued, rowid", (RunState.QUEUED,)
        )
        return runs_from_rows(rows)

    def sync(self) -> None:
        """Make sure that everything reported so far is on the disk."""
        self._database.sync()

    # Curves

    def points(self, run_id: str, after: int = -1) -> list[AccuracyPoint]:
        """Return the points of the curve beyond a step, in order."""
        rows = self._database.query(
            "SELECT step, accuracy, loss, seconds FROM points WHERE run = ? AND step > ? ORDER BY step",
            (run_id, after),
        )
        return list(points_from_rows(rows))

    def branches(self, run_id: str) -> int:
        """Return how often reported points of a run have been discarded."""
        rows = self._database.query("SELECT branches FROM runs WHERE id = ?", (run_id,))
        return rows[0][0] if rows and isinstance(rows[0][0], int) else 0

    def tests(self, run_id: str) -> list[TestPoint]:
        """Return the accuracies on the test set, in order."""
        rows = self._database.query("SELECT step, accuracy FROM tests WHERE run = ? ORDER BY step", (run_id,))
        return list(tests_from_rows(rows))

    # Files

    def files(self, run_id: str) -> RunFiles:
        """Return where the files of a run are.

        Raises:
            StoreError: The id does not have the form of a run's name.
        """
        return RunFiles(self.home, run_id)

    def labelled_drawings(self, owner: str = "") -> LabelledDrawings:
        """Return the drawings that a visitor has labelled; without a name, those that everybody shares."""
        return LabelledDrawings(labelled_drawings_folder(self.home, owner))
