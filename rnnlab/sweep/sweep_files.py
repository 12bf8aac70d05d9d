"""The files of a sweep, in a folder of its own: what it is to do, what people ask of it, how far it is.

sweeps/NAME/specification.json   what it is to do
sweeps/NAME/study.sqlite3        the search, which only its controller opens for writing
sweeps/NAME/progress.json        its state and its trials, written by the controller for those who watch
sweeps/NAME/wanted               what people want it to do: run, pause or stop
sweeps/NAME/controller.lock      held by the controller as long as it lives
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from rnnlab.hyperparameter import ConfigError, parse_json
from rnnlab.store.database import StoreError
from rnnlab.store.run_names import is_run_name, new_run_name
from rnnlab.sweep.specification import Specification
from rnnlab.sweep.trials import SweepState, Trial, TrialState, trial_from
from rnnlab.system.atomic_files import atomic_write
from rnnlab.system.file_errors import reason_of

FOLDER: Final = "sweeps"
"""Name of the folder of all sweeps, in the folder of runs."""


class Wanted(StrEnum):
    """What people want a sweep to do."""

    RUN = "run"
    PAUSE = "pause"
    STOP = "stop"


@dataclass(frozen=True)
class Progress:
    """How far a sweep is.

    Attributes:
        state: Where it is in its life, as its controller has left it.
        trials: Those begun so far, in order.
    """

    state: SweepState
    trials: tuple[Trial, ...] = ()

    def count(self, state: TrialState) -> int:
        """Return how many trials are in a state."""
        return sum(trial.state is state for trial in self.trials)


class SweepFiles:
    """The folder of one sweep.

    Args:
        home: The folder of runs.
        name: The name of the sweep, of the form of a run's.

    Raises:
        StoreError: The name has another form.
    """

    def __init__(self, home: Path, name: str) -> None:
        if not is_run_name(name):
            raise StoreError(f"There is no sweep called {name[:60]!r}.")
        self.name = name
        self.folder = home / FOLDER / name
        self.specification = self.folder / "specification.json"
        self.study = self.folder / "study.sqlite3"
        self._progress = self.folder / "progress.json"
        self._wanted = self.folder / "wanted"
        self._lock = FileLock(self.folder / "controller.lock", is_singleton=False)

    def read_specification(self) -> Specification:
        """Return what the sweep is to do.

        Raises:
            StoreError: It cannot be read, is damaged, or was written by another version.
        """
        try:
            return Specification.from_json(self.specification.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, ConfigError) as error:
            reason = reason_of(error) if isinstance(error, OSError) else str(error)
            raise StoreError(
                f"The sweep {self.name} cannot be used ({reason.rstrip('.')}); its trials are ordinary runs "
                "and are all there, so begin another sweep."
            ) from error

    def progress(self) -> Progress:
        """Return how far the sweep is; one whose controller has died is interrupted."""
        found = self._read_progress()
        if found.state is SweepState.RUNNING and not self.is_controlled():
            found = self._read_progress()  # it may have ended in between
            if found.state is SweepState.RUNNING:
                return Progress(SweepState.INTERRUPTED, found.trials)
        return found

    def _read_progress(self) -> Progress:
        try:
            given: Any = parse_json(self._progress.read_text("utf-8"))
            return Progress(
                SweepState(given["state"]),
                tuple(trial_from(each) for each in given["trials"]),
            )
        except (OSError, KeyError, TypeError, AttributeError, ValueError):
            return Progress(SweepState.RUNNING)

    def write_progress(self, progress: Progress) -> None:
        """Keep how far the sweep is, for those who watch.

        Raises:
            StoreError: It cannot be written.
        """
        self._write(self._progress, json.dumps(asdict(progress)))

    def wanted(self) -> Wanted:
        """Return what people want the sweep to do."""
        try:
            return Wanted(self._wanted.read_text("utf-8").strip())
        except (OSError, UnicodeDecodeError, ValueError):
            return Wanted.RUN

    def want(self, wanted: Wanted) -> None:
        """Ask the controller of the sweep for something.

        Raises:
            StoreError: It cannot be written.
        """
        self._write(self._wanted, wanted)

    def _write(self, path: Path, text: str) -> None:
        """Write a small file aside and rename it.

        Raises:
            StoreError: It cannot be written.
        """
        try:
            with atomic_write(path) as file:
                file.write(text.encode())
        except OSError as error:
            raise StoreError(
                f"The sweep {self.name} cannot write into its folder ({reason_of(error)}); mend that, then "
                "go on with it."
            ) from error

    def take_control(self) -> FileLock | None:
        """Return the lock of the controller, held, or `None` if another process controls the sweep.

        Raises:
            StoreError: Its folder cannot be written.
        """
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return None
        except OSError as error:
            raise StoreError(f"The sweep {self.name} cannot be led here ({reason_of(error)}).") from error
        return self._lock

    def is_controlled(self) -> bool:
        """Return whether a process controls the sweep."""
        try:
            lock = self.take_control()
        except StoreError:  # a folder that is only read
            return False
        if lock is not None:
            lock.release()
        return lock is None


def create_sweep(home: Path, specification: Specification) -> SweepFiles:
    """Make the folder of a new sweep.

    Raises:
        StoreError: It cannot be written.
    """
    while True:
        files = SweepFiles(home, new_run_name())
        try:
            files.folder.mkdir(parents=True)
            with atomic_write(files.specification, durable=True) as file:
                file.write(specification.to_json().encode())
        except FileExistsError:
            continue
        except OSError as error:
            raise StoreError(
                f"The sweep cannot be written ({reason_of(error)}); check the folder {home}."
            ) from error
        return files


def sweep_names(home: Path) -> Sequence[str]:
    """Return the names of all sweeps, the newest first."""
    try:
        found = [each for each in (home / FOLDER).iterdir() if is_run_name(each.name) and each.is_dir()]
        return [each.name for each in sorted(found, key=lambda folder: folder.stat().st_mtime, reverse=True)]
    except OSError:
        return []


def find_sweep(home: Path, name: str) -> SweepFiles:
    """Return a sweep by its name, a unique beginning of it, or `latest`.

    Raises:
        StoreError: There is none, or more than one.
    """
    names = sweep_names(home)
    if name == "latest" and names:
        return SweepFiles(home, names[0])
    matches = [each for each in names if each == name] or [
        each for each in names if name and each.startswith(name)
    ]
    if len(matches) > 1:
        raise StoreError(
            f"{len(matches)} sweeps begin with {name[:60]!r}, such as {matches[0]}; give more of the name."
        )
    if not matches:
        raise StoreError(f"There is no sweep called {name[:60]!r} in {home}.")
    return SweepFiles(home, matches[0])
