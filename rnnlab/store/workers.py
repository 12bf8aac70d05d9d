"""The list of living background workers, so that there are never more of them than allowed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable

from rnnlab.runs import RunState
from rnnlab.store.database import Database
from rnnlab.store.heartbeats import Heartbeats
from rnnlab.system.process_identity import own_identity


class Workers:
    """The background workers of one home folder; `clock` returns the time in seconds since the epoch."""

    def __init__(self, database: Database, clock: Callable[[], float], heartbeats: Heartbeats) -> None:
        self._database = database
        self._clock = clock
        self._heartbeats = heartbeats

    def reserve(self, limit: int) -> str | None:
        """Reserve a place for one more background worker if there is work and fewer than `limit` live.

        Args:
            limit: How many may live at the same time.

        Returns:
            The id under which the new worker sends its heartbeats, or `None` if none is needed.
        """
        now = self._clock()
        with self._database.transaction() as connection:
            queued = connection.execute(
                "SELECT count(*) FROM runs WHERE state = ?", (RunState.QUEUED,)
            ).fetchone()[0]
            if not queued:
                return None
            # One that has been started, but has not sent a heartbeat yet, has no identity.
            known = connection.execute("SELECT rowid, id, process_identity, heartbeat FROM workers")
            for row, worker, identity, beat in known.fetchall():
                if not self._heartbeats.is_alive(str(worker), identity, beat):
                    connection.execute("DELETE FROM workers WHERE rowid = ?", (row,))
            if connection.execute("SELECT count(*) FROM workers").fetchone()[0] >= limit:
                return None
            worker_id = secrets.token_hex(4)
            connection.execute("INSERT INTO workers (id, heartbeat) VALUES (?, ?)", (worker_id, now))
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
            "INSERT INTO workers (id, process, process_identity, heartbeat) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET process = excluded.process, "
            "process_identity = excluded.process_identity, heartbeat = excluded.heartbeat",
            (worker_id, os.getpid(), own_identity(), self._clock()),
        )
