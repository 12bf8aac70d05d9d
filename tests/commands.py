"""The command line as a process of its own, for several test files."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

from rnnlab.config import Config
from rnnlab.runs import RunState
from rnnlab.store.store import Store
from tests.weights import random_weights

TRAIN = ["train", "--dataset", "digits", "--neurons", "8", "--batch-size", "16", "--iterations", "200000"]
"""Arguments of a training that takes far longer than any test waits."""


def add_trained_run(store: Store) -> str:
    """Add a run of 8 neurons that has ended, with weights; return its id.

    A run that starts from it does not need TensorFlow, which takes seconds to start.
    """
    run = store.create_run(Config(neurons=8, dataset="digits"), claimed=True)
    random_weights(8, scale=0.3).save(store.files(run.id).make_folder() / "weights.npz", 0)
    store.reports.end_run(run.id, RunState.FINISHED)
    return run.id


def hear_ctrl_c() -> None:
    """Let a process that begins hear Ctrl-C, even if the tests run in the background of a shell."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def hearing_ctrl_c(command: list[str], **options: Any) -> subprocess.Popen[str]:
    """Start a process that hears Ctrl-C."""
    options.setdefault("preexec_fn", hear_ctrl_c)
    return subprocess.Popen(command, text=True, **options)


def start_command(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start a command; by default, its output goes to pipes."""
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return hearing_ctrl_c([sys.executable, "-m", "rnnlab", *arguments], **(piped | options))
