"""Starts background workers and finds dead ones, behind one small interface. Never imports Keras."""

from __future__ import annotations

import os
import subprocess
import threading
from typing import Final, NamedTuple, Protocol

from rnnlab.store.database import StoreError
from rnnlab.store.store import Store
from rnnlab.system.cores import usable_cores
from rnnlab.system.memory import available_megabytes, explain_kill, system_kills
from rnnlab.system.process_identity import identify
from rnnlab.system.processes import SIGKILL, start_module

WARM_MEGABYTES: Final = 2000
"""Megabytes that must be available to start a worker before it is needed: it takes up to 900 MB."""


class Launcher(Protocol):
    """Starts workers: as processes of this machine now, on a cluster perhaps later."""

    def wake(self) -> None:
        """Make sure that waiting runs have a worker; cheap to call, from anywhere, any number of times.

        Raises:
            StoreError: No worker can be started.
        """

    def warm(self) -> None:
        """Have a worker ready for the next run, if that is wanted and there is memory for it.

        Raises:
            StoreError: As for `wake`.
        """

    def reap(self) -> None:
        """Find workers that have died, record that in the store, and start another if runs wait.

        Raises:
            StoreError: The store cannot be written, or as for `wake`.
        """


class _Child(NamedTuple):
    """The process of a worker, as its launcher knows it.

    Attributes:
        process: Tells how it has ended.
        identity: By which the store knows it; once it has ended, the system can no longer say.
    """

    process: subprocess.Popen[bytes]
    identity: str


class LocalLauncher:
    """Starts workers as processes of this machine that outlive the dashboard.

    Args:
        store: The store that holds the runs.
        limit: How many workers may live at the same time: on few cores, two would only slow each other down.
    """

    def __init__(self, store: Store, limit: int = 1) -> None:
        self._store = store
        self._limit = limit
        self._lock = threading.Lock()
        self._workers: dict[str, _Child] = {}
        self._kills = system_kills()

    def wake(self) -> None:
        """Start a worker if runs wait and fewer than the limit live; a living one finds them by itself."""
        self._start(self._store.workers.reserve(self._limit))

    def warm(self) -> None:
        """Start a worker that waits, unless one lives, `RNNLAB_WARM_WORKER` is 0 or memory is short."""
        if os.environ.get("RNNLAB_WARM_WORKER") != "0" and available_megabytes() >= WARM_MEGABYTES:
            self._start(self._store.workers.reserve(1, even_idle=True))

    def _start(self, worker_id: str | None) -> None:
        """Start the process of a worker under the id reserved for it; do nothing without an id."""
        if worker_id is None:
            return
        try:
            with (self._store.home / "worker.log").open("ab") as log, self._lock:
                self._kills = system_kills()
                process = start_module(
                    "rnnlab.worker.main",
                    str(self._store.home),
                    worker_id,
                    environment=self._cores_per_worker(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
                self._workers[worker_id] = _Child(process, str(identify(process.pid)))
        except OSError as error:
            self._store.workers.dismiss(worker_id)
            raise StoreError(
                f"No worker can be started in {self._store.home} ({error.strerror}); check the folder."
            ) from error

    def _cores_per_worker(self) -> dict[str, str]:
        """Return the environment variable that gives a worker its share of the cores if several may live."""
        return {"RNNLAB_CORES": str(max(1, usable_cores() // self._limit))} if self._limit > 1 else {}

    def reap(self) -> None:
        """Record dead workers: their runs are interrupted; if a worker could not start, waiting runs fail."""
        with self._lock:
            ended = {w: child for w, child in self._workers.items() if child.process.poll() is not None}
            for worker in ended:
                del self._workers[worker]
        self._store.reports.mark_interrupted()
        for worker, (process, identity) in ended.items():
            had_started = self._store.workers.dismiss(worker)
            if process.returncode > 0 and not had_started:
                self._store.reports.fail_queued(
                    f"The worker could not run (exit status {process.returncode}); "
                    "worker.log in the folder of runs says why."
                )
            elif process.returncode == -SIGKILL:
                self._store.reports.explain_interruption(identity, explain_kill(self._kills))
        self.wake()
