"""What the commands of `python -m rnnlab` do. Each prints for people, or with `--json` one object a line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from rnnlab import datasets, drawing, evaluation, execution
from rnnlab.config import Config
from rnnlab.doubt import sureness
from rnnlab.reader import SURE_FROM, Reader, Weights, decided_at
from rnnlab.runs import AccuracyPoint, Run, RunState, TestPoint
from rnnlab.snapshots import Snapshots
from rnnlab.store import Store


class CommandError(RuntimeError):
    """A command that could not do its work; its text is one sentence meant for people."""


def print_json(**values: Any) -> None:
    """Print one JSON object on a line of its own, at once."""
    print(json.dumps(values), flush=True)


class JsonListener:
    """Prints a training run as JSON, one object a line."""

    def point(self, point: AccuracyPoint) -> None:
        """Print a point of the curve."""
        print_json(event="step", step=point.step, accuracy=point.accuracy, loss=point.loss)

    def test(self, test: TestPoint) -> None:
        """Print an accuracy on the test set."""
        print_json(event="test", step=test.step, accuracy=test.accuracy)

    def note(self, text: str) -> None:
        """Print nothing: the contract has no such event."""


class ProgressListener:
    """Prints a training run for people: a line per report, a progress bar below them.

    Args:
        progress: The bar, which also prints the lines.
        iterations: Steps of the whole run.
    """

    def __init__(self, progress: Progress, iterations: int) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=iterations)

    def point(self, point: AccuracyPoint) -> None:
        """Print a point of the curve."""
        speed = f"{point.step / point.seconds:6.1f} steps/s" if point.seconds else ""
        self._progress.console.print(
            f"step {point.step:>7,}   batch {point.accuracy:6.1%}   loss {point.loss:7.4f}   {speed}",
            highlight=False,
        )
        self._progress.update(self._task, completed=point.step + 1)

    def test(self, test: TestPoint) -> None:
        """Print an accuracy on the test set."""
        self._progress.console.print(f"step {test.step:>7,}   test set {test.accuracy:.2%}", highlight=False)

    def note(self, text: str) -> None:
        """Show what is going on beside the bar."""
        self._progress.update(self._task, description=text)


def train(store: Store, config: Config, parent: str | None = None, *, as_json: bool) -> None:
    """Train in the foreground; the run is in the store like any other.

    Args:
        store: Where the run is kept.
        config: Its hyperparameters.
        parent: The run whose weights it starts from, if any.
        as_json: Whether to print JSON.

    Raises:
        CommandError: The run failed or diverged.
        StoreError: The parent has no weights.
    """
    _execute(store, store.create_run(config, claimed=True, parent=parent), as_json=as_json)


def resume(store: Store, name: str, iterations: int | None, *, as_json: bool) -> None:
    """Go on in the foreground with a run that was interrupted, paused or stopped, or has finished.

    Args:
        store: Where the run is.
        name: Of the run.
        iterations: How many more steps, for one that has ended in order; by default those that it has left.
        as_json: Whether to print JSON.

    Raises:
        CommandError: The run cannot go on, or failed or diverged.
        ConfigError: It would have more iterations than a run may have.
    """
    store.mark_interrupted()
    run = store.find(name)
    if run.state.can_train_further:
        more = iterations if iterations is not None else run.iterations - run.step
        if more <= 0:
            raise CommandError(f"{run.id} has made all its steps; say how many more with --iterations.")
        store.control.train_further(run.id, more)
    elif run.state.can_resume:
        store.control.resume(run.id)
    claimed = store.claim(run.id)
    if claimed is None and run.state is RunState.PAUSED:
        if as_json:
            print_json(event="run", run=run.id, config=asdict(run.config))
        else:
            print(f"{run.id} goes on in the background worker that waited with it.")
        return
    if claimed is None:
        raise CommandError(
            f"{run.id} is {run.state} and cannot be resumed here; runs that pause without a worker, were "
            "interrupted, failed, stopped or finished can."
        )
    _execute(store, claimed, as_json=as_json)


def _execute(store: Store, run: Run, *, as_json: bool) -> None:
    """Train a claimed run in the foreground; raise where it does not end well."""
    stop = execution.stop_on_signals()
    if as_json:
        print_json(event="run", run=run.id, config=asdict(run.config))
        execution.execute(store, run, listener=JsonListener(), stop=stop)
    else:
        print(f"{run.id}: {describe(run.config)}")
        columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
        with Progress(*columns, console=Console(highlight=False)) as progress:
            execution.execute(store, run, listener=ProgressListener(progress, run.iterations), stop=stop)
    _print_end(store.run(run.id), as_json=as_json)


def _print_end(run: Run, *, as_json: bool) -> None:
    """Print how a run ended; raise where that is not well."""
    if as_json:
        print_json(
            event="end",
            state=run.state.value,
            step=run.step,
            test_accuracy=run.test_accuracy,
            seconds=round(run.seconds, 3),
        )
    elif run.state in (RunState.FINISHED, RunState.STOPPED):
        print(f"{run.id} {run.state} after {run.step:,} steps: {percent(run.test_accuracy)} on the test set.")
        for remark in filter(None, (run.message, run.data_note)):
            print(remark)
    if run.state is RunState.PAUSED:
        raise CommandError(f"{run.id} pauses; go on with `python -m rnnlab resume {run.id}`.")
    if run.state not in (RunState.FINISHED, RunState.STOPPED):
        raise CommandError(f"{run.id} {run.state}: {run.message}")


def describe(config: Config) -> str:
    """Return the hyperparameters that people ask for first, in words."""
    return (
        f"learning rate {config.learning_rate:g}, batch size {config.batch_size:,}, "
        f"{config.neurons:,} neurons, {config.iterations:,} iterations, seed {config.seed}"
    )


def percent(share: float | None) -> str:
    """Return a share as a percentage, or a dash where there is none."""
    return "-" if share is None else f"{share:.2%}"


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
                config=asdict(run.config),
            )
        return
    if not found:
        print("There is no run yet; `python -m rnnlab train` starts one.")
        return
    table = Table(box=None)
    for heading in ("run", "state", "step", "test set", "seconds", "hyperparameters"):
        table.add_column(heading, justify="right" if heading in ("step", "test set", "seconds") else "left")
    for run in found:
        step = f"{run.step:,} of {run.iterations:,}"
        table.add_row(
            run.id, run.state, step, percent(run.test_accuracy), f"{run.seconds:,.0f}", describe(run.config)
        )
    Console(highlight=False, width=None if sys.stdout.isatty() else 160).print(table)


def load_reader(store: Store, run: Run, step: int | None = None) -> tuple[Reader, int]:
    """Return a reader with the newest weights of a run, or those kept at or before a step, and their step.

    Raises:
        WeightsError: Its weights are missing or damaged.
        CommandError: No weights were kept at or before that step.
    """
    path = store.weights_path(run.id)
    if step is not None and step < run.step:
        kept = Snapshots(store.home / run.id).at_or_before(step)
        if kept is None:
            raise CommandError(f"{run.id} kept no weights at or before step {step:,}; choose a later one.")
        path = kept
    weights, found = Weights.load(path)
    if step is not None and found != step:
        print(f"{run.id} has no weights of step {step:,}; these are of step {found:,}.", file=sys.stderr)
    return Reader(weights), found


def read(store: Store, name: str, images: Iterable[str], step: int | None, *, as_json: bool) -> None:
    """Read canvas images.

    Raises:
        CommandError: At least one file could not be read; the others have been.
    """
    reader, _ = load_reader(store, store.find(name), step)
    unreadable = []
    for image in images:
        answer = _read_image(reader, image)
        if "error" in answer and answer["error"] != "blank":
            unreadable.append(image)
        if as_json:
            print_json(**{name: value for name, value in answer.items() if name != "sureness"})
        else:
            print(_read_words(answer))
    if unreadable:
        raise CommandError(
            f"{len(unreadable)} of the images could not be read, the first is {unreadable[0]}."
        )


def _read_image(reader: Reader, image: str) -> dict[str, Any]:
    """Read one canvas image from a file."""
    try:
        prepared = drawing.prepare(drawing.pixels_of_png(Path(image).read_bytes()))
    except OSError as error:
        return {"image": image, "error": f"The file cannot be opened ({error.strerror}); check its name."}
    except drawing.DrawingError as error:
        return {"image": image, "error": str(error)}
    if prepared is None:
        return {"image": image, "error": "blank"}
    beliefs = reader.read(prepared.picture[None]).beliefs[0]
    digit = int(beliefs[-1].argmax())
    return {
        "image": image,
        "digit": digit,
        "probability": float(beliefs[-1, digit]),
        "sureness": float(sureness(reader, prepared.picture[None], beliefs[-1:])[0]),
        "decided_at": decided_at(beliefs),
        "beliefs": np.round(beliefs.astype(np.float64), 7).tolist(),
    }


def _read_words(answer: dict[str, Any]) -> str:
    """Return an answer of `_read_image` for people, with the belief after every row."""
    if "error" in answer:
        return f"{answer['image']}: {'a blank image' if answer['error'] == 'blank' else answer['error']}"
    lines = [
        f"{answer['image']}: {_verdict(answer)}",
        "  row " + "".join(f"{digit:>6}" for digit in range(10)),
    ]
    for row, belief in enumerate(answer["beliefs"], start=1):
        lines.append(f"  {row:>3} " + "".join(f"{share:>6.0%}" for share in belief))
    return "\n".join(lines)


def _verdict(answer: dict[str, Any]) -> str:
    """Return in words what was read, or that it is no more than a guess."""
    if answer["sureness"] < SURE_FROM:
        return f"not sure, perhaps a {answer['digit']} ({answer['probability']:.1%})"
    return f"{answer['digit']}, {answer['probability']:.1%} sure, decided at row {answer['decided_at']} of 28"


def evaluate(store: Store, name: str, *, as_json: bool) -> None:
    """Read the whole test set: accuracy and confidence after each row, when it decides, confusion.

    Raises:
        CommandError: The data set that the run was trained on cannot be had.
    """
    run = store.find(name)
    reader, step = load_reader(store, run)
    data = datasets.load(run.data_name or run.config.dataset)
    if run.data_name and data.name != run.data_name:
        raise CommandError(f"{run.id} was trained on {run.data}, which is not to be had now: {data.note}")
    result = evaluation.evaluate(reader, data.test_images, data.test_labels)
    if as_json:
        print_json(**result.to_json())
        return
    print(f"{run.id} at step {step:,}: {result.test_accuracy:.2%} of {len(data.test_labels):,} test images")
    print("row   accuracy   mean confidence   expected calibration error")
    columns = result.accuracy_by_row, result.confidence_by_row, result.calibration_error_by_row
    for row, (accuracy, confidence, error) in enumerate(zip(*columns, strict=True), start=1):
        print(f"{row:>3} {accuracy:>10.1%} {confidence:>17.1%} {error:>28.1%}")
    rows = ", ".join(f"{share:.0%} by row {result.decided_by(share)}" for share in (0.5, 0.9, 0.99))
    print(f"decided, the top digit never changes again: {rows}")
    print("digit (row) read as (column)")
    print("   " + "".join(f"{digit:>6}" for digit in range(10)))
    for digit, counts in enumerate(result.confusion):
        print(f"{digit:>3}" + "".join(f"{count:>6,}" for count in counts))


def export(store: Store, name: str, path: Path, *, every_row: bool, as_json: bool) -> None:
    """Save the newest weights of a run as a standard Keras file.

    Raises:
        CommandError: The file cannot be written.
    """
    run = store.find(name)
    weights, step = Weights.load(store.weights_path(run.id))
    with execution.stderr_to(store.log_path(run.id)):
        from rnnlab import network

        network.start_devices()
    try:
        network.export(weights, path, every_row=every_row)
    except OSError as error:
        raise CommandError(f"{path} cannot be written ({error.strerror}); choose another place.") from error
    if as_json:
        print_json(run=run.id, step=step, path=str(path))
    else:
        print(f"{run.id} at step {step:,} is saved as {path}.")


GRID_BATCH_SIZES: Final = (32, 128, 512)
GRID_NEURONS: Final = (32, 64, 128, 256)


def bench(config: Config, what: str, rounds: int, seconds: float, *, as_json: bool) -> None:
    """Measure how fast networks train here.

    Args:
        config: The hyperparameters.
        what: `one` network of this configuration, the `grid` of sizes, or the `growth` of a step's cost.
        rounds: Turns of each contestant.
        seconds: About how long a turn is.
        as_json: Whether to print JSON.
    """
    throughput, data = _prepare_bench(config, as_json=as_json)
    if what == "growth":
        for grown in throughput.growth(data, seconds=seconds):
            _print_growth(grown, as_json=as_json)
        return
    if not as_json:
        print(_BENCH_HEAD)
    for batch_size in GRID_BATCH_SIZES if what == "grid" else (config.batch_size,):
        for neurons in GRID_NEURONS if what == "grid" else (config.neurons,):
            sized = replace(config, batch_size=batch_size, neurons=neurons)
            _print_comparison(
                throughput.compare(sized, data, rounds=rounds, seconds=seconds), as_json=as_json
            )
    if not as_json and not throughput.has_torch():
        print(throughput.PYTORCH_HINT)


def _prepare_bench(config: Config, *, as_json: bool) -> tuple[Any, datasets.Dataset]:
    """Start TensorFlow and load the data; say on what is measured."""
    with execution.stderr_to(Path(os.devnull)):
        from rnnlab import network, throughput

        network.start_devices()
    data = datasets.load(config.dataset)
    if not as_json:
        print(f"{throughput.machine()}; {data.description}")
        share = f"{config.row_loss_mix:.0%} of the loss on the mean of all rows"
        print(f"training steps per second, float32, {share}")
    return throughput, data


_BENCH_HEAD: Final = (
    "batch  neurons   RNN Lab   model.fit   PyTorch   multiply limit   times model.fit   times PyTorch"
)


def _print_comparison(comparison: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(**comparison.to_json())
        return
    ours, keras_fit, torch = (
        "-" if speed is None else f"{speed:,.1f}" for speed in comparison.steps_per_second.values()
    )
    ratios = ("-" if r is None else f"{r:.2f}" for r in map(comparison.ratio, ("keras_fit", "torch")))
    print(
        f"{comparison.config.batch_size:>5}{comparison.config.neurons:>9}{ours:>10}{keras_fit:>12}{torch:>10}"
        f"{comparison.limit:>17,.1f}{next(ratios):>18}{next(ratios):>16}",
        flush=True,
    )


def _print_growth(grown: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(by=grown.by, milliseconds_per_step=grown.milliseconds)
        return
    print(f"\nmilliseconds a step by {grown.by}")
    for value, milliseconds in grown.milliseconds.items():
        print(f"{value:>12,}{milliseconds:>10.2f}", flush=True)
