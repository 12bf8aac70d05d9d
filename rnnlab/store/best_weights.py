"""The weights with which a run read its test set best, kept beside the newest ones.

A run that is killed goes on from its last checkpoint, and its tests since then are forgotten. So the file of
the best test before stays until a checkpoint is newer than that of the best one.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

from rnnlab.model.weights import Weights

_NAME: Final = re.compile(r"best_([0-9]{9})\.npz")


class BestWeights:
    """The best weights of one run.

    Args:
        folder: The run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def newest(self) -> tuple[Path, int] | None:
        """Return the file of the best weights so far and their step, or `None` before the first test."""
        paths = self._paths()
        return (paths[max(paths)], max(paths)) if paths else None

    def save(self, weights: Weights, step: int) -> None:
        """Save the weights of a test that was better than all before.

        Raises:
            OSError: The file cannot be written.
        """
        path = self._folder / f"best_{step:09d}.npz"
        if not path.is_dir():  # somebody else's, which is no reason to end the run
            weights.save(path, step)

    def delete_older(self) -> None:
        """Delete what is not the best any more: a checkpoint has been saved since the last test."""
        for _, path in sorted(self._paths().items())[:-1]:
            _delete(path)

    def discard_after(self, step: int) -> None:
        """Delete what was saved beyond a step: the run goes on from there, and may take another course."""
        for saved, path in self._paths().items():
            if saved > step:
                _delete(path)

    def _paths(self) -> dict[int, Path]:
        """Return the files by step; what does not look like one is passed over."""
        try:
            with os.scandir(self._folder) as entries:
                found = {each.name: _NAME.fullmatch(each.name) for each in entries if each.is_file()}
        except OSError:
            return {}
        return {int(match[1]): self._folder / name for name, match in found.items() if match}


def _delete(path: Path) -> None:
    with suppress(PermissionError):  # somebody reads it, which on Windows keeps it there
        path.unlink(missing_ok=True)
