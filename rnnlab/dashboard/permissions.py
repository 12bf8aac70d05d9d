"""What the operator of a dashboard allows its visitors: limits, who may control a run, a read-only mode.

Read from environment variables, so that a teacher can set up a class without touching the code.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Self

from rnnlab.config import Config
from rnnlab.runs import Run, RunState
from rnnlab.system.cores import usable_cores

_CORES_OF_A_RUN = 4
"""With fewer cores each, runs that train at the same time would only slow each other down."""


class RefusalError(ValueError):
    """A visitor asked for something that is not allowed; its text is one sentence for people."""


class PermissionsError(ValueError):
    """An environment variable has an unusable value; its text is one sentence for people."""


@dataclass(frozen=True)
class Permissions:
    """The settings of one dashboard; `max_neurons` is set by the variable `RNNLAB_MAX_NEURONS`, and so on.

    Attributes:
        max_neurons: Most neurons that a layer may have.
        max_layers: Most recurrent layers that a network may have.
        max_iterations: Most iterations that a run may have.
        max_queue: Most runs that may wait.
        runs_per_visitor: Most runs of one visitor that may wait or train.
        train_at_once: Runs that train at the same time; 0 to decide by the number of cores.
        read_only: 1 for a page on which people can watch and draw, but start and change nothing.
        shared_control: 1 to let every visitor control every run.
        shared_drawings: 1 to have all visitors teach with one set of drawings, which each of them can change.
    """

    max_neurons: int = 512
    max_layers: int = 3
    max_iterations: int = 200_000
    max_queue: int = 20
    runs_per_visitor: int = 5
    train_at_once: int = 0
    read_only: int = 0
    shared_control: int = 0
    shared_drawings: int = 0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read the limits from environment variables, by default those of this process.

        Raises:
            PermissionsError: A variable is not a whole number, 0 or more.
        """
        given = os.environ if environment is None else environment
        values = {}
        for each in fields(cls):
            name = f"RNNLAB_{each.name.upper()}"
            text = given.get(name, "").strip()
            if text and not (text.isdecimal() and len(text) < 10):
                raise PermissionsError(f"{name} must be a whole number, 0 or more, not {text[:40]!r}.")
            if text:
                values[each.name] = int(text)
        return cls(**values)

    @property
    def workers(self) -> int:
        """How many runs train at the same time."""
        return self.train_at_once or max(1, usable_cores() // _CORES_OF_A_RUN)

    def may_change(self, run: Run, visitor: str) -> bool:
        """Return whether a visitor may pause, stop or change a run: it is theirs, or has no owner."""
        return not self.read_only and bool(self.shared_control or run.owner in ("", visitor))

    def refusal(self, config: Config, active: Iterable[Run], visitor: str) -> str:
        """Return in a sentence why a visitor may not start a run, or an empty text if they may.

        Args:
            config: The hyperparameters of the new run.
            active: The runs that wait, train or pause now.
            visitor: The name of the visitor who asks.
        """
        if self.read_only:
            return "This page is for watching only; nothing can be started here."
        for name in ("neurons", "layers", "iterations"):
            wanted, limit = getattr(config, name), getattr(self, f"max_{name}")
            if wanted > limit:
                return f"This lab trains at most {limit:,} {name}, not {wanted:,}; choose fewer."
        return self.queue_refusal(active, visitor)

    def queue_refusal(self, active: Iterable[Run], visitor: str) -> str:
        """Return in a sentence why a visitor may not queue one more run, or an empty text if they may.

        Args:
            active: The runs that wait, train or pause now.
            visitor: The name of the visitor who asks.
        """
        active = list(active)
        if sum(run.state is RunState.QUEUED for run in active) >= self.max_queue:
            return f"{_runs(self.max_queue)} waiting, the most allowed; try again when one has begun."
        if sum(run.owner == visitor for run in active) >= self.runs_per_visitor:
            return (
                f"{_runs(self.runs_per_visitor, ' of yours')} waiting or training, the most allowed; "
                "stop one or wait for it."
            )
        return ""


def _runs(count: int, whose: str = "") -> str:
    """Return a number of runs with its verb, such as `5 runs are`."""
    return f"1 run{whose} is" if count == 1 else f"{count:,} runs{whose} are"
