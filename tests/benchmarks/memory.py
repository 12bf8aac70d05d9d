"""Estimated and real memory of training: `python -m tests.benchmarks.memory`.

Trains networks of several sizes in real workers and prints what `needed_megabytes` expects, and the
most that a worker and its helper processes were seen to use together (shared pages counted once).
"""

from __future__ import annotations

import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from rnnlab.config import Config
from rnnlab.presets import config_from
from rnnlab.store.store import Store
from rnnlab.training.memory_needed import needed_megabytes
from rnnlab.worker.launcher import LocalLauncher
from tests.benchmarks.endurance import megabytes
from tests.workers import workers_of

_SIZES: Final = {
    "default": config_from({"iterations": 400}),
    "best": config_from({"iterations": 400}, "best"),
    "8 neurons, batch size 8": config_from({"iterations": 2000, "neurons": 8, "batch_size": 8}),
    "512 neurons, batch size 32": config_from({"iterations": 60, "neurons": 512, "batch_size": 32}),
    "128 neurons, batch size 1,024": config_from({"iterations": 60, "batch_size": 1024}),
    "512 neurons, batch size 1,024": config_from({"iterations": 60, "neurons": 512, "batch_size": 1024}),
    "the same, distorted": config_from(
        {"iterations": 60, "neurons": 512, "batch_size": 1024, "averaging": 100}, "best"
    ),
    "default, Keras": config_from({"iterations": 100, "engine": "keras"}),
    "512 neurons, 1,024, Keras": config_from(
        {"iterations": 21, "neurons": 512, "batch_size": 1024, "engine": "keras"}
    ),
}


def most_megabytes(config: Config) -> float:
    """Train in a worker of its own; return the most memory that its processes used together."""
    most = 0.0
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store:
        run = store.create_run(config)
        LocalLauncher(store).wake()
        while not store.run(run.id).state.is_ended:
            with suppress(psutil.NoSuchProcess, IndexError):
                most = max(most, sum(megabytes(workers_of(store.home)[0])))
            time.sleep(0.1)
        for left in workers_of(store.home):
            left.kill()
            left.wait()
    return most


def main() -> None:
    """Train, measure and print."""
    print("                                expected, MB   most, MB")
    for name, config in _SIZES.items():
        print(f"{name:<32}{needed_megabytes(config):>12,.0f}{most_megabytes(config):>11,.0f}", flush=True)


if __name__ == "__main__":
    main()
