"""Real workers in another container on the same folder, and workers that are stopped for a while."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from rnnlab.runs import Run, RunState
from rnnlab.store.heartbeats import HEARTBEAT_GRACE
from rnnlab.store.store import Store
from rnnlab.worker.launcher import LocalLauncher
from tests.elsewhere import in_a_container
from tests.waiting import wait_for
from tests.workers import (
    LONG,
    give_weights,
    start,
    suspend_between_writes,
    wait_for_points,
    wait_until,
    workers_of,
)

pytestmark = pytest.mark.slow


def later(seconds: float) -> Callable[[], float]:
    """Return a clock that is ahead by a number of seconds."""
    return lambda: time.time() + seconds


@pytest.fixture
def contained_worker(store: Store) -> Iterator[psutil.Process]:
    """Start a worker in a container of its own; return its process as it is known here."""
    command = in_a_container(sys.executable, "-m", "rnnlab.worker.main", str(store.home), "contained")
    with subprocess.Popen(command) as process:
        (worker,) = wait_for(lambda: psutil.Process(process.pid).children(), "the worker")
        yield worker
        with suppress(psutil.NoSuchProcess):
            worker.kill()


@pytest.fixture
def run(store: Store) -> Run:
    """Return a run that waits for a worker."""
    run = store.create_run(LONG)
    give_weights(store, run)
    return store.run(run.id)


def test_a_run_of_another_container_goes_on_and_is_stopped_from_here(
    store: Store, run: Run, contained_worker: psutil.Process
) -> None:
    launcher = LocalLauncher(store)
    wait_for_points(store, run, 1)
    seen = len(store.points(run.id))
    while len(store.points(run.id)) < seen + 5:
        launcher.reap()
        assert store.run(run.id).state is RunState.TRAINING
    store.create_run(LONG)
    launcher.wake()
    assert not launcher._workers  # the worker over there will take it
    suspend_between_writes(contained_worker, store.home)
    store.requests.stop(run.id)
    with Store(store.home, later(20), later(20)) as in_20_seconds:
        for _ in range(5):
            assert in_20_seconds.reports.mark_interrupted() == []
    assert store.run(run.id).stop_requested
    contained_worker.resume()
    wait_until(store, run, RunState.STOPPED)


def test_a_worker_that_was_killed_in_another_container_is_known_as_dead_after_a_while(
    store: Store, run: Run, contained_worker: psutil.Process
) -> None:
    wait_for_points(store, run, 1)
    contained_worker.kill()
    contained_worker.wait()
    passed = 0.0
    with Store(store.home, steady=lambda: passed) as watching:
        assert watching.reports.mark_interrupted() == []
        passed = HEARTBEAT_GRACE + 1
        assert watching.reports.mark_interrupted() == [run.id]


def test_a_stopped_worker_is_not_called_dead_and_follows_what_it_was_asked_once_it_goes_on(
    store: Store, launcher: LocalLauncher
) -> None:
    run = start(store, launcher, LONG)
    wait_for_points(store, run, 1)
    (worker,) = workers_of(store.home)
    suspend_between_writes(worker, store.home)
    store.requests.stop(run.id)
    for seconds in (20.0, 3600.0, -3600.0):
        with Store(store.home, later(seconds), later(abs(seconds))) as other:
            other.create_run(LONG)
            assert other.reports.mark_interrupted() == []
            assert other.workers.reserve(1) is None
    launcher.reap()
    assert store.run(run.id).stop_requested
    worker.resume()
    wait_until(store, run, RunState.STOPPED)


def test_a_number_that_now_belongs_to_another_process_is_not_the_worker(
    store: Store, launcher: LocalLauncher
) -> None:
    run = start(store, launcher, LONG)
    wait_for_points(store, run, 1)
    (worker,) = workers_of(store.home)
    suspend_between_writes(worker, store.home)
    identity = store._database.query("SELECT process_identity FROM runs WHERE id = ?", (run.id,))[0][0]
    reused = identity.replace(f" {worker.pid} ", f" {os.getpid()} ")
    store._database.execute("UPDATE runs SET process_identity = ? WHERE id = ?", (reused, run.id))
    assert store.reports.mark_interrupted() == [run.id]


def test_a_dashboard_in_another_container_leaves_the_runs_of_this_one_alone(
    store: Store, launcher: LocalLauncher, own_home: Path
) -> None:
    run = start(store, launcher, LONG)
    wait_for_points(store, run, 1)
    store.requests.stop(run.id)
    code = (
        "import sys; from pathlib import Path; from rnnlab.store.store import Store\n"
        "print(Store(Path(sys.argv[1])).reports.mark_interrupted())"
    )
    (worker,) = workers_of(store.home)
    suspend_between_writes(worker, store.home)
    command = in_a_container(sys.executable, "-c", code, str(own_home))
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    worker.resume()
    wait_until(store, run, RunState.STOPPED)
