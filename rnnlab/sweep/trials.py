"""Plain values: the trials of a sweep, and the state of the sweep itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import fmean, stdev
from typing import Any

from rnnlab.config import HYPERPARAMETERS
from rnnlab.hyperparameter import Value


class TrialState(StrEnum):
    """Where a trial is in its life."""

    RUNNING = "running"
    FINISHED = "finished"
    PRUNED = "pruned"
    FAILED = "failed"


class SweepState(StrEnum):
    """Where a sweep is in its life."""

    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Trial:
    """One trial of a sweep.

    Attributes:
        number: Which one it is, counted from 0.
        params: The values of the hyperparameters that vary.
        state: Where it is in its life.
        runs: The names of its runs, one for each seed begun so far.
        values: By run, how good it was: see `Target`; runs that have not reached it are left out.
        value: The mean of these, or `None` if it has not ended well or has not reached its target.
        message: Why it failed; may be empty.
    """

    number: int
    params: Mapping[str, Value]
    state: TrialState = TrialState.RUNNING
    runs: tuple[str, ...] = ()
    values: tuple[float, ...] = field(default=())
    value: float | None = None
    message: str = ""

    @property
    def spread(self) -> float | None:
        """Standard deviation of its seeds, or `None` if there are fewer than two."""
        return stdev(self.values) if len(self.values) > 1 else None


def trial_from(given: Any) -> Trial:
    """Return a trial from what JSON has of it.

    Raises:
        ValueError: It is damaged; so say `KeyError`, `TypeError` and `AttributeError`.
    """
    params = {name: HYPERPARAMETERS[name].parse(value) for name, value in given["params"].items()}
    number, value = given["number"], given["value"]
    if not isinstance(number, int) or not (value is None or isinstance(value, (int, float))):
        raise ValueError("its number or its value is damaged")
    return Trial(
        number,
        params,
        TrialState(given["state"]),
        tuple(str(run) for run in given["runs"]),
        tuple(float(each) for each in given["values"]),
        value,
        str(given["message"]),
    )


def best_of(trials: Iterable[Trial], *, is_minimized: bool) -> Trial | None:
    """Return the finished trial with the best value, the first of equals; `None` if none has a value."""
    valued = [trial for trial in trials if trial.value is not None and trial.state is TrialState.FINISHED]
    sign = 1 if is_minimized else -1
    return min(valued, key=lambda trial: (sign * (trial.value or 0.0), trial.number), default=None)


def mean_value(values: list[float | None]) -> float | None:
    """Return the mean of the values of a trial's runs, or `None` if one of them missed the target."""
    return None if None in values else fmean(value for value in values if value is not None)
