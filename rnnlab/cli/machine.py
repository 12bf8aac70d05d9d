"""What machine this is, in words, so that a measured figure says where it was measured."""

from __future__ import annotations

import platform
from contextlib import suppress
from pathlib import Path

from rnnlab.system.cores import usable_cores


def machine() -> str:
    """Return the name of this machine's processor, if the system tells it, and how many cores train."""
    cores = usable_cores()
    return f"{_processor()}, {cores} core{'s' if cores > 1 else ''}"


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
