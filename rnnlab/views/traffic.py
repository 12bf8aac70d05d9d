"""Who goes first where many people watch and draw at once.

The dashboard's process runs Python on one core at a time, and training is to keep most of the processor. So
the more there is to keep up to date, the less often each part is; and whoever has just drawn does not wait
for the updates of others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

PATIENCE: Final = 0.2
"""Seconds that an update waits at most for strokes to be answered: its own visitor may draw meanwhile."""

_WATCHES: Final = 10.0
"""Seconds after which a region that has not had an update is watched no more."""


class Traffic:
    """Counts the regions that are kept up to date, and lets strokes pass their updates."""

    def __init__(self) -> None:
        self._kept_up: dict[str, float] = {}
        self._change = threading.Condition()
        self._drawing: set[int] = set()

    def keep_up(self, region: str) -> int:
        """Take note that a region is being kept up to date; return how many are, of all visitors.

        Args:
            region: A name that no other visitor's region has.
        """
        now = time.monotonic()
        with self._change:
            self._kept_up[region] = now
            self._kept_up = {each: seen for each, seen in self._kept_up.items() if now - seen < _WATCHES}
            return len(self._kept_up)

    @contextmanager
    def stroke(self) -> Iterator[None]:
        """Go first, in this thread, for as long as it takes to answer what was done to a drawing."""
        thread = threading.get_ident()
        with self._change:
            self._drawing.add(thread)
        try:
            yield
        finally:
            with self._change:
                self._drawing.discard(thread)
                self._change.notify_all()

    def give_way(self) -> None:
        """Wait until no stroke of anybody else is being answered, `PATIENCE` at most."""
        with self._change:
            if threading.get_ident() not in self._drawing:
                self._change.wait_for(lambda: not self._drawing, PATIENCE)


TRAFFIC: Final = Traffic()
"""That of this process: the processor is shared whatever becomes of the list of runs."""
