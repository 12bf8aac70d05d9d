"""How much memory training takes, and how much is free: compared before a run starts."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from rnnlab.config import Config
from rnnlab.digits import COLUMNS, DIGITS, ROWS
from rnnlab.system.cores import MAX_IMAGES_AT_ONCE, partitions_for, usable_cores

_ITSELF: Final = 560
"""Megabytes that a worker takes with TensorFlow loaded, before it has any data."""

_HELPER: Final = 45
"""Megabytes that a helper process takes before it has any data."""

_DATA: Final = 2 * 55
"""Megabytes of MNIST, once as it is read and once in the memory that the processes share."""

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


def needed_megabytes(config: Config) -> float:
    """Return about how many megabytes of memory training takes, in all processes together."""
    neurons, partitions = config.neurons, partitions_for(config.batch_size, usable_cores())
    weights = 4 * ((COLUMNS + 1) * neurons + 8 * neurons * neurons + 4 * neurons + 11 * DIGITS)
    of_an_image = 4 * ROWS * (12 * neurons + 4 * DIGITS + 2 * COLUMNS)
    at_once = min(-(-config.batch_size // partitions), MAX_IMAGES_AT_ONCE)
    # Weights, gradients, moments, average, a checkpoint being written, S, and dS of every process.
    copies = 10 + 2 * partitions
    numbers = copies * weights + partitions * at_once * of_an_image
    return _ITSELF + _DATA + numbers / 1e6 + (partitions - 1) * _HELPER


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


def shortage(config: Config, *, loaded: bool = False, instead_of: Config | None = None) -> str:
    """Return in a sentence why a run does not fit into the free memory; empty if it fits.

    Args:
        config: The hyperparameters to train with.
        loaded: Whether the process that will train has TensorFlow loaded already.
        instead_of: The configuration with which the run trains already, if it does.
    """
    taken = needed_megabytes(instead_of) if instead_of else _ITSELF if loaded else 0.0
    needed, available = needed_megabytes(config) - taken, max(available_megabytes(), 0.0)
    if needed <= available:
        return ""
    return (
        f"Training {config.neurons:,} neurons with batches of {config.batch_size:,} takes about "
        f"{needed:,.0f} MB of memory{' more' if instead_of else ''}, and {available:,.0f} MB are left; "
        "choose fewer neurons or a smaller batch, or close other programs."
    )
