"""Runs in the store that a rule has ended: what is said of them, and how they are trained further."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rnnlab.__main__ import main
from rnnlab.config import Config
from rnnlab.config_changes import Change
from rnnlab.runs import Run, RunState
from rnnlab.store.store import Store
from rnnlab.training import loop
from rnnlab.worker.job import execute
from rnnlab.worker.launcher import LocalLauncher
from tests.waiting import wait_for
from tests.workers import SHORT, give_weights, start, wait_until, workers_of

EASY = Config(neurons=16, batch_size=32, iterations=400, dataset="digits", stop_at=0.3)
FLAT = replace(EASY, stop_at=0.0, patience=2, learning_rate=1e-5)


@pytest.fixture
def often_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the test set be read after every 20 steps of 32."""
    monkeypatch.setattr(loop, "IMAGES_BETWEEN_TESTS", 640)


def trained(store: Store, config: Config) -> Run:
    run = store.create_run(config, claimed=True)
    execute(store, run)
    return store.run(run.id)


def trained_further(store: Store, run: Run, steps: int) -> Run:
    store.requests.train_further(run.id, steps)
    claimed = store.reports.claim(run.id)
    assert claimed is not None
    assert (claimed.ended_by, claimed.message) == ("", "")
    execute(store, claimed)
    return store.run(run.id)


@pytest.mark.usefixtures("often_tested")
def test_store_log_and_command_line_say_what_ended_a_run(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(store, EASY)
    assert (run.state, run.ended_by) == (RunState.FINISHED, "stop_at")
    assert run.step < EASY.iterations
    assert run.message.startswith(f"Ended early, at step {run.step:,}: it reads ")
    assert run.message in store.files(run.id).log.read_text()
    assert json.loads(store.files(run.id).record.read_text())["ended_by"] == "stop_at"
    assert main(["runs", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert (listed["ended_by"], listed["message"]) == ("stop_at", run.message)
    assert listed["config"]["stop_at"] == 0.3


@pytest.mark.usefixtures("often_tested")
def test_the_command_line_trains_with_rules_and_says_which_one_ended_it(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--dataset", "digits", "--neurons", "16", "--batch-size", "32", "--iterations", "400"]
    rules = ["--stop-at", "0.3", "--patience", "100", "--minutes", "5"]
    assert main(["train", *options, *rules, "--json"]) == 0
    end = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (end["state"], end["ended_by"]) == ("finished", "stop_at")
    (run,) = store.runs()
    assert (run.config.stop_at, run.config.patience, run.config.minutes) == (0.3, 100, 5.0)
    assert main(["train", *options, *rules]) == 0
    assert "Ended early, at step" in " ".join(capsys.readouterr().out.split())


@pytest.mark.usefixtures("often_tested")
@pytest.mark.parametrize(("config", "rule"), [(EASY, "stop_at"), (FLAT, "patience")])
def test_a_run_that_is_trained_further_makes_its_steps_though_a_rule_had_ended_it(
    store: Store, config: Config, rule: str
) -> None:
    run = trained(store, config)
    assert run.ended_by == rule
    further = trained_further(store, run, 100)
    assert (further.state, further.step, further.ended_by) == (RunState.FINISHED, run.step + 100, "")
    assert Change(run.step, rule, 0) in further.changes
    assert getattr(further.config, rule) == getattr(config, rule)
    assert "Ended early" not in further.message


@pytest.mark.usefixtures("often_tested")
def test_the_other_rules_count_when_a_run_is_trained_further(store: Store) -> None:
    run = trained(store, replace(FLAT, stop_at=0.01))
    assert (run.ended_by, run.step) == ("stop_at", 21)
    further = trained_further(store, run, 379)
    assert further.ended_by == "patience"
    assert 41 < further.step < 400


@pytest.mark.usefixtures("often_tested")
def test_a_new_value_of_the_rule_that_ended_a_run_counts_when_it_is_trained_further(store: Store) -> None:
    run = trained(store, EASY)
    store.requests.change(run.id, {"stop_at": 0.6})
    further = trained_further(store, run, 2_000)
    assert (further.ended_by, further.config_now.stop_at) == ("stop_at", 0.6)
    assert further.test_accuracy is not None
    assert further.test_accuracy >= 0.6


@pytest.mark.usefixtures("often_tested")
def test_a_run_trained_to_its_old_end_is_the_one_that_no_rule_had_ended(store: Store) -> None:
    whole = trained(store, replace(EASY, stop_at=0.0))
    run = trained(store, EASY)
    further = trained_further(store, run, EASY.iterations - run.step)
    assert further.step == whole.step

    def accuracies(of: Run) -> list[tuple[int, float, float]]:
        return [(point.step, point.accuracy, point.loss) for point in store.points(of.id)]

    assert accuracies(further) == accuracies(whole)


@pytest.mark.usefixtures("often_tested")
def test_resume_on_the_command_line_makes_the_steps_that_a_rule_had_spared(store: Store) -> None:
    run = trained(store, EASY)
    assert main(["resume", run.id, "--json"]) == 0
    assert (store.run(run.id).step, store.run(run.id).ended_by) == (EASY.iterations, "")


@pytest.mark.usefixtures("often_tested")
def test_patience_goes_on_counting_when_a_paused_run_is_resumed_by_another_worker(store: Store) -> None:
    expected = trained(store, FLAT)
    run = store.create_run(FLAT, claimed=True)
    store.requests.pause(run.id)
    while (store.run(run.id).pause_at or 0) < expected.step - 21:
        store.requests.step(run.id)
    store.create_run(FLAT)  # it waits, so that the worker parts from the paused run
    assert execute(store, run) is RunState.PAUSED
    paused = store.run(run.id)
    assert paused.step == expected.step - 20
    store.requests.resume(run.id)
    claimed = store.reports.claim(run.id)
    assert claimed is not None
    execute(store, claimed)
    resumed = store.run(run.id)
    assert (resumed.step, resumed.message) == (expected.step, expected.message)
    assert store.tests(run.id) == store.tests(expected.id)


@pytest.mark.slow
def test_a_worker_ends_a_run_after_its_minutes(store: Store, launcher: LocalLauncher) -> None:
    run = start(store, launcher, replace(SHORT, iterations=200_000, minutes=0.01))
    ended = wait_until(store, run, RunState.FINISHED)
    assert ended.ended_by == "minutes"
    assert 0.6 <= ended.seconds < 60
    assert "it has trained for 0.01 minutes" in ended.message


@pytest.mark.slow
def test_a_killed_worker_changes_neither_when_patience_is_over_nor_which_weights_are_best(
    store: Store, launcher: LocalLauncher
) -> None:
    config = replace(SHORT, batch_size=1024, iterations=5_000, learning_rate=1e-5, patience=2)
    run = start(store, launcher, config)
    wait_for(lambda: store.tests(run.id), "a test")
    workers_of(store.home)[0].kill()

    def is_interrupted() -> bool:
        launcher.reap()
        return store.run(run.id).state is RunState.INTERRUPTED

    wait_for(is_interrupted, "the run to be interrupted")
    store.requests.resume(run.id)
    launcher.wake()
    ended = wait_until(store, run, RunState.FINISHED)

    whole = store.create_run(config)
    give_weights(store, whole)
    claimed = store.reports.claim(whole.id)
    assert claimed is not None
    execute(store, claimed)
    assert (ended.ended_by, ended.message) == ("patience", store.run(whole.id).message)
    assert store.tests(run.id) == store.tests(whole.id)
    best, expected = (store.files(name).best.newest() for name in (run.id, whole.id))
    assert best is not None
    assert expected is not None
    assert (
        best[1] == expected[1] == max(store.tests(run.id), key=lambda test: (test.accuracy, test.step)).step
    )
