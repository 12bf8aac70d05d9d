"""What a sweep costs beside the training of its runs: `python -m tests.benchmarks.sweep`.

Leads a sweep of 12 trials of 1,000 steps each by the command line, in a home of its own, and compares its
time with the seconds that its runs trained, divided by how many run together. Options are passed on.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rnnlab.cli.machine import machine
from rnnlab.dashboard.permissions import Permissions
from rnnlab.store.store import Store
from rnnlab.system.cores import usable_cores

SWEEP = ("--vary", "learning_rate=0.0003:0.03", "--vary", "neurons=32,64,128", "--trials", "12")


def main() -> None:
    """Lead a sweep, measure and print."""
    together = Permissions.from_environment().workers
    with tempfile.TemporaryDirectory() as home:
        began = time.perf_counter()
        command = [sys.executable, "-m", "rnnlab", "sweep", *SWEEP, "--iterations", "1000", "--home", home]
        subprocess.run([*command, *sys.argv[1:]], check=True)
        took = time.perf_counter() - began
        with Store(Path(home)) as store:
            runs = store.runs()
    trained = sum(run.seconds for run in runs) / together
    print(f"{machine()}, {usable_cores()} cores, {together} at the same time")
    print(
        f"{len(runs)} runs: {took:.1f} s, {trained:.1f} s of training, {took / trained:.3f} times as long; "
        f"{(took - trained) / len(runs):.2f} s a run beside its training"
    )


if __name__ == "__main__":
    main()
