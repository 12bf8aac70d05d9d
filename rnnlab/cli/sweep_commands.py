"""The command that searches: `sweep`."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from rnnlab.cli.output import CommandError, Outlet, json_line
from rnnlab.config import HYPERPARAMETERS, Config
from rnnlab.dashboard.permissions import Permissions, PermissionsError
from rnnlab.store.store import Store
from rnnlab.sweep.estimate import LONG, estimate_seconds
from rnnlab.sweep.search_space import Dimension
from rnnlab.sweep.specification import Specification, specify
from rnnlab.sweep.sweep_files import Progress, SweepFiles, Wanted, create_sweep, find_sweep
from rnnlab.sweep.targets import Target
from rnnlab.sweep.trials import SweepState, Trial, TrialState, best_of
from rnnlab.system.processes import stop_on_signals
from rnnlab.training.engine import problem_of
from rnnlab.worker.launcher import LocalLauncher

if TYPE_CHECKING:
    from filelock import FileLock

_IDLE_SECONDS: Final = 20
"""Seconds that a worker waits for another run after the last one of a sweep."""


def sweep(store: Store, arguments: argparse.Namespace, config: Config) -> None:
    """Lead a new sweep, or go on with one, in the foreground, until it has ended or is interrupted.

    Raises:
        CommandError: It is led by another process, or no trial has ended well.
        ConfigError: It cannot be carried out as it was asked for.
        StoreError: Its files cannot be used.
        OutputError: Standard output could not be written; the sweep was paused.
    """
    if arguments.resume is not None:
        files = find_sweep(store.home, arguments.resume)
        specification = files.read_specification()
    else:
        specification = _asked_for(arguments, config)
        files = create_sweep(store.home, specification)
    lock = files.take_control()
    if lock is None:
        raise CommandError(f"The sweep {files.name} is led by another process; it is going on there.")
    _lead(store, files, specification, lock, as_json=arguments.json)


def _asked_for(arguments: argparse.Namespace, config: Config) -> Specification:
    """Return the specification of a new sweep from the options.

    Raises:
        CommandError: Its engine is not there.
        ConfigError: It cannot be carried out.
    """
    if problem := problem_of(config):
        raise CommandError(problem)
    return specify(
        config,
        [Dimension.parse(text) for text in arguments.vary],
        trials=arguments.trials,
        seeds=arguments.seeds,
        target=Target.parse(arguments.target),
        strategy=arguments.strategy,
        prune=arguments.prune,
    )


def _lead(
    store: Store, files: SweepFiles, specification: Specification, lock: FileLock, *, as_json: bool
) -> None:
    """Lead a sweep and print its trials."""
    from rnnlab.sweep.controller import Controller  # they load Optuna, which takes a second
    from rnnlab.sweep.study import Study

    try:
        together = Permissions.from_environment().workers
    except PermissionsError as error:
        raise CommandError(str(error)) from error
    stop = stop_on_signals()
    outlet = Outlet(stop)
    printer = _Printer(outlet, specification, as_json=as_json)
    with lock:
        printer.begin(files.name, estimate_seconds(specification, store, together))
        files.want(Wanted.RUN)
        study = Study(files.study, files.name, specification)
        launcher = LocalLauncher(store, together, idle_seconds=_IDLE_SECONDS)
        controller = Controller(
            store, launcher, files, specification, study, together=together, on_trial=printer.on_trial
        )
        progress = controller.run(stop)
    printer.end(files.name, progress)
    outlet.check()
    if progress.state is SweepState.FINISHED and not progress.count(TrialState.FINISHED):
        reasons = [trial.message for trial in progress.trials if trial.message]
        raise CommandError(f"No trial has ended well: {reasons[0] if reasons else 'all were pruned'}.")


class _Printer:
    """Prints a sweep, for people or as JSON, a line for each trial that has ended."""

    def __init__(self, outlet: Outlet, specification: Specification, *, as_json: bool) -> None:
        self._outlet, self._specification, self._as_json = outlet, specification, as_json
        self._best: Trial | None = None

    def begin(self, name: str, seconds: float) -> None:
        """Print what is about to begin, and how long it will take."""
        plan = self._specification
        if self._as_json:
            self._outlet.write(
                json_line(event="sweep", sweep=name, trials=plan.trials, estimated_seconds=round(seconds))
            )
            return
        seeds = f", {plan.seeds} seeds each" if plan.seeds > 1 else ""
        self._outlet.write(f"{name}: {plan.trials:,} trials{seeds}, for the best {plan.target.title}.\n")
        warning = " Fewer trials or iterations take less." if seconds > LONG else ""
        self._outlet.write(f"It will take about {in_words(seconds)}.{warning}\n")

    def on_trial(self, trial: Trial) -> None:
        """Print a trial if it has ended."""
        if trial.state is TrialState.RUNNING:
            return
        if self._as_json:
            self._outlet.write(json_line(event="trial", **self._about(trial)))
            return
        target = self._specification.target
        is_best = trial.value is not None and (
            self._best is None or self._best.value is None or target.is_better(trial.value, self._best.value)
        )
        self._best = trial if is_best else self._best
        value = target.in_words(trial.value) if trial.state is TrialState.FINISHED else trial.state.value
        spread = "" if trial.spread is None else f" ± {target.in_words(trial.spread)}"
        words = ", ".join(f"{HYPERPARAMETERS[name].label} {_shown(v)}" for name, v in trial.params.items())
        note = "best so far" if is_best else trial.message
        line = f"trial {trial.number:>3}   {value:>11}{spread}   {words}   {', '.join(trial.runs)}   {note}"
        self._outlet.write(line.rstrip() + "\n")

    def end(self, name: str, progress: Progress) -> None:
        """Print how the sweep has ended."""
        best = best_of(progress.trials, is_minimized=self._specification.target.is_minimized)
        if self._as_json:
            counts = {str(state): progress.count(state) for state in TrialState}
            self._outlet.write(
                json_line(
                    event="end",
                    sweep=name,
                    state=progress.state.value,
                    best=None if best is None else self._about(best),
                    trials=len(progress.trials),
                    **counts,
                )
            )
            return
        if best is not None:
            words = " ".join(f"{HYPERPARAMETERS[n].option} {_shown(v)}" for n, v in best.params.items())
            value = self._specification.target.in_words(best.value)
            self._outlet.write(
                f"Best: trial {best.number} with {value}: {words}   ({', '.join(best.runs)})\n"
            )
        if progress.state is SweepState.INTERRUPTED:
            self._outlet.write(f"Paused; `python -m rnnlab sweep --resume {name}` goes on.\n")

    def _about(self, trial: Trial) -> dict[str, Any]:
        return {
            "number": trial.number,
            "run": trial.runs[0] if trial.runs else None,
            "runs": list(trial.runs),
            "state": trial.state.value,
            "value": trial.value,
            "values": list(trial.values),
            "message": trial.message,
            "config": asdict(self._specification.config_of(trial.params, 0)),
        }


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def in_words(seconds: float) -> str:
    """Return a length of time for people, roughly."""
    if seconds < 90:
        return f"{max(1, round(seconds))} seconds"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} minutes"
    return f"{seconds / 3600:.1f} hours"
