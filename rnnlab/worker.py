"""The background process: takes runs from the store and trains them one after the other.

Started by the launcher as `python -m rnnlab.worker HOME WORKER_ID`. Knows nothing of Streamlit.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from rnnlab.database import StoreError
from rnnlab.execution import PATIENCE_SECONDS, RETRY_SECONDS, execute, heartbeat, stop_on_signals
from rnnlab.store import Store

IDLE_SECONDS: Final = 600.0
"""How long a worker waits for the next run before it ends; `RNNLAB_WORKER_IDLE_SECONDS` sets another time."""

POLL_INTERVAL: Final = 0.1
"""Seconds between two looks at the queue while idle."""

NICENESS: Final = 10
"""How far training steps back when the dashboard needs the processor."""


def preload() -> None:
    """Load TensorFlow and Keras, so that the next run need not wait for them: they take seconds."""
    from rnnlab import network

    network.start_devices()
    network.build_model(8, "keras", seed=0)


def serve(store: Store, worker_id: str, idle_seconds: float, stop: threading.Event) -> None:
    """Train waiting runs one after the other until none has come for a while.

    Args:
        store: Where the runs are.
        worker_id: Under which this worker is registered in the store.
        idle_seconds: How long to wait for the next run.
        stop: Set to end after the next report.
    """
    with heartbeat(store, worker_id=worker_id):
        waiting_since = written = time.monotonic()
        ready = False
        while not stop.is_set() and store.is_current:
            try:
                run = store.claim()
                idle = run is None and time.monotonic() - waiting_since >= idle_seconds
                if idle and (ready or idle_seconds == 0) and store.workers.release(worker_id):
                    return
                written = time.monotonic()
            except StoreError:  # such as on a full disk: nothing can be taken or given up until there is room
                if time.monotonic() - written >= PATIENCE_SECONDS:
                    return
                stop.wait(RETRY_SECONDS)
                continue
            if run is not None:
                execute(store, run, stop=stop)
                waiting_since = time.monotonic()
                ready = True
            elif not ready and idle_seconds > 0:
                preload()
                ready = True
            else:
                stop.wait(POLL_INTERVAL)
    store.workers.dismiss(worker_id)


def main(home: str, worker_id: str) -> None:
    """Serve the runs of a home folder as a background process."""
    with suppress(OSError):
        os.nice(NICENESS)
    idle_seconds = float(os.environ.get("RNNLAB_WORKER_IDLE_SECONDS") or IDLE_SECONDS)
    with Store(Path(home)) as store:
        serve(store, worker_id, idle_seconds, stop_on_signals())


if __name__ == "__main__":
    main(*sys.argv[1:])
