"""Ctrl-C while a command runs: it ends without a traceback, whatever it is doing."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import Final

INTERRUPTED: Final = 130
"""Exit status of a command that Ctrl-C has ended, as shells have it."""

_PATIENCE: Final = 1.0
"""Seconds that the command has to leave its files in order."""

_heard = threading.Event()


def heard() -> bool:
    """Return whether Ctrl-C has been pressed."""
    return _heard.is_set()


def end_on_interrupt() -> None:
    """From now on let Ctrl-C raise a `KeyboardInterrupt`, and end the process if it still lives after that.

    It lives on if the exception is lost in a library, as in the import of one, or cannot be raised because
    native code runs, such as SQLite, which waits for other processes for up to half a minute. A second Ctrl-C
    ends it at once. Nothing changes if the process was started with Ctrl-C ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        return
    original = sys.unraisablehook

    def complain(unraisable: sys.UnraisableHookArgs) -> None:
        if not isinstance(unraisable.exc_value, KeyboardInterrupt):
            original(unraisable)

    sys.unraisablehook = complain
    signal.signal(signal.SIGINT, _on_interrupt)
    if hasattr(os, "set_blocking"):  # Windows has none
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        threading.Thread(target=_watch, args=(reader,), name="interrupts", daemon=True).start()


def restore() -> None:
    """Let Ctrl-C end the process at once: the command is done."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)


def _on_interrupt(*_: object) -> None:
    if _heard.is_set():
        os._exit(INTERRUPTED)
    _heard.set()
    raise KeyboardInterrupt


def _watch(reader: int) -> None:
    """Wait for the signal, which is written here even while native code runs, then end the process."""
    while os.read(reader, 1) != bytes([signal.SIGINT]):
        pass
    time.sleep(_PATIENCE)
    os._exit(INTERRUPTED)
