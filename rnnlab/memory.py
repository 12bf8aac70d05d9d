"""How much memory a training takes, and how much there is: asked before it starts."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

from rnnlab.config import Config
from rnnlab.cores import MOST_IN_SHARD, shares_for, usable_cores
from rnnlab.reader import COLUMNS, DIGITS, ROWS

_ITSELF: Final = 560
"""Megabytes of a worker with TensorFlow loaded, before it has any data."""

_HELPER: Final = 45
"""Megabytes of a helper process before it has any data."""

_DATA: Final = 2 * 55
"""Megabytes of MNIST, as it is read and as it lies in the memory that the processes share."""

_GROUPS: Final = (
    ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Where Linux tells what a container may use and uses; files that it keeps in memory can be let go."""

_KILLS: Final = (
    "/sys/fs/cgroup/memory.events",
    "/sys/fs/cgroup/memory/memory.oom_control",
    "/proc/vmstat",
)
"""Where Linux counts the processes that it has ended because memory ran out: all, or a container's."""


def needed_megabytes(config: Config) -> float:
    """Return about how much memory training takes, in all processes together."""
    neurons, shares = config.neurons, shares_for(config.batch_size, usable_cores())
    weights = 4 * ((COLUMNS + 1) * neurons + 8 * neurons * neurons + 4 * neurons + 11 * DIGITS)
    of_an_image = 4 * ROWS * (12 * neurons + 4 * DIGITS + 2 * COLUMNS)
    at_once = min(-(-config.batch_size // shares), MOST_IN_SHARD)
    # Weights, gradients, moments, average, a checkpoint on its way, S, and dS of every share.
    copies = 10 + 2 * shares
    numbers = copies * weights + shares * at_once * of_an_image
    return _ITSELF + _DATA + numbers / 1e6 + (shares - 1) * _HELPER


def available_megabytes() -> float:
    """Return how much memory is to be had without swapping; without end where the system does not tell."""
    found = [_number("/proc/meminfo", "MemAvailable:") * 1024]
    for folder, limit, used, reclaimable in _GROUPS:
        taken = _number(f"{folder}/{used}") - _number(f"{folder}/memory.stat", reclaimable, missing=0.0)
        found.append(_number(f"{folder}/{limit}") - (taken if taken < float("inf") else 0.0))
    return min(found) / 1e6


def system_kills() -> int:
    """Return how many processes the system has ended so far because memory ran out, as far as it tells."""
    return int(sum(_number(path, "oom_kill", missing=0.0) for path in _KILLS))


def words_on_a_kill(kills_before: int) -> str:
    """Return in a sentence why a process of a training was killed, and what is left of its run.

    Args:
        kills_before: `system_kills` before it was.
    """
    if system_kills() > kills_before:
        reason = "Memory ran out, and the system ended its worker; choose fewer neurons or a smaller batch."
    else:
        reason = (
            "Its worker was killed, by hand or by the system; where memory is short, choose fewer neurons "
            "or a smaller batch."
        )
    return f"{reason} What it learned until then is kept, and Resume goes on from there."


def _number(path: str, name: str = "", missing: float = float("inf")) -> float:
    """Return the number in a file of the system, or the one behind a name in it."""
    with suppress(OSError, ValueError, IndexError, StopIteration):
        lines = [line.split() for line in Path(path).read_text(encoding="ascii").splitlines()]
        return float(next(line[1] for line in lines if line[0] == name) if name else lines[0][0])
    return missing


def shortage(config: Config, *, loaded: bool = False, instead_of: Config | None = None) -> str:
    """Return in a sentence why a training does not fit into the memory there is, or nothing where it does.

    Args:
        config: The hyperparameters.
        loaded: Whether the process that will train has TensorFlow loaded.
        instead_of: Those with which it trains already, if it does.
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
