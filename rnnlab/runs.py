"""Values: a run, its state, and the points of its curves. Detached from the store they come from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rnnlab.config import Config

REPORT_EVERY = 20
"""Steps between two points of the accuracy curve, as in the notebook."""


class RunState(StrEnum):
    """Where a run is in its life."""

    QUEUED = "queued"
    PREPARING = "preparing"
    TRAINING = "training"
    FINISHED = "finished"
    STOPPED = "stopped"
    DIVERGED = "diverged"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def is_active(self) -> bool:
        """Whether it waits for a worker or has one."""
        return self in (RunState.QUEUED, RunState.PREPARING, RunState.TRAINING)

    @property
    def is_ended(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return not self.is_active


@dataclass(frozen=True)
class Run:
    """One run as the store knew it at one moment. Times are seconds since the epoch.

    Attributes:
        id: Name and key in one, such as `calm-otter-3f9a`.
        config: Its hyperparameters.
        state: Where it is in its life.
        created: When Start was pressed.
        started: When a worker took it, or `None`.
        ended: When it ended, or `None`.
        heartbeat: When its worker last showed that it lives, or `None`.
        step: Training steps completed.
        seconds: Time spent training, without preparation.
        message: What its worker is doing, or why it ended; may be empty.
        data: The data set in use, in words; empty until known.
        data_name: Its name in `datasets.load`; empty until known.
        data_note: What people should know about the choice of it; empty where it is what was asked for.
        cores: How many processor cores it trains on, or `None` until known.
        batch_accuracy: Newest accuracy on a batch just trained on, 0 to 1, or `None`.
        test_accuracy: Newest accuracy on the whole test set, 0 to 1, or `None`.
        stop_requested: Whether someone asked it to stop.
        parent: The run whose weights it started from, or `None`.
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
