"""Trains one run that this process has claimed, reports on it, and records how it ended, whatever that is.

Used by the background worker and, in the foreground, by the command line. Knows nothing of Streamlit.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from rnnlab import memory
from rnnlab.checkpoint import Checkpoint, CheckpointError
from rnnlab.database import StoreError
from rnnlab.datasets import Dataset, DatasetError
from rnnlab.files import in_spite_of_removal, remove_leftovers
from rnnlab.hand import Hand
from rnnlab.mixing import training_data
from rnnlab.processes import HelperError
from rnnlab.reader import Weights, WeightsError
from rnnlab.runs import AccuracyPoint, Run, RunState, TestPoint
from rnnlab.snapshots import Snapshots
from rnnlab.store import RunLostError, Store

if TYPE_CHECKING:
    from rnnlab.training import Outcome

HEARTBEAT_INTERVAL: Final = 2.0
"""Seconds between two signs of life."""

PUBLISH_INTERVAL: Final = 0.4
"""Seconds between two writings of the newest weights: as often as anybody can see."""

HARDLY_BETTER_THAN_GUESSING: Final = 0.15
"""Test accuracy below which a run that has ended gets a hint: one digit in ten is right by chance."""

RETRY_SECONDS: Final = 1.0
"""Seconds between two tries to write to the store where that is not possible."""

PATIENCE_SECONDS: Final = 600.0
"""Seconds after which no further try is made: the store may be one that another has taken the place of."""

log = logging.getLogger("rnnlab.worker")


class MemoryShortError(RuntimeError):
    """A training would not fit into the memory; its text is one sentence meant for people."""


class Listener(Protocol):
    """Who wants to hear of a run while it trains: the command line's progress bar, for one."""

    def point(self, point: AccuracyPoint) -> None:
        """Take a point of the curve."""

    def test(self, test: TestPoint) -> None:
        """Take an accuracy on the whole test set."""

    def note(self, text: str) -> None:
        """Take a few words on what is going on."""


class StoreReport:
    """Reports a training run to the store and publishes its weights.

    Args:
        store: Where to.
        run: The run.
        listener: Told the same, if given.
    """

    def __init__(self, store: Store, run: Run, listener: Listener | None = None) -> None:
        self._store, self._run, self._listener = store, run, listener
        self._snapshots = Snapshots(store.folder(run.id))
        self._published = float("-inf")

    @property
    def is_heard(self) -> bool:
        """Whether somebody hears of the run in this very process."""
        return self._listener is not None

    def begins(self, step: int, cores: int) -> None:
        """Store from which step the run goes on, and on how many processor cores."""
        self._store.set_begun(self._run.id, step, cores)
        log.info("%s: trains on %d of this machine's processor cores", self._run.id, cores)

    def note(self, text: str) -> None:
        """Say what is going on."""
        self._store.set_message(self._run.id, text)
        if self._listener:
            self._listener.note(text)

    def point(self, point: AccuracyPoint, weights: Weights) -> None:
        """Store a point; publish the weights where the last ones have been there for a moment."""
        if not self._store.is_current:
            raise RunLostError(f"The list of runs that {self._run.id} is in has been removed or replaced.")
        self._store.add_point(self._run.id, point)
        if time.monotonic() - self._published >= PUBLISH_INTERVAL:
            self.publish(weights, point.step)
        in_spite_of_removal(lambda: self._snapshots.keep(weights, point.step))
        if self._listener:
            self._listener.point(point)

    def publish(self, weights: Weights, step: int) -> None:
        """Put weights where people can see them."""
        in_spite_of_removal(lambda: weights.save(self._store.weights_path(self._run.id), step))
        self._published = time.monotonic()

    def test(self, test: TestPoint) -> None:
        """Store a test."""
        self._store.add_test(self._run.id, test)
        if self._listener:
            self._listener.test(test)


def execute(
    store: Store,
    run: Run,
    *,
    listener: Listener | None = None,
    stop: threading.Event | None = None,
) -> RunState:
    """Train a claimed run to its end, whatever that is, and record it.

    Args:
        store: Where the run is.
        run: A run that this process has claimed.
        listener: Told what the store is told, if given.
        stop: Set to stop the run at its next report, as a request in the store does.

    Returns:
        The state in which it ended.
    """
    kills, stop = memory.system_kills(), stop or threading.Event()
    with run_log(store, run), heartbeat(store, run_id=run.id):
        try:
            return _train(store, run, StoreReport(store, run, listener), stop)
        except RunLostError:
            log.warning("%s: it is not this worker's any more", run.id)
            return RunState.INTERRUPTED
        except Exception as error:
            log.exception("%s: ended by an error", run.id)
            state, message = _end_by(error, kills)
            _end_when_possible(store, run, state, message, stop)
            return state


def _end_by(error: Exception, kills: int) -> tuple[RunState, str]:
    """Return in which state an error ends a run, and what people should know of it.

    Args:
        error: The error.
        kills: `memory.system_kills` when the run began.
    """
    match error:
        case HelperError(status=status):
            killed = status == -signal.SIGKILL
            return RunState.INTERRUPTED, memory.words_on_a_kill(kills) if killed else f"{error}."
        case MemoryShortError() | DatasetError() | WeightsError() | CheckpointError():
            message = str(error)
        case OSError() | StoreError():
            reason = error.strerror if isinstance(error, OSError) else str(error).rstrip(".")
            message = f"Training stopped: a file could not be written ({reason}); see to it and resume."
        case MemoryError():
            message = "There is not enough memory for this size; choose fewer neurons or a smaller batch."
        case _:
            last_line = traceback.format_exception_only(error)[-1].strip().splitlines()[0][:200]
            message = f"Training failed ({last_line}); the run's log tells more."
    return RunState.FAILED, message


def _end_when_possible(store: Store, run: Run, state: RunState, message: str, stop: threading.Event) -> None:
    """Record how a run ended; on a full disk, as soon as there is room again."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            store.end_run(run.id, state, message=message)
        except StoreError:
            if stop.wait(RETRY_SECONDS):
                return
        else:
            return


def _train(store: Store, run: Run, report: StoreReport, stop: threading.Event) -> RunState:
    """Load the data, train, and record how it ended."""
    config_then = replace(run.config_now, **run.requested)  # type: ignore[arg-type]
    if short := memory.shortage(config_then, loaded="tensorflow" in sys.modules):
        raise MemoryShortError(short)
    remove_leftovers(store.folder(run.id))
    resumes = run.step > 1 or store.checkpoint_path(run.id).exists()  # the first point comes before the file
    _start_keras(store, run, report, for_weights=not resumes and not run.parent)
    from rnnlab import training
    from rnnlab.steering import Steering

    checkpoint = Checkpoint.load(store.checkpoint_path(run.id)) if resumes else None
    start = Weights.load(store.start_path(run.id))[0] if run.parent and not resumes else None
    data = _data(store, run, report, resumes=resumes)
    log.info("%s: %s %s", run.id, data.description, data.note)
    store.set_data(run.id, data.name, data.description, data.note)
    step = checkpoint.step if checkpoint else 0
    log.info("%s: begins at step %d", run.id, step)
    store.control.take_changes(run.id, step)
    outcome = training.train(
        run.config,
        data,
        report,
        Steering(
            store,
            run.id,
            stop,
            lambda moment: report.publish(moment.network.weights(), moment.step),
            stays=report.is_heard,
        ),
        start=start,
        changes=store.run(run.id).changes,
        checkpoint=checkpoint,
    )
    _keep(store, run, outcome)
    return outcome.state


def _data(store: Store, run: Run, report: StoreReport, *, resumes: bool) -> Dataset:
    """Load what a run learns from: where it goes on, the very same that it has learned from before.

    Raises:
        DatasetError: It cannot be had.
    """
    known = run.data_name if resumes else ""
    config = replace(run.config, dataset=known) if known else run.config
    data = training_data(config, Hand(_hand_of(store, run)), report.note)
    if known and data.name != known:
        raise DatasetError(f"The run has learned from {run.data}. {data.note} Resume it later.")
    return data


def _hand_of(store: Store, run: Run) -> Path:
    """Return the folder of the named drawings that a run learns from: those there were when it began."""
    own = store.folder(run.id) / "hand"
    if run.config.your_hand and not own.exists() and store.hand_path.exists():
        aside = own.with_name(".hand")
        shutil.rmtree(aside, ignore_errors=True)
        shutil.copytree(store.hand_path, aside)
        os.rename(aside, own)
    return own


def _start_keras(store: Store, run: Run, report: StoreReport, *, for_weights: bool) -> None:
    """Start TensorFlow, which takes seconds, where it is needed: to draw weights, or to ask for a GPU."""
    from rnnlab import networks

    if for_weights or networks.may_have_gpu():
        report.note("Starting TensorFlow")
        with stderr_to(store.log_path(run.id)):
            from rnnlab import network

            network.start_devices()


def _keep(store: Store, run: Run, outcome: Outcome) -> None:
    """Keep what a training has brought, and record how it ended."""
    if outcome.weights is not None:
        outcome.weights.save(store.weights_path(run.id), outcome.weights_step)
    if outcome.checkpoint is not None:
        outcome.checkpoint.save(store.checkpoint_path(run.id))
    if outcome.state is not RunState.PAUSED:  # a pause has been recorded when it began
        message = _end_message(outcome)
        store.end_run(run.id, outcome.state, message=message, step=outcome.step, seconds=outcome.seconds)
    log.info("%s: %s after %d steps", run.id, outcome.state, outcome.step)


def _end_message(outcome: Outcome) -> str:
    """Return what people should know about how a run ended, where the state does not say it all."""
    if outcome.state is RunState.DIVERGED:
        return (
            "The loss became infinite or not a number; the last good weights are kept. "
            "Try a smaller learning rate."
        )
    if outcome.test_accuracy is not None and outcome.test_accuracy < HARDLY_BETTER_THAN_GUESSING:
        return (
            "It reads hardly better than guessing would (10 % of ten digits). "
            "Try a smaller learning rate, or more iterations."
        )
    return ""


@contextmanager
def stderr_to(path: Path) -> Iterator[None]:
    """Append to a file what this process writes to its standard error meanwhile, C++ libraries included.

    TensorFlow prints a dozen lines about processors and drivers while it starts, whatever its log level.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with path.open("ab") as file:
            os.dup2(file.fileno(), 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)


@contextmanager
def run_log(store: Store, run: Run) -> Iterator[None]:
    """Write what is logged meanwhile to the run's own log, too, where that can be written."""
    log.setLevel(logging.INFO)
    with ExitStack() as stack:
        try:
            handler = logging.FileHandler(store.folder(run.id) / "log.txt", encoding="utf-8")
        except OSError:
            log.exception("%s: its log cannot be written", run.id)
        else:
            handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
            log.addHandler(handler)
            stack.callback(handler.close)
            stack.callback(log.removeHandler, handler)
        yield


@contextmanager
def heartbeat(store: Store, *, run_id: str | None = None, worker_id: str | None = None) -> Iterator[None]:
    """Show every two seconds that a run is worked on or a worker lives, also while TensorFlow compiles."""
    over = threading.Event()

    def show_life() -> None:
        with suppress(StoreError):  # a disk that is full now may not be so two seconds later
            if run_id is not None:
                store.beat(run_id)
            if worker_id is not None:
                store.workers.beat(worker_id)

    def beat() -> None:
        while not over.wait(HEARTBEAT_INTERVAL):
            show_life()

    show_life()
    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def stop_on_signals() -> threading.Event:
    """Return an event that is set when the process is asked to end (Ctrl-C, SIGTERM)."""
    stop = threading.Event()

    def on_signal(*_: object) -> None:
        stop.set()

    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)
    return stop
