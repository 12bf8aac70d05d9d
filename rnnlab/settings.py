"""What the operator of a dashboard allows its visitors: limits, who may control a run, a mode to watch only.

Read from the environment, so that a class is set up without touching the code.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Self

from rnnlab.config import Config
from rnnlab.cores import usable_cores
from rnnlab.runs import Run, RunState

_CORES_OF_A_RUN = 4
"""With fewer, runs side by side would only take the cores from each other."""


class RefusalError(ValueError):
    """What a visitor may not do, in one sentence."""


class SettingsError(ValueError):
    """A variable that cannot be used; its text is one sentence meant for people."""


@dataclass(frozen=True)
class Settings:
    """The settings of one dashboard, each with the variable that sets it in its name: `RNNLAB_MAX_NEURONS`.

    Attributes:
        max_neurons: Most neurons that a visitor may train.
        max_iterations: Most iterations that a run may have.
        max_queue: Most runs that may wait.
        runs_per_visitor: Most runs of one visitor that may wait or train.
        train_at_once: Runs that train at once; 0 for as many as the cores carry.
        read_only: 1 for a page that can be watched and drawn on, but starts and changes nothing.
        shared_control: 1 to let every visitor control every run.
    """

    max_neurons: int = 512
    max_iterations: int = 200_000
    max_queue: int = 20
    runs_per_visitor: int = 5
    train_at_once: int = 0
    read_only: int = 0
    shared_control: int = 0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read the settings.

        Args:
            environment: The variables; those of this process by default.

        Raises:
            SettingsError: A variable is not a whole number, 0 or more.
        """
        given = os.environ if environment is None else environment
        values = {}
        for each in fields(cls):
            name = f"RNNLAB_{each.name.upper()}"
            text = given.get(name, "").strip()
            if text and not (text.isdecimal() and len(text) < 10):
                raise SettingsError(f"{name} must be a whole number, 0 or more, not {text[:40]!r}.")
            if text:
                values[each.name] = int(text)
        return cls(**values)

    @property
    def workers(self) -> int:
        """How many runs train at once."""
        return self.train_at_once or max(1, usable_cores() // _CORES_OF_A_RUN)

    def may_control(self, run: Run, visitor: str) -> bool:
        """Return whether a visitor may pause, stop or change a run: it is theirs, or nobody's."""
        return not self.read_only and bool(self.shared_control or run.owner in ("", visitor))

    def refusal(self, config: Config, active: Iterable[Run], visitor: str) -> str:
        """Return in a sentence why a visitor may not start a run, or nothing where they may.

        Args:
            config: Its hyperparameters.
            active: The runs that wait, train or pause now.
            visitor: Who asks.
        """
        if self.read_only:
            return "This page is for watching only; nothing can be started here."
        for name, limit in (("neurons", self.max_neurons), ("iterations", self.max_iterations)):
            if getattr(config, name) > limit:
                return (
                    f"This lab trains at most {limit:,} {name}, not {getattr(config, name):,}; choose fewer."
                )
        return self.no_place(active, visitor)

    def no_place(self, active: Iterable[Run], visitor: str) -> str:
        """Return in a sentence why a visitor may have no further run wait, or nothing where they may.

        Args:
            active: The runs that wait, train or pause now.
            visitor: Who asks.
        """
        active = list(active)
        if sum(run.state is RunState.QUEUED for run in active) >= self.max_queue:
            return f"{_runs(self.max_queue)} waiting, the most there may be; try again when one has begun."
        if sum(run.owner == visitor for run in active) >= self.runs_per_visitor:
            return (
                f"{_runs(self.runs_per_visitor, ' of yours')} waiting or training, the most one may have; "
                "stop one or wait for it."
            )
        return ""


def _runs(count: int, whose: str = "") -> str:
    """Return how many runs, and the verb."""
    return f"1 run{whose} is" if count == 1 else f"{count:,} runs{whose} are"
