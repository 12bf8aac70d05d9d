"""How far back the error reached at each report of a run, in a file that grows by one record a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rnnlab.config import HYPERPARAMETERS
from rnnlab.digits import ROWS, FloatArray
from rnnlab.runs import REPORT_EVERY
from rnnlab.system.atomic_files import atomic_write
from rnnlab.system.regular_files import read_regular_file

_MAX_STEP: Final = int(HYPERPARAMETERS["iterations"].maximum or 0)

_RECORD: Final = np.dtype([("step", "<i4"), ("norms", "<f4", (ROWS,))])

MAX_BYTES: Final = 2 * _RECORD.itemsize * (_MAX_STEP // REPORT_EVERY + 1)
"""Largest size of such a file, in bytes: twice what the longest run writes."""


@dataclass(frozen=True, eq=False)
class ErrorReaches:
    """How far back the error reached during a run; two are the same only if they are one object.

    Attributes:
        steps: Training steps of the reports, ascending, shape (N,).
        norms: At each of them, the norm of the gradient of the loss after the last row by the hidden state
            after each row, shape (N, 28).
    """

    steps: NDArray[np.int64]
    norms: FloatArray


class ErrorHistory:
    """The file of one run.

    Args:
        path: The file; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def stamp(self) -> tuple[int, int]:
        """Return time (ns) and size (bytes) of the file, which tell if it changed; zeros without one."""
        try:
            found = self._path.stat()
        except OSError:
            return 0, 0
        return found.st_mtime_ns, found.st_size

    def read(self) -> ErrorReaches:
        """Return all sound records. A file that is damaged or missing has none, or fewer."""
        try:
            content = read_regular_file(self._path, MAX_BYTES)
        except (OSError, ValueError):
            content = b""
        records = np.frombuffer(content[: len(content) // _RECORD.itemsize * _RECORD.itemsize], _RECORD)
        steps, norms = records["step"].astype(np.int64), np.asarray(records["norms"], np.float32)
        sound = (steps >= 0) & (steps < _MAX_STEP) & np.isfinite(norms).all(axis=1) & (norms >= 0).all(axis=1)
        # Of a step that was made twice, the last record counts.
        _, first_from_behind = np.unique(steps[sound][::-1], return_index=True)
        chosen = np.flatnonzero(sound)[::-1][first_from_behind]
        return ErrorReaches(steps[chosen], norms[chosen])

    def discard_from(self, step: int) -> None:
        """Forget the records of a step and of those after it.

        Raises:
            OSError: The file cannot be written.
        """
        if not self._path.is_file():
            return
        known = self.read()
        kept = known.steps < step
        with atomic_write(self._path) as file:
            file.write(_records(known.steps[kept], known.norms[kept]))

    def add(self, step: int, norms: FloatArray) -> None:
        """Add a record; there is none for numbers that are not finite.

        Raises:
            OSError: The file cannot be written.
        """
        if np.isfinite(norms).all() and not self._path.is_dir():  # somebody else's, no reason to end the run
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                file.write(_records(np.array([step]), norms[None]))


def _records(steps: NDArray[np.int64], norms: FloatArray) -> bytes:
    records = np.empty(len(steps), _RECORD)
    records["step"], records["norms"] = steps, norms
    return records.tobytes()
