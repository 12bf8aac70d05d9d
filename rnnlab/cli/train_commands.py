"""The commands that train: `train`, `resume`, and `runs`, which lists what has been trained."""

from __future__ import annotations

import threading
from dataclasses import asdict
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from rnnlab.cli.output import CommandError, Outlet, describe, json_line, percent, print_json, print_line
from rnnlab.config import Config
from rnnlab.model.architecture import Architecture
from rnnlab.model.weights import Weights
from rnnlab.runs import AccuracyPoint, Run, RunState, TestPoint
from rnnlab.store.store import Store
from rnnlab.system.processes import stop_on_signals
from rnnlab.training.engine import problem_of
from rnnlab.worker import job

_DAMAGED: Final = "damaged"
"""The state of a run whose entry in the list cannot be read, as the list of runs prints it."""

_UNKNOWN: Final = (
    "step",
    "test_accuracy",
    "seconds",
    "created",
    "ended_by",
    "data",
    "engine",
    "trial",
    "config",
)
"""What `runs --json` says of every run, and of a damaged one leaves open."""


class JsonListener:
    """Prints a training run as JSON, one object per line."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet

    def on_point(self, point: AccuracyPoint) -> None:
        """Print a point of the curve."""
        values = {"step": point.step, "accuracy": point.accuracy, "loss": point.loss}
        self._outlet.write(json_line(event="step", **values))

    def on_test(self, test: TestPoint) -> None:
        """Print an accuracy on the test set."""
        self._outlet.write(json_line(event="test", step=test.step, accuracy=test.accuracy))

    def on_note(self, text: str) -> None:
        """Print nothing: the JSON output has no such event."""


class ProgressListener:
    """Prints a training run for people: a line per report, a progress bar below them.

    Args:
        progress: The progress bar, which also prints the lines.
        iterations: Steps of the whole run.
    """

    def __init__(self, progress: Progress, iterations: int) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=iterations)

    def on_point(self, point: AccuracyPoint) -> None:
        """Print a point of the curve."""
        speed = f"{point.step / point.seconds:6.1f} steps/s" if point.seconds else ""
        self._progress.console.print(
            f"step {point.step:>7,}   batch {point.accuracy:6.1%}   loss {point.loss:7.4f}   {speed}",
            highlight=False,
        )
        self._progress.update(self._task, completed=point.step + 1)

    def on_test(self, test: TestPoint) -> None:
        """Print an accuracy on the test set."""
        self._progress.console.print(f"step {test.step:>7,}   test set {test.accuracy:.2%}", highlight=False)

    def on_note(self, text: str) -> None:
        """Show beside the bar what the run is doing."""
        self._progress.update(self._task, description=text)


def train(store: Store, config: Config, parent: str | None = None, *, as_json: bool) -> None:
    """Train a new run in the foreground; it starts from the newest weights of the run `parent`, if given.

    Raises:
        CommandError: The run failed or diverged, or it cannot start from those weights or with its engine;
            then there is none.
        StoreError: The parent has no weights.
        WeightsError: They are damaged.
        OutputError: Standard output could not be written; the run was stopped.
    """
    if problem := problem_of(config):
        raise CommandError(problem)
    if parent is not None and store.files(parent).weights.exists():
        weights, _ = Weights.load(store.files(parent).weights)
        if weights.architecture != Architecture.of(config):
            raise CommandError(
                f"The weights of {parent} are those of another network ({weights.architecture.title}) than "
                f"this run's ({Architecture.of(config).title}); give it the same."
            )
    stop = stop_on_signals()
    _execute(store, store.create_run(config, claimed=True, parent=parent), stop, as_json=as_json)


def resume(store: Store, name: str, iterations: int | None, *, as_json: bool) -> None:
    """Continue a run in the foreground that was interrupted, paused or stopped, or has finished.

    `iterations` is the number of further steps for a finished or stopped run; by default those that are left.
    A rule that ended it before its last step no longer counts.

    Raises:
        CommandError: The run cannot be resumed, or failed or diverged.
        ConfigError: It would have more iterations than a run may have.
    """
    store.reports.mark_interrupted_surely()
    run = store.find(name)
    stop = stop_on_signals()  # from here on it is about to have a worker, which is to leave it in order
    if run.state.can_train_further:
        more = iterations if iterations is not None else run.iterations - run.step
        if more <= 0:
            raise CommandError(f"{run.id} has made all its steps; ask for more with --iterations.")
        store.requests.train_further(run.id, more)
    elif run.state.can_resume:
        store.requests.resume(run.id)
    claimed = store.reports.claim(run.id)
    if claimed is None and run.state is RunState.PAUSED:
        if as_json:
            print_json(event="run", run=run.id, config=asdict(run.config))
        else:
            print_line(f"{run.id} continues in the background worker that was waiting with it.")
        return
    if claimed is None:
        raise CommandError(
            f"{run.id} is {run.state} and cannot be resumed here; choose a run that was interrupted, failed, "
            "stopped or finished, or is paused without a worker."
        )
    _execute(store, claimed, stop, as_json=as_json)


def _execute(store: Store, run: Run, stop: threading.Event, *, as_json: bool) -> None:
    """Train a claimed run in the foreground.

    Raises:
        CommandError: It did not end well.
        OutputError: Standard output could not be written; the run was stopped.
    """
    outlet = Outlet(stop)
    if as_json:
        outlet.write(json_line(event="run", run=run.id, config=asdict(run.config)))
        ended = job.execute(store, run, listener=JsonListener(outlet), stop=stop)
    else:
        outlet.write(f"{run.id}: {describe(run.config)}\n")
        columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
        console = Console(file=outlet, highlight=False)  # type: ignore[arg-type]
        with Progress(*columns, console=console) as progress:
            listener = ProgressListener(progress, run.iterations)
            ended = job.execute(store, run, listener=listener, stop=stop)
    now = store.run(run.id)
    is_lost = ended is RunState.INTERRUPTED and now.state.is_active
    outlet.write(_end_as_json(now, ended if is_lost else now.state) if as_json else _end_in_words(now))
    outlet.check()
    if is_lost:
        raise CommandError(
            f"{now.id} is {now.state} in another process, which took it over while this one stood still."
        )
    _check_end(now)


def _check_end(run: Run) -> None:
    """Raise `CommandError` if a run did not end well."""
    if run.state in (RunState.PREPARING, RunState.TRAINING):
        raise CommandError(
            f"{run.id} has ended, but its end could not be recorded, as happens if the disk is full; free "
            f"some space, then continue it with `python -m rnnlab resume {run.id}`."
        )
    if run.state is RunState.PAUSED:
        raise CommandError(f"{run.id} is paused; continue it with `python -m rnnlab resume {run.id}`.")
    if run.state not in (RunState.FINISHED, RunState.STOPPED):
        raise CommandError(f"{run.id} {run.state}: {run.message}")


def _end_as_json(run: Run, state: RunState) -> str:
    """Return how a run ended, here or in another process that took it over, as a line of JSON."""
    return json_line(
        event="end",
        state=state.value,
        step=run.step,
        test_accuracy=run.test_accuracy,
        seconds=round(run.seconds, 3),
        **({"ended_by": run.ended_by} if run.ended_by else {}),
    )


def _end_in_words(run: Run) -> str:
    """Return how a run ended in lines for people; nothing if it did not end well."""
    if run.state not in (RunState.FINISHED, RunState.STOPPED):
        return ""
    line = f"{run.id} {run.state} after {run.step:,} steps: {percent(run.test_accuracy)} on the test set."
    return "".join(f"{text}\n" for text in (line, run.message, run.data_note) if text)


def runs(store: Store, *, as_json: bool) -> None:
    """List the runs, newest first."""
    found, damaged = store.runs(), store.damaged_runs()
    if as_json:
        for run in found:
            print_json(
                run=run.id,
                state=run.state.value,
                step=run.step,
                test_accuracy=run.test_accuracy,
                seconds=round(run.seconds, 3),
                created=run.created,
                message=run.message,
                ended_by=run.ended_by or None,
                data=run.data,
                engine=run.engine or None,
                trial=run.trial or None,
                config=asdict(run.config),
            )
        for entry in damaged:
            print_json(run=entry.name, state=_DAMAGED, **dict.fromkeys(_UNKNOWN), message=entry.problem)
        return
    if not found and not damaged:
        print_line("There is no run yet; `python -m rnnlab train` starts one.")
        return
    table = Table(box=None)
    for heading in ("run", "state", "step", "test set", "seconds", "hyperparameters"):
        table.add_column(heading, justify="right" if heading in ("step", "test set", "seconds") else "left")
    for run in found:
        step = f"{run.step:,} of {run.iterations:,}"
        table.add_row(
            run.id, run.state, step, percent(run.test_accuracy), f"{run.seconds:,.0f}", describe(run.config)
        )
    for entry in damaged:
        table.add_row(escape(entry.name), _DAMAGED, *"-" * 4)
    outlet = Outlet()
    width = None if outlet.isatty() else 160
    Console(file=outlet, highlight=False, width=width).print(table)  # type: ignore[arg-type]
    for entry in damaged:
        outlet.write(f"{entry.problem}\n")
    outlet.check()
