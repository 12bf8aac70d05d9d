"""The background process: takes runs from the store and trains them one after the other.

Started by the launcher as `python -m rnnlab.worker.main HOME WORKER_ID`. Knows nothing of Streamlit.
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
from rnnlab.system.processes import give_way, stop_on_signals
from rnnlab.worker.job import MAX_RETRY_SECONDS, RETRY_SECONDS, execute
from rnnlab.worker.reporting import heartbeat

IDLE_SECONDS: Final = 600.0
"""Seconds that a worker waits for the next run before it ends; `RNNLAB_WORKER_IDLE_SECONDS` changes it."""

POLL_INTERVAL: Final = 0.1
"""Seconds between two checks of the queue while idle."""


def preload() -> None:
    """Load TensorFlow and Keras, which takes seconds, so that the next run need not wait for them."""
    from rnnlab.training import keras_backend

    keras_backend.initialize_devices()
    keras_backend.build_model(8, "keras", seed=0)


def serve(store: Store, worker_id: str, idle_seconds: float, stop: threading.Event) -> None:
    """Train waiting runs one after the other until none has come for a while.

    Args:
        store: The store that holds the runs.
        worker_id: The id under which this worker is registered in the store.
        idle_seconds: How long to wait for the next run; 0 to end as soon as none waits, without preloading.
        stop: Set to end after the next report.
    """
    with heartbeat(store, worker_id=worker_id):
        waiting_since = written = time.monotonic()
        needs_preload = idle_seconds > 0
        while not stop.is_set() and store.is_current:
            try:
                run = store.reports.claim()
                has_waited = time.monotonic() - waiting_since >= idle_seconds and not needs_preload
                if run is None and has_waited and store.workers.release(worker_id):
                    return
                written = time.monotonic()
            except StoreError:  # such as on a full disk: no run can be claimed until there is room
                if time.monotonic() - written >= MAX_RETRY_SECONDS:
                    return
                stop.wait(RETRY_SECONDS)
                continue
            if run is not None:
                execute(store, run, stop=stop)
                waiting_since = time.monotonic()
                needs_preload = False
            elif needs_preload:
                preload()
                needs_preload = False
            else:
                stop.wait(POLL_INTERVAL)
    store.workers.dismiss(worker_id)


def main(home: str, worker_id: str) -> None:
    """Serve the runs of a home folder as a background process."""
    give_way()
    idle_seconds = float(os.environ.get("RNNLAB_WORKER_IDLE_SECONDS") or IDLE_SECONDS)
    with Store(Path(home)) as store:
        serve(store, worker_id, idle_seconds, stop_on_signals())


if __name__ == "__main__":
    main(*sys.argv[1:])
