"""Plain values: a run, its state, and the points of its curves, detached from the store they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from rnnlab.config import Config
from rnnlab.config_changes import Change, with_changes
from rnnlab.hyperparameter import Value

REPORT_EVERY = 20
"""Steps between two points of the accuracy curve, as in the notebook."""

READINGS_OF_MEAN = 5
"""Readings whose mean is a run's batch accuracy: that of a single batch jumps too much."""

STOPPED_EARLY = "Stopped before it began."
"""What people are told about a run that was stopped before it had learned anything."""


class RunState(StrEnum):
    """Where a run is in its life."""

    QUEUED = "queued"
    PREPARING = "preparing"
    TRAINING = "training"
    PAUSED = "paused"
    FINISHED = "finished"
    STOPPED = "stopped"
    DIVERGED = "diverged"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def is_active(self) -> bool:
        """Whether it waits for a worker, has one, or is paused and may be resumed at any moment."""
        return self in (RunState.QUEUED, RunState.PREPARING, RunState.TRAINING, RunState.PAUSED)

    @property
    def can_resume(self) -> bool:
        """Whether it can continue to its end as if it had never stopped, given a checkpoint."""
        return self in (RunState.PAUSED, RunState.INTERRUPTED, RunState.FAILED)

    @property
    def can_train_further(self) -> bool:
        """Whether it ended in good order and can be given more iterations, given a checkpoint."""
        return self in (RunState.FINISHED, RunState.STOPPED)

    @property
    def is_ended(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return not self.is_active


@dataclass(frozen=True)
class Run:
    """One run as the store knew it at some moment. Times are seconds since the epoch.

    Attributes:
        id: Its name, which is also its key, such as `calm-otter-3f9a`.
        config: The hyperparameters that it began with.
        state: Where it is in its life.
        created: When Start was pressed.
        started: When a worker took it, or `None`.
        ended: When it ended, or `None`.
        heartbeat: When its worker last gave a sign of life, or `None`.
        step: Training steps completed.
        seconds: Time spent training, without preparation.
        message: What its worker is doing, or why it ended; may be empty.
        data: The data set in use, in words; empty until known.
        data_name: Its name for `datasets.load`; empty until known.
        data_note: What people should know about the choice of data or of the processor; may be empty.
        cores: How many processor cores it trains on, or `None` until known.
        batch_accuracy: Mean of the newest `READINGS_OF_MEAN` accuracies on the batch just trained on, 0 to 1,
            or `None`. Wherever people are told a "batch accuracy", it is this one.
        test_accuracy: Newest accuracy on the whole test set, 0 to 1, or `None`.
        stop_requested: Whether someone asked it to stop.
        parent: The run whose weights it started from, or `None`.
        pause_at: Completed steps at which it is to pause, or `None`.
        changes: Those made to its hyperparameters during the run.
        requested: New values by name that someone asked for and that are not in force yet.
        queued: When it last began to wait for a worker, or `None`.
        owner: The visitor who started it; may be empty.
        engine: Which engine trains it, `keras` or `numpy`; empty until known.
        ended_by: Which of `STOP_RULES` ended it before its last step; empty if none did.
        trial: Which run of a sweep it is, as `SWEEP/TRIAL/SEED`, the last two counted from 0; may be empty.
    """

    id: str
    config: Config
    state: RunState
    created: float
    started: float | None = None
    ended: float | None = None
    heartbeat: float | None = None
    step: int = 0
    seconds: float = 0.0
    message: str = ""
    data: str = ""
    data_name: str = ""
    data_note: str = ""
    cores: int | None = None
    batch_accuracy: float | None = None
    test_accuracy: float | None = None
    stop_requested: bool = False
    parent: str | None = None
    pause_at: int | None = None
    changes: tuple[Change, ...] = ()
    requested: Mapping[str, Value] = field(default_factory=dict)
    queued: float | None = None
    owner: str = ""
    engine: str = ""
    ended_by: str = ""
    trial: str = ""

    @cached_property
    def config_now(self) -> Config:
        """The hyperparameters with all changes made."""
        return with_changes(self.config, self.changes)

    @property
    def iterations(self) -> int:
        """Training steps after which it ends; a number asked for counts already before it is in force."""
        return int(self.requested.get("iterations", self.config_now.iterations))

    @property
    def spent_rule(self) -> str:
        """The rule that ended it, which no longer counts if it is trained further; empty if there is none.

        It counts if another value has been asked for.
        """
        return "" if self.ended_by in self.requested else self.ended_by

    @property
    def is_pausing(self) -> bool:
        """Whether someone asked it to pause at its next report, and it has not yet."""
        return self.pause_at is not None and self.state in (RunState.PREPARING, RunState.TRAINING)

    @property
    def is_going_on(self) -> bool:
        """Whether someone asked it to leave its pause, and it has not yet."""
        return self.state is RunState.PAUSED and (self.pause_at is None or self.pause_at > self.step)

    @property
    def has_begun(self) -> bool:
        """Whether it has reported a point."""
        return self.batch_accuracy is not None


@dataclass(frozen=True)
class AccuracyPoint:
    """One point of the training curve.

    Attributes:
        step: Index of the batch just trained on: 0, 20, 40, …
        accuracy: Share of that batch read correctly after the update, 0 to 1.
        loss: The loss that the update was computed from, in nats.
        seconds: Training time up to here.
    """

    step: int
    accuracy: float
    loss: float
    seconds: float


@dataclass(frozen=True)
class TestPoint:
    """Accuracy (0 to 1) on the whole test set, with the weights of the same `step`."""

    __test__ = False  # not a test class, whatever its name says to pytest

    step: int
    accuracy: float
