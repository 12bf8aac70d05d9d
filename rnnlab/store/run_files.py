"""Every path of a run: the one place that knows where its weights, its checkpoint and its log are.

A home folder holds:

    runs.sqlite3                runs, points of their curves, workers
    worker.log                  what the background workers print outside of any run
    digits.cache                the digits that the newest run learns from, unpacked, for the next one
    hand/                       drawings that people have labelled, for everybody to learn from
    hands/<visitor>/            those of one visitor; the folder's name is a hash of the visitor's
    <run id>/weights.npz        the newest weights, replaced every 0.4 seconds or so
    <run id>/checkpoint.npz     all that a run needs to continue as if it had never been interrupted
    <run id>/start.npz          the weights of the parent, if the run starts from another run
    <run id>/best_<step>.npz    the weights of the best test so far
    <run id>/error_reach.bin    how far back the error reaches, at every report
    <run id>/steps/<step>.npz   snapshots: weights saved during the run
    <run id>/hand/              the labelled drawings that it learns from, if any
    <run id>/run.json           what the list of runs says of the run, if the list should be lost
    <run id>/log.txt            what happened, with the traceback if something failed
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Final

from rnnlab.config_changes import constant_segments
from rnnlab.data.digits_cache import DigitsCache
from rnnlab.data.labelled_drawings import LabelledDrawings
from rnnlab.model.architecture import Architecture
from rnnlab.model.weights import MAX_FILE_BYTES, Weights
from rnnlab.runs import Run
from rnnlab.store.best_weights import BestWeights
from rnnlab.store.database import StoreError
from rnnlab.store.error_history import ErrorHistory
from rnnlab.store.run_names import is_run_name
from rnnlab.store.weight_history import WeightHistory
from rnnlab.system.atomic_files import replace
from rnnlab.system.regular_files import read_regular_file
from rnnlab.training.checkpoint import Checkpoint, CheckpointError

_DRAWINGS: Final = "hand"

_OWN_DRAWINGS: Final = "hands"


def labelled_drawings_folder(home: Path, owner: str = "") -> Path:
    """Return the folder of the drawings that a visitor has labelled, or of those that everybody shares.

    Args:
        home: The folder of runs.
        owner: The name of the visitor. It is a text from outside, so it does not become part of a path.
    """
    if not owner:
        return home / _DRAWINGS
    name = hashlib.sha256(owner.encode("utf-8", "backslashreplace")).hexdigest()[:32]
    return home / _OWN_DRAWINGS / name


class RunFiles:
    """The files of one run.

    Attributes:
        folder: Holds all of them; it may be missing.
        weights: The newest weights, once the run has reported.
        checkpoint: What the run needs to continue, once it has reported.
        start: The weights that the run starts from, if it has a parent.
        best: The weights of its best test so far, once it has been tested.
        digits_cache: The digits that the newest run of this home learns from.
        record: What the list of runs says of the run (`run_records`).
        log: What happened.
        labelled_drawings: The folder with a copy of the labelled drawings that the run learns from, if any.

    Raises:
        StoreError: The id does not have the form of a run's name. So no text from outside becomes a path.
    """

    def __init__(self, home: Path, run_id: str) -> None:
        if not is_run_name(run_id):
            raise StoreError(
                f"There is no run called {run_id[:60]!r}; the list of runs shows those there are."
            )
        self._home = home
        self.folder = home / run_id
        self.weights = self.folder / "weights.npz"
        self.checkpoint = self.folder / "checkpoint.npz"
        self.start = self.folder / "start.npz"
        self.best = BestWeights(self.folder)
        self.record = self.folder / "run.json"
        self.digits_cache = DigitsCache(home / "digits.cache")
        self.log = self.folder / "log.txt"
        self.labelled_drawings = self.folder / _DRAWINGS

    def make_folder(self) -> Path:
        """Return the folder; create it if it is missing.

        Raises:
            OSError: It cannot be created.
        """
        self.folder.mkdir(exist_ok=True)
        return self.folder

    def error_history(self) -> ErrorHistory:
        """Return how far back the error reached at each report."""
        return ErrorHistory(self.folder / "error_reach.bin")

    def history(self) -> WeightHistory:
        """Return the weights saved during the run."""
        return WeightHistory(self.folder)

    def start_from(self, parent: RunFiles) -> None:
        """Copy the newest weights of another run; this run starts from them.

        Raises:
            OSError: There are none, or they cannot be copied.
        """
        self.make_folder()
        self.start.write_bytes(read_regular_file(parent.weights, MAX_FILE_BYTES))

    def has_begun(self, run: Run) -> bool:
        """Return whether the run continues from a checkpoint: it has one, or should have one by now."""
        return run.step > 1 or self.checkpoint.exists()

    def resume_point(self, run: Run) -> tuple[Checkpoint | None, Weights | None]:
        """Return what the run starts from: a checkpoint, or the weights of its parent, or neither.

        Raises:
            CheckpointError: The checkpoint is missing or damaged, or of a step that the run does not have.
            WeightsError: The weights of the parent are missing or damaged.
        """
        if self.has_begun(run):
            checkpoint = Checkpoint.load(self.checkpoint, Architecture.of(run.config))
            last = max(config.iterations for _, config in constant_segments(run.config, run.changes))
            if checkpoint.step > last:
                raise CheckpointError(
                    f"The checkpoint {self.checkpoint} is of a step beyond the {last:,} that the run has; "
                    "start a new run from its weights."
                )
            return checkpoint, None
        return None, Weights.load(self.start)[0] if run.parent else None

    def copy_labelled_drawings(self, owner: str) -> None:
        """Copy the labelled drawings as they are now, once: a run keeps those that it began with.

        Args:
            owner: The name of the visitor whose run it is: it learns from their drawings, and from those that
                everybody shares. Without a name it learns from these alone.
        """
        sets = [labelled_drawings_folder(self._home, name) for name in {"", owner}]
        if self.labelled_drawings.exists() or not any(source.exists() for source in sets):
            return
        aside = self.folder / f".{_DRAWINGS}"
        shutil.rmtree(aside, ignore_errors=True)
        for source in sets:
            LabelledDrawings(source).copy_to(aside)
        replace(aside, self.labelled_drawings)
