"""Which background workers live, so that there are never more of them than there should be."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rnnlab.database import Database
from rnnlab.runs import RunState

HEARTBEAT_GRACE: Final = 15.0
"""Seconds without a heartbeat after which a worker counts as dead."""

WORKER_GRACE: Final = 60.0
"""Seconds after which even a worker whose process is there counts as dead: it may be another program's."""


def process_is_alive(process: int) -> bool:
    """Return whether a process of this machine is there (a zombie that nobody has reaped yet is not)."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return True
    return status.rpartition(")")[2].split()[0] != "Z"


def is_held(process: int | None, silence: float) -> bool:
    """Return whether a run has a living worker, after some seconds without a heartbeat.

    A process alone does not tell: after a restart of the machine its number may be another program's.
    """
    return process is not None and silence <= HEARTBEAT_GRACE and process_is_alive(process)


def _worker_lives(process: int | None, silence: float) -> bool:
    """Return whether a worker counts as living after some seconds without a heartbeat."""
    if process is None:  # it has been started, but has not shown itself yet
        return silence <= HEARTBEAT_GRACE
    return process_is_alive(process) and silence <= WORKER_GRACE


class WorkerList:
    """The list of background workers of one home.

    Args:
        database: Where it is kept.
        clock: Returns the time in seconds since the epoch.
    """

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def reserve(self, limit: int, *, even_idle: bool = False) -> str | None:
        """Make room for one more background worker if there is work and fewer than `limit` live.

        Args:
            limit: How many may live at once.
            even_idle: Whether to make room though no run waits.

        Returns:
            The id under which the new worker shows that it lives, or `None` where none is needed.
        """
        now = self._clock()
        with self._database.transaction() as connection:
            queued = connection.execute(
                "SELECT count(*) FROM runs WHERE state = ?", (RunState.QUEUED,)
            ).fetchone()[0]
            if not (queued or even_idle):
                return None
            for worker, process, beat in connection.execute("SELECT * FROM workers").fetchall():
                if not _worker_lives(process, now - beat):
                    connection.execute("DELETE FROM workers WHERE id = ?", (worker,))
            if connection.execute("SELECT count(*) FROM workers").fetchone()[0] >= limit:
                return None
            worker_id = secrets.token_hex(4)
            connection.execute("INSERT INTO workers VALUES (?, NULL, ?)", (worker_id, now))
            return worker_id

    def release(self, worker_id: str) -> bool:
        """Strike a background worker off the list, unless there is still work for it.

        Returns:
            Whether it was struck off and must take no more runs.
        """
        return bool(
            self._database.execute(
                "DELETE FROM workers WHERE id = ? AND NOT EXISTS (SELECT 1 FROM runs WHERE state = ?)",
                (worker_id, RunState.QUEUED),
            )
        )

    def any(self) -> bool:
        """Return whether there is a background worker; most of its memory it has taken by then."""
        return bool(self._database.query("SELECT 1 FROM workers LIMIT 1"))

    def dismiss(self, worker_id: str) -> bool:
        """Strike a worker that has ended off the list, return whether it had shown itself."""
        with self._database.transaction() as connection:
            row = connection.execute("SELECT process FROM workers WHERE id = ?", (worker_id,)).fetchone()
            connection.execute("DELETE FROM workers WHERE id = ?", (worker_id,))
        return row is None or row[0] is not None

    def beat(self, worker_id: str) -> None:
        """Show that a background worker lives."""
        self._database.execute(
            # One that was taken for dead, because the machine slept, comes back on the list.
            "INSERT INTO workers VALUES (?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET process = excluded.process, heartbeat = excluded.heartbeat",
            (worker_id, os.getpid(), self._clock()),
        )
