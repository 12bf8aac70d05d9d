"""The list of living background workers, so that there are never more of them than allowed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from typing import Final

from rnnlab.runs import RunState
from rnnlab.store.database import Database
from rnnlab.system.processes import process_is_alive

HEARTBEAT_GRACE: Final = 15.0
"""Seconds without a heartbeat after which a worker counts as dead."""

WORKER_GRACE: Final = 60.0
"""Seconds after which even a worker whose process exists counts as dead: the id may be another program's."""


def is_held(process: int | None, silence: float) -> bool:
    """Return whether a run has a living worker; `silence` is the seconds since its last heartbeat."""
    return process is not None and silence <= HEARTBEAT_GRACE and process_is_alive(process, silence)


def _worker_lives(process: int | None, silence: float) -> bool:
    """Return whether a worker counts as living; `silence` is the seconds since its last heartbeat."""
    if process is None:  # it has been started, but has not sent a heartbeat yet
        return silence <= HEARTBEAT_GRACE
    return silence <= WORKER_GRACE and process_is_alive(process, silence)


class Workers:
    """The background workers of one home folder; `clock` returns the time in seconds since the epoch."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def reserve(self, limit: int, *, even_idle: bool = False) -> str | None:
        """Reserve a place for one more background worker if there is work and fewer than `limit` live.

        Args:
            limit: How many may live at the same time.
            even_idle: Whether to reserve a place even if no run waits.

        Returns:
            The id under which the new worker sends its heartbeats, or `None` if none is needed.
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
        """Remove a background worker from the list, unless there is still work for it.

        Returns:
            Whether it was removed and must take no more runs.
        """
        return bool(
            self._database.execute(
                "DELETE FROM workers WHERE id = ? AND NOT EXISTS (SELECT 1 FROM runs WHERE state = ?)",
                (worker_id, RunState.QUEUED),
            )
        )

    def any(self) -> bool:
        """Return whether there is a background worker; it has already taken most of its memory."""
        return bool(self._database.query("SELECT 1 FROM workers LIMIT 1"))

    def dismiss(self, worker_id: str) -> bool:
        """Remove a worker that has ended from the list; return whether it had ever sent a heartbeat."""
        with self._database.transaction() as connection:
            row = connection.execute("SELECT process FROM workers WHERE id = ?", (worker_id,)).fetchone()
            connection.execute("DELETE FROM workers WHERE id = ?", (worker_id,))
        return row is None or row[0] is not None

    def beat(self, worker_id: str) -> None:
        """Record that a background worker is alive."""
        self._database.execute(
            # A worker that was taken for dead because the machine slept is listed again.
            "INSERT INTO workers VALUES (?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET process = excluded.process, heartbeat = excluded.heartbeat",
            (worker_id, os.getpid(), self._clock()),
        )
