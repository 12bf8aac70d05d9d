"""The one process that leads a sweep: begins trials, judges them, and ends what is hopeless.

Trials are ordinary runs, which workers take from the queue. All that counts is in two files: the study knows
the trials and their values, the store the runs and how they ended. So a controller that is killed at any
moment has lost nothing: the next one finds each trial's runs by their place in the sweep, and goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from rnnlab.data.errors import DatasetError
from rnnlab.model.weights import WeightsError
from rnnlab.runs import Run, RunState
from rnnlab.store.rows import DamagedRunError
from rnnlab.store.store import Store
from rnnlab.sweep.specification import Specification
from rnnlab.sweep.study import DIVERGED, Study
from rnnlab.sweep.sweep_files import Progress, SweepFiles, Wanted
from rnnlab.sweep.trials import SweepState, Trial, TrialState, mean_value
from rnnlab.training.loop import IMAGES_BETWEEN_TESTS
from rnnlab.worker.launcher import Launcher

POLL_INTERVAL: Final = 0.1
"""Seconds between two looks at the runs of a sweep."""

REAP_INTERVAL: Final = 1.0
"""Seconds between two looks for workers that have died."""

MAX_INTERRUPTIONS: Final = 3
"""How often a run of a trial is taken up again after its worker died, as a run may that kills each worker."""

_POINTS: Final = 16
"""Points at which trials are compared, for each 128,000 images: as fine as the first tests of a run."""


class Controller:
    """Leads one sweep.

    Args:
        store: The store that holds its runs.
        launcher: Starts the workers.
        files: The sweep's own files.
        specification: What it is to do.
        study: Chooses what to try.
        together: How many runs train at the same time.
        owner: The visitor to whom its runs belong; may be empty.
        on_trial: Called with every trial that begins or ends.
    """

    def __init__(
        self,
        store: Store,
        launcher: Launcher,
        files: SweepFiles,
        specification: Specification,
        study: Study,
        *,
        together: int = 1,
        owner: str = "",
        on_trial: Callable[[Trial], None] = lambda _: None,
    ) -> None:
        self._store, self._launcher, self._files = store, launcher, files
        self._specification, self._study = specification, study
        # If the next values do not depend on the results, one run more waits, so that no worker has to.
        self._at_most = together + (specification.strategy != "model")
        self._owner, self._on_trial = owner, on_trial
        self._interruptions: dict[str, int] = {}
        self._reported: dict[int, int] = {}
        self._trials: dict[int, Trial] = {}
        self._is_paused = False
        self._reaped = float("-inf")

    def run(self, stop: threading.Event) -> Progress:
        """Lead the sweep to its end, or until it is to stop.

        Args:
            stop: Set to pause the runs and return; the sweep can be taken up again.

        Raises:
            StoreError: The store or the study cannot be written.
        """
        self._trials = {trial.number: trial for trial in self._study.trials()}
        self._stop_left_runs()
        self._keep(SweepState.RUNNING)
        while not stop.is_set():
            wanted = self._files.wanted()
            if wanted is Wanted.STOP:
                return self._end_all()
            self._pause(wanted is Wanted.PAUSE)
            self._reap()
            self._advance()
            if not self._is_paused:
                self._begin_trials()
            if not self._open() and len(self._trials) >= self._specification.trials:
                return self._keep(SweepState.FINISHED)
            stop.wait(POLL_INTERVAL)
        self._pause_runs()
        return self._keep(SweepState.INTERRUPTED)

    def _reap(self) -> None:
        """Look for workers that have died, now and then."""
        if time.monotonic() - self._reaped >= REAP_INTERVAL:
            self._launcher.reap()
            self._reaped = time.monotonic()

    def _open(self) -> list[Trial]:
        """Return the trials that have not ended."""
        return [trial for trial in self._trials.values() if trial.state is TrialState.RUNNING]

    def _begin_trials(self) -> None:
        """Begin as many trials as may run together, if there are any left."""
        while len(self._open()) < self._at_most and len(self._trials) < self._specification.trials:
            self._note(self._begin_run(self._study.ask(), 0))

    def _begin_run(self, trial: Trial, seed: int) -> Trial:
        """Put a run of a trial into the queue, or find it there; return the trial with it."""
        config = self._specification.config_of(trial.params, seed)
        run = self._store.create_run(
            config, owner=self._owner, trial=f"{self._files.name}/{trial.number}/{seed}"
        )
        self._launcher.wake()
        return replace(trial, runs=(*trial.runs[:seed], run.id))

    def _advance(self) -> None:
        """Look at the runs of every trial that has not ended."""
        for trial in self._open():
            if not trial.runs:  # of a controller before this one
                self._note(self._begin_run(trial, 0))
                continue
            try:
                runs = [self._store.run(name) for name in trial.runs]
            except DamagedRunError as error:
                self._finish(replace(trial, state=TrialState.FAILED, message=str(error)))
            else:
                self._judge(trial, runs)

    def _judge(self, trial: Trial, runs: Sequence[Run]) -> None:
        """End a trial if its newest run has ended, or give it the next seed; end a hopeless one."""
        newest = runs[-1]
        if newest.state is RunState.FINISHED:
            self._report(trial, runs[0])  # the last of it, for others to be compared with
            if len(runs) < self._specification.seeds:
                self._note(self._begin_run(trial, len(runs)))
            else:
                self._finish(self._valued(trial, runs))
        elif newest.state is RunState.INTERRUPTED:
            self._take_up(trial, newest)
        elif newest.state.is_ended:
            message = DIVERGED if newest.state is RunState.DIVERGED else newest.message or str(newest.state)
            self._finish(replace(trial, state=TrialState.FAILED, message=message))
        elif self._specification.prune and len(runs) == 1:
            self._prune_if_hopeless(trial, newest)

    def _valued(self, trial: Trial, runs: Sequence[Run]) -> Trial:
        """Return a trial whose runs have all finished, with how good they were."""
        try:
            values = [self._specification.target.value_of(self._store, run) for run in runs]
        except (DatasetError, WeightsError) as error:
            return replace(trial, state=TrialState.FAILED, message=str(error))
        reached = tuple(value for value in values if value is not None)
        return replace(trial, state=TrialState.FINISHED, values=reached, value=mean_value(values))

    def _take_up(self, trial: Trial, run: Run) -> None:
        """Let a run go on whose worker has died, unless that has happened too often."""
        times = self._interruptions[run.id] = self._interruptions.get(run.id, 0) + 1
        if times > MAX_INTERRUPTIONS:
            message = f"its worker died {times} times"
            self._finish(replace(trial, state=TrialState.FAILED, message=message))
            return
        self._store.requests.resume(run.id)
        self._launcher.wake()

    def _prune_if_hopeless(self, trial: Trial, run: Run) -> None:
        """Compare a run with those of other trials at as many images; stop it if most did better."""
        if self._report(trial, run):
            self._finish(replace(trial, state=TrialState.PRUNED))  # first: a stopped run would have failed
            self._store.requests.stop(run.id)

    def _report(self, trial: Trial, run: Run) -> bool:
        """Record how far the first run of a trial has come; return whether most others had come further."""
        tests = self._store.tests(run.id)
        if len(tests) == self._reported.get(trial.number):
            return False
        self._reported[trial.number] = len(tests)
        progress = {
            round(test.step * run.config.batch_size * _POINTS / IMAGES_BETWEEN_TESTS): (
                1 - test.accuracy if self._specification.target.is_minimized else test.accuracy
            )
            for test in tests
        }
        return self._study.report(trial.number, progress)

    def _finish(self, trial: Trial) -> None:
        self._study.tell(trial)
        self._note(trial)

    def _note(self, trial: Trial) -> None:
        """Remember a trial that has changed, and tell others."""
        self._trials[trial.number] = trial
        self._keep(SweepState.PAUSED if self._is_paused else SweepState.RUNNING)
        self._on_trial(trial)

    def _keep(self, state: SweepState) -> Progress:
        progress = Progress(state, tuple(self._trials[number] for number in sorted(self._trials)))
        self._files.write_progress(progress)
        return progress

    def _pause(self, is_wanted: bool) -> None:
        """Pause all runs, or let them go on."""
        if is_wanted:
            self._pause_runs()
        elif self._is_paused:
            for run in self._active_runs():
                self._store.requests.resume(run.id)
            self._launcher.wake()
        if is_wanted is not self._is_paused:
            self._is_paused = is_wanted
            self._keep(SweepState.PAUSED if is_wanted else SweepState.RUNNING)

    def _pause_runs(self) -> None:
        """Pause the runs that train, and take those that wait out of the queue."""
        for run in self._active_runs():
            if run.state is not RunState.PAUSED and run.pause_at is None:
                self._store.requests.hold(run.id)
                self._store.requests.pause(run.id)  # a worker may have taken it just before

    def _active_runs(self) -> list[Run]:
        return [run for run in self._store.active_runs() if run.trial.startswith(f"{self._files.name}/")]

    def _stop_left_runs(self) -> None:
        """Stop runs of trials that have ended: of a controller that was killed between its two notes."""
        ended = {
            name
            for trial in self._trials.values()
            if trial.state is not TrialState.RUNNING
            for name in trial.runs
        }
        for run in self._active_runs():
            if run.id in ended:
                self._store.requests.stop(run.id)
            elif run.state is RunState.PAUSED and self._files.wanted() is Wanted.RUN:
                self._store.requests.resume(run.id)

    def _end_all(self) -> Progress:
        """Stop all runs; the trials that they belong to have failed."""
        for trial in self._open():
            self._finish(replace(trial, state=TrialState.FAILED, message="stopped"))
        for run in self._active_runs():
            self._store.requests.stop(run.id)
        return self._keep(SweepState.STOPPED)
