"""Memory and speed of a worker over a long run: `python -m tests.benchmarks.endurance [STEPS]`.

Trains the default network in a real worker. Prints every 2,500 steps how much memory the worker and its
helper processes use (shared pages counted once) and how fast they train; at the end, what is in the folder of
the run.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import psutil

from rnnlab.presets import config_from
from rnnlab.store.store import Store
from rnnlab.worker.launcher import LocalLauncher
from tests.workers import workers_of

STEPS: Final = 50_000
STEPS_BETWEEN_LOOKS: Final = 2_500


def megabytes(worker: psutil.Process) -> list[float]:
    """Return the proportional share of memory of a worker and each of its helpers."""
    return [process.memory_full_info().pss / 1e6 for process in (worker, *worker.children(recursive=True))]


def main(steps: int) -> None:
    """Train, measure and print."""
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store:
        run = store.create_run(config_from({"iterations": steps}))
        launcher = LocalLauncher(store)
        launcher.wake()
        print("     step   worker and helpers, MB   steps/s since the last look")
        next_look, last_step, last_seconds = 0, 0, 0.0
        while (now := store.run(run.id)).state.is_active:
            if now.batch_accuracy is not None and now.step >= next_look:
                worker = workers_of(store.home)[0]
                speed = (now.step - last_step) / max(1e-9, now.seconds - last_seconds)
                parts = megabytes(worker)
                words = " + ".join(f"{part:.0f}" for part in parts)
                print(f"{now.step:>9,}   {sum(parts):>6.0f} ({words})   {speed:.1f}", flush=True)
                next_look += STEPS_BETWEEN_LOOKS
                last_step, last_seconds = now.step, now.seconds
            time.sleep(0.5)
        print(f"{now.state}: {now.test_accuracy:.2%} on the test set, {now.step / now.seconds:.1f} steps/s")
        files = [path for path in store.files(run.id).make_folder().rglob("*") if path.is_file()]
        print(
            f"{len(files)} files of {sum(path.stat().st_size for path in files) / 1e6:.1f} MB in its folder"
        )
        for left in workers_of(store.home):
            left.terminate()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else STEPS)
