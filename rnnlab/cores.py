"""How many processor cores training uses, and into how many shares a batch is cut for them."""

from __future__ import annotations

import os
from typing import Final

LEAST_IN_SHARE: Final = 16
"""Images per share below which cutting a batch further costs more than it brings."""

MOST_SHARES: Final = 8
"""Shares at most: the gradients of all have to be added up."""

MOST_IN_SHARD: Final = 128
"""Images that a core works on at once: a larger share is worked on in pieces, for memory's sake."""


def usable_cores() -> int:
    """Return how many processor cores training uses, at least one.

    All that this process may use, in a container with a share of the processors, too, less those that
    `RNNLAB_SPARE_CORES` leaves to others: the dashboard, say; not more than `RNNLAB_CORES`, where that is set
    because several runs train at once.
    """
    import joblib

    cores = int(joblib.cpu_count())
    limit = os.environ.get("RNNLAB_CORES", "")
    cores = min(cores, int(limit)) if limit.isdecimal() else cores
    spare = os.environ.get("RNNLAB_SPARE_CORES", "")
    return max(1, cores - (int(spare) if spare.isdecimal() else 0))


def shares_for(batch_size: int, cores: int) -> int:
    """Return into how many shares a batch is cut."""
    if not hasattr(os, "fork"):  # Windows: a process cannot be handed the open memory
        return 1
    return max(1, min(cores, MOST_SHARES, batch_size // LEAST_IN_SHARE))
