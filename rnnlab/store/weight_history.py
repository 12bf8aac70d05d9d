"""Weights saved during a run, so that earlier states of the network can be looked at again."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

from rnnlab.model.weights import Weights
from rnnlab.runs import REPORT_EVERY

_NAME: Final = re.compile(r"[0-9]{9}\.npz")

MAX_BYTES: Final = 32_000_000
"""Bytes that the snapshots of one run may take."""

MIN_SNAPSHOTS: Final = 4
"""Snapshots kept even of a network so large that they exceed the budget."""


class WeightHistory:
    """The snapshots of one run: at first one per report, later fewer, so that they stay within a budget.

    Args:
        folder: The run's folder; the snapshots are in `steps/` below it.
        budget: Bytes that they may take.
    """

    def __init__(self, folder: Path, budget: int = MAX_BYTES) -> None:
        self._folder = folder / "steps"
        self._budget = budget
        self._interval = REPORT_EVERY
        self._count = len(self.paths())

    def paths(self) -> dict[int, Path]:
        """Return the files by step, in order; what does not look like a snapshot is passed over."""
        try:
            with os.scandir(self._folder) as entries:
                names = [each.name for each in entries if _NAME.fullmatch(each.name) and each.is_file()]
        except OSError:
            return {}
        return {int(name[:-4]): self._folder / name for name in sorted(names)}

    def at_or_before(self, step: int) -> Path | None:
        """Return the newest snapshot that is not newer than a step, or `None`."""
        earlier = [path for saved, path in self.paths().items() if saved <= step]
        return earlier[-1] if earlier else None

    def maybe_snapshot(self, weights: Weights, step: int) -> None:
        """Save the weights if a snapshot is due at this step, and delete some if there are too many.

        Raises:
            OSError: The file cannot be written.
        """
        if step % self._interval:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{step:09d}.npz"
        if path.is_dir():  # somebody else's, which is no reason to end the run
            return
        weights.save(path, step)
        self._count += 1
        if self._count > max(MIN_SNAPSHOTS, self._budget // path.stat().st_size):
            self._thin_out()

    def _thin_out(self) -> None:
        """Delete every other snapshot, and from now on save half as many."""
        self._interval *= 2
        for step, file in self.paths().items():
            if step % self._interval:
                with suppress(PermissionError):  # somebody reads it, which on Windows keeps it there
                    file.unlink(missing_ok=True)
        self._count = len(self.paths())
