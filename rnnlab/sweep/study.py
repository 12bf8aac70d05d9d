"""The search, by Optuna: which values to try next, and which trials to end early.

The study is a SQLite file with one writer, the controller of the sweep, by ask and tell. Optuna advises
against more writers, and none is needed: workers know nothing of it, and whether a run lives is for RNN Lab's
store to say. Sources: Bergstra et al., "Algorithms for Hyper-Parameter Optimization", 2011 (TPE); Akiba et
al., "Optuna", 2019.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import OptunaError
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as StudyState
from sqlalchemy.exc import SQLAlchemyError

from rnnlab.store.database import StoreError
from rnnlab.sweep.search_space import Dimension
from rnnlab.sweep.specification import Specification
from rnnlab.sweep.trials import Trial, TrialState

_OUTCOME: Final = "rnnlab_outcome"
"""Attribute of a trial that says how it ended, for RNN Lab: Optuna knows no trial that missed its target."""

_DAMAGED: Final = (
    *(SQLAlchemyError, OptunaError, OSError),
    *(RuntimeError, ValueError, KeyError, TypeError, AttributeError),
)
"""What Optuna raises if its file says something that it could not have written."""

_RUNS: Final = "rnnlab_runs"
_VALUES: Final = "rnnlab_values"
_MESSAGE: Final = "rnnlab_message"


class Study:
    """The study of one sweep.

    Args:
        path: Its SQLite file; created if it is not there.
        name: The name of the sweep.
        specification: What the sweep is to do.

    Raises:
        StoreError: The file is damaged, of another version of Optuna, or cannot be written.
    """

    def __init__(self, path: Path, name: str, specification: Specification) -> None:
        self._path = path
        self._distributions = {each.name: _distribution(each) for each in specification.dimensions}
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with self._in_words():
            self._study = optuna.create_study(
                storage=_storage(path),
                study_name=name,
                direction="minimize" if specification.target.is_minimized else "maximize",
                sampler=_sampler(specification),
                pruner=optuna.pruners.MedianPruner() if specification.prune else optuna.pruners.NopPruner(),
                load_if_exists=True,
            )
            if specification.strategy == "grid":
                self._enqueue_grid(specification)

    def ask(self) -> Trial:
        """Begin another trial; it is in the file before this returns.

        Raises:
            StoreError: The file cannot be written.
        """
        with self._in_words():
            asked = self._study.ask(self._distributions)
            return Trial(asked.number, dict(asked.params))

    def trials(self) -> list[Trial]:
        """Return all trials, in order; one that was being begun when its process died is completed.

        Raises:
            StoreError: The file cannot be read or written.
        """
        with self._in_words():
            for each in self._begun():
                if not each.state.is_finished() and len(each.params) < len(self._distributions):
                    begun = optuna.trial.Trial(self._study, each._trial_id)
                    for name, distribution in self._distributions.items():
                        begun._suggest(name, distribution)
            return [_trial(each) for each in self._begun()]

    def report(self, number: int, progress: Mapping[int, float]) -> bool:
        """Record how far a trial has come; return whether the median of those before it was better there.

        Args:
            number: The trial.
            progress: What it has reached so far, by point; points reported before are ignored.

        Raises:
            StoreError: The file cannot be written.
        """
        with self._in_words():
            trial = optuna.trial.Trial(self._study, self._trial_id(number))
            known = self._study._storage.get_trial(trial._trial_id).intermediate_values
            new = {point: value for point, value in progress.items() if point not in known}
            for point, value in sorted(new.items()):
                trial.report(value, point)
            return bool(new) and trial.should_prune()

    def tell(self, ended: Trial) -> None:
        """Record how a trial has ended; one that has ended before stays as it is.

        Raises:
            StoreError: The file cannot be written.
        """
        with self._in_words():
            trial = optuna.trial.Trial(self._study, self._trial_id(ended.number))
            if self._study._storage.get_trial(trial._trial_id).state.is_finished():
                return
            about = {
                _OUTCOME: str(ended.state),
                _RUNS: ended.runs,
                _VALUES: ended.values,
                _MESSAGE: ended.message,
            }
            for name, value in about.items():
                trial.set_user_attr(name, value)
            # One that has missed its target, or has diverged, is worse than any that has a value, and the
            # search is to know that. To Optuna, so are pruned ones; of failed ones it takes no notice.
            if ended.value is not None:
                self._study.tell(ended.number, ended.value)
            else:
                is_lost = ended.state is TrialState.FAILED and ended.message != DIVERGED
                self._study.tell(ended.number, state=StudyState.FAIL if is_lost else StudyState.PRUNED)

    def _begun(self) -> list[FrozenTrial]:
        """Return what Optuna knows of the trials that have begun: those of a grid all wait there at first."""
        known = self._study.get_trials(deepcopy=False)
        return [trial for trial in known if trial.state is not StudyState.WAITING]

    def _enqueue_grid(self, specification: Specification) -> None:
        """Put the trials of a grid into the study, those that are not there yet.

        Optuna's own `GridSampler` ends the last trial with an error if it is told by `tell`.
        """
        names = [dimension.name for dimension in specification.dimensions]
        combinations = list(itertools.product(*(each.grid() for each in specification.dimensions)))
        for values in combinations[len(self._study.get_trials(deepcopy=False)) :]:
            self._study.enqueue_trial(dict(zip(names, values, strict=True)))

    def _trial_id(self, number: int) -> int:
        return int(
            self._study._storage.get_trial_id_from_study_id_trial_number(self._study._study_id, number)
        )

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """Turn what Optuna and its database raise into a sentence."""
        try:
            yield
        except _DAMAGED as error:
            raise StoreError(
                f"The study of this sweep cannot be used ({_reason(error)}): {self._path}. Its trials "
                "are ordinary runs and are all there; begin another sweep."
            ) from error


DIVERGED: Final = "diverged"
"""Message of a trial whose run diverged."""


def _storage(path: Path) -> RDBStorage:
    """Return the study's file as Optuna takes it; in a URL alone, a folder's name could not have a `?`."""
    connect = partial(sqlite3.connect, path, check_same_thread=False)
    return RDBStorage(f"sqlite:///{path.name}", engine_kwargs={"creator": connect})


def _reason(error: Exception) -> str:
    """Return in a few words what is wrong with a study's file."""
    text = str(getattr(error, "orig", None) or error)
    if "version" in text:
        return "it was written by another version of Optuna"
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split())[:100].rstrip(".") or type(error).__name__


def _trial(frozen: FrozenTrial) -> Trial:
    """Return a trial from what Optuna knows of it."""
    about = frozen.user_attrs
    state = TrialState(about.get(_OUTCOME, "failed")) if frozen.state.is_finished() else TrialState.RUNNING
    return Trial(
        frozen.number,
        dict(frozen.params),
        state,
        tuple(about.get(_RUNS, ())),
        tuple(about.get(_VALUES, ())),
        frozen.value if frozen.state is StudyState.COMPLETE else None,
        about.get(_MESSAGE, ""),
    )


def _distribution(dimension: Dimension) -> BaseDistribution:
    """Return what Optuna calls a dimension."""
    if dimension.values:
        return CategoricalDistribution(dimension.values)
    is_log = dimension.scale == "log"
    if dimension.is_whole:
        low, high = round(dimension.low), round(dimension.high)
        return IntDistribution(low, high, log=is_log, step=1 if is_log else dimension.step)
    return FloatDistribution(dimension.low, dimension.high, log=is_log)


def _sampler(specification: Specification) -> BaseSampler:
    """Return what chooses the values of the trials; the same seed gives the same choice."""
    seed = specification.config.seed
    return TPESampler(seed=seed) if specification.strategy == "model" else RandomSampler(seed=seed)
