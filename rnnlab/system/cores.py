"""How many processor cores training uses, and into how many parts, one per core, a batch is split."""

from __future__ import annotations

import os
from typing import Final

MIN_IMAGES_PER_PARTITION: Final = 16
"""Smallest number of images per part: with fewer, another core costs more time than it saves."""

MAX_PARTITIONS: Final = 8
"""Largest number of parts: the gradients of all of them have to be added up."""

MAX_IMAGES_AT_ONCE: Final = 128
"""Images that a core processes together: a larger part is processed in pieces, to save memory."""


def usable_cores() -> int:
    """Return how many processor cores training uses, at least one.

    These are all cores that this process may use (a container may limit them), but at most `RNNLAB_CORES`,
    which is set if several runs train at the same time, less the `RNNLAB_SPARE_CORES` that are left to
    others, such as the dashboard.
    """
    import joblib

    cores = int(joblib.cpu_count())
    limit = os.environ.get("RNNLAB_CORES", "")
    cores = min(cores, int(limit)) if limit.isdecimal() else cores
    spare = os.environ.get("RNNLAB_SPARE_CORES", "")
    return max(1, cores - (int(spare) if spare.isdecimal() else 0))


def partitions_for(batch_size: int, cores: int) -> int:
    """Return into how many parts a batch is split, each for a process of its own."""
    if not hasattr(os, "fork"):  # Windows: a process cannot inherit the shared memory
        return 1
    return max(1, min(cores, MAX_PARTITIONS, batch_size // MIN_IMAGES_PER_PARTITION))
