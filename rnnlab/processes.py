"""Starts parts of this package as processes of their own, from wherever it was imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any


class HelperError(RuntimeError):
    """A helper process has ended before its time; its text is one sentence meant for people.

    Args:
        status: Its exit status; negative for the signal that ended it.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"A helper process of the training ended unexpectedly (exit status {status})")
        self.status = status


def start_module(
    module: str, *arguments: str, environment: dict[str, str] | None = None, **options: Any
) -> subprocess.Popen[bytes]:
    """Start `python -m module arguments`, unreached by Ctrl-C in the terminal of this process.

    Args:
        module: Of this package, as `rnnlab.worker`.
        arguments: For the module.
        environment: Variables that differ from those of this process.
        options: Of `subprocess.Popen`.

    Raises:
        OSError: The process cannot be started.
    """
    variables = os.environ | {"PYTHONPATH": _import_path()} | (environment or {})
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.Popen(command, env=variables, start_new_session=True, **options)


def _import_path() -> str:
    """Return the search path with which a process finds this very package from any working folder."""
    package = str(Path(__file__).parents[1])
    inherited = os.environ.get("PYTHONPATH")
    return os.pathsep.join([package, inherited]) if inherited else package
