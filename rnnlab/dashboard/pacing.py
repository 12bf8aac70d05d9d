"""Who goes first when many people watch and draw at the same time.

The dashboard's process runs Python on one core at a time, and training needs most of the processor. So the
more regions there are to keep up to date, the less often each is updated. And whoever has just drawn does not
wait for the updates of others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

MAX_WAIT: Final = 0.2
"""Seconds that an update waits at most for strokes to be answered: its own visitor may want to draw, too."""

_WATCHES: Final = 10.0
"""Seconds without an update after which a region no longer counts as watched."""


class Pacing:
    """Counts the regions that are kept up to date, and lets strokes go before their updates."""

    def __init__(self) -> None:
        self._kept_up: dict[str, float] = {}
        self._change = threading.Condition()
        self._drawing: set[int] = set()

    def watch(self, region: str) -> int:
        """Count a region as kept up to date; return how many are, of all visitors.

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
        """Let this thread go first while it answers a stroke or another change to a drawing."""
        thread = threading.get_ident()
        with self._change:
            self._drawing.add(thread)
        try:
            yield
        finally:
            with self._change:
                self._drawing.discard(thread)
                self._change.notify_all()

    def yield_to_strokes(self) -> None:
        """Wait until no other thread is answering a stroke, `MAX_WAIT` at most."""
        with self._change:
            if threading.get_ident() not in self._drawing:
                self._change.wait_for(lambda: not self._drawing, MAX_WAIT)


PACING: Final = Pacing()
"""One for the whole process, because all visitors share the processor, whichever store is open."""
