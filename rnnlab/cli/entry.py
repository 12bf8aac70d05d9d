"""A command as what its process is for: its signals, its streams, its exit status.

Whatever takes time to import is imported once Ctrl-C is taken care of.
"""

from __future__ import annotations

import os
import sys

from rnnlab.cli import interrupts
from rnnlab.system import standard_streams


def run() -> int:
    """Run the command line of this process; return the exit status."""
    standard_streams.open_missing()  # or the pipe for Ctrl-C would take their numbers
    interrupts.end_on_interrupt()
    status = None
    try:
        standard_streams.show_everything()
        status = _command()
    finally:
        if interrupts.heard():  # whatever has become of the exception
            os._exit(interrupts.INTERRUPTED)
    interrupts.restore()
    return status


def _command() -> int:
    """Run the command; return the exit status."""
    from rnnlab.cli import commands

    try:
        status = commands.run(sys.argv[1:])
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 0
    standard_streams.discard_unwritten()
    return status
