"""Starts, wakes and reaps background workers, behind one small interface. Never imports Keras."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from typing import Final, Protocol

from rnnlab.cores import usable_cores
from rnnlab.database import StoreError
from rnnlab.memory import available_megabytes, system_kills, words_on_a_kill
from rnnlab.processes import start_module
from rnnlab.store import Store

WARM_MEGABYTES: Final = 2000
"""Memory that must be available for a worker to be started before it is needed: it takes up to 900 MB."""


class Launcher(Protocol):
    """Where workers come from: processes of this machine now, a cluster perhaps later."""

    def wake(self) -> None:
        """See to it that waiting runs have a worker; cheap to call, from anywhere, any number of times.

        Raises:
            StoreError: No worker can be started.
        """

    def warm(self) -> None:
        """Have a worker ready for the next run, where that is wanted and there is memory for it.

        Raises:
            StoreError: As for `wake`.
        """

    def reap(self) -> None:
        """Find workers that have died, say so in the store, and see to it that waiting runs have another.

        Raises:
            StoreError: The store cannot be written, or as for `wake`.
        """


class LocalLauncher:
    """Starts workers as processes of this machine that outlive the dashboard.

    Args:
        store: Where the runs are.
        limit: How many workers may live at once: on a few cores, two would only take them from each other.
    """

    def __init__(self, store: Store, limit: int = 1) -> None:
        self._store = store
        self._limit = limit
        self._lock = threading.Lock()
        self._workers: dict[str, subprocess.Popen[bytes]] = {}
        self._kills = system_kills()

    def wake(self) -> None:
        """Start a worker if runs wait and none lives; a living one finds them by itself."""
        self._start(self._store.workers.reserve(self._limit))

    def warm(self) -> None:
        """Start a worker that waits, unless one lives, `RNNLAB_WARM_WORKER` is 0 or memory is short."""
        if os.environ.get("RNNLAB_WARM_WORKER") != "0" and available_megabytes() >= WARM_MEGABYTES:
            self._start(self._store.workers.reserve(1, even_idle=True))

    def _start(self, worker_id: str | None) -> None:
        """Start the process of a worker that has a place, if it has one."""
        if worker_id is None:
            return
        try:
            with (self._store.home / "worker.log").open("ab") as log, self._lock:
                self._kills = system_kills()
                self._workers[worker_id] = start_module(
                    "rnnlab.worker",
                    str(self._store.home),
                    worker_id,
                    environment=self._share_of_cores(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
        except OSError as error:
            self._store.workers.dismiss(worker_id)
            raise StoreError(
                f"No worker can be started in {self._store.home} ({error.strerror}); check the folder."
            ) from error

    def _share_of_cores(self) -> dict[str, str]:
        """Return what tells a worker how many cores are its own where several train at once."""
        return {"RNNLAB_CORES": str(max(1, usable_cores() // self._limit))} if self._limit > 1 else {}

    def reap(self) -> None:
        """Record dead workers: their runs are interrupted, and where none can start, waiting runs fail."""
        with self._lock:
            ended = {worker: p for worker, p in self._workers.items() if p.poll() is not None}
            for worker in ended:
                del self._workers[worker]
        self._store.mark_interrupted()
        for worker, process in ended.items():
            shown = self._store.workers.dismiss(worker)
            if process.returncode > 0 and not shown:
                self._store.fail_queued(
                    f"The worker could not run (exit status {process.returncode}); "
                    "worker.log in the folder of runs tells why."
                )
            elif process.returncode == -signal.SIGKILL:
                self._store.explain_interruption(process.pid, words_on_a_kill(self._kills))
        self.wake()
