"""Which process it is: on which machine, which number, begun when; and whether that very process still lives.

A number alone does not tell. Another container counts its own processes, another machine does, too, and a
system gives the number of a process that has ended to a new one.
"""

from __future__ import annotations

import functools
import os
import platform
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, Self

import psutil

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_OWN_NAMESPACE: Final = Path("/proc/self/ns/pid")
_SELF: Final = Path("/proc/self")

_MAX_NUMBER: Final = 2**31 - 1
"""Largest number that a process may have; Windows and Linux stay far below it."""


class ProcessIdentity(NamedTuple):
    """What tells a process from all others, on this machine and elsewhere.

    Attributes:
        machine: Of `this_machine`, where the process runs.
        number: Its process id there.
        began: When it began, in seconds on a clock of that machine that nobody sets; `None` if the system
            does not say.
    """

    machine: str
    number: int
    began: float | None

    def __str__(self) -> str:
        """Return it as one line of text, for the store."""
        return f"{self.machine} {self.number} {'-' if self.began is None else repr(self.began)}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the identity that `str` made this text of; `None` if it is another text."""
        with suppress(ValueError):
            machine, number, began = text.split(" ")
            if 0 < int(number) <= _MAX_NUMBER:
                return cls(machine, int(number), None if began == "-" else float(began))
        return None


@functools.cache
def this_machine() -> str:
    """Return a text without spaces that all processes share that can see each other's numbers.

    On Linux these are the processes since one start of the kernel (the boot id) in one container (the
    namespace of process numbers). On other systems it is the machine, by its name and network hardware.
    """
    with suppress(OSError):
        boot = _BOOT_ID.read_text(encoding="ascii").strip()
        return f"{boot}/{os.readlink(_OWN_NAMESPACE)}"
    return f"{''.join(platform.node().split())}/{uuid.getnode():x}"


def identify(number: int) -> ProcessIdentity:
    """Return the identity of a process of this machine that is there, or is this process's child."""
    began = None
    with suppress(psutil.Error):
        began = _began(number)
    return ProcessIdentity(this_machine(), number, began)


def own_identity() -> str:
    """Return the identity of this process as text."""
    return _identity_text(os.getpid())


@functools.cache
def _identity_text(number: int) -> str:  # by number, since a fork of this process is another one
    return str(identify(number))


def is_alive(text: str) -> bool | None:
    """Return whether a process lives (a zombie that nobody has reaped yet does not).

    Args:
        text: Its identity.

    Returns:
        `None` if that cannot be told from here: it runs elsewhere, or the system shows too little of it.
    """
    process = ProcessIdentity.parse(text)
    if process is None or process.machine != this_machine():
        return None
    try:
        began = _began(process.number)
        is_zombie = began is not None and psutil.Process(process.number).status() == psutil.STATUS_ZOMBIE
    except psutil.AccessDenied:
        return None
    except psutil.NoSuchProcess:  # or one of another user, which Linux can hide (`hidepid`)
        return None if _number_is_taken(process.number) else False
    if is_zombie:
        return False
    return None if began is None or process.began is None else began == process.began


def _began(number: int) -> float | None:
    """Return when a process began, as `ProcessIdentity` has it.

    Raises:
        psutil.NoSuchProcess: There is no such process, or the system hides it.
    """
    if _SELF.exists() and os.readlink(_SELF) != str(os.getpid()):
        # This container sees the /proc of another one, in which the numbers are other processes'.
        if not _number_is_taken(number):
            raise psutil.NoSuchProcess(number)
        return None
    # What psutil itself compares processes by: unlike create_time(), it does not move with the clock.
    began = psutil.Process(number)._ident[1]
    return None if began is None else float(began)


def _number_is_taken(number: int) -> bool:
    """Return whether a process has this number, without a signal: signal 0 interrupts on Windows."""
    if not hasattr(os, "getpriority"):
        return bool(psutil.pid_exists(number))
    try:
        os.getpriority(os.PRIO_PROCESS, number)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
