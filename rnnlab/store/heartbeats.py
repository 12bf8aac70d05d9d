"""Whether the process that has a run, or is a background worker, still lives.

On this machine its identity tells (`system.process_identity`). Whatever time has passed says nothing: it may
have been stopped, or the machine has slept, or somebody has set the clock. Of a process of another machine or
container, only its heartbeats are known.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from rnnlab.runs import RunState
from rnnlab.store.database import Database
from rnnlab.store.run_names import is_run_name
from rnnlab.system import process_identity

HEARTBEAT_GRACE: Final = 45.0
"""Seconds without a heartbeat after which a process elsewhere counts as dead."""

CONFIRM_SECONDS: Final = 6.0
"""Seconds to watch a heartbeat that looks old: three of them. The clock of the other machine may differ."""


class HeldRun(NamedTuple):
    """A run that a worker has or had, as `dead_runs` reads it; its row may be damaged."""

    id: str
    state: str
    heartbeat: object
    process_identity: object
    goes_on: bool
    stop_requested: bool


class _Watch(NamedTuple):
    """What has been seen of the heartbeats of one process.

    Attributes:
        beat: The newest one.
        since: When it was first seen, by this machine's steady clock.
        has_moved: Whether an earlier one has been seen, too.
    """

    beat: float
    since: float
    has_moved: bool


class Heartbeats:
    """Watches the heartbeats in one home folder.

    Args:
        clock: Returns the time in seconds since the epoch, as those who send heartbeats write it.
        steady: Returns seconds on a clock that nobody sets.

    Attributes:
        in_doubt: Keys of those whose heartbeat looks old, but has not been watched for long enough yet.
    """

    def __init__(self, clock: Callable[[], float], steady: Callable[[], float]) -> None:
        self._clock, self._steady = clock, steady
        self._watched: dict[str, _Watch] = {}
        self.in_doubt: set[str] = set()

    def is_alive(self, key: str, identity: object, beat: object) -> bool:
        """Return whether a process lives, as far as can be told from here.

        Args:
            key: The id of its run or of the worker.
            identity: Its `process_identity` as text; anything else counts as not known.
            beat: Its newest heartbeat, in seconds since the epoch; anything else counts as a very old one.
        """
        alive = process_identity.is_alive(identity) if isinstance(identity, str) and identity else None
        if alive is None:
            is_time = isinstance(beat, int | float) and math.isfinite(beat)
            return not self._is_silent(key, float(beat) if is_time else 0.0)  # type: ignore[arg-type]
        self.in_doubt.discard(key)
        return alive

    def _is_silent(self, key: str, beat: float) -> bool:
        """Return whether heartbeats have ceased."""
        now, watch = self._steady(), self._watched.get(key)
        if watch is None or watch.beat != beat:
            watch = self._watched[key] = _Watch(beat, now, has_moved=watch is not None)
        watched = now - watch.since
        # Once a heartbeat has been seen to come, this machine's own clock is enough to miss the next ones.
        looks_old = not watch.has_moved and self._clock() - beat > HEARTBEAT_GRACE
        if looks_old and watched < CONFIRM_SECONDS:
            self.in_doubt.add(key)
        else:
            self.in_doubt.discard(key)
        return watched > HEARTBEAT_GRACE or (looks_old and watched >= CONFIRM_SECONDS)


def dead_runs(database: Database, heartbeats: Heartbeats) -> list[HeldRun]:
    """Return the runs that a worker had when it died; those without a sound id are left out."""
    rows = database.query(
        "SELECT id, state, heartbeat, process_identity, pause_at IS NULL OR pause_at > step, "
        "stop_requested = 1 FROM runs WHERE state IN (?, ?) OR (state = ? AND process IS NOT NULL)",
        (RunState.PREPARING, RunState.TRAINING, RunState.PAUSED),
    )
    held = [HeldRun._make([*row[:4], bool(row[4]), bool(row[5])]) for row in rows]
    return [
        run
        for run in held
        if isinstance(run.id, str)
        and is_run_name(run.id)
        and not heartbeats.is_alive(run.id, run.process_identity, run.heartbeat)
    ]
