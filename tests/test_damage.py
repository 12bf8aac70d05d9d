"""What becomes of runs if their files or the list of runs are damaged, removed or cannot be written."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from rnnlab.model.weights import Weights, WeightsError
from rnnlab.runs import Run, RunState
from rnnlab.store.database import StoreError
from rnnlab.store.store import Store
from rnnlab.training.checkpoint import Checkpoint
from rnnlab.worker.launcher import LocalLauncher
from tests.waiting import wait_for
from tests.workers import LONG, SHORT, start, wait_for_points, wait_until, workers_of


def test_pages_and_other_runs_are_unharmed_when_the_disk_is_full_and_the_run_can_be_resumed(
    store: Store, launcher: LocalLauncher
) -> None:
    resource = pytest.importorskip("resource")
    run = start(store, launcher, LONG)
    wait_for_points(store, run, 1)
    store.requests.pause(run.id)
    store.requests.stop(run.id)
    stopped = wait_until(store, run, RunState.STOPPED)
    wait_for(lambda: not workers_of(store.home), "the worker to leave")
    store.requests.train_further(run.id, 100_000)
    worker = store.workers.reserve(1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    room = max(path.stat().st_size for path in store.home.glob("*")) + 60_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))  # for the worker
    try:
        launcher._start(worker)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    def ended() -> Run | None:
        launcher.reap()
        now = store.run(run.id)
        return now if now.state in (RunState.FAILED, RunState.INTERRUPTED) else None

    full = wait_for(ended, "the run to end")
    assert len(full.message.splitlines()) == 1
    points = store.points(run.id)
    assert [point.step for point in points] == list(range(0, points[-1].step + 1, 20))
    assert Checkpoint.load(store.files(run.id).checkpoint).step >= stopped.step
    Weights.load(store.files(run.id).weights)
    wait_for(lambda: not workers_of(store.home), "the worker, which has no room, to leave")
    store.requests.resume(run.id)
    launcher.wake()
    wait_for(lambda: store.run(run.id).step > full.step + 20, "the run to go on")


@pytest.mark.parametrize("what", ["checkpoint", "weights"])
def test_a_damaged_file_is_said_in_one_sentence_and_set_aside(
    store: Store, launcher: LocalLauncher, what: str
) -> None:
    run = start(store, launcher, SHORT)
    wait_until(store, run, RunState.FINISHED)
    path = store.home / run.id / f"{what}.npz"
    path.write_bytes(path.read_bytes()[:1000])
    if what == "weights":
        with pytest.raises(WeightsError, match="kept as weights"):
            Weights.load(path)
        with pytest.raises(WeightsError, match="set aside"):
            Weights.load(path)
    store.requests.train_further(run.id, 60)
    launcher.wake()
    if what == "checkpoint":
        message = wait_until(store, run, RunState.FAILED).message
        assert "kept as checkpoint.npz.damaged" in message
        assert len(message.splitlines()) == 1
        Weights.load(store.files(run.id).weights)
    else:
        wait_until(store, run, RunState.FINISHED)
        assert Weights.load(path)[1] == 120
    assert path.with_name(f"{path.name}.damaged").stat().st_size == 1000
    other = start(store, launcher, SHORT)
    wait_until(store, other, RunState.FINISHED)


def test_training_goes_on_when_the_folder_of_its_run_is_removed_under_it(
    store: Store, launcher: LocalLauncher
) -> None:
    run = start(store, launcher, LONG)
    wait_for(store.files(run.id).checkpoint.exists, "a checkpoint")
    shutil.rmtree(
        store.files(run.id).make_folder().rename(store.home / "removed")
    )  # in one go, whatever is being written
    wait_for(store.files(run.id).weights.exists, "weights to be there again")
    store.requests.stop(run.id)
    ended = wait_until(store, run, RunState.STOPPED)
    assert Weights.load(store.files(run.id).weights)[1] == ended.step


WORKER_BOUND_BY_PERMISSIONS = """
import ctypes, os, sys
# Root may write everywhere by a capability (CAP_DAC_OVERRIDE), which what it starts from here on lacks.
ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)
os.execv(sys.executable, [sys.executable, "-m", "rnnlab.worker.main", *sys.argv[1:]])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, permissions bind root in other ways")
def test_a_folder_that_cannot_be_written_to_is_said_in_one_sentence_and_harms_no_other_run(
    store: Store, launcher: LocalLauncher
) -> None:
    run = start(store, launcher, SHORT)
    wait_until(store, run, RunState.FINISHED)
    wait_for(lambda: not workers_of(store.home), "the worker to leave")
    folder, before = store.files(run.id).make_folder(), store.files(run.id).weights.read_bytes()
    store.files(run.id).log.unlink()
    store.requests.train_further(run.id, 60)
    other = store.create_run(SHORT)
    folder.chmod(0o555)
    try:
        command = [sys.executable, "-c", WORKER_BOUND_BY_PERMISSIONS, str(store.home), "w"]
        subprocess.run(command, check=True, timeout=60)
    finally:
        folder.chmod(0o755)
    ended = store.run(run.id)
    assert ended.state is RunState.FAILED
    assert "could not be written (Permission denied)" in ended.message
    assert store.files(run.id).weights.read_bytes() == before
    assert store.run(other.id).state is RunState.FINISHED
    store.requests.resume(run.id)
    launcher.wake()
    assert wait_until(store, run, RunState.FINISHED).step == 120


def test_a_run_whose_folder_is_gone_is_told_so(store: Store, launcher: LocalLauncher) -> None:
    run = start(store, launcher, SHORT)
    wait_until(store, run, RunState.FINISHED)
    shutil.rmtree(store.home / run.id)
    store.requests.train_further(run.id, 60)
    launcher.wake()
    ended = wait_until(store, run, RunState.FAILED)
    assert "no checkpoint" in ended.message
    assert [point.step for point in store.points(run.id)] == [0, 20, 40]


def test_a_checkpoint_of_another_kind_of_network_costs_the_run_nothing_that_it_has_reported(
    store: Store, launcher: LocalLauncher
) -> None:
    run = start(store, launcher, SHORT)
    wait_until(store, run, RunState.FINISHED)
    kept = Checkpoint.load(store.files(run.id).checkpoint)
    other = {f"of_a_gpu_{name}": array for name, array in kept.network.items()}
    Checkpoint(20, kept.seconds, other).save(store.files(run.id).checkpoint)
    store.requests.train_further(run.id, 60)
    store.requests.change(run.id, {"learning_rate": 0.01})
    launcher.wake()
    ended = wait_until(store, run, RunState.FAILED)
    assert "another kind of network" in ended.message
    assert [point.step for point in store.points(run.id)] == [0, 20, 40]


def test_a_home_that_is_gone_is_said_in_one_sentence_and_not_as_an_error_of_the_program(
    store: Store, launcher: LocalLauncher
) -> None:
    store.create_run(SHORT)
    shutil.rmtree(store.home)
    with pytest.raises(StoreError) as told:
        launcher.wake()
    assert len(str(told.value).splitlines()) == 1
