"""Real worker processes on a real store."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from rnnlab.config import Config
from rnnlab.dashboard.permissions import Permissions
from rnnlab.data.datasets import Dataset
from rnnlab.model.reader import Reader
from rnnlab.model.weights import Weights
from rnnlab.runs import Run, RunState
from rnnlab.store.store import Store
from rnnlab.store.weight_history import WeightHistory
from rnnlab.system.cores import partitions_for, usable_cores
from rnnlab.training.checkpoint import Checkpoint
from rnnlab.worker.launcher import LocalLauncher
from tests.systems import needs_signals
from tests.waiting import wait_for
from tests.workers import LONG, SHORT, end_workers, start, wait_for_points, wait_until, workers_of


def has_tensorflow(process: psutil.Process) -> bool:
    return any("tensorflow" in entry.path for entry in process.memory_maps())


def test_a_run_on_the_processor_is_trained_without_tensorflow_and_the_worker_waits_for_the_next(
    store: Store, launcher: LocalLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RNNLAB_WORKER_IDLE_SECONDS", "120")
    first = store.create_run(SHORT)
    launcher.wake()
    assert wait_until(store, first, RunState.FINISHED).engine == "numpy"
    (worker,) = workers_of(store.home)
    assert not has_tensorflow(worker)
    second = store.create_run(replace(SHORT, engine="keras"))
    assert wait_until(store, second, RunState.FINISHED).engine == "keras"
    assert workers_of(store.home) == [worker]
    assert has_tensorflow(worker)


def test_a_started_run_is_trained_by_a_process_of_its_own_to_its_end(
    store: Store, launcher: LocalLauncher, digits: Dataset
) -> None:
    run = start(store, launcher, SHORT)
    worker = wait_for(lambda: workers_of(store.home), "a worker")[0]
    assert worker.pid != os.getpid()
    if hasattr(os, "getsid"):
        assert os.getsid(worker.pid) != os.getsid(0)
    ended = wait_until(store, run, RunState.FINISHED)
    assert ended.step == 60
    assert [point.step for point in store.points(run.id)] == [0, 20, 40]
    assert [test.step for test in store.tests(run.id)] == [60]
    weights, step = Weights.load(store.files(run.id).weights)
    read = Reader(weights).read(digits.test_images).beliefs[:, -1].argmax(axis=1)
    assert step == 60
    assert ended.test_accuracy == pytest.approx((read == digits.test_labels).mean())
    assert list(WeightHistory(store.home / run.id).paths()) == [0, 20, 40]
    assert "finished after 60 steps" in store.files(run.id).log.read_text()


def test_stop_ends_a_run_within_one_report_and_keeps_what_it_learned(
    store: Store, launcher: LocalLauncher
) -> None:
    run = start(store, launcher, LONG)
    wait_for_points(store, run, 3)
    store.requests.stop(run.id)
    last_seen = store.run(run.id).step
    ended = wait_until(store, run, RunState.STOPPED)
    assert ended.step <= last_seen + 2 * 20  # the report under way when Stop was pressed, and the one it ends
    assert ended.step == store.points(run.id)[-1].step + 1
    assert Weights.load(store.files(run.id).weights)[1] == ended.step
    assert ended.test_accuracy is not None


def test_a_second_run_waits_for_the_first_and_is_then_trained_by_the_same_worker(
    store: Store, launcher: LocalLauncher
) -> None:
    first, second = start(store, launcher, LONG), start(store, launcher, SHORT)
    wait_for_points(store, first, 1)
    worker = workers_of(store.home)
    assert len(worker) == 1
    assert store.run(second.id).state is RunState.QUEUED
    store.requests.stop(first.id)
    wait_until(store, second, RunState.FINISHED)
    wait_for(lambda: not workers_of(store.home), "the worker to leave")
    launcher.reap()
    assert store.run(first.id).state is RunState.STOPPED


@pytest.mark.slow
@pytest.mark.usefixtures("every_core")
def test_two_workers_train_side_by_side_and_share_the_cores(store: Store) -> None:
    launcher = LocalLauncher(store, Permissions.from_environment({"RNNLAB_TRAIN_AT_ONCE": "2"}).workers)
    runs = [start(store, launcher, LONG) for _ in range(3)]
    for run in runs[:2]:
        wait_for_points(store, run, 2)
    assert len(workers_of(store.home)) == 2
    assert store.run(runs[2].id).state is RunState.QUEUED
    assert [store.run(run.id).cores for run in runs[:2]] == [partitions_for(8, usable_cores() // 2)] * 2
    seen = [len(store.points(run.id)) for run in runs[:2]]
    for run, count in zip(runs, seen, strict=False):
        wait_for_points(store, run, count + 2)  # neither waits for the other
    store.requests.stop(runs[0].id)
    wait_for_points(store, runs[2], 1)
    end_workers(store, launcher)


def test_a_killed_worker_leaves_an_interrupted_run_that_can_be_read(
    store: Store, launcher: LocalLauncher
) -> None:
    run = start(store, launcher, LONG)
    wait_for_points(store, run, 2)
    wait_for(store.files(run.id).weights.exists, "weights")
    workers_of(store.home)[0].kill()

    def interrupted() -> Run | None:
        launcher.reap()
        now = store.run(run.id)
        return now if now.state is RunState.INTERRUPTED else None

    ended = wait_for(interrupted, "the run to be interrupted")
    assert ended.step == store.points(run.id)[-1].step + 1
    Weights.load(store.files(run.id).weights)
    after = start(store, launcher, SHORT)
    wait_until(store, after, RunState.FINISHED)


@needs_signals
def test_a_worker_asked_to_end_stops_its_run_in_order(store: Store, launcher: LocalLauncher) -> None:
    run = start(store, launcher, LONG)
    wait_for_points(store, run, 1)
    workers_of(store.home)[0].terminate()
    assert wait_until(store, run, RunState.STOPPED).test_accuracy is not None


def test_training_goes_on_when_the_dashboard_is_gone(store: Store, launcher: LocalLauncher) -> None:
    run = start(store, launcher, LONG)
    wait_for_points(store, run, 1)
    restarted = LocalLauncher(store)
    restarted.reap()
    restarted.wake()
    assert len(workers_of(store.home)) == 1
    seen = len(store.points(run.id))
    wait_for_points(store, run, seen + 2)


def test_a_run_that_fails_says_why_and_its_log_has_the_traceback(
    store: Store, launcher: LocalLauncher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RNNLAB_MNIST_DIR", str(tmp_path / "nothing here"))
    run = start(store, launcher, Config())
    ended = wait_until(store, run, RunState.FAILED)
    assert "train-images-idx3-ubyte.gz is missing" in ended.message
    assert "Traceback" not in ended.message
    assert "Traceback" in store.files(run.id).log.read_text()


def test_a_worker_that_cannot_start_is_not_waited_for_forever(
    store: Store, launcher: LocalLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RNNLAB_WORKER_IDLE_SECONDS", "no number")
    run = start(store, launcher, SHORT)

    def failed() -> bool:
        launcher.reap()
        return store.run(run.id).state is RunState.FAILED

    wait_for(failed, "the run to fail")
    assert "worker.log" in store.run(run.id).message
    assert "no number" in (store.home / "worker.log").read_text()


def pause_a_run(store: Store, launcher: LocalLauncher) -> Run:
    """Start a run, let it report twice, and have it pause."""
    run = start(store, launcher, LONG)
    wait_for_points(store, run, 2)
    store.requests.pause(run.id)
    return wait_until(store, run, RunState.PAUSED)


def test_a_paused_run_waits_steps_and_goes_on_in_the_same_process(
    store: Store, launcher: LocalLauncher
) -> None:
    run = paused = pause_a_run(store, launcher)
    assert Weights.load(store.files(run.id).weights)[1] == paused.step
    assert Checkpoint.load(store.files(run.id).checkpoint).step == paused.step
    for steps in (20, 40):
        store.requests.step(run.id)
        wait_for(lambda steps=steps: store.run(run.id).step == paused.step + steps, "a single step")  # type: ignore[misc]
        assert wait_until(store, run, RunState.PAUSED).step == paused.step + steps
    assert len(workers_of(store.home)) == 1
    store.requests.resume(run.id)
    wait_until(store, run, RunState.TRAINING)
    reported = [point.step for point in store.points(run.id)]
    assert reported == list(range(0, reported[-1] + 1, 20))


def test_a_run_stopped_at_its_last_report_makes_the_steps_that_are_left(
    store: Store, launcher: LocalLauncher
) -> None:
    run = pause_a_run(store, launcher)
    store.requests.stop(run.id)
    stopped = wait_until(store, run, RunState.STOPPED)
    store.requests.train_further(run.id, 7)
    launcher.wake()
    assert wait_until(store, run, RunState.FINISHED).step == stopped.step + 7


def test_a_paused_run_gives_its_worker_to_one_that_waits_and_is_resumed_after_it(
    store: Store, launcher: LocalLauncher
) -> None:
    run = paused = pause_a_run(store, launcher)
    other = start(store, launcher, SHORT)
    wait_until(store, other, RunState.FINISHED)
    assert store.run(run.id).state is RunState.PAUSED
    store.requests.resume(run.id)
    launcher.wake()
    wait_for(lambda: store.run(run.id).step > paused.step, "the run to go on")


def test_changes_are_made_by_the_worker_at_its_next_report(store: Store, launcher: LocalLauncher) -> None:
    run = start(store, launcher, LONG)
    wait_for_points(store, run, 2)
    store.requests.change(run.id, {"learning_rate": 0.01, "batch_size": 48})
    changes = wait_for(lambda: store.run(run.id).changes, "the changes")
    step = changes[0].step
    assert {change.step for change in changes} == {step}
    assert step % 20 == 1
    wait_for(lambda: store.run(run.id).step > step + 40, "training to go on")


def test_a_finished_run_is_trained_further_on_the_same_curve(store: Store, launcher: LocalLauncher) -> None:
    run = start(store, launcher, SHORT)
    wait_until(store, run, RunState.FINISHED)
    store.requests.train_further(run.id, 60)
    launcher.wake()
    ended = wait_until(store, run, RunState.FINISHED)
    assert (ended.step, ended.iterations) == (120, 120)
    assert [point.step for point in store.points(run.id)] == [0, 20, 40, 60, 80, 100]
    assert [test.step for test in store.tests(run.id)] == [60, 120]
    assert "TensorFlow" not in store.files(run.id).log.read_text().partition("begins at step 60")[2]
