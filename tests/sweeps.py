"""A sweep in a thread of its own, and the worker that its tests are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rnnlab.config import Config
from rnnlab.presets import config_from
from rnnlab.runs import AccuracyPoint, Run, RunState, TestPoint
from rnnlab.store.store import Store
from rnnlab.sweep.controller import Controller
from rnnlab.sweep.search_space import Dimension
from rnnlab.sweep.specification import Specification, specify
from rnnlab.sweep.study import Study
from rnnlab.sweep.sweep_files import Progress, SweepFiles, create_sweep
from rnnlab.sweep.targets import Target
from rnnlab.sweep.trials import Trial
from tests.waiting import wait_for

TINY = config_from({"dataset": "digits", "neurons": 8, "batch_size": 16, "iterations": 1000})


def plan(*vary: str, config: Config = TINY, target: str = "accuracy", **others: object) -> Specification:
    return specify(
        config,
        [Dimension.parse(text) for text in vary],
        target=Target.parse(target),
        **{"strategy": "random", **others},  # type: ignore[arg-type]
    )


class NoLauncher:
    """Starts no workers: the test is the worker."""

    def wake(self) -> None: ...

    def reap(self) -> None: ...


@dataclass
class Led:
    """A sweep that is led by a thread.

    Attributes:
        files: Its files.
        stop: Ends the thread.
        told: Every trial, each time it began or ended.
        results: How far it was when the thread ended.
    """

    files: SweepFiles
    stop: threading.Event = field(default_factory=threading.Event)
    told: list[Trial] = field(default_factory=list)
    results: list[Progress] = field(default_factory=list)
    thread: threading.Thread | None = None

    def result(self) -> Progress:
        """Wait for the end of the sweep."""
        assert self.thread is not None
        self.thread.join(60)
        return self.results[0]


@contextmanager
def led(home: Path, specification: Specification, files: SweepFiles | None = None) -> Iterator[Led]:
    """Lead a sweep as the command does; with `files`, go on with that one."""
    sweep = Led(files or create_sweep(home, specification))

    def lead() -> None:
        with Store(home) as store:
            study = Study(sweep.files.study, sweep.files.name, specification)
            controller = Controller(
                store, NoLauncher(), sweep.files, specification, study, on_trial=sweep.told.append
            )
            sweep.results.append(controller.run(sweep.stop))

    sweep.thread = threading.Thread(target=lead)
    sweep.thread.start()
    try:
        yield sweep
    finally:
        sweep.stop.set()
        sweep.thread.join(60)


def claim(store: Store) -> Run:
    return wait_for(store.reports.claim, "a run of the sweep in the queue")


def begin(store: Store, run: Run) -> None:
    """Let a run report its first point."""
    store.reports.set_begun(run.id, 0, 1, "numpy")
    store.reports.add_point(run.id, AccuracyPoint(0, 0.1, 2.3, 0.0))


def finish(store: Store, run: Run, accuracy: float) -> None:
    """Train a run to its end."""
    if store.run(run.id).state is RunState.PREPARING:
        begin(store, run)
    store.reports.add_test(run.id, TestPoint(run.config.iterations, accuracy))
    store.reports.end_run(run.id, RunState.FINISHED, step=run.config.iterations, seconds=1.0)


def finish_all(
    store: Store, accuracies: Sequence[float], of: Callable[[Run], None] = lambda _: None
) -> list[Run]:
    """Train one run after the other, each to the accuracy that is next."""
    runs = []
    for accuracy in accuracies:
        runs.append(claim(store))
        of(runs[-1])
        finish(store, runs[-1], accuracy)
    return runs
