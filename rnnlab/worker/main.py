"""The background process: takes runs from the store and trains them one after the other.

Started by the launcher, with HOME and WORKER_ID as arguments. Knows nothing of Streamlit.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Final

from rnnlab.store.database import StoreError
from rnnlab.store.store import Store
from rnnlab.system.processes import give_way, module_command, stop_on_signals
from rnnlab.worker.job import MAX_RETRY_SECONDS, RETRY_SECONDS, execute
from rnnlab.worker.reporting import heartbeat, log

IDLE_SECONDS: Final = 600.0
"""Seconds that a worker waits for the next run before it ends; `RNNLAB_WORKER_IDLE_SECONDS` changes it."""

POLL_INTERVAL: Final = 0.1
"""Seconds between two checks of the queue while idle."""

ANEW: Final = "anew"
"""Argument of a worker's process that has been one before."""


def _holds_gpu() -> bool:
    """Return whether the runs of this process have left it with memory of a GPU."""
    from rnnlab.training import (
        backend,
    )  # a run has loaded it, and before the first one it would only take time

    return backend.holds_gpu()


def serve(store: Store, worker_id: str, idle_seconds: float, stop: threading.Event) -> bool:
    """Train waiting runs one after the other until none has come for a while.

    A process that holds memory of a GPU after a run must end to give it back, and goes on as a new one.

    Args:
        store: The store that holds the runs.
        worker_id: The id under which this worker is registered in the store.
        idle_seconds: How long to wait for the next run; 0 to end as soon as none waits.
        stop: Set to end after the next report.

    Returns:
        Whether this worker, still registered, is to begin anew in a fresh process.
    """
    with heartbeat(store, worker_id=worker_id):
        waiting_since = written = time.monotonic()
        while not stop.is_set() and store.is_current:
            try:
                run = store.reports.claim()
                has_waited = time.monotonic() - waiting_since >= idle_seconds
                if run is None and has_waited and store.workers.release(worker_id):
                    return False
                written = time.monotonic()
            except StoreError:  # such as on a full disk: no run can be claimed until there is room
                if time.monotonic() - written >= MAX_RETRY_SECONDS:
                    return False
                stop.wait(RETRY_SECONDS)
                continue
            if run is not None:
                execute(store, run, stop=stop)
                if _holds_gpu() and not stop.is_set():
                    return True
                waiting_since = time.monotonic()
            else:
                stop.wait(POLL_INTERVAL)
    store.workers.dismiss(worker_id)
    return False


def main(home: str, worker_id: str, began: str = "") -> None:
    """Serve the runs of a home folder as a background process.

    Args:
        home: The folder.
        worker_id: The id under which this worker is registered in the store.
        began: `ANEW` if this process was a worker before.
    """
    if began != ANEW:
        give_way()
    idle_seconds = float(os.environ.get("RNNLAB_WORKER_IDLE_SECONDS") or IDLE_SECONDS)
    with Store(Path(home)) as store:
        if store.notice:
            log.warning("%s", store.notice)
        if not serve(store, worker_id, idle_seconds, stop_on_signals()):
            return
    # The process keeps its number, so that the launcher still knows it, and gives back all its memory.
    command = module_command("rnnlab.worker.main", home, worker_id, ANEW)
    os.execv(command[0], command)  # noqa: S606 no shell is wanted


if __name__ == "__main__":
    main(*sys.argv[1:])
