"""Trains one run that this process has claimed, reports on it, and always records how it ended.

Used by the background worker and, in the foreground, by the command line. Knows nothing of Streamlit.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from rnnlab.data.datasets import Dataset, mismatch
from rnnlab.data.errors import DatasetError, LoadingStoppedError
from rnnlab.data.labelled_drawings import LabelledDrawings
from rnnlab.data.training_set import load_training_set
from rnnlab.model.weights import WeightsError
from rnnlab.runs import STOPPED_EARLY, Run, RunState
from rnnlab.store.database import StoreError
from rnnlab.store.reports import RunLostError
from rnnlab.store.rows import DamagedRunError
from rnnlab.store.run_files import RunFiles
from rnnlab.store.store import Store
from rnnlab.system import memory
from rnnlab.system.atomic_files import remove_leftovers
from rnnlab.system.cores import partitions_for, usable_cores
from rnnlab.system.file_errors import reason_of
from rnnlab.system.processes import SIGKILL, HelperError, stderr_to
from rnnlab.training import engine
from rnnlab.training.checkpoint import Checkpoint, CheckpointError
from rnnlab.training.engine import EngineError
from rnnlab.training.memory_needed import shortage
from rnnlab.worker.reporting import RunListener, StoreReporter, heartbeat, log, run_log

if TYPE_CHECKING:
    from rnnlab.training.loop import Outcome

HARDLY_BETTER_THAN_GUESSING: Final = 0.15
"""Test accuracy below which a run that has ended gets a hint: guessing gets one digit in ten right."""

RETRY_SECONDS: Final = 1.0
"""Seconds between two tries to write to the store while that is not possible."""

MAX_RETRY_SECONDS: Final = 600.0
"""Seconds after which no further try is made: another store may have replaced this one."""

WATCHED_RETRY_SECONDS: Final = 5.0
"""The same if somebody waits for the run, such as a person at a terminal."""


class MemoryShortError(RuntimeError):
    """A run would not fit into the memory; its text is one sentence for people."""


def execute(
    store: Store,
    run: Run,
    *,
    listener: RunListener | None = None,
    stop: threading.Event | None = None,
) -> RunState:
    """Train a claimed run until it ends, in whatever way, and record how.

    Args:
        store: The store that holds the run.
        run: A run that this process has claimed.
        listener: Gets the same reports as the store.
        stop: Set to stop the run at its next report, as a request in the store does.

    Returns:
        The state in which it ended.
    """
    kills, stop = memory.system_kills(), stop or threading.Event()
    patience = MAX_RETRY_SECONDS if listener is None else WATCHED_RETRY_SECONDS
    with run_log(store, run), heartbeat(store, run_id=run.id):
        try:
            return _train(store, run, StoreReporter(store, run, listener), stop)
        except RunLostError:
            log.warning("%s: it is no longer this worker's run", run.id)
            return RunState.INTERRUPTED
        except LoadingStoppedError:
            log.info("%s: stopped while it was prepared", run.id)
            message = "" if run.step else STOPPED_EARLY
            _end_when_possible(store, run, RunState.STOPPED, message, stop, patience=patience)
            return RunState.STOPPED
        except Exception as error:
            log.exception("%s: ended by an error", run.id)
            state, message = _classify_failure(error, kills)
            _end_when_possible(store, run, state, message, stop, patience=patience)
            return state


def _classify_failure(error: Exception, kills: int) -> tuple[RunState, str]:
    """Return the state in which an error ends a run, and a sentence for people.

    Args:
        error: The error.
        kills: The value of `memory.system_kills` when the run began.
    """
    match error:
        case HelperError(status=status):
            killed = status == -SIGKILL
            return RunState.INTERRUPTED, memory.explain_kill(kills) if killed else f"{error}."
        case MemoryShortError() | DatasetError() | WeightsError() | CheckpointError() | DamagedRunError():
            message = str(error)
        case EngineError():
            message = str(error)
        case OSError() | StoreError():
            reason = reason_of(error) if isinstance(error, OSError) else str(error).rstrip(".")
            message = f"Training stopped: a file could not be written ({reason}); fix that and resume."
        case MemoryError():
            message = "There is not enough memory for this size; choose fewer neurons or a smaller batch."
        case _:
            last_line = traceback.format_exception_only(error)[-1].strip().splitlines()[0][:200]
            message = f"Training failed ({last_line}); the run's log tells more."
    return RunState.FAILED, message


def _end_when_possible(
    store: Store, run: Run, state: RunState, message: str, stop: threading.Event, *, patience: float
) -> None:
    """Record how a run ended; if the disk is full, as soon as there is room again, unless that takes long."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            store.reports.end_run(run.id, state, message=message)
        except RunLostError:
            return
        except StoreError:
            if stop.wait(RETRY_SECONDS):
                return
        else:
            return


def _train(store: Store, run: Run, reporter: StoreReporter, stop: threading.Event) -> RunState:
    """Load the data, train, and record how it ended."""
    if stop.is_set():  # before anything that takes time
        raise LoadingStoppedError
    _check_memory(run)
    files = store.files(run.id)
    remove_leftovers(files.make_folder())
    from rnnlab.training import loop
    from rnnlab.training.data_parallel import Team
    from rnnlab.worker.pausing import RunCallback

    checkpoint, start = files.resume_point(run)
    with Team(_prepare_engine(run, checkpoint, files, reporter)) as team:
        data = _load_data(run, files, reporter, lambda: _is_to_stop(store, run, stop))
        store.reports.set_data(run.id, data.name, data.description, data.note)
        step = checkpoint.step if checkpoint else 0
        log.info("%s: %s %s", run.id, data.description, data.note)
        log.info("%s: begins at step %d", run.id, step)
        outcome = loop.train(
            run.config,
            data,
            reporter,
            RunCallback(store, run.id, stop, reporter),
            start=start,
            changes=store.reports.take_all_changes(run.id, step),
            checkpoint=checkpoint,
            tests=[test for test in store.tests(run.id) if test.step <= step],
            team=team,
        )
    _record_outcome(store, run, outcome)
    return outcome.state


def _check_memory(run: Run) -> None:
    """Refuse a run that would not fit into the memory.

    Raises:
        MemoryShortError: It would not.
    """
    config = replace(run.config_now, **run.requested)  # type: ignore[arg-type]
    if short := shortage(config):
        raise MemoryShortError(short)


def _prepare_engine(run: Run, checkpoint: Checkpoint | None, files: RunFiles, reporter: StoreReporter) -> int:
    """Start TensorFlow, which takes seconds, if the run needs it.

    Returns:
        How many helper processes the run needs otherwise; they can start while its data is loaded.

    Raises:
        EngineError: It does, and TensorFlow is not installed.
    """
    state = checkpoint.network if checkpoint else None
    if problem := engine.problem_of(run.config, state):
        raise EngineError(problem)
    if not engine.needs_tensorflow(run.config, state):
        return partitions_for(run.config_now.batch_size, usable_cores()) - 1
    reporter.on_note("Starting TensorFlow")
    with stderr_to(files.log):
        from rnnlab.training import devices

        devices.initialize_devices()
    return 0


def _is_to_stop(store: Store, run: Run, stop: threading.Event) -> bool:
    """Return whether this process is to end, or somebody has asked the run to stop."""
    return stop.is_set() or store.reports.pending_requests(run.id).stop


def _load_data(run: Run, files: RunFiles, reporter: StoreReporter, stopped: Callable[[], bool]) -> Dataset:
    """Load the data that a run learns from; a resumed run gets the same data as before.

    Raises:
        DatasetError: The data is not available.
        LoadingStoppedError: The run was to stop, before its data was loaded or in the meantime.
    """
    known = run.data_name if files.has_begun(run) else ""
    config = replace(run.config, dataset=known) if known else run.config
    if config.your_hand:
        files.copy_labelled_drawings(run.owner)
    hand = LabelledDrawings(files.labelled_drawings)
    data = load_training_set(config, hand, reporter.on_note, stopped, files.digits_cache)
    if known and (reason := mismatch(data, known, run.data)):
        raise DatasetError(f"The run {reason} Resume it when that is back.")
    if stopped():
        raise LoadingStoppedError
    return data


def _record_outcome(store: Store, run: Run, outcome: Outcome) -> None:
    """Save the weights and the checkpoint of a run, and record how it ended."""
    files = store.files(run.id)
    if outcome.weights is not None:
        outcome.weights.save(files.weights, outcome.weights_step)
    if outcome.checkpoint is not None:
        outcome.checkpoint.save(files.checkpoint)
        files.best.delete_older()
    if outcome.state is not RunState.PAUSED:  # a pause was recorded when it began
        store.reports.end_run(
            run.id,
            outcome.state,
            message=_end_message(outcome),
            ended_by=outcome.stop.rule if outcome.stop else "",
            step=outcome.step,
            seconds=outcome.seconds,
        )
    log.info("%s: %s after %d steps", run.id, outcome.state, outcome.step)
    if outcome.stop:
        log.info("%s: %s", run.id, outcome.stop.reason)


def _end_message(outcome: Outcome) -> str:
    """Return what people should know about the end of a run beyond its state; may be empty."""
    if outcome.state is RunState.DIVERGED:
        return (
            "The loss became infinite or not a number; the last good weights are saved. "
            "Try a smaller learning rate."
        )
    sentences = [outcome.stop.reason] if outcome.stop else []
    if outcome.test_accuracy is not None and outcome.test_accuracy < HARDLY_BETTER_THAN_GUESSING:
        sentences.append(
            "It reads hardly better than guessing would (10 % of ten digits). "
            "Try a smaller learning rate, or more iterations."
        )
    return " ".join(sentences)
