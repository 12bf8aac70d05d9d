"""Processes: starting a module as one, ending in good order on request."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final

import psutil

SIGKILL: Final = int(getattr(signal, "SIGKILL", 9))
"""The signal by which a process is killed; Windows has no name for it."""


_ILLEGAL_INSTRUCTION: Final = {-int(getattr(signal, "SIGILL", 4)), 0xC000001D, 0xC000001D - 2**32}
"""Exit statuses of a process whose processor did not know an instruction; the latter two on Windows."""

_NICENESS: Final = 10
"""Added to the nice value of a process that gives way."""


class HelperError(RuntimeError):
    """A helper process ended too early; its text is one sentence for people, without the full stop.

    Args:
        status: Its exit status; negative for the signal that ended it.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"A helper process of the run ended unexpectedly (exit status {status})")
        self.status = status


def start_module(
    module: str, *arguments: str, environment: dict[str, str] | None = None, **options: Any
) -> subprocess.Popen[bytes]:
    """Start a module as a program, out of reach of the terminal of this process and of its Ctrl-C.

    Args:
        module: A module of this package, such as `rnnlab.worker.main`.
        arguments: Command line arguments for the module.
        environment: Variables that differ from those of this process.
        options: Further options of `subprocess.Popen`.

    Raises:
        OSError: The process cannot be started.
    """
    python, needed = _interpreter()
    variables = os.environ | needed | (environment or {})
    command = [python, *module_command(module, *arguments)[1:]]
    # The one is for Windows, the other for all other systems; each ignores what is not for it.
    flags = sum(getattr(subprocess, name, 0) for name in ("CREATE_NEW_PROCESS_GROUP", "CREATE_NO_WINDOW"))
    return subprocess.Popen(command, env=variables, start_new_session=True, creationflags=flags, **options)


def module_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module from any working folder, whatever files lie there.

    It does what `python -m module arguments` does, with this copy of the package.
    """
    return [sys.executable, "-P", str(Path(__file__).with_name("run_module.py")), module, *arguments]


def _interpreter() -> tuple[str, dict[str, str]]:
    """Return the path of Python, and the variables that it needs.

    On Windows, the one in a virtual environment is a small program that starts the real one as a process of
    its own. Python's own `multiprocessing` goes around it in the same way.
    """
    real = str(getattr(sys, "_base_executable", sys.executable))
    if sys.platform.startswith("win") and real != sys.executable:
        return real, {"__PYVENV_LAUNCHER__": sys.executable}
    return sys.executable, {}


def give_way() -> None:
    """Let the processes that people wait for, such as the dashboard, have the processor before this one."""
    with suppress(OSError, psutil.Error):
        if hasattr(os, "nice"):
            os.nice(_NICENESS)
        elif hasattr(psutil, "BELOW_NORMAL_PRIORITY_CLASS"):
            psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)


def is_illegal_instruction(status: int) -> bool:
    """Return whether a process ended because this processor lacks an instruction, by its exit status."""
    return status in _ILLEGAL_INSTRUCTION


@contextmanager
def stderr_to(path: Path) -> Iterator[None]:
    """Append to a file all that this process writes to standard error in the block, C++ libraries included.

    TensorFlow prints a dozen lines about processors and drivers while it starts, whatever its log level. If
    the file cannot be written, they are lost.
    """
    _flush_stderr()
    original = os.dup(2)
    try:
        with _appended(path) as file:
            os.dup2(file.fileno(), 2)
        yield
    finally:
        _flush_stderr()
        os.dup2(original, 2)
        os.close(original)


def _appended(path: Path) -> IO[bytes]:
    """Open a file to append to it; if it cannot be written, one that takes everything."""
    try:
        return path.open("ab")
    except OSError:
        return open(os.devnull, "wb")


def _flush_stderr() -> None:
    """Write what waits to be written to standard error, if that is possible."""
    with suppress(OSError, ValueError):
        sys.stderr.flush()


def stop_on_signals() -> threading.Event:
    """Return an event that is set when the process is asked to end: Ctrl-C, SIGTERM, a terminal that closes.

    A process that was started so that it outlives its terminal (`nohup`) goes on.
    """
    stop = threading.Event()

    def on_signal(*_: object) -> None:
        stop.set()

    signal.set_wakeup_fd(-1)  # first, since whoever listens there would end the process
    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, on_signal)
    return stop
