"""The command that searches: `sweep`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from rnnlab.cli.output import CommandError, Outlet, json_line
from rnnlab.config import HYPERPARAMETERS, Config
from rnnlab.dashboard.permissions import Permissions, PermissionsError
from rnnlab.hyperparameter import ConfigError
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

_USUAL: Final[Mapping[str, object]] = {
    "preset": "default",
    "vary": [],
    "trials": None,
    "seeds": 1,
    "target": "accuracy",
    "strategy": "model",
    "prune": False,
}
"""What the options say that nobody has given."""

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
        _check_alone(arguments)
        files = find_sweep(store.home, arguments.resume)
        specification = files.read_specification()
    else:
        specification = _asked_for(arguments, config)
        files = create_sweep(store.home, specification)
    lock = files.take_control()
    if lock is None:
        raise CommandError(f"The sweep {files.name} is led by another process; it is going on there.")
    _lead(store, files, specification, lock, as_json=arguments.json)


def _check_alone(arguments: argparse.Namespace) -> None:
    """Check that nothing else is asked of a sweep that is to go on: it goes on as it was begun.

    Raises:
        ConfigError: Something is.
    """
    given = [HYPERPARAMETERS[name].option for name in HYPERPARAMETERS if name in arguments]
    given += [f"--{name}" for name, usual in _USUAL.items() if getattr(arguments, name) != usual]
    if given:
        raise ConfigError(f"--resume goes on with a sweep as it was begun; leave {given[0]} out.")


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
    printer = _Printer(outlet, specification, store, as_json=as_json)
    with lock:
        study = Study(files.study, files.name, specification)
        printer.begin(files.name, estimate_seconds(specification, store, together), study.trials())
        files.want(Wanted.RUN)
        launcher = LocalLauncher(store, together, idle_seconds=_IDLE_SECONDS)
        controller = Controller(
            store, launcher, files, specification, study, together=together, on_trial=printer.on_trial
        )
        progress = controller.run(stop)
    printer.end(files, progress)
    outlet.check()
    if progress.state is SweepState.FINISHED and not progress.count(TrialState.FINISHED):
        reasons = [trial.message for trial in progress.trials if trial.message]
        raise CommandError(f"No trial has ended well: {reasons[0] if reasons else 'all were pruned'}.")


class _Printer:
    """Prints a sweep, for people or as JSON, a line for each trial that has ended."""

    def __init__(self, outlet: Outlet, specification: Specification, store: Store, *, as_json: bool) -> None:
        self._outlet, self._specification, self._as_json = outlet, specification, as_json
        self._store = store
        self._best: Trial | None = None
        self._noted = ""

    def begin(self, name: str, seconds: float, known: Sequence[Trial]) -> None:
        """Print what is about to begin, and how long it will take.

        Args:
            name: The name of the sweep.
            seconds: What all of its trials take.
            known: Those that were made before.
        """
        plan = self._specification
        self._best = best_of(known, is_minimized=plan.target.is_minimized)
        ended = sum(trial.state is not TrialState.RUNNING for trial in known)
        seconds *= 1 - ended / plan.trials
        if self._as_json:
            self._outlet.write(
                json_line(event="sweep", sweep=name, trials=plan.trials, estimated_seconds=round(seconds))
            )
            return
        seeds = f", {plan.seeds} seeds each" if plan.seeds > 1 else ""
        made = f", {ended} made before" if ended else ""
        self._outlet.write(
            f"{name}: {plan.trials:,} trials{seeds}{made}, for the best {plan.target.title}.\n"
        )
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
        data_note = "".join(self._store.run(name).data_note for name in trial.runs[:1])
        if data_note not in ("", self._noted):
            self._outlet.write(f"{data_note}\n")
            self._noted = data_note

    def end(self, files: SweepFiles, progress: Progress) -> None:
        """Print how the sweep has ended, and what opens its study."""
        best = best_of(progress.trials, is_minimized=self._specification.target.is_minimized)
        if self._as_json:
            counts = {str(state): progress.count(state) for state in TrialState}
            self._outlet.write(
                json_line(
                    event="end",
                    sweep=files.name,
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
            self._outlet.write(f"Paused; `python -m rnnlab sweep --resume {files.name}` goes on.\n")
        self._outlet.write(f"Its study opens with `optuna-dashboard sqlite:///{files.study}`.\n")

    def _about(self, trial: Trial) -> dict[str, Any]:
        return {
            "number": trial.number,
            "run": trial.runs[0] if trial.runs else None,
            "runs": list(trial.runs),
            "state": trial.state.value,
            "value": trial.value,
            "values": list(trial.values),
            "message": trial.message,
            "data": "".join(self._store.run(name).data for name in trial.runs[:1]) or None,
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
