"""Real worker processes, as several test files start and watch them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import psutil

from rnnlab.config import Config
from rnnlab.model.weights import Weights
from rnnlab.presets import config_from
from rnnlab.runs import Run, RunState
from rnnlab.store.store import Store
from rnnlab.worker.launcher import LocalLauncher
from tests.waiting import wait_for
from tests.weights import random_weights

LONG = config_from({"dataset": "digits", "neurons": 8, "batch_size": 8, "iterations": 200_000})
SHORT = config_from({"dataset": "digits", "neurons": 8, "batch_size": 8, "iterations": 60})


def workers_of(home: Path) -> list[psutil.Process]:
    """Return the worker processes of a home."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if (
            "rnnlab.worker.main" in command
            and str(home) in command
            and process.status() != psutil.STATUS_ZOMBIE
        ):
            found.append(process)
    return found


def suspend_between_writes(worker: psutil.Process, home: Path) -> None:
    """Stop a worker as a sleeping laptop does, but not in the milliseconds in which nobody else can write."""
    while True:
        worker.suspend()
        wait_for(lambda: worker.status() == psutil.STATUS_STOPPED, "the worker to be stopped")
        with closing(sqlite3.connect(home / "runs.sqlite3", timeout=0, isolation_level=None)) as probe:
            try:
                probe.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                worker.resume()
            else:
                probe.execute("ROLLBACK")
                return


def start(store: Store, launcher: LocalLauncher, config: Config) -> Run:
    """Queue a run with weights to start from, and wake a worker."""
    run = store.create_run(config, claimed=True)  # a worker that waits must not take it before it has them
    give_weights(store, run)
    store._database.execute(
        "UPDATE runs SET state = ?, started = NULL, heartbeat = NULL, process = NULL, "
        "process_identity = NULL WHERE id = ?",
        (RunState.QUEUED, run.id),
    )
    launcher.wake()
    return store.run(run.id)


def give_weights(store: Store, run: Run) -> None:
    """Have a run that waits start from given weights, as if it had a parent."""
    files = store.files(run.id)
    files.make_folder()
    start_weights(run.config).save(files.start, 0)
    store._database.execute("UPDATE runs SET parent = 'another-run-0000' WHERE id = ?", (run.id,))


def start_weights(config: Config) -> Weights:
    """Return the weights that `start` gives to a run."""
    return random_weights(config.neurons, scale=0.3)


def wait_until(store: Store, run: Run, state: RunState) -> Run:
    def reached() -> Run | None:
        now = store.run(run.id)
        assert now.state is state or not now.state.is_ended, now
        return now if now.state is state else None

    return wait_for(reached, f"{run.id} to be {state}")


def wait_for_points(store: Store, run: Run, count: int) -> None:
    wait_for(lambda: len(store.points(run.id)) >= count, f"{count} points")


def end_workers(store: Store, launcher: LocalLauncher) -> None:
    """Stop all runs, kill all workers, and wait until their launcher knows that they are gone."""
    for run in store.runs():
        store.requests.stop(run.id)
    for worker in workers_of(store.home):
        worker.kill()

    def all_reaped() -> bool:
        launcher.reap()
        return not launcher._workers

    wait_for(all_reaped, "the workers to be gone")
