"""Starts, wakes and reaps background workers, behind one small interface. Never imports Keras."""

from __future__ import annotations

import os
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from rnnlab.processes import start_module
from rnnlab.store import Store

WORKER_LIMIT: Final = 1
"""How many runs train at once: on a few cores, two would only take them from each other."""

WARM_MEGABYTES: Final = 2000
"""Memory that must be available for a worker to be started before it is needed: it takes up to 900 MB."""


class Launcher(Protocol):
    """Where workers come from: processes of this machine now, a cluster perhaps later."""

    def wake(self) -> None:
        """See to it that waiting runs have a worker; cheap to call, from anywhere, any number of times."""

    def warm(self) -> None:
        """Have a worker ready for the next run, where that is wanted and there is memory for it."""

    def reap(self) -> None:
        """Find workers that have died, and say so in the store."""


class LocalLauncher:
    """Starts workers as processes of this machine that outlive the dashboard.

    Args:
        store: Where the runs are.
        limit: How many workers may live at once.
    """

    def __init__(self, store: Store, limit: int = WORKER_LIMIT) -> None:
        self._store = store
        self._limit = limit
        self._lock = threading.Lock()
        self._workers: dict[str, subprocess.Popen[bytes]] = {}

    def wake(self) -> None:
        """Start a worker if runs wait and none lives; a living one finds them by itself."""
        self._start(self._store.workers.reserve(self._limit))

    def warm(self) -> None:
        """Start a worker that waits, unless one lives, `RNNLAB_WARM_WORKER` is 0 or memory is short."""
        if os.environ.get("RNNLAB_WARM_WORKER") != "0" and _available_megabytes() >= WARM_MEGABYTES:
            self._start(self._store.workers.reserve(1, even_idle=True))

    def _start(self, worker_id: str | None) -> None:
        """Start the process of a worker that has a place, if it has one."""
        if worker_id is None:
            return
        with (self._store.home / "worker.log").open("ab") as log, self._lock:
            self._workers[worker_id] = start_module(
                "rnnlab.worker",
                str(self._store.home),
                worker_id,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def reap(self) -> None:
        """Record dead workers: their runs are interrupted, and where none can start, waiting runs fail."""
        with self._lock:
            ended = {worker: p.returncode for worker, p in self._workers.items() if p.poll() is not None}
            for worker in ended:
                del self._workers[worker]
        for worker, status in ended.items():
            self._store.workers.dismiss(worker)
            if status > 0:
                self._store.fail_queued(
                    f"The worker could not run (exit status {status}); "
                    "worker.log in the folder of runs tells why."
                )
        self._store.mark_interrupted()
        self.wake()


def _available_megabytes() -> float:
    """Return how much memory is to be had without swapping; without end where the system does not tell."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024 / 1e6
    return float("inf")
