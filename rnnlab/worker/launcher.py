"""Starts background workers and finds dead ones, behind one small interface. Never imports Keras."""

from __future__ import annotations

import signal
import subprocess
import threading
from contextlib import suppress
from typing import Final, NamedTuple, Protocol

from rnnlab.store.database import StoreError
from rnnlab.store.store import Store
from rnnlab.system.cores import usable_cores
from rnnlab.system.memory import explain_kill, system_kills
from rnnlab.system.process_identity import identify, is_alive
from rnnlab.system.processes import SIGKILL, is_illegal_instruction, start_module

_LACKS_INSTRUCTIONS: Final = (
    "This computer's processor lacks instructions, such as AVX, that TensorFlow needs; choose the engine "
    "numpy, use a computer with a newer processor, or install a TensorFlow that was built for this one."
)

_LAST_THREADS_SECONDS: Final = 5.0
"""How long the threads of a process may take to end after its first one; how it ended is known only then."""

_ASKED_TO_END: Final = {0, -signal.SIGTERM, -signal.SIGINT}
"""Exit statuses of workers that have done what they were told."""


class Launcher(Protocol):
    """Starts workers: as processes of this machine now, on a cluster perhaps later."""

    def wake(self) -> None:
        """Make sure that waiting runs have a worker; cheap to call, from anywhere, any number of times.

        Raises:
            StoreError: No worker can be started.
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

    def has_ended(self) -> bool:
        """Return whether it has, and how is known; wait for the last threads of one that is ending."""
        if self.process.poll() is None and is_alive(self.identity) is False:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(_LAST_THREADS_SECONDS)
        return self.process.poll() is not None


class LocalLauncher:
    """Starts workers as processes of this machine that outlive the dashboard.

    Args:
        store: The store that holds the runs.
        limit: How many workers may live at the same time: on few cores, two would only slow each other down.
        idle_seconds: How long a worker waits for the next run before it ends, or `None` for its own choice.
    """

    def __init__(self, store: Store, limit: int = 1, idle_seconds: int | None = None) -> None:
        self._store = store
        self._limit = limit
        self._idle = {} if idle_seconds is None else {"RNNLAB_WORKER_IDLE_SECONDS": str(idle_seconds)}
        self._lock = threading.RLock()
        self._workers: dict[str, _Child] = {}
        self._kills = system_kills()

    def wake(self) -> None:
        """Start a worker if runs wait and fewer than the limit live; a living one finds them by itself."""
        with self._lock:
            worker_id = self._store.workers.reserve(self._limit)
            # Its place may be that of a worker that has just died, of what the next one would die, too.
            while worker_id is not None and self._bury():
                self._store.workers.dismiss(worker_id)
                worker_id = self._store.workers.reserve(self._limit)
            self._start(worker_id)

    def _start(self, worker_id: str | None) -> None:
        """Start the process of a worker under the id reserved for it; do nothing without an id."""
        if worker_id is None:
            return
        try:
            with (self._store.home / "worker.log").open("ab") as log:
                self._kills = system_kills()
                process = start_module(
                    "rnnlab.worker.main",
                    str(self._store.home),
                    worker_id,
                    environment=self._cores_per_worker() | self._idle,
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
            self._store.reports.mark_interrupted()
            self._bury()
            self.wake()

    def _bury(self) -> bool:
        """Say what has become of the workers that have ended; return whether there were any."""
        ended = {worker: child for worker, child in self._workers.items() if child.has_ended()}
        if ended:
            self._store.reports.mark_interrupted()
        for worker, (process, identity) in ended.items():
            had_started = self._store.workers.dismiss(worker)
            self._explain_end(process.returncode, identity, had_started=had_started)
            del self._workers[worker]
        return bool(ended)

    def _explain_end(self, status: int, identity: str, *, had_started: bool) -> None:
        """Say why a worker has ended; let no run wait if the next worker would end in the same way."""
        if is_illegal_instruction(status):
            self._store.reports.fail_interrupted(identity, _LACKS_INSTRUCTIONS)
        elif status == -SIGKILL:
            self._store.reports.explain_interruption(identity, explain_kill(self._kills))
        if status not in _ASKED_TO_END | {-SIGKILL} and not had_started:
            self._store.reports.fail_queued(
                f"The worker could not run (exit status {status}); worker.log in the folder of runs says why."
            )
