"""Standard output and standard error that are closed, full, or cannot show a character.

Imports hardly anything: a command uses it before all else.
"""

from __future__ import annotations

import errno
import io
import os
import re
import sys
from contextlib import suppress
from typing import Any, Final

from rnnlab.system.file_errors import reason_of

_LONG_WORD: Final = re.compile(r"(\S{100})\S{200,}(\S{20})")
"""A number of thousands of digits, or a path that no system takes; what is shown of it are its two ends."""


class OutputError(RuntimeError):
    """Standard output could not be written; its text is one sentence for people.

    Args:
        error: What the system said.

    Attributes:
        reader_left: Whether whoever read the output has left, as `head` does once it has enough.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(f"The output could not be written ({reason_of(error)}); send it elsewhere.")
        # Windows calls a pipe without a reader an invalid argument.
        self.reader_left = error.errno == errno.EPIPE or (os.name == "nt" and error.errno == errno.EINVAL)


def open_missing() -> None:
    """Make up for standard streams that were closed when the process began.

    Their numbers would go to the next files that are opened, such as the list of runs, and whatever a library
    prints would go there, too. What was closed cannot be written to hereafter either.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # the lowest free number is this one
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w", encoding="utf-8", closefd=False))


def show_everything() -> None:
    """Let the streams write the code of a character that they do not have, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


class _Forgiving(io.FileIO):
    """A file that drops what it cannot take."""

    def write(self, data: Any, /) -> int:
        """Write bytes; return how many are done with."""
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def never_fail() -> None:
    """Let the standard streams drop what cannot be written: for a server, which has others to answer."""
    open_missing()
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(
            io.BufferedWriter(_Forgiving(number, "wb", closefd=False)),
            encoding="utf-8",
            errors="backslashreplace",
            line_buffering=True,
        )
        for number in (1, 2)
    )


def write_output(text: str) -> None:
    """Write a text to standard output, without delay.

    Raises:
        OutputError: It cannot be written.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        raise OutputError(error) from error


def write_error(text: str) -> None:
    """Write a line to standard error, if that can be written; no control character reaches the terminal."""
    with suppress(OSError, ValueError):
        sys.stderr.write(printable(text) + "\n")
        sys.stderr.flush()


def printable(text: str) -> str:
    """Return a text on one line, with codes for what a terminal might obey, and without endless words."""
    shown = (
        each if each.isprintable() or each in "\u00a0\u202f" else each.encode("unicode_escape").decode()
        for each in text
    )
    return _LONG_WORD.sub(r"\1...\2", "".join(shown))


def discard_unwritten() -> None:
    """Forget what could not be written, or Python would try again while it ends, and complain.

    So it would with what libraries print at the very end to a stream that was closed from the beginning.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
            os.write(stream.fileno(), b"")
        except OSError:
            with suppress(OSError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)
        except ValueError:  # it is closed
            continue
