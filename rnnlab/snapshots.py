"""Weights kept along the way of a run, so that earlier states of the network can be looked at again."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rnnlab.reader import Weights
from rnnlab.runs import REPORT_EVERY

BUDGET: Final = 32_000_000
"""Bytes that the weights kept along the way of one run may take."""

FEWEST: Final = 4
"""Snapshots kept even of a network so large that they go beyond the budget."""


class Snapshots:
    """The snapshots of one run: one a report at first, ever wider apart as they would outgrow the budget.

    Args:
        folder: The run's folder; snapshots lie in `steps/` below it.
        budget: Bytes that they may take.
    """

    def __init__(self, folder: Path, budget: int = BUDGET) -> None:
        self._folder = folder / "steps"
        self._budget = budget
        self._interval = REPORT_EVERY
        self._kept = len(self.paths())

    def paths(self) -> dict[int, Path]:
        """Return the files by step, in order."""
        return {int(path.stem): path for path in sorted(self._folder.glob("[0-9]*.npz"))}

    def at_or_before(self, step: int) -> Path | None:
        """Return the newest snapshot that is not newer than a step, or `None`."""
        fitting = [path for kept, path in self.paths().items() if kept <= step]
        return fitting[-1] if fitting else None

    def keep(self, weights: Weights, step: int) -> None:
        """Keep the weights of a report if its turn has come, and thin out where there are too many.

        Raises:
            OSError: The file cannot be written.
        """
        if step % self._interval:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{step:09d}.npz"
        weights.save(path, step)
        self._kept += 1
        if self._kept > max(FEWEST, self._budget // path.stat().st_size):
            self._thin_out()

    def _thin_out(self) -> None:
        """Keep every other snapshot, and from now on only so many."""
        self._interval *= 2
        for kept, file in self.paths().items():
            if kept % self._interval:
                file.unlink(missing_ok=True)
        self._kept = len(self.paths())
