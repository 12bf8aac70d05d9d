"""What a worker does between two reports: keep checkpoints, wait while the run is to pause, make changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from rnnlab.files import in_spite_of_removal
from rnnlab.runs import RunState
from rnnlab.store import Store
from rnnlab.training import Instruction, Moment

CHECKPOINT_INTERVAL: Final = 2.5
"""Seconds between two checkpoints: what a run may lose at most if its worker is killed, and a report."""

LOOK_INTERVAL: Final = 0.1
"""Seconds between two looks for the end of a pause."""

LONGEST_PAUSE: Final = 600.0
"""Seconds that a worker stays with a run that pauses; after that it waits for a worker to go on."""


class Steering:
    """The control of one run's training.

    Args:
        store: Where the run is.
        run_id: The run.
        stop: Set to end it at the next report, as a wish in the store does.
        publish: Called before a pause with the moment, to have the newest weights where people can see them.
        stays: Whether this process stays with a run that pauses, for it would not take another one.
    """

    def __init__(
        self,
        store: Store,
        run_id: str,
        stop: threading.Event,
        publish: Callable[[Moment], None],
        *,
        stays: bool = False,
    ) -> None:
        self._store, self._run_id, self._stop, self._publish = store, run_id, stop, publish
        self._stays = stays
        self._kept = float("-inf")

    def __call__(self, moment: Moment) -> Instruction:
        """Return what the training is to do after a report; in a pause, not before it is over."""
        control = self._store.control
        waiting_since = None
        while True:
            wishes = control.wishes(self._run_id)
            if wishes.stop or self._stop.is_set():
                return Instruction(RunState.STOPPED)
            if wishes.pause_at is None or moment.step < wishes.pause_at:
                break
            if waiting_since is None:
                waiting_since = time.monotonic()
                self._begin_pause(moment)
            long = time.monotonic() - waiting_since >= LONGEST_PAUSE
            if (
                not self._stays
                and (long or control.others_wait())
                and control.release(self._run_id, moment.step)
            ):
                return Instruction(RunState.PAUSED)
            self._stop.wait(LOOK_INTERVAL)
        if waiting_since is not None:
            control.set_going_on(self._run_id)
        changes = control.take_changes(self._run_id, moment.step) if wishes.changes else ()
        if changes or time.monotonic() - self._kept >= CHECKPOINT_INTERVAL:
            self.keep(moment)
        return Instruction(changes=changes)

    def _begin_pause(self, moment: Moment) -> None:
        self.keep(moment)
        self._publish(moment)
        self._store.control.set_paused(self._run_id)

    def keep(self, moment: Moment) -> None:
        """Keep a checkpoint; what has been reported before is then on the disk, too."""
        self._store.sync()
        checkpoint, path = moment.checkpoint(), self._store.checkpoint_path(self._run_id)
        in_spite_of_removal(lambda: checkpoint.save(path))
        self._kept = time.monotonic()
