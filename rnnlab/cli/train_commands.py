"""The commands that train: `train`, `resume`, and `runs`, which lists what has been trained."""

from __future__ import annotations

import threading
from dataclasses import asdict

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from rnnlab.cli.output import CommandError, Outlet, describe, json_line, percent, print_json, print_line
from rnnlab.config import Config
from rnnlab.model.weights import Weights
from rnnlab.runs import AccuracyPoint, Run, RunState, TestPoint
from rnnlab.store.store import Store
from rnnlab.system.processes import stop_on_signals
from rnnlab.worker import job


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
        CommandError: The run failed or diverged, or cannot start from those weights; then there is none.
        StoreError: The parent has no weights.
        WeightsError: They are damaged.
        OutputError: Standard output could not be written; the run was stopped.
    """
    if parent is not None and store.files(parent).weights.exists():
        weights, _ = Weights.load(store.files(parent).weights)
        if weights.neurons != config.neurons:
            raise CommandError(
                f"The weights of {parent} have {weights.neurons} neurons, this run {config.neurons}; "
                "give it as many."
            )
    stop = stop_on_signals()
    _execute(store, store.create_run(config, claimed=True, parent=parent), stop, as_json=as_json)


def resume(store: Store, name: str, iterations: int | None, *, as_json: bool) -> None:
    """Continue a run in the foreground that was interrupted, paused or stopped, or has finished.

    `iterations` is the number of further steps for a finished or stopped run; by default those that are left.

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
        job.execute(store, run, listener=JsonListener(outlet), stop=stop)
    else:
        outlet.write(f"{run.id}: {describe(run.config)}\n")
        columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
        console = Console(file=outlet, highlight=False)  # type: ignore[arg-type]
        with Progress(*columns, console=console) as progress:
            job.execute(store, run, listener=ProgressListener(progress, run.iterations), stop=stop)
    ended = store.run(run.id)
    outlet.write(_end_as_json(ended) if as_json else _end_in_words(ended))
    outlet.check()
    if ended.state in (RunState.PREPARING, RunState.TRAINING):
        raise CommandError(
            f"{ended.id} has ended, but its end could not be recorded, as happens if the disk is full; free "
            f"some space, then continue it with `python -m rnnlab resume {ended.id}`."
        )
    if ended.state is RunState.PAUSED:
        raise CommandError(f"{ended.id} is paused; continue it with `python -m rnnlab resume {ended.id}`.")
    if ended.state not in (RunState.FINISHED, RunState.STOPPED):
        raise CommandError(f"{ended.id} {ended.state}: {ended.message}")


def _end_as_json(run: Run) -> str:
    """Return how a run ended as a line of JSON."""
    return json_line(
        event="end",
        state=run.state.value,
        step=run.step,
        test_accuracy=run.test_accuracy,
        seconds=round(run.seconds, 3),
    )


def _end_in_words(run: Run) -> str:
    """Return how a run ended in lines for people; nothing if it did not end well."""
    if run.state not in (RunState.FINISHED, RunState.STOPPED):
        return ""
    line = f"{run.id} {run.state} after {run.step:,} steps: {percent(run.test_accuracy)} on the test set."
    return "".join(f"{text}\n" for text in (line, run.message, run.data_note) if text)


def runs(store: Store, *, as_json: bool) -> None:
    """List the runs, newest first."""
    found = store.runs()
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
                data=run.data,
                config=asdict(run.config),
            )
        return
    if not found:
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
    outlet = Outlet()
    width = None if outlet.isatty() else 160
    Console(file=outlet, highlight=False, width=width).print(table)  # type: ignore[arg-type]
    outlet.check()
