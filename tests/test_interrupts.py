"""Ctrl-C at random moments of every command: silence or one line, and status 130.

Other moments, and more of them: `RNNLAB_INTERRUPTS=50 RNNLAB_SEED=7 pytest tests/test_interrupts.py`.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from rnnlab.runs import RunState
from rnnlab.store.store import Store
from tests.commands import TRAIN, add_trained_run, hear_ctrl_c, hearing_ctrl_c, start_command
from tests.systems import needs_signals

pytestmark = [needs_signals, pytest.mark.slow]

MOMENTS = int(os.environ.get("RNNLAB_INTERRUPTS", "3"))
"""How often each command is interrupted."""

SEED = int(os.environ.get("RNNLAB_SEED", "15"))

BY_SIGNAL = -signal.SIGINT
"""Status of a process that Ctrl-C has ended before or after the command; a shell calls it 130, too."""


def interrupted(seconds: float, *arguments: str) -> tuple[int, str]:
    """Start a command, interrupt it after some seconds; return its status and what it said."""
    with start_command(*arguments) as process:
        try:
            process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    return process.returncode, said


def is_pythons_own(said: str) -> bool:
    """Return whether Python was interrupted before it had begun with this package."""
    return "Traceback" in said and "rnnlab" not in said


@pytest.mark.parametrize("name", ["runs", "read", "evaluate", "export"])
def test_a_command_ends_without_a_traceback_whenever_it_is_interrupted(
    store: Store, tmp_path: Path, name: str
) -> None:
    trained, picture = add_trained_run(store), tmp_path / "empty.png"
    Image.new("L", (40, 40)).save(picture)
    exported = tmp_path / "exported" / "a.keras"
    exported.parent.mkdir()
    arguments = {
        "runs": ["runs"],
        "read": ["read", trained, str(picture)],
        "evaluate": ["evaluate", trained, "--json"],
        "export": ["export", trained, str(exported)],
    }[name]
    began = time.monotonic()
    with start_command(*arguments) as process:
        process.communicate()
    lasts = time.monotonic() - began
    moments = random.Random(SEED)  # noqa: S311 it keeps no secret
    for _ in range(MOMENTS):
        status, said = interrupted(moments.uniform(0, lasts), *arguments)
        assert is_pythons_own(said) or (said, status in (0, 130, BY_SIGNAL)) == ("", True)
        assert {path.name for path in exported.parent.iterdir()} <= {"a.keras"}


def test_a_training_that_is_interrupted_ends_before_there_is_a_run_or_stops_in_order(store: Store) -> None:
    trained = add_trained_run(store)
    moments = random.Random(SEED)  # noqa: S311 it keeps no secret
    for _ in range(MOMENTS):
        before = len(store.runs())
        status, said = interrupted(moments.uniform(0, 2), *TRAIN, "--from", trained, "--json")
        begun = len(store.runs()) > before
        expected = (0,) if begun else (130, BY_SIGNAL)
        assert is_pythons_own(said) or (said, status in expected) == ("", True)
        assert not begun or store.find("latest").state is RunState.STOPPED


@pytest.mark.parametrize("outlives", [False, True], ids=["in a terminal", "nohup"])
def test_a_terminal_that_closes_stops_a_training_in_order_unless_it_is_to_outlive_it(
    store: Store, outlives: bool
) -> None:
    def hear() -> None:
        hear_ctrl_c()
        signal.signal(signal.SIGHUP, signal.SIG_IGN if outlives else signal.SIG_DFL)

    command = start_command(*TRAIN, "--from", add_trained_run(store), "--json", preexec_fn=hear)
    with command as process:
        assert process.stdout is not None
        points = (line for line in process.stdout if '"step"' in line)
        next(points)
        process.send_signal(signal.SIGHUP)
        if outlives:
            for _ in range(20):
                next(points)
            process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert (said, process.returncode) == ("", 0)
    run = store.find("latest")
    assert run.state is RunState.STOPPED
    assert store.files(run.id).weights.exists()


LOST = """
import sys, time
from rnnlab.cli import interrupts
interrupts.end_on_interrupt()
try:
    print("ready", flush=True)
    time.sleep(600)
except BaseException:
    time.sleep(600)
"""

NATIVE = """
import os, sqlite3, sys
from rnnlab.cli import interrupts
interrupts.end_on_interrupt()
connection = sqlite3.connect(sys.argv[1], timeout=600, isolation_level=None)
try:
    print("ready", flush=True)
    connection.execute("BEGIN IMMEDIATE")
except KeyboardInterrupt:  # it came before the call
    os._exit(130)
"""


@pytest.mark.parametrize("program", [LOST, NATIVE])
def test_what_loses_the_interrupt_or_cannot_hear_it_is_ended(program: str, tmp_path: Path) -> None:
    path = str(tmp_path / "locked.sqlite3")
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    command = [sys.executable, "-c", program, path]
    with hearing_ctrl_c(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 130
    holder.close()
