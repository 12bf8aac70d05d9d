"""What a GPU gives: `python -m tests.benchmarks.gpu`, in under four minutes, on a machine that has one.

Lets numpy, the engine `keras`, plain Keras and, if it is installed, PyTorch train each cell in turn; looks at
the memory of the card while the engine trains on; and runs the tests of that engine on the card. Exit status
1: there is no GPU that TensorFlow can use, memory grows, or a test fails.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any, Final

from rnnlab.cli.machine import machine
from rnnlab.config import Config
from rnnlab.data import datasets
from rnnlab.training.engine import KERAS
from tests.dashboard import ROOT

CELLS: Final = ("lstm", "gru", "simple_rnn")
TESTS: Final = ("tests/test_engine.py", "tests/test_keras_backend.py", "tests/test_error_reach.py")
STEPS: Final = 200
"""Steps between two looks at the memory of the card."""

LOOKS: Final = 4
ROUNDS: Final = 2
SECONDS: Final = 2.0
TOLERANCE: Final = 1.01
"""How much more memory may be in use at the last look than at the second, by when all is allocated."""


def card() -> str:
    """Return the name of the first GPU; empty if there is none that can be used."""
    from rnnlab.training import devices
    from rnnlab.training.libraries import tf

    if not devices.has_gpu():
        return ""
    gpu = tf.config.list_physical_devices("GPU")[0]
    details: dict[str, Any] = tf.config.experimental.get_device_details(gpu)
    return str(details.get("device_name", "a GPU without a name"))


def memory_in_use() -> float:
    """Return how many megabytes of the card TensorFlow's numbers take."""
    from rnnlab.training.libraries import tf

    return float(tf.config.experimental.get_memory_info("GPU:0")["current"]) / 1e6


def memory_over_time(config: Config, data: datasets.Dataset) -> list[float]:
    """Train on; return the memory in use, in MB, after every so many steps."""
    from rnnlab.training import backend
    from rnnlab.training.batches import Batches

    looks, batches = [], Batches(config, len(data.train_images))
    with backend.create_network(config, data) as network:
        for look in range(LOOKS):
            network.train(list(batches.between(look * STEPS, (look + 1) * STEPS)))
            looks.append(memory_in_use())
    return looks


def main() -> int:
    """Measure and print; return the exit status."""
    if not (name := card()):
        print("There is no GPU that TensorFlow can use here, so there is nothing to measure.")
        return 1
    from rnnlab.cli.benchmark import compare

    data, grown = datasets.load("mnist"), False
    print(f"{name}; {machine()}; {data.description}")
    for cell in CELLS:
        config = replace(Config(), cell=cell)
        speeds = compare(config, data, rounds=ROUNDS, seconds=SECONDS).steps_per_second
        looks = memory_over_time(replace(config, engine=KERAS), data)
        grown |= looks[-1] > TOLERANCE * looks[1]
        print(f"{cell}: steps/s {speeds}; MB of the card every {STEPS} steps: {looks}", flush=True)
    tests = subprocess.run([sys.executable, "-m", "pytest", "-q", "-n", "0", *TESTS], cwd=ROOT, check=False)
    print("Memory grows." if grown else "Memory does not grow.")
    return int(grown or tests.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
