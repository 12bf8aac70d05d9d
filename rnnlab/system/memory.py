"""How much memory is free, and how often the system has ended a process for want of it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

_GROUPS: Final = (
    ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Files in which Linux says how much memory a container may use, how much it uses, and how much is cache."""

_KILLS: Final = (
    "/sys/fs/cgroup/memory.events",
    "/sys/fs/cgroup/memory/memory.oom_control",
    "/proc/vmstat",
)
"""Files in which Linux counts the processes, all or a container's, that it ended because memory ran out."""


def available_megabytes() -> float:
    """Return how many megabytes are free without swapping."""
    found = [float(psutil.virtual_memory().available)]
    for folder, limit, used, reclaimable in _GROUPS:
        taken = _number(f"{folder}/{used}") - _number(f"{folder}/memory.stat", reclaimable, missing=0.0)
        found.append(_number(f"{folder}/{limit}") - (taken if taken < float("inf") else 0.0))
    return min(found) / 1e6


def system_kills() -> int:
    """Return how many processes the system has ended so far because memory ran out; 0 if it does not say."""
    return int(sum(_number(path, "oom_kill", missing=0.0) for path in _KILLS))


def explain_kill(kills_before: int) -> str:
    """Return in words why a process of a run was killed, and what is saved of the run.

    Args:
        kills_before: Result of `system_kills` before the process was killed.
    """
    if system_kills() > kills_before:
        reason = "Memory ran out, and the system ended its worker; choose fewer neurons or a smaller batch."
    else:
        reason = (
            "Its worker was killed, by hand or by the system; if memory is short, choose fewer neurons "
            "or a smaller batch."
        )
    return f"{reason} What it had learned is saved, and Resume continues from there."


def _number(path: str, name: str = "", missing: float = float("inf")) -> float:
    """Return the first number in a file of the system, or the one after a name in it."""
    with suppress(OSError, ValueError, IndexError, StopIteration):
        lines = [line.split() for line in Path(path).read_text(encoding="ascii").splitlines()]
        return float(next(line[1] for line in lines if line[0] == name) if name else lines[0][0])
    return missing
