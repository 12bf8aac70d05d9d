"""How commands print: for people, or with `--json` one object per line."""

from __future__ import annotations

import json
import math
import sys
import threading
from collections.abc import Mapping
from typing import Any

from rnnlab.config import Config
from rnnlab.system.standard_streams import OutputError, write_output


class CommandError(RuntimeError):
    """A command that could not do its work; its text is one sentence for people."""


def print_line(text: str = "") -> None:
    """Print a line, without delay.

    Raises:
        OutputError: Standard output cannot be written.
    """
    write_output(f"{text}\n")


def print_json(**values: Any) -> None:
    """Print one JSON object on a line of its own, without delay.

    Raises:
        OutputError: Standard output cannot be written.
    """
    write_output(json_line(**values))


def json_line(**values: Any) -> str:
    """Return one JSON object as a line; infinities and NaN, which JSON does not have, become `null`."""
    return json.dumps(_valid(values), allow_nan=False) + "\n"


def _valid(value: Any) -> Any:
    """Return a value without numbers and characters that JSON does not have."""
    match value:
        case float() if not math.isfinite(value):
            return None
        case str():  # names of files that are not UTF-8 have halves of characters
            return value.encode("utf-8", "backslashreplace").decode()
        case Mapping():
            return {name: _valid(each) for name, each in value.items()}
        case list() | tuple():
            return [_valid(each) for each in value]
    return value


class Outlet:
    """Standard output as a file that never fails: once it cannot be written, all that follows is dropped.

    A foreground training writes to it. If nobody reads its output any more, or there is no room for it, the
    run ends in order.

    Args:
        stop: Set once standard output cannot be written.
    """

    def __init__(self, stop: threading.Event | None = None) -> None:
        self._stop = stop or threading.Event()
        self._error: OutputError | None = None
        self.encoding = getattr(sys.stdout, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        """Write a text, unless that has failed before."""
        if self._error is None:
            try:
                write_output(text)
            except OutputError as error:
                self._error = error
                self._stop.set()
        return len(text)

    def flush(self) -> None:
        """Do nothing: everything has been written."""

    def isatty(self) -> bool:
        """Return whether people see it in a terminal."""
        return sys.stdout.isatty()

    def check(self) -> None:
        """Raise what has gone wrong.

        Raises:
            OutputError: Standard output could not be written.
        """
        if self._error is not None:
            raise self._error


def describe(config: Config) -> str:
    """Return the most important hyperparameters in words."""
    return (
        f"learning rate {config.learning_rate:g}, batch size {config.batch_size:,}, "
        f"{config.neurons:,} neurons, {config.iterations:,} iterations, seed {config.seed}"
    )


def percent(fraction: float | None) -> str:
    """Return a fraction as a percentage, or a dash for `None`."""
    return "-" if fraction is None else f"{fraction:.2%}"
