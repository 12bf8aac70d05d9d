"""What becomes of runs when processes are killed, disks are full and files are damaged."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import joblib
import numpy as np
import pytest

from rnnlab.data.training_set import load_training_set
from rnnlab.model.weights import Weights
from rnnlab.presets import config_from
from rnnlab.runs import Run, RunState
from rnnlab.store.database import StoreError
from rnnlab.store.store import Store
from rnnlab.training.checkpoint import Checkpoint
from rnnlab.training.loop import train
from rnnlab.worker.launcher import LocalLauncher
from tests.pages import lab, shown
from tests.systems import needs_helpers, needs_signals
from tests.test_loop import Recorder, go_on
from tests.waiting import wait_for
from tests.workers import LONG, SHORT, start, start_weights, wait_for_points, wait_until, workers_of

KILLS = 10
_TINY = {"dataset": "digits", "neurons": 8, "batch_size": 8, "schedule": "constant", "nonsense": 0}


def interrupted(store: Store, launcher: LocalLauncher, run: Run) -> Run:
    """Wait until the page could know that the worker of a run is gone."""

    def found() -> Run | None:
        launcher.reap()
        now = store.run(run.id)
        return now if now.state is RunState.INTERRUPTED else None

    return wait_for(found, "the run to be interrupted", seconds=10)


def test_a_worker_killed_at_ten_random_moments_loses_nothing_and_changes_nothing(
    store: Store, launcher: LocalLauncher
) -> None:
    config = config_from({**_TINY, "iterations": 40_000, "rotation": 5})
    chance = random.Random(0)  # noqa: S311
    run = start(store, launcher, config)
    wait_for_points(store, run, 1)
    for kill in range(KILLS):
        time.sleep(chance.uniform(0.0, 1.5 if kill % 4 == 0 else 0.3))  # the moment is the test
        (worker,) = workers_of(store.home)
        worker.kill()
        left = interrupted(store, launcher, run)
        reached = store.points(run.id)[-1]
        assert left.step == reached.step + 1 or left.step < reached.step
        kept = Checkpoint.load(store.files(run.id).checkpoint)
        assert reached.step - kept.step <= 200 or reached.seconds - kept.seconds <= 5
        store.requests.resume(run.id)
        launcher.wake()
        wait_until(store, run, RunState.TRAINING)
    store.requests.stop(run.id)
    ended = wait_until(store, run, RunState.STOPPED)
    assert not list((store.home / run.id).glob(".*"))

    recorder = Recorder()
    whole = config_from({**_TINY, "iterations": ended.step, "rotation": 5})
    train(whole, load_training_set(whole), recorder, go_on, start=start_weights(whole))
    points = store.points(run.id)
    assert [point.step for point in points] == list(range(0, ended.step, 20))
    assert [(p.accuracy, p.loss) for p in points] == [(p.accuracy, p.loss) for p in recorder.points]


def test_a_training_that_does_not_fit_the_memory_is_refused_with_the_estimate(store: Store) -> None:
    code = (
        "import sys; from rnnlab.training import memory_needed; from rnnlab.worker import main\n"
        "memory_needed.available_megabytes = lambda: 100.0\n"
        "main.main(*sys.argv[1:])"
    )
    run = store.create_run(LONG)
    subprocess.run([sys.executable, "-c", code, str(store.home), "w"], check=True, timeout=60)
    refused = store.run(run.id)
    assert refused.state is RunState.FAILED
    assert "MB of memory, and 100 MB are left" in refused.message
    assert store.points(run.id) == []


def wait_for_explanation(store: Store, launcher: LocalLauncher, run: Run, words: str) -> None:
    def explained() -> bool:
        launcher.reap()
        return words in store.run(run.id).message

    wait_for(explained, "an explanation", seconds=10)


@needs_signals
def test_a_worker_that_was_killed_is_said_to_have_been(store: Store, launcher: LocalLauncher) -> None:
    run = start(store, launcher, LONG)
    wait_for_points(store, run, 1)
    workers_of(store.home)[0].kill()
    interrupted(store, launcher, run)
    wait_for_explanation(store, launcher, run, "by hand or by the system")


@needs_signals
def test_a_worker_that_the_system_ended_for_want_of_memory_is_said_to_have_been(
    store: Store, launcher: LocalLauncher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = tmp_path / "vmstat"
    counted.write_text("pgfault 12\noom_kill 3\n")
    monkeypatch.setattr("rnnlab.system.memory._KILLS", (str(counted), str(tmp_path / "missing")))
    run = start(store, launcher, LONG)
    wait_for_points(store, run, 1)
    workers_of(store.home)[0].kill()
    counted.write_text("pgfault 15\noom_kill 4\n")
    interrupted(store, launcher, run)
    wait_for_explanation(store, launcher, run, "Memory ran out")


@needs_helpers
@pytest.mark.skipif(joblib.cpu_count() < 2, reason="one core has no helper")
@pytest.mark.usefixtures("every_core")
def test_a_run_whose_helper_process_was_killed_is_interrupted_and_can_be_resumed(
    store: Store, launcher: LocalLauncher
) -> None:
    config = config_from({"dataset": "digits", "neurons": 8, "batch_size": 256, "iterations": 40_000})
    run = start(store, launcher, config)
    wait_for(store.files(run.id).checkpoint.exists, "a checkpoint")
    (worker,) = workers_of(store.home)
    (helper,) = [child for child in worker.children() if "rnnlab.training.data_parallel" in child.cmdline()]
    helper.kill()
    left = wait_until(store, run, RunState.INTERRUPTED)
    assert "was killed" in left.message
    store.requests.resume(run.id)
    launcher.wake()
    wait_for(lambda: store.run(run.id).step > left.step + 20, "the run to go on")


def test_a_loss_that_is_no_number_ends_the_run_there_with_the_last_good_weights_and_a_hint(
    store: Store, launcher: LocalLauncher
) -> None:
    run = start(store, launcher, SHORT)
    wait_until(store, run, RunState.FINISHED)
    path = store.files(run.id).checkpoint
    kept = Checkpoint.load(path)
    near_the_end_of_float32 = np.full_like(kept.network["parameters"], 1e38)
    Checkpoint(kept.step, kept.seconds, {**kept.network, "parameters": near_the_end_of_float32}).save(path)
    store.requests.train_further(run.id, 1000)
    launcher.wake()
    diverged = wait_until(store, run, RunState.DIVERGED)
    assert diverged.step == 61
    assert "smaller learning rate" in diverged.message
    assert [point.step for point in store.points(run.id)] == [0, 20, 40]
    weights, step = Weights.load(store.files(run.id).weights)
    assert step == 60
    assert weights.are_finite()


def test_a_learning_rate_at_which_nothing_is_learned_gets_a_hint(
    store: Store, launcher: LocalLauncher
) -> None:
    config = config_from({**_TINY, "iterations": 200, "learning_rate": 1, "neurons": 32})
    run = start(store, launcher, config)
    ended = wait_until(store, run, RunState.FINISHED)
    assert ended.test_accuracy is not None
    assert ended.test_accuracy < 0.15
    assert "hardly better than guessing" in ended.message
    assert "smaller learning rate" in ended.message


def test_a_run_goes_on_with_the_data_that_it_has_learned_from_or_not_at_all(
    store: Store, launcher: LocalLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(store, launcher, SHORT)
    wait_until(store, run, RunState.FINISHED)
    wait_for(lambda: not workers_of(store.home), "the worker to leave")
    monkeypatch.setenv("RNNLAB_MNIST_DIR", str(store.home / "nowhere"))
    # As if MNIST had been asked for and replaced by the bundled digits.
    store._database.execute("UPDATE runs SET config = replace(config, '\"digits\"', '\"mnist\"')")
    store.requests.train_further(run.id, 60)
    launcher.wake()
    assert wait_until(store, run, RunState.FINISHED).data_name == "digits"
    wait_for(lambda: not workers_of(store.home), "the worker to leave")
    store._database.execute("UPDATE runs SET data_name = 'mnist'")
    store.requests.train_further(run.id, 60)
    launcher.wake()
    assert "nowhere" in wait_until(store, run, RunState.FAILED).message
    assert store.points(run.id)[-1].step == 100


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_anew(
    store: Store, launcher: LocalLauncher
) -> None:
    run = start(store, launcher, LONG)
    wait_for(lambda: store.run(run.id).state is RunState.PREPARING, "the worker to take the run")
    workers_of(store.home)[0].kill()
    left = interrupted(store, launcher, run)
    if left.step <= 1:
        assert "Resume" in [button.label for button in lab(run=run.id).button]
    store.requests.resume(run.id)
    launcher.wake()
    wait_for_points(store, run, 3)
    assert [point.step for point in store.points(run.id)[:3]] == [0, 20, 40]


def test_a_database_that_breaks_under_the_store_is_said_in_one_sentence(own_home: Path) -> None:
    with Store(own_home) as store:
        run = store.create_run(LONG)
        store._database._connection.close()
        for act in (lambda: store.run(run.id), lambda: store.requests.pause(run.id)):
            with pytest.raises(StoreError) as told:
                act()
            assert len(str(told.value).splitlines()) == 1


TWENTY_THAT_START_AT_ONCE = """
import os, sys
from pathlib import Path
from rnnlab.presets import config_from
from rnnlab.store.store import Store
from rnnlab.worker.launcher import LocalLauncher

gate, opener = os.pipe()
for _ in range(20):
    if os.fork() == 0:
        os.close(opener)
        with Store(Path(sys.argv[1])) as store:
            os.read(gate, 1)  # comes back when nobody holds the other end any more
            run = store.create_run(config_from({"dataset": "digits", "neurons": 8, "iterations": 40}))
            os.write(1, f"{run.id}\\n".encode())
            LocalLauncher(store).wake()
        os._exit(0)
os.close(opener)
for _ in range(20):
    assert os.wait()[1] == 0
"""


@needs_signals
@pytest.mark.slow
def test_twenty_at_once_start_a_run_and_none_is_lost_or_trained_twice(own_home: Path, store: Store) -> None:
    command = [sys.executable, "-c", TWENTY_THAT_START_AT_ONCE, str(own_home)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    started = set(done.stdout.split())
    assert len(started) == 20
    assert len(workers_of(own_home)) <= 1
    for name in started:
        wait_until(store, store.run(name), RunState.FINISHED)
        assert [point.step for point in store.points(name)] == [0, 20]


def test_a_start_that_does_not_fit_the_memory_is_refused_on_the_page(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalLauncher, "wake", lambda _: None)
    monkeypatch.setattr("rnnlab.training.memory_needed.available_megabytes", lambda: 100.0)
    app = lab()
    app.button(key="start").click()
    shown(app.run())
    assert any("of memory, and 100 MB are left" in plain.value for plain in app.warning)
    assert store.runs() == []
